"""The library makes no error of memory, and leaves nothing behind, as far as valgrind can tell in a real Kea."""

from collections import Counter

import pytest

from rig.kea import HOOK, Kea, hook
from rig.memcheck import REACHABLE, Memcheck
from rig.net import Link
from rig.recorded import CASES, is_timer
from rig.replay4 import Replay4
from rig.replay6 import Replay6
from rig.siege import Strangers4, Strangers6, besiege
from rig.wait import quiet, wait_until

PATIENCE = 120    # seconds: all of Kea is some thirty times slower
HOSTILE = 800     # packets that are not in the corpus
KEPT = 20_000     # bytes: the texts of messages, loggers, the main thread's buffers

# Besides the corpus's own.
MORE = ["buffer{}_receive", "host{}_identifier", "ddns{}_update", "leases{}_committed", "buffer{}_send"]


class Sparing6(Strangers6):
    """Without option 39 of one byte, flags without a name: Kea's text of it depends on a value that Kea never set."""

    def send(self, client, data):
        if b"\0\x27\0\1" not in data:
            super().send(client, data)


@pytest.fixture
def recorded_link():
    """The interface as it was in the recording."""
    with Link(server="vs", index=101, server4="10.4.0.1/16", client4="10.4.0.2/16") as link:
        yield link


@pytest.mark.long
@pytest.mark.parametrize("family", [4, 6])
def test_the_whole_corpus_and_worse(recorded_link, recorder, tmp_path, family):
    cases = [case for case in CASES if case.family == family]
    hook_points = {record.hook for case in cases for record in case.records} | {name.format(family) for name in MORE}
    config = cases[0].config
    config["multi-threading"]["enable-multi-threading"] = True
    memcheck = Memcheck(tmp_path)
    library = hook(recorder.script, wait=False, debug=True, hook_points=sorted(hook_points))
    with Kea(family, config, tmp_path, [library], wrapper=memcheck.command, patience=PATIENCE) as kea:
        for case in cases:
            replay(recorded_link, case, recorder)
        kea.reload()
        besiege(kea, (Strangers4 if family == 4 else Sparing6)(recorded_link, seed=1), HOSTILE)
        wait_until(lambda: set(recorder.hooks()) == hook_points, lambda: "every hook point (missing: "
                   f"{hook_points - set(recorder.hooks())})", PATIENCE)
        quiet(kea, PATIENCE)
    findings = memcheck.findings()
    ours = [finding for finding in findings if finding.concerns(HOOK.resolve())]
    kept = [finding for finding in ours if finding.kind == REACHABLE]
    print(f"{len(recorder.calls())} calls; all findings: {kinds(findings)}; the library's: {kinds(ours)}, "
          f"{sum(finding.bytes for finding in kept)} bytes kept")
    assert ours == kept, "\n".join(str(finding) for finding in ours if finding not in kept)
    # What lives as long as the process is little. It shows that valgrind was at work, and knows our functions.
    assert 0 < sum(finding.bytes for finding in kept) < KEPT
    assert any(function == "Dictionary" for finding in kept for function, _ in finding.frames)


def kinds(findings):
    return dict(Counter(finding.kind for finding in findings))


def replay(link, case, recorder):
    """Sends the case's packets, each when the one before has come in."""
    player = (Replay4 if case.family == 4 else Replay6)(link, case, recorder)
    try:
        for step in case.steps():
            if not is_timer(step):
                received = len(recorder.calls(step[0].hook))
                player.send(step)
                recorder.wait(received + 1, step[0].hook, timeout=PATIENCE)
    finally:
        player.close()
