"""The reservation commands answer what ISC's libdhcp_host_cmds answered on Kea 3.0.4, which has it: tests/reservations.
A record may have another answer for an older Kea, which says or does something otherwise itself, under "answer-2.2" or "answer-2.6".

    UPDATE_RECORDS=1 tests/run -m '' tests/test_reservations_recorded.py    # on Kea 3: asks ISC's library anew
"""

import json
import os

import pytest

from rig.kea import REPOSITORY, version
from rig.mariadb import MariaDB
from rig.postgres import Postgres
from rig.reservations import IS_ISCS, Reserving

RECORDS = REPOSITORY / "tests" / "reservations"
FAMILIES = pytest.mark.parametrize("family", [4, 6])
LONG = pytest.mark.long
UPDATE = "UPDATE_RECORDS" in os.environ


@FAMILIES
def test_in_memory(link, tmp_path, family):
    with Reserving(family, tmp_path) as kea:
        replay(kea, f"memory{family}")


@LONG
@FAMILIES
@pytest.mark.parametrize("kind", [Postgres, MariaDB])
def test_in_a_database(link, tmp_path, kind, family):
    if not kind.can_run():
        pytest.skip(f"it takes {kind.__name__}, and a user for it")
    with kind(tmp_path) as database, Reserving(family, tmp_path, database.database, database.libraries) as kea:
        replay(kea, f"database{family}")


def replay(kea, name):
    """Gives each command of a record, and compares the answers."""
    path = RECORDS / f"{name}.json"
    records = json.loads(path.read_text())
    differences, following = [], None
    for record in records:
        arguments = record["arguments"]
        if following and isinstance(arguments, dict) and "from" in arguments and isinstance(arguments["from"], int):
            arguments = {**arguments, **following}
        answer = kea.command(record["command"], arguments)
        if isinstance(answer.get("arguments"), dict):
            following = answer["arguments"].get("next")
        if UPDATE and IS_ISCS:
            record["answer"] = answer
        elif comparable(answer) != comparable(record.get(f"answer-{KEA}", record["answer"])):
            differences.append(f"{json.dumps(record)}\n    {json.dumps(answer)}")
    if UPDATE and IS_ISCS:
        path.write_text("[\n" + ",\n".join(map(json.dumps, records)) + "\n]\n")
    others = sum(f"answer-{KEA}" in record for record in records)
    print(f"{len(records) - len(differences)} of {len(records)} answers of {name} are ISC's, {others} of them this Kea's own")
    assert not differences, "\n".join(differences)


KEA = "{}.{}".format(*version())
# What Kea 2.2 does not know, and ids that each database gives.
LEFT_OUT = {"from", *([] if version() >= (2, 6) else ["never-send"])}


def comparable(answer):
    answer = json.loads(json.dumps(answer), object_hook=lambda map: {key: map[key] for key in map.keys() - LEFT_OUT})
    # In which order a page has reservations of several subnets is said nowhere.
    if answer and "count" in (answer.get("arguments") or {}):
        answer["arguments"]["hosts"].sort(key=json.dumps)
    return answer
