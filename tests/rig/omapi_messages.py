"""Messages of OMAPI made by hand, for pypureomapi; attributes as words of Python: `ip_address=b"..."`."""

from .omapi import attributes, number


def message(kind, create=False, **given):
    """One that opens an object, or makes it."""
    import pypureomapi
    made = pypureomapi.OmapiMessage.open(kind.encode())
    made.message += [(b"create", number(1)), (b"exclusive", number(1))] if create else []
    made.obj += [(name.replace("_", "-").encode(), value) for name, value in given.items()]
    return made


def asked(omapi, kind, create=False, **given):
    """The answer to it."""
    return attributes(omapi.query_server(message(kind, create, **given)))


def opened(omapi, kind, **given):
    """The handle of an object."""
    return omapi.query_server(message(kind, **given)).handle


def updated(omapi, handle, **given):
    """The result of a change."""
    import pypureomapi
    made = pypureomapi.OmapiMessage.update(handle)
    made.update_object({name.replace("_", "-").encode(): value for name, value in given.items()})
    return attributes(omapi.query_server(made))["result"]


def deleted(omapi, handle):
    """The result of a deletion."""
    import pypureomapi
    return attributes(omapi.query_server(pypureomapi.OmapiMessage.delete(handle)))["result"]
