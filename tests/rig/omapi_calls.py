"""Calls of pypureomapi, and messages made by hand, for a server with the hosts of tests/omapi/dhcpd-md5.conf and the lease of
192.0.2.100: a real dhcpd's outcome beside kea-omapi's."""

import re

from .omapi import LEASED, LEASED_MAC, attributes, number

# What varies, or may: handles, times, made-up names.
VARIES = {"subnet", "pool", "ends", "starts", "cltt", "tstp", "tsfp", "atsfp", "host"}


def calls():
    """Name, and what is called with the client and pypureomapi."""
    def message(kind, /, create=False, exclusive=False, **attributes):
        def make(api):
            made = api.OmapiMessage.open(kind.encode())
            made.message += [(b"create", number(1))] if create else []
            made.message += [(b"exclusive", number(1))] if exclusive else []
            made.obj += items(api, attributes)
            return made
        return make

    def items(api, attributes):
        pack = {"ip_address": api.pack_ip, "hardware_address": api.pack_mac}
        def value(name, given):
            return given if isinstance(given, bytes) else pack.get(name, str.encode)(given)
        return [(name.replace("_", "-").encode(), value(name, given)) for name, given in attributes.items()]

    def asked(kind, /, **more):
        return lambda client, api: attributes(client.query_server(message(kind, **more)(api)))

    def by_handle(operation, found, /, **changes):
        def call(client, api):
            handle = client.query_server(found(api)).handle if callable(found) else found
            made = api.OmapiMessage(opcode=operation, handle=handle, tid=-1, obj=items(api, changes))
            return attributes(client.query_server(made))
        return call

    def method(name, /, *args, **more):
        return lambda client, api: getattr(client, name)(*args, **more)

    def by_attribute(kind, found, **more):
        def call(client, api):
            handle = client.query_server(found(api)).handle if callable(found) else found
            return attributes(client.query_server(message(kind, handle=number(handle), **more)(api)))
        return call

    refresh, update, notify, delete = 2, 3, 4, 6
    pc6, leased = message("host", name="pc6"), message("lease", ip_address=LEASED)
    return [
        ("lookup_mac", method("lookup_mac", LEASED)),
        ("lookup_ip", method("lookup_ip", LEASED_MAC)),
        ("lookup_hostname", method("lookup_hostname", LEASED)),
        ("get_lease", method("lookup_by_lease", ip=LEASED)),
        ("lease by client identifier", method("lookup_by_lease", dhcp_client_identifier="x")),
        ("a free lease", method("lookup_by_lease", ip="192.0.2.120")),
        ("lookup_mac, free", method("lookup_mac", "192.0.2.120")),
        ("lookup_hostname, free", method("lookup_hostname", "192.0.2.120")),
        ("lookup_mac, no pool", method("lookup_mac", "192.0.2.250")),
        ("lookup_mac, no subnet", method("lookup_mac", "203.0.113.9")),
        ("lookup_ip, unknown", method("lookup_ip", "02:00:00:00:99:99")),
        ("lookup_host", method("lookup_host", "conf1")),
        ("host by name, whole", method("lookup_by_host", name="conf1")),
        ("lookup_host_host", method("lookup_host_host", "02:00:00:00:0f:01")),
        ("lookup_ip_host", method("lookup_ip_host", "02:00:00:00:0f:01")),
        ("lookup_ip_host, no address", method("lookup_ip_host", "02:00:00:00:0f:02")),
        ("lookup_host_by_ip", method("lookup_host_by_ip", "192.0.2.201")),
        ("lookup_host, unknown", method("lookup_host", "nobody")),
        ("lookup_host_host, unknown", method("lookup_host_host", "02:00:00:00:99:99")),
        ("add_host", method("add_host", "192.0.2.210", "02:00:00:00:0a:01")),
        ("the added host", method("lookup_by_host", mac="02:00:00:00:0a:01")),
        ("add_host, again", method("add_host", "192.0.2.211", "02:00:00:00:0a:01")),
        ("add_host, same address", method("add_host", "192.0.2.210", "02:00:00:00:0a:02")),
        ("add_host_supersede_name", method("add_host_supersede_name", "192.0.2.212", "02:00:00:00:0a:03", "pc3")),
        ("the host with a name", method("lookup_by_host", name="pc3")),
        ("add_host_supersede_name, same name", method("add_host_supersede_name", "192.0.2.213", "02:00:00:00:0a:04", "pc3")),
        ("add_host_without_ip", method("add_host_without_ip", "02:00:00:00:0a:05")),
        ("the host without an address", method("lookup_by_host", mac="02:00:00:00:0a:05")),
        ("add_host_supersede", method("add_host_supersede", "192.0.2.214", "02:00:00:00:0a:06", "pc6", hostname="pc6",
                                      router="192.0.2.254", domain="example.org")),
        ("add_host_supersede, again", method("add_host_supersede", "192.0.2.215", "02:00:00:00:0a:06", "pc6", hostname="pc6b")),
        ("statements that are none", method("add_host_supersede", "192.0.2.216", "02:00:00:00:0a:07", "pc7", statements="nonsense here;")),
        ("the same by hand", asked("host", create=True, name="pc7", hardware_address="02:00:00:00:0a:07", statements="nonsense here;")),
        ("nothing is left of it", method("lookup_by_host", name="pc7")),
        ("add_group", method("add_group", "lab", 'option domain-name "lab.example.org";')),
        ("add_group, again", method("add_group", "lab", 'option domain-name "lab2.example.org";')),
        ("add_host_with_group", method("add_host_with_group", "192.0.2.217", "02:00:00:00:0a:08", "lab")),
        ("the host with a group", method("lookup_by_host", mac="02:00:00:00:0a:08", raw=True)),
        ("add_host_with_group, unknown", method("add_host_with_group", "192.0.2.218", "02:00:00:00:0a:09", "nogroup")),
        ("change_group", method("change_group", "pc3", "lab")),
        ("change_group, unknown", method("change_group", "pc3", "nogroup")),
        ("change_group by hand", by_handle(update, message("host", name="pc3"), group="lab")),
        ("the group", asked("group", name="lab")),
        ("a group, unknown", asked("group", name="zzz")),
        ("a group with a name only", asked("group", create=True, name="ng")),
        ("name of one, mac of another", asked("host", name="pc3", hardware_address="02:00:00:00:0a:06", hardware_type=number(1))),
        ("host, no hardware type", asked("host", hardware_address="02:00:00:00:0a:06")),
        ("host, another hardware type", asked("host", hardware_address="02:00:00:00:0a:06", hardware_type=number(6))),
        ("host, a short hardware type", asked("host", hardware_address="02:00:00:00:0a:06", hardware_type=b"\1")),
        ("lease, no hardware type", asked("lease", hardware_address=LEASED_MAC)),
        ("host by nothing", asked("host")),
        ("lease by nothing", asked("lease")),
        ("a type that is none", asked("subnetx")),
        ("subnet", asked("subnet")),
        ("pool", asked("pool")),
        ("shared-network", asked("shared-network")),
        ("class", asked("class", name="x")),
        ("control", asked("control")),
        ("lookup_failoverstate", method("lookup_failoverstate", "peer", "local-state")),
        ("failover-state by nothing", asked("failover-state")),
        ("an attribute that is none", asked("host", create=True, exclusive=True, hardware_address="02:00:00:00:0a:0b",
                                            hardware_type=number(1), colour="red")),
        ("a host with a name only", asked("host", create=True, exclusive=True, name="onlyname")),
        ("nothing is left of that", method("lookup_by_host", name="onlyname")),
        ("leases cannot be made", asked("lease", create=True, ip_address="192.0.2.99")),
        ("create without a type", lambda client, api: attributes(client.query_server(
            api.OmapiMessage(opcode=1, tid=-1, message=[(b"create", number(1))])))),
        ("a flag that is no number", lambda client, api: attributes(client.query_server(
            api.OmapiMessage(opcode=1, tid=-1, message=[(b"type", b"host"), (b"create", b"1")])))),
        ("update a host's address", by_handle(update, pc6, ip_address="192.0.2.220")),
        ("it has that address", method("lookup_by_host", name="pc6")),
        ("update a host's mac", by_handle(update, pc6, hardware_address="02:00:00:00:0a:66")),
        ("update a host's name", by_handle(update, pc6, name="pc6b")),
        ("update a host's statements", by_handle(update, pc6, statements='option host-name "other";')),
        ("update a host with nothing", by_handle(update, pc6)),
        ("update a lease's address", by_handle(update, leased, ip_address="192.0.2.101")),
        ("update a lease's subnet", by_handle(update, leased, subnet=number(1))),
        ("update a lease's hostname", by_handle(update, leased, client_hostname="other")),
        ("a lease's state that is none", by_handle(update, leased, state=number(8))),
        ("host by handle", by_attribute("host", pc6)),
        ("host by its handle and another's name", by_attribute("host", pc6, name="pc3")),
        ("lease by handle", by_attribute("lease", leased)),
        ("lease by a host's handle", by_attribute("lease", pc6)),
        ("group by handle", by_attribute("group", message("group", name="lab"))),
        ("host by no such handle", by_attribute("host", 99999)),
        ("refresh", by_handle(refresh, pc6)),
        ("refresh, no such handle", by_handle(refresh, 99999)),
        ("update, no such handle", by_handle(update, 99999, name="x")),
        ("delete, no such handle", by_handle(delete, 99999)),
        ("notify", by_handle(notify, 0)),
        ("a client identifier", asked("host", create=True, name="cid", dhcp_client_identifier=b"\x01\x02\x03")),
        ("the host with it", asked("host", dhcp_client_identifier=b"\x01\x02\x03")),
        ("del_host", method("del_host", "02:00:00:00:0a:01")),
        ("the host is gone", method("lookup_ip_host", "02:00:00:00:0a:01")),
        ("del_host, again", method("del_host", "02:00:00:00:0a:01")),
        ("del_host of the configuration", method("del_host", "02:00:00:00:0f:01")),
        ("delete a group", by_handle(delete, message("group", name="lab"))),
        ("that group is gone", asked("group", name="lab")),
        ("its hosts are not", method("lookup_by_host", mac="02:00:00:00:0a:08")),
        ("delete a lease", by_handle(delete, leased)),
        ("delete the control object", by_handle(delete, message("control"))),
        ("another state of control", by_handle(update, message("control"), state=number(3))),
        ("free a lease", by_handle(update, leased, state=number(1))),
        ("its state", lambda client, api: client.lookup_by_lease(ip=LEASED)["state"]),
        ("its name", method("lookup_hostname", LEASED)),
    ]


def outcome(client, api, call):
    """What a call returns or raises, without what varies."""
    try:
        return plain(call(client, api))
    except (api.OmapiError, OSError) as error:
        return f"{type(error).__name__}: {error}"


def plain(value):
    if isinstance(value, dict):
        # Their order is compared, too.
        return [(plain(name), "..." if text(name) in VARIES else plain(each)) for name, each in value.items()]
    return re.sub(r"^n[gh][0-9a-f]{16,}$", "(made up)", value) if isinstance(value, str) else \
        plain(value.decode("latin1")) if isinstance(value, bytes) else value


def text(name):
    return name.decode() if isinstance(name, bytes) else name
