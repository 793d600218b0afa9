"""The checks of rig/intervals.py, on notes that are known to be right and wrong."""

import pytest

from rig import intervals
from rig.load import Answer

CLIENT = "02:00:00:00:00:0{}"
QUERY = "KEA_QUERY4_HWADDR={} KEA_QUERY4_TRANSACTION_ID={}"
EVENT = "KEA_EVENT_ID=abc-{} KEA_EVENT_ATTEMPT={} KEA_LEASES4_AT0_ADDRESS=192.0.2.{} KEA_LEASES4_AT0_HWADDR={}"


class Notes:
    """The handler's notes, written by hand; each moment is 10 after the one before."""

    def __init__(self, directory):
        self.path, self.moment = directory / "log", 0

    def write(self, what, number, client, address=None, attempt=1, process=None):
        """A line of event `number`, which is also its packet's transaction."""
        mac = CLIENT.format(client)
        about = f"{QUERY.format(mac, number)} {EVENT.format(number, attempt, address or client, mac)}"
        self.moment += 10
        with open(self.path, "a") as file:
            file.write(f"{self.moment} {what} {process or number} 0 leases4_committed {about} .\n")

    def whole(self, *event, **how):
        self.write("begin", *event, **how)
        self.write("end", *event, **how)

    def faults(self, *answers):
        tries = intervals.read(self.path)
        found = {**intervals.lasting_faults(answers, tries), **intervals.faults_of_order(answers, tries)}
        return sorted(name for name, faults in found.items() if faults)


@pytest.fixture
def notes(tmp_path):
    return Notes(tmp_path)


def answer(number, client, address=None, sent=0, received=1):
    return Answer((CLIENT.format(client), number), (f"192.0.2.{address or client}",), sent, received)


def test_all_is_well(notes):
    notes.whole(1, 1)
    notes.write("begin", 2, 1)
    notes.write("begin", 3, 2)
    notes.write("end", 2, 1)
    notes.write("end", 3, 2)
    assert notes.faults(answer(1, 1), answer(2, 1, sent=2, received=3), answer(3, 2)) == []


def test_an_event_begins_anew_where_it_stands(notes):
    notes.write("begin", 1, 1)
    notes.whole(1, 1, attempt=2, process=77)
    notes.whole(1, 1, attempt=2, process=78)
    notes.whole(2, 1)
    assert notes.faults(answer(1, 1), answer(2, 1, sent=2, received=3)) == []
    assert intervals.counts([], intervals.read(notes.path)) == {"answers": 0, "events": 2, "repeats": 2, "cut short": 1}


def test_an_event_that_nobody_has_finished_is_lost(notes):
    notes.write("begin", 1, 1)
    assert notes.faults(answer(1, 1)) == ["lost"]


def test_half_a_line(notes):
    notes.whole(1, 1)
    with open(notes.path, "a") as file:
        file.write("\n30 begin 2 0 leases4_commit\n")
    notes.whole(3, 1)
    assert notes.faults(answer(1, 1), answer(3, 1, sent=2, received=3)) == []


def test_an_answer_without_an_event_is_lost(notes):
    notes.whole(1, 1)
    assert notes.faults(answer(1, 1), answer(1, 2)) == ["lost"]


def test_a_client_is_overtaken(notes):
    """The ids hide it."""
    notes.whole(1, 1)
    notes.whole(2, 1)
    assert notes.faults(answer(2, 1, sent=0, received=1), answer(1, 1, sent=2, received=3)) == ["overtaken"]


def test_a_lease_is_overtaken(notes):
    notes.whole(1, 1, 9)
    notes.whole(2, 2, 9)
    assert notes.faults(answer(2, 2, 9, sent=0, received=2), answer(1, 1, 9, sent=1, received=3)) == []
    assert notes.faults(answer(2, 2, 9, sent=0, received=1), answer(1, 1, 9, sent=2, received=3)) == ["overtaken"]


def test_the_order_of_the_ids(notes):
    notes.whole(2, 1)
    notes.whole(1, 1)
    assert notes.faults() == ["out of order"]


def test_a_repeat_that_comes_too_late(notes):
    notes.write("begin", 1, 1)
    notes.whole(2, 1)
    notes.whole(1, 1, attempt=2)
    assert notes.faults(answer(1, 1), answer(2, 1, sent=2, received=3)) == ["out of order"]


def test_two_at_once(notes):
    notes.write("begin", 1, 1, 9)
    notes.write("begin", 2, 2, 9)
    notes.write("end", 1, 1, 9)
    notes.write("end", 2, 2, 9)
    assert notes.faults() == ["at once"]


def test_a_repeat_beside_the_first_try(notes):
    notes.write("begin", 1, 1)
    notes.write("begin", 1, 1, process=77, attempt=2)
    notes.write("end", 1, 1)
    notes.write("end", 1, 1, process=77, attempt=2)
    assert notes.faults() == ["at once"]


def test_a_repeat_under_another_id(notes):
    notes.whole(1, 1)
    text = notes.path.read_text()
    notes.path.write_text(text + text.replace("abc-1", "abc-2").replace("10 begin", "30 begin").replace("20 end", "40 end"))
    assert notes.faults() == ["under two ids"]


def test_attempts_that_go_back(notes):
    notes.whole(1, 1, attempt=2)
    notes.whole(1, 1, attempt=1)
    assert notes.faults() == ["attempts that go back"]
    assert intervals.twice(intervals.read(notes.path)) == ["abc-1"]
