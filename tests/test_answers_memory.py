"""What answers change, and what Kea refuses of them, makes no error of memory: all keys at once, under valgrind."""

import pytest

from rig.answers import answerer
from rig.configs import SUBNETS, THREADS
from rig.dhcp4 import ACK, HOSTNAME, stranger
from rig.dhcp6 import Client6
from rig.kea import HOOK, Kea
from rig.memcheck import REACHABLE, Memcheck

PATIENCE = 120
CLASSES = {"client-classes": ["known", "guest"]}
OPTIONS = [{"code": 23, "csv-format": False, "data": "0102"}, {"code": 23, "data": "x" * 5000}, {"code": 224, "data": "0z"}]
AGENT = {"space": "dhcp-agent-options-space"}
QUERY_OPTIONS = [{"code": 23, "csv-format": False, "data": "0102"}, {"code": 12, "data": None}, {"code": 81, "data": "x"},
                 {"code": 82, "csv-format": False, "data": "0101ff0201fe"}, {"code": 2, "data": None, **AGENT},
                 {"code": 5, "data": "192.0.2.0", **AGENT}, {"code": 18, "data": "00", "relay": 0}, {"code": 53, "data": "3"}]
ANSWERS = {
    "buffer*_receive": CLASSES, "pkt*_receive": {**CLASSES, "colour": "red", "query-option-data": QUERY_OPTIONS},
    "subnet*_select": {**CLASSES, "subnet-id": 1}, "host*_identifier": {"flex-id": "0x0102"},
    "ddns*_update": {"hostname": "better.example.org"},
    "lease*_select": {**CLASSES, "valid-lft": 1000, "ip-address": "nowhere"}, "lease*_renew": {**CLASSES, "valid-lft": 999},
    "pkt*_send": {"option-data": OPTIONS, "next-server": "192.0.2.3", "server-hostname": "s", "boot-file-name": "f"},
}
ADDRESSES = {4: ["192.0.2.77", "198.51.100.7", "2001:db8::1077"], 6: ["2001:db8::1077", "2001:db8:2::7", "192.0.2.77"]}


@pytest.mark.long
@pytest.mark.parametrize("family", [4, 6])
def test_no_errors_of_memory(link, tmp_path, family):
    answers = {point.replace("*", str(family)): answer for point, answer in ANSWERS.items()}
    config = {**SUBNETS[family], **THREADS, "host-reservation-identifiers": ["flex-id"]}
    for number, address in enumerate(ADDRESSES[family]):
        directory = tmp_path / str(number)
        answers[f"lease{family}_select"]["ip-address"] = address
        memcheck = Memcheck(tmp_path)
        library = answerer(directory, answers)
        with Kea(family, config, directory, [library], wrapper=memcheck.command, patience=PATIENCE) as kea:
            if family == 4:
                client = stranger(link, options=[(HOSTNAME, b"name")])
                assert client.dora(timeout=PATIENCE).type == ACK
                client.renew(timeout=PATIENCE)
                stranger(link).dora(timeout=PATIENCE)
            else:
                with Client6(link, pd=[1]) as client:
                    assert client.sarr(timeout=PATIENCE).leases
                    client.renew(timeout=PATIENCE)
            assert kea.status()["refused"] and not kea.status()["failures"], kea.said("EVENT_FAILED")
        ours = [finding for finding in memcheck.findings() if finding.concerns(HOOK.resolve())]
        assert not [str(finding) for finding in ours if finding.kind != REACHABLE]
