"""A replay of a million leases while clients are served: time, Kea's slowest answer, memory; and what the leases' context costs."""

import time

import pytest

from rig.clients import perfdhcp
from rig.kea import Kea, hook
from rig.processes import Footprint
from rig.programs import compiled
from rig.wait import wait_until

pytestmark = [pytest.mark.long, pytest.mark.alone]
LEASES, RATE = 1_000_000, 500
CONFIG = {"subnet4": [{"id": 1, "subnet": "10.0.0.0/8", "pools": [{"pool": "10.128.0.0 - 10.255.255.250"}]},
                      {"id": 2, "subnet": "192.0.2.0/24", "interface": "vs", "pools": [{"pool": "192.0.2.10 - 192.0.2.250"}]}]}
# Kea reads the file's older form too.
HEADER = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"
CONTEXT = '{ "runscript": "vs -" }'


def leases(with_context):
    expire = int(time.time()) + 86400
    for n in range(1, LEASES + 1):
        yield (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255},02:01:00:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x},,86400,"
               f"{expire},1,0,0,,0,{CONTEXT if with_context else ''}\n")


def server(tmp_path, libraries, with_context=True):
    kea = Kea(4, CONFIG, tmp_path, libraries, patience=120)
    with open(kea.lease_file, "w") as file:
        file.write(HEADER)
        file.writelines(leases(with_context))
    return kea


def test_under_load(link, tmp_path):
    daemon = hook(compiled("echo", tmp_path), mode="daemon", hook_points=["lease4_changed"], concurrency=2)
    with server(tmp_path, [daemon]) as kea:
        began, before = time.monotonic(), Footprint.of(kea.pid)
        served = perfdhcp(link, 4, "-r", RATE, "-R", 200, "-p", 20)
        during = Footprint.of(kea.pid)
        wait_until(lambda: kea.status()["events"] > LEASES and kea.status()["pending"] == 0, "the end of the replay", 600)
        took = time.monotonic() - began
        after, status = Footprint.of(kea.pid), kea.status()
        # Without one, for comparison.
        quiet = perfdhcp(link, 4, "-r", RATE, "-R", 200, "-p", 10)
    for name, exchanges in (("replay", served), ("none", quiet)):
        for exchange, counts in exchanges.items():
            print(f"{name}: {exchange}: {counts['received']} of {counts['sent']}, {counts['avg delay']} ms on average, "
                  f"{counts['max delay']} ms at most")
    print(f"{LEASES} leases in {took:.0f} s; memory {before} -> {during} -> {after}")
    assert (status["failures"], status["dropped"]) == (0, 0)
    assert status["done"] >= LEASES + 2
    assert max(during.kilobytes, after.kilobytes) - before.kilobytes < 64 * 1024


def test_what_the_context_costs(link, tmp_path):
    kilobytes = {}
    for with_context in (False, True):
        with server(tmp_path, [], with_context) as kea:
            kilobytes[with_context] = Footprint.of(kea.pid).kilobytes
    each = (kilobytes[True] - kilobytes[False]) * 1024 / LEASES
    print(f"{LEASES} leases: {kilobytes[False]} KiB without the context, {kilobytes[True]} KiB with it: {each:.0f} bytes each")
    assert each < 2048
