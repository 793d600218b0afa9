"""What newer versions of Kea do otherwise with the recorded packets; docs/kea-versions.md explains each change.

A rule makes of a case's recorded calls those that the newer Kea makes, exactly: how ours are compared stays the same.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from .recorded import AGE, Record, is_timer


@dataclass(frozen=True)
class Change:
    """From version `since` on, a case's calls are what the rule makes of those of the version before.

    `switch` is configuration with which the newer Kea does as the older.
    """

    title: str
    since: tuple
    rule: Callable
    switch: dict = field(default_factory=dict)

    @property
    def heading(self):
        return f"{self.title} (from Kea {'.'.join(map(str, self.since))} on)"

    def switched(self, config):
        """The configuration with the switch in it."""
        return {**config, **{name: {**config[name], **value} if isinstance(value, dict) else value
                             for name, value in self.switch.items()}}

    def concerns(self, case):
        """Whether it changes calls of the case that are left by the changes before it."""
        before = expected(case, CHANGES[:CHANGES.index(self)])
        return expected(before, [self]) != before


def expected(case, changes):
    """The case with the calls that a Kea with these changes makes."""
    for change in changes:
        case = replace(case, records=tuple(change.rule(case)))
    return case


def values(names, change):
    """The rule that variables with such names have other values."""
    def rule(case):
        for record in case.records:
            yield record.but({name: change(value) for name, value in record.env.items() if re.fullmatch(names, name)})
    return rule


# The rules, in the order of the table.

def keep_released_leases(case):
    """A released lease ends by the timer, and can be released again: its step is the one of the first time."""
    first = {}
    for step in case.steps():
        number = transaction(step[0])
        packet = frozenset(renumbered(step[0], number, 0).env.items())
        ends = [ended(record) for record in step if record.hook.endswith("_release")]
        if ends:
            first[packet] = step
        elif packet in first:
            n, before = step[0].n, transaction(first[packet][0])
            step = [renumbered(replace(record, n=n), before, number) for record in first[packet]]
            step = [with_lease(record, RECLAIMED) if record.hook.endswith("_release") else record for record in step]
        yield from [*step, *ends]


def transaction(record):
    return int(record.env.get("KEA_QUERY6_TRANSACTION_ID", 0))


def renumbered(record, old, new):
    """The call for the same packet with another transaction id."""
    return record.but({name: value.replace(f"0x{old:x}", f"0x{new:x}").replace(str(old), str(new))
                       for name, value in record.env.items()})


ENDED = {"VALID_LIFETIME": "0", "PREFERRED_LIFETIME": "0"}
RECLAIMED = {**ENDED, "IS_EXPIRED": "1", "STATE": "expired-reclaimed", "HOSTNAME": ""}
LINES = {"VALID_LIFETIME": "Valid life", "PREFERRED_LIFETIME": "Pref life", "STATE": "State"}


def with_lease(record, lease):
    """The call with other values of the lease's variables, and in Kea's text of it."""
    prefix = f"KEA_LEASE{record.hook[len('lease')]}_"
    text = record.env[prefix + "DEBUG"]
    for name in lease.keys() & LINES.keys():
        text = re.sub(rf"^({LINES[name]}: +).*", rf"\g<1>{lease[name]}", text, flags=re.M)
    changes = {prefix + name: value for name, value in lease.items() if prefix + name in record.env}
    return record.but({**changes, prefix + "DEBUG": text})


def ended(release):
    """The call for the end of the lease that this call has released."""
    env = with_lease(release, ENDED).env
    lease = {name: value for name, value in env.items() if name.startswith("KEA_LEASE")}
    return Record(release.n, release.hook.replace("release", "expire"), {**lease, "KEA_REMOVE_LEASE": "0"})


def in_order(steps, calls):
    """The calls, with those for the ends of released leases last: with threads the timer may come amidst a RELEASE."""
    calls, end = list(calls), 0
    for before, step in pairwise([[], *steps]):
        begin, end = end - len(before), end + len(step)
        if is_timer(step) and any(record.hook.endswith("_release") for record in before):
            calls[begin:end] = sorted(calls[begin:end], key=lambda call: call.hook == step[0].hook)
    return calls


def more_lines(text):
    text = re.sub(r"^(Subnet ID: .*\n)", r"\1Pool ID:       0\n", text, flags=re.M)
    return text if text.startswith("Type:") else f"{text}Relay ID:      (none)\nRemote ID:     (none)\n"


def packet_text(text):
    message, relays = re.split(r"^(?=No relays|\d+ relay)", text, flags=re.M)
    message = re.sub(r"localAddr=(.*) remoteAddr=(.*)\nmsgtype=(\d+)\((.*)\), transid=(.*)\n",
                     r"local_address=\1, remote_address=\2,\nmsg_type=\4 (\3), trans_id=\5,\noptions:\n", message)
    return re.sub(r"^( *type=)", r"  \1", message, flags=re.M) + relays


def name_the_subnet(case):
    """The answer's subnet is the last one of which the packet's calls have told, but of a DHCPINFORM there is none."""
    for step in case.steps():
        subnet = {}
        for record in step:
            subnet = {name: value for name, value in record.env.items() if name.startswith("KEA_SUBNET")} or subnet
            if record.env.get("KEA_QUERY4_TYPE") == "DHCPINFORM":
                subnet = dict.fromkeys(subnet, "")
            yield record.but(subnet) if record.hook.endswith("_send") else record


def name_the_released(case):
    for record in case.records:
        kept = record.hook.endswith("_expire") and record.env[f"KEA_LEASE{case.family}_VALID_LIFETIME"] == "0"
        yield with_lease(record, {"STATE": "released"}) if kept else record


def know_registrations(case):
    """The message 36 has a name, and Kea looks for the subnet of the address: the one at its interface."""
    [link] = [subnet["subnet"] for subnet in case.config[f"subnet{case.family}"] if "interface" in subnet]
    prefix, length = link.split("/")
    subnet = {"KEA_SUBNET6": link, "KEA_SUBNET6_PREFIX": prefix, "KEA_SUBNET6_PREFIXLEN": length}
    for record in case.records:
        text = record.env.get("KEA_QUERY6_DEBUG", "")
        if "msg_type=UNKNOWN (36)" in text:
            record = record.but({"KEA_QUERY6_TYPE": "ADDR_REG_INFORM",
                                 "KEA_QUERY6_DEBUG": text.replace("UNKNOWN", "ADDR_REG_INFORM")})
            yield record
            record = replace(record.but(subnet), hook="subnet6_select")
        yield record


def readable_bytes(text):
    def shown(match):
        data = bytes.fromhex(match[0].replace(":", ""))
        return f"{match[0]} '{data.decode()}'".lstrip() if all(0x20 <= byte < 0x7f for byte in data) else match[0]
    return re.sub(r"(?<=: )(([0-9a-f]{2}:)*[0-9a-f]{2})?$|[0-9A-F]+(?= \(binary\))", shown, text, flags=re.M)


def reuse_leases(case):
    """A lease that is renewed as it was is not written: its client is told what remains of the lifetimes."""
    for step in case.steps():
        for record in step:
            if record.hook == "pkt6_send" and any(re.match("lease6_re(new|bind)", before.hook) for before in step):
                text = re.sub(r"(lft=\d+)", rf"\1{AGE}", record.env["KEA_RESPONSE6_DEBUG"])
                record = record.but({"KEA_RESPONSE6_DEBUG": text})
            yield record


def refuse_second_releases(case):
    for record in case.records:
        if record.hook != "lease4_release" or record.env["KEA_LEASE4_STATE"] == "default":
            yield record


CHANGES = [
    Change("A released lease is kept for its client, and expires", (2, 4), keep_released_leases,
               {"expired-leases-processing": {"hold-reclaimed-time": 0}}),
    Change("A declined lease has the DUID 00:00:00", (2, 4),
               values("KEA_LEASE6_(CLIENT_DUID|DEBUG)",
                      lambda text: re.sub(r"^((DUID: +)?)00$", r"\g<1>00:00:00", text, flags=re.M))),
    Change("KEA_LEASE4_DEBUG and KEA_LEASE6_DEBUG have more lines", (2, 4),
               values("KEA_LEASE[46]_DEBUG", more_lines)),
    Change("KEA_QUERY6_LABEL and KEA_RESPONSE6_LABEL have another part", (2, 6),
               values("KEA_.*6_LABEL", lambda text: text.replace("], ", "], [no hwaddr info], "))),
    Change("KEA_QUERY6_DEBUG and KEA_RESPONSE6_DEBUG look different", (2, 6),
               values("KEA_(QUERY|RESPONSE)6_DEBUG", packet_text)),
    Change("pkt4_send and pkt6_send tell the subnet", (2, 6), name_the_subnet),
    Change("A kept lease has the state released", (3, 0), name_the_released),
    Change("KEA_QUERY6_DEBUG and KEA_RESPONSE6_DEBUG show readable bytes as text too", (3, 0),
           values("KEA_(QUERY|RESPONSE)6_DEBUG", readable_bytes)),
    Change("Clients register addresses", (3, 0), know_registrations),
    Change("A lease that is renewed early is not written", (3, 0), reuse_leases, {"cache-max-age": 0}),
    Change("A DHCPv4 client releases a lease only once", (3, 0, 4), refuse_second_releases),
]
