"""DHCPv4 packets that cause the peer's recorded calls once more."""

from .dhcp4 import (CLIENT_ID, DISCOVER, HOSTNAME, MESSAGE_TYPE, NOWHERE, RELAY_AGENT_INFORMATION, RELEASE,
                    REQUEST, REQUESTED_ADDRESS, SERVER_ID, VENDOR_CLASS, Message4, Wire4, address_bytes, fqdn,
                    hex_bytes)

TYPES = ["", "DHCPDISCOVER", "DHCPOFFER", "DHCPREQUEST", "DHCPDECLINE", "DHCPACK", "DHCPNAK", "DHCPRELEASE",
         "DHCPINFORM"]

# Option 60 where the record cannot tell what was sent.
VENDOR_CLASSES = {"07-vc-nul": b"abc\0def", "08-vc-empty": b""}

# An address that no case mentions.
NOBODYS = "10.4.1.253"


class Replay4:
    """The clients of one case."""

    def __init__(self, link, case, _recorder):
        self.link, self.case = link, case
        link.wire4 = link.wire4 or Wire4(link)
        self.vendor_class = VENDOR_CLASSES.get(case.name)
        self.last = None

    def close(self):
        pass

    def prepare(self):
        """Nothing: a client gets its recorded address because it asks for it."""

    def send(self, step):
        self.last = self.message(step)
        self.link.wire4.send(self.last, source=self.last.ciaddr, unicast=self.last.giaddr != NOWHERE)

    def send_mark(self):
        """The same client releases an address that is nobody's: one call of pkt4_receive, and no more."""
        mark = Message4(self.last.chaddr, [(MESSAGE_TYPE, bytes([RELEASE])), *self.identity(self.last)],
                        ciaddr=NOBODYS, htype=self.last.htype)
        self.link.wire4.send(mark, unicast=True)

    def is_mark(self, call):
        return call.get("KEA_QUERY4_CIADDR") == NOBODYS

    @staticmethod
    def identity(message):
        return [option for option in message.options if option[0] == CLIENT_ID]

    def message(self, step):
        """The packet that `step` began with, as far as the calls can tell."""
        query = {name.removeprefix("KEA_QUERY4_"): value for name, value in step[0].env.items()}
        kind = TYPES.index(query["TYPE"])
        options = [(MESSAGE_TYPE, bytes([kind])), *self.address_options(kind, query, step), *self.own_options(query)]
        if "RAI" in query:
            options.append((RELAY_AGENT_INFORMATION, bytes.fromhex(query["RAI"].removeprefix("0x"))))
        return Message4(hex_bytes(query["HWADDR"]), options, htype=int(query["HWADDR_TYPE"]),
                        hops=int(query["RELAY_HOPS"]), ciaddr=query["CIADDR"], giaddr=query["GIADDR"])

    def own_options(self, query):
        """What the client says of itself; its lease tells, whichever call shows it."""
        if self.vendor_class is not None or "OPTION60" in query:
            yield VENDOR_CLASS, self.vendor_class if self.vendor_class is not None else query["OPTION60"].encode()
        hardware = query["HWADDR_TYPE"], query["HWADDR"]
        leases = [record for record in self.case.records if "KEA_LEASE4_ADDRESS" in record.env and hardware ==
                  (record.env.get("KEA_QUERY4_HWADDR_TYPE"), record.env.get("KEA_QUERY4_HWADDR"))]
        client_id = leases[0].text(r"Client id: +([0-9a-f:]+)\n") if leases else None
        if client_id:
            yield CLIENT_ID, hex_bytes(client_id)
        name = leases[0].env["KEA_LEASE4_HOSTNAME"] if leases else ""
        if name:
            # Kea keeps a host name as it came, and the name of option 81 with a dot at its end.
            yield fqdn(name) if name.endswith(".") else (HOSTNAME, name.encode())

    def address_options(self, kind, query, step):
        """The address that a message without ciaddr is about, and the server it speaks to."""
        if query["CIADDR"] != NOWHERE:
            return
        yield REQUESTED_ADDRESS, address_bytes(self.address(step))
        if kind != DISCOVER and (kind != REQUEST or self.selecting()):
            yield SERVER_ID, address_bytes(self.link.server4)

    def selecting(self):
        """What follows a DISCOVER names the server; a client that remembers its address (INIT-REBOOT) does not."""
        return self.last.options[0] == (MESSAGE_TYPE, bytes([DISCOVER]))

    def address(self, step):
        """The address that Kea's calls show, in this step or else last before it."""
        before = [record for record in self.case.records if record.n <= step[-1].n]
        for record in reversed(before):
            for name in ("KEA_LEASE4_ADDRESS", "KEA_RESPONSE4_YIADDR"):
                if record.env.get(name, NOWHERE) != NOWHERE:
                    return record.env[name]
        return NOBODYS
