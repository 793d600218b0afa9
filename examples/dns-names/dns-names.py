#!/usr/bin/python3
"""Keeps the names of Kea's clients in DNS: an A or AAAA record for each address, and a PTR record.

A DHCID record (RFC 4701) says whose a name is, so that no client takes another's, and a client of both families shares one with
itself (RFC 4703).
"""

import argparse
import base64
import hashlib
import ipaddress
import os
import re
import subprocess
import sys

# A name that another client has, or that somebody has entered by hand, is no failure of ours.
NOT_OURS = re.compile("update failed: (YXDOMAIN|YXRRSET|NXRRSET|NXDOMAIN)")
LABEL = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
TRY_LATER = 75


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("hook_point")
    parser.add_argument("--server", default="127.0.0.1", help="the name server that takes updates")
    parser.add_argument("--port", type=int, default=53)
    parser.add_argument("--key", help="a file with the key of TSIG, as tsig-keygen makes it")
    parser.add_argument("--domain", required=True, help="names outside of this domain are not touched, and names without one are in it")
    parser.add_argument("--ttl", type=int, default=300, help="seconds")
    return parser.parse_args()


class Lease:
    """An address and a name, as the variables with this prefix say."""

    def __init__(self, prefix, domain):
        self.address = ipaddress.ip_address(os.environ[f"{prefix}ADDRESS"])
        self.name = full_name(os.environ.get(f"{prefix}HOSTNAME", ""), domain)
        self.type = "A" if self.address.version == 4 else "AAAA"
        self.reverse = f"{self.address.reverse_pointer}."
        self.dhcid = self.name and dhcid(identity(prefix), self.name)


def full_name(text, domain):
    """The name in the domain, with the dot behind it; None if there is none, or it is none that a host may have."""
    name, domain = text.lower().rstrip("."), domain.lower().rstrip(".")
    if name and "." not in name:
        name = f"{name}.{domain}"
    good = name.endswith(f".{domain}") and len(name) <= 253 and all(map(LABEL.fullmatch, name.split(".")))
    return f"{name}." if good else None


def identity(prefix):
    """Type and bytes of what tells the client from others (RFC 4701, 3.3)."""
    def octets(variable):
        return bytes.fromhex(os.environ.get(f"{prefix}{variable}", "").replace(":", ""))
    if duid := octets("CLIENT_DUID"):
        return 2, duid
    client_id = octets("CLIENT_ID")
    # It has its DUID in it, behind the type and the IAID (RFC 4361, 6.1).
    if client_id[:1] == b"\xff" and len(client_id) > 5:
        return 2, client_id[5:]
    return (1, client_id) if client_id else (0, b"\1" + octets("HWADDR"))


def dhcid(identity, name):
    """The data of the record: which identity, which digest (SHA-256), the digest."""
    kind, octets = identity
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    digest = hashlib.sha256(octets + labels).digest()
    return base64.b64encode(bytes([0, kind, 1]) + digest).decode()


def update(options, *lines):
    """Has the server do all of this, or nothing; whether it has."""
    key = ["-k", options.key] if options.key else []
    text = "\n".join([f"server {options.server} {options.port}", *lines, "send"])
    done = subprocess.run(["nsupdate", "-t", "10", *key], input=text, capture_output=True, text=True)
    if done.returncode and not NOT_OURS.search(done.stderr):
        print(done.stderr.strip(), file=sys.stderr)
        # The server is down, or does not know us: later may be better.
        sys.exit(TRY_LATER)
    return done.returncode == 0


def add(options, lease):
    owner = f"update add {lease.name} {options.ttl} DHCID {lease.dhcid}"
    record = f"update add {lease.name} {options.ttl} {lease.type} {lease.address}"
    ours = f"prereq yxrrset {lease.name} DHCID {lease.dhcid}"
    if not (update(options, f"prereq nxdomain {lease.name}", owner, record)
            or update(options, ours, f"update delete {lease.name} {lease.type}", record)):
        print(f"{lease.name} is another's: {lease.address} has no name", file=sys.stderr)
        return
    update(options, f"update delete {lease.reverse}", f"update add {lease.reverse} {options.ttl} PTR {lease.name}")


def remove(options, lease):
    ours = f"prereq yxrrset {lease.name} DHCID {lease.dhcid}"
    update(options, ours, f"update delete {lease.name} {lease.type} {lease.address}")
    # The name itself goes with the last address.
    update(options, ours, f"prereq nxrrset {lease.name} A", f"prereq nxrrset {lease.name} AAAA", f"update delete {lease.name}")
    update(options, f"prereq yxrrset {lease.reverse} PTR {lease.name}", f"update delete {lease.reverse}")


def main():
    options = arguments()
    family = options.hook_point.removeprefix("lease").removesuffix("_changed")
    action = os.environ.get("KEA_ACTION")
    if family not in ("4", "6") or os.environ.get(f"KEA_LEASE{family}_TYPE") not in ("V4", "IA_NA"):
        return
    lease = Lease(f"KEA_LEASE{family}_", options.domain)
    before = Lease(f"KEA_OLD_LEASE{family}_", options.domain) if f"KEA_OLD_LEASE{family}_ADDRESS" in os.environ else None
    # A declined lease has lost its name.
    if before and before.name and (action == "del" or before.name != lease.name):
        remove(options, before)
    if not lease.name:
        return
    if action == "del":
        remove(options, lease)
    elif action in ("add", "renew", "replay"):
        add(options, lease)


main()
