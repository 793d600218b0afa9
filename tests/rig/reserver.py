"""A program whose answers reserve: for each client what a file has for it."""

import csv
import json
from pathlib import Path

from .configs import SUBNETS
from .dhcp4 import Client4
from .dhcp6 import Client6
from .kea import Kea, hook
from .recorder import write_script

SCRIPT = """#!/bin/sh
# The client, as the test names its file.
[ ! -e {directory}/down ] || exit 1
case $1 in *4*) client=$KEA_QUERY4_HWADDR ;; *) client=$KEA_QUERY6_DUID ;; esac
[ ! -e "{directory}/$client" ] || exec cat "{directory}/$client"
"""


# Of rig/configs.py's networks, in no pool.
FIRST = {4: "192.0.2.5", 6: "2001:db8::5"}
SECOND = {4: "192.0.2.6", 6: "2001:db8::6"}
IN_A_POOL = {4: "192.0.2.10", 6: "2001:db8::1000"}
FOREIGN = {4: "198.51.100.5", 6: "2001:db8:1::5"}


def address(family, text, **more):
    """As `Reserver.reserve` takes it."""
    return {"ip_address": text, **more} if family == 4 else {"ip_addresses": [text], **more}


def reserved(family, text):
    """The same in Kea's configuration."""
    return {key.replace("_", "-"): value for key, value in address(family, text).items()}


class Reserver:
    def __init__(self, directory):
        self.directory = Path(directory) / "reserved"
        self.directory.mkdir(parents=True)
        self.script = write_script(Path(directory) / "reserver", SCRIPT.format(directory=self.directory))

    def hook(self, family, points=("subnet{}_select",), **parameters):
        """The library with it; when it says nothing, clients are served all the same."""
        names = [point.format(family) for point in points]
        return hook(self.script, answers=True, hook_points=names, **{"on-failure": "continue", **parameters})

    def say(self, client, answer):
        file = self.directory / client
        # Never half of it.
        part = file.with_name("part")
        part.write_text(answer if isinstance(answer, str) else json.dumps(answer))
        part.rename(file)

    def reserve(self, client, **reservation):
        self.say(client, {"reservation": {key.replace("_", "-"): value for key, value in reservation.items()} or None})

    def say_nothing(self, client):
        (self.directory / client).unlink()

    def goes_down(self):
        (self.directory / "down").touch()

    def comes_up(self):
        (self.directory / "down").unlink()


def serve(family, tmp_path, reserver, config=None, points=("subnet{}_select",), before=(), after=(), **more):
    hooks = [*before, reserver.hook(family, points), *after]
    return Kea(family, {**(config or SUBNETS[family]), **more}, tmp_path, hooks)


def refused(kea):
    return kea.said("ANSWER_REFUSED")


def reservations(kea):
    """How many there are."""
    return kea.command("runscript-status")["arguments"]["reservations"]


def names_of(kea):
    """The host names in the lease file, by address."""
    with open(kea.lease_file) as file:
        return {row["address"]: row["hostname"] for row in csv.DictReader(file)}


def client(link, family, number=1, **how):
    """A client of that family; `asks` is what it does, each returning the addresses that it is given."""
    mac = f"02:00:00:00:51:{number:02x}"
    return Asking4(link, mac, **how) if family == 4 else Asking6(link, mac, **how)


class Asking4(Client4):
    @property
    def name(self):
        return self.mac

    @property
    def has(self):
        return [self.address]

    def offered(self, timeout=5.0):
        return [self.discover(timeout=timeout).yiaddr]

    def joins(self):
        return [self.dora().yiaddr]

    def renews(self):
        return [self.renew().yiaddr]

    def rebinds(self):
        return [self.rebind().yiaddr]

    def boots_again(self):
        return [self.reboot().yiaddr]


class Asking6(Client6):
    @property
    def name(self):
        return ":".join(f"{byte:02x}" for byte in self.duid)

    @property
    def has(self):
        return self.leases

    def offered(self, timeout=5.0):
        return self.solicit(timeout=timeout).leases

    def joins(self):
        return self.sarr().leases

    def renews(self):
        return living(self.renew())

    def rebinds(self):
        return living(self.rebind())

    def boots_again(self):
        """RFC 8415, 18.2.12: a client that cannot know where it is, and has a prefix, rebinds."""
        return living(self.rebind())


def living(reply):
    """Not those that the server takes away."""
    return [lease.address for ia in reply.ias for lease in ia.leases if lease.valid]
