"""DHCPv6 packets that cause the peer's recorded calls once more: Kea's own text of a query tells all that was in it."""

import ipaddress
import re
import struct
import time

from .dhcp4 import dns_labels
from .dhcp6 import (CLIENT_FQDN, CLIENT_ID, IA_ADDRESS, IA_NA, IA_PD, IA_PREFIX, REPLY, SOLICIT, Client6, Lease6,
                    Message6, Port6, Relay6, pack_options)
from .recorded import AGE
from .wait import TICK, wait_until

STRANGER = "02:d6:00:00:ff:fe"
MARK = 0xfffffe    # a transaction id that no case has


class Replay6:
    """The clients of one case."""

    vendor_class = None

    def __init__(self, link, case, recorder):
        self.link, self.case, self.recorder = link, case, recorder
        # As recorded: how Kea writes a packet depends on its version.
        self.packets = {record.n: record.env for record in case.records}
        self.ports = {}
        self.last = None

    def close(self):
        for port in self.ports.values():
            port.close()

    def prepare(self):
        """Brings the server to the state in which the case began."""
        if self.case.name == "52-reuse":
            self.expired_owner()
        self.move_pools()

    def expired_owner(self):
        """Kea leaves the first owner's hardware address in a lease that it gives to others: 02:d6:00:00:00:34."""
        relays = parse(self.case.records[0].env["KEA_QUERY6_DEBUG"])[0]
        with Client6(self.link, "02:d6:00:00:00:34", pd=[1], relays=relays) as owner:
            owner.sarr()
        self.recorder.wait(2, "lease6_expire", timeout=20)

    def move_pools(self):
        """A stranger's SOLICIT draws all that lies before the first recorded address and prefix in their pools."""
        step = next((step for step in self.case.steps() if step[0].env.get("KEA_QUERY6_TYPE") == "SOLICIT"), [])
        leases = [record.env for record in step if record.hook == "lease6_select"]
        positions = {env["KEA_LEASE6_TYPE"]: self.position(env["KEA_LEASE6_ADDRESS"]) for env in leases}
        counts = {kind: range(1, positions.get(kind, 0) + 1) for kind in ("IA_NA", "IA_PD")}
        if any(counts.values()):
            relays = parse(step[0].env["KEA_QUERY6_DEBUG"])[0]
            answered = len(self.recorder.calls("pkt6_send"))
            with Client6(self.link, STRANGER, na=counts["IA_NA"], pd=counts["IA_PD"], relays=relays) as stranger:
                stranger.solicit(timeout=20)
            self.recorder.wait(answered + 1, "pkt6_send")

    def position(self, address):
        """How many addresses or prefixes come before this one in its pool; 0 if it is in none."""
        subnets = [*self.case.config["subnet6"],
                   *(subnet for network in self.case.config["shared-networks"] for subnet in network["subnet6"])]
        for subnet in subnets:
            pools = [(pool["pool"], 128) for pool in subnet.get("pools", ())]
            pools += [(f"{pool['prefix']}/{pool['prefix-len']}", pool["delegated-len"])
                      for pool in subnet.get("pd-pools", ())]
            for pool, length in pools:
                if "/" in pool and ipaddress.ip_address(address) in (network := ipaddress.ip_network(pool)):
                    return int(ipaddress.ip_address(address)) - int(network[0]) >> 128 - length
        return 0

    def send(self, step):
        query = {name.removeprefix("KEA_QUERY6_"): value for name, value in self.packets[step[0].n].items()}
        self.last = (query["REMOTE_ADDRESS"], int(query["REMOTE_PORT"])), *parse(query["DEBUG"])
        if ended := self.recorder.calls("lease6_expire"):
            wait_past(ended[-1]["KEA_LEASE6_CLIENT_LAST_TRANSMISSION"], ended[-1]["KEA_LEASE6_VALID_LIFETIME"])
        if AGE in step[-1].env.get("KEA_RESPONSE6_DEBUG", ""):
            wait_past(self.recorder.calls("lease6_select")[-1]["KEA_LEASE6_CLIENT_LAST_TRANSMISSION"])
        self.send_again(*self.last)

    def send_mark(self):
        """The same client sends a REPLY, which is none of its business: one call of pkt6_receive, and no more."""
        sender, _, message = self.last
        identity = [option for option in message.options if option[0] == CLIENT_ID]
        self.send_again(sender, (), Message6(REPLY, identity, MARK))

    def is_mark(self, call):
        return call.get("KEA_QUERY6_TRANSACTION_ID") == str(MARK)

    def send_again(self, sender, relays, message):
        if sender not in self.ports:
            self.ports[sender] = Port6(self.link, *sender)
        self.ports[sender].send(message, relays)


def wait_past(last_transmission, lifetime=0):
    """Waits until so many seconds are over since then: Kea counts whole ones."""
    end = int(last_transmission) + int(lifetime)
    wait_until(lambda: time.time() >= end + 1 + TICK, "the end of the lifetime")


def parse(text):
    """Relays and message of which Kea made this text (Pkt6::toText)."""
    text, *relays = re.split(r"^relay\[\d+\]: ", text, flags=re.M)
    kind, transid = re.search(r"^msgtype=(\d+)\(\w+\), transid=0x([0-9a-f]+)$", text, re.M).groups()
    message = Message6(int(kind), parse_options(text), int(transid, 16))
    return [parse_relay(relay) for relay in relays], message


def parse_relay(text):
    hops, link, peer = re.search(r"hop-count=(\d+),\nlink-address=(.*?), peer-address=(.*?), ", text).groups()
    return Relay6(link, peer, tuple(parse_options(text)), int(hops))


def parse_options(text):
    options = []
    for line in text.splitlines():
        if line.startswith("  type="):
            # Indented: an option inside the one before.
            code, value = options[-1]
            options[-1] = code, value + pack_options([parse_option(line)])
        elif line.startswith("type="):
            options.append(parse_option(line))
    return options


def parse_option(line):
    code = int(re.search(r"type=(\d+)", line)[1])
    value = line.partition(": ")[2]
    if code in (IA_NA, IA_PD):
        return code, struct.pack("!III", *map(int, re.findall(r"=(\d+)", value)))
    if code in (IA_ADDRESS, IA_PREFIX):
        address, preferred, valid = re.findall(r"=([^,]+)", value)
        return Lease6(address, int(preferred), int(valid)).option()
    if code == CLIENT_FQDN:
        return code, parse_fqdn(value)
    if fields := re.findall(r"(\w+) ?\((uint16|uint32|binary)\)", value):
        return code, b"".join(parse_field(*field) for field in fields)
    return code, bytes.fromhex(value.replace(":", ""))


def parse_fqdn(text):
    flags = sum(bit for letter, bit in (("S", 1), ("O", 2), ("N", 4)) if f"{letter}=1" in text)
    name, full = re.search(r"domain-name='(.*)' \((full|partial)\)", text).groups()
    return bytes([flags]) + dns_labels(name) + (b"\0" if full == "full" else b"")


def parse_field(text, kind):
    if kind == "binary":
        return bytes.fromhex(text)
    return int(text).to_bytes(2 if kind == "uint16" else 4, "big")
