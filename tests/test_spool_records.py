"""What is in a spool's files when Kea starts: what is whole is handled, and of anything else there is one line."""

import json
import os
import re
import shutil

import pytest

from rig.configs import SUBNET4
from rig.dhcp4 import OFFER, stranger
from rig.kea import RUNNER, Kea
from rig.recorder import Recorder
from rig.spool import HEADER, STATE_AT, UNIT, encode, records, segments, spool, waiting, write
from rig.wait import quiet

POINT = "pkt4_receive"
EVENTS = 5
LAST_ID = 2**53 - 1


class Stored:
    """Events that wait in a spool while Kea is away, a client's each."""

    def __init__(self, link, directory):
        self.recorder = Recorder(directory)
        self.runner = directory / "runner"
        self.kea = Kea(4, SUBNET4, directory, [
            waiting(self.recorder.script, self.runner, concurrency=1, spool=str(directory / "base"))])
        self.own = spool(directory / "base", self.kea, self.recorder.script)
        self.clients = [stranger(link) for _ in range(EVENTS)]
        with self.kea:
            for client in self.clients:
                assert client.discover().type == OFFER
            assert self.kea.status()["spooled"] == EVENTS
        [self.segment] = segments(self.own)
        self.records = list(records(self.segment))
        assert [record.state for record in self.records] == ["0"] * EVENTS
        shutil.copy(RUNNER, directory / "copy").rename(self.runner)

    def forge(self, text, **how):
        """One more record, with all that a record has to have."""
        write(self.segment, self.records[-1].end, encode(how.get("id", self.records[-1].id + 1), text))

    def handled(self):
        """The clients whose events the next Kea has handled."""
        with self.kea:
            quiet(self.kea)
            assert self.kea.status()["spooled"] == 0
        return [call.get("KEA_QUERY4_HWADDR") for call in self.recorder.calls()]

    def but(self, *numbers):
        """The clients besides these."""
        return [client.mac for number, client in enumerate(self.clients) if number not in numbers]


@pytest.fixture
def stored(link, tmp_path):
    return Stored(link, tmp_path)


def flipped(stored):
    """A bit of the second's text."""
    at = stored.records[1].at + HEADER + 100
    write(stored.segment, at, bytes([stored.segment.read_bytes()[at] ^ 1]))
    return [1]


def wiped(stored):
    """The headers of the second and the fourth."""
    for number in (1, 3):
        write(stored.segment, stored.records[number].at, bytes([1]) * HEADER)
    return [1, 3]


def torn(stored):
    """The last, at a power failure."""
    os.truncate(stored.segment, stored.records[-1].at + UNIT)
    return [EVENTS - 1]


def too_long(stored):
    """The third says so."""
    write(stored.segment, stored.records[2].at + 4, b"\xff\xff\xff\x7f")
    return [2]


def great_id(stored):
    """One that JavaScript could not count."""
    stored.forge(stored.records[0].text, id=LAST_ID + 1)
    return []


def noise(stored):
    write(stored.segment, stored.records[-1].end, os.urandom(10 * UNIT))
    return []


@pytest.mark.parametrize("damage", [flipped, wiped, torn, too_long, great_id, noise], ids=lambda damage: damage.__name__)
def test_records_that_are_damaged(stored, damage):
    lost = damage(stored)
    places = len(lost) or 1
    assert stored.handled() == stored.but(*lost)
    assert stored.kea.said("SPOOL_DAMAGED") == [
        f"{stored.recorder.script}: {stored.segment} in the spool is left out: damaged records from byte 0 on: {places}"]


def no_json(text):
    return "nonsense"


def no_hook_point(text):
    return text.replace(POINT, "pkt4_recieve", 1)


def no_time(text):
    return re.sub(r'"time":[^,]*', '"time":-1', text)


def nested(text):
    return '"hook":' + "[" * 10_000


@pytest.mark.parametrize("forge", [no_json, no_hook_point, no_time, nested], ids=lambda forge: forge.__name__)
def test_records_that_are_no_events(stored, forge):
    stored.forge(forge(stored.records[0].text))
    place = f"{stored.segment.stem}+{stored.records[-1].end}"
    assert stored.handled() == stored.but()
    assert stored.kea.said("SPOOL_DAMAGED") == [
        f"{stored.recorder.script}: {stored.own}/{place} in the spool is left out: it is no event of this version's"]


def test_a_forged_event_is_a_line_like_any_other(stored):
    """It sets no other variables than there are, and does not say what runs."""
    event = json.loads("{" + stored.records[0].text + "}}")
    hostile = {"LD_PRELOAD": "/tmp/evil.so", "PATH": "/tmp", "KEA_QUERY4_HWADDR": "somebody"}
    variables = {**event.pop("vars"), **hostile}
    body = {**event, "script": "/tmp/evil", "args": ["-c"], "wait": True, "answers": True, "vars": variables}
    stored.forge(json.dumps(body, separators=(",", ":"))[1:-2])
    assert stored.handled() == [*stored.but(), "somebody"]
    call = stored.recorder.calls()[-1]
    assert call.args == [POINT] and not {"LD_PRELOAD", "PATH"} & call.env.keys()


def test_a_state_that_means_nothing(stored):
    """Its event may not have been handled."""
    write(stored.segment, stored.records[1].at + STATE_AT, b"?")
    assert stored.handled() == stored.but() and not stored.kea.said("SPOOL_DAMAGED")


def test_events_that_are_over(stored):
    for number, state in (1, b"D"), (2, b"G"):
        write(stored.segment, stored.records[number].at + STATE_AT, state)
    assert stored.handled() == stored.but(1, 2) and not stored.kea.said("SPOOL_DAMAGED")


def test_the_attempts_of_before_count(stored):
    write(stored.segment, stored.records[1].at + STATE_AT, b"2")
    assert stored.handled() == stored.but()
    assert [call["KEA_EVENT_ATTEMPT"] for call in stored.recorder.calls()] == ["1", "3", "1", "1", "1"]


def test_new_ids_are_greater_than_those_of_before(link, stored):
    stored.forge(stored.records[0].text, id=stored.records[-1].id + 10**9)
    with stored.kea as kea:
        assert stranger(link).discover().type == OFFER
        quiet(kea)
    *_, forged, new = [int(call["KEA_EVENT_ID"].partition("-")[2]) for call in stored.recorder.calls()]
    assert new > forged == stored.records[-1].id + 10**9


def test_another_versions_segment(stored):
    other = stored.own / f"{int(stored.segment.stem) + 1:010}.v2"
    other.write_bytes(b"of another kind")
    assert stored.handled() == stored.but()
    assert stored.kea.said("SPOOL_DAMAGED") == [
        f"{stored.recorder.script}: {other} in the spool is left out: another version has written it"]
    assert other.read_bytes() == b"of another kind"


def an_empty_file(path):
    path.touch()


def zeros(path):
    path.write_bytes(bytes(1 << 20))


@pytest.mark.parametrize("make", [an_empty_file, zeros], ids=lambda make: make.__name__)
def test_a_segment_without_a_record(stored, make):
    path = stored.segment.with_name(f"{int(stored.segment.stem) - 1:010}.v1")
    make(path)
    assert stored.handled() == stored.but()
    assert not stored.kea.said("SPOOL_DAMAGED") and not path.exists()


def a_pipe(path):
    os.mkfifo(path)


def a_link(path):
    path.with_name("elsewhere").write_bytes(b"precious")
    path.symlink_to("elsewhere")


def a_directory(path):
    path.mkdir()


@pytest.mark.parametrize("make", [a_pipe, a_link, a_directory], ids=lambda make: make.__name__)
def test_a_segment_that_is_no_file(stored, make):
    path = stored.segment.with_name(f"{int(stored.segment.stem) - 1:010}.v1")
    make(path)
    assert stored.handled() == stored.but()
    [line] = stored.kea.said("SPOOL_DAMAGED")
    assert str(path) in line
    elsewhere = path.with_name("elsewhere")
    assert not elsewhere.exists() or elsewhere.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["id", "lock"])
def test_a_link_in_the_place_of_another_file(stored, name):
    """Nothing is written where it leads: there is no spool then."""
    target = stored.own.parent / "target"
    target.write_bytes(b"precious")
    (stored.own / name).unlink()
    (stored.own / name).symlink_to(target)
    with stored.kea as kea:
        kea.wait_log("RUNSCRIPT_SPOOL_OFF")
        assert "it is a symbolic link" in kea.said("SPOOL_OFF")[0]
    assert target.read_bytes() == b"precious" and stored.segment.exists()
