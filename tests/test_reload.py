"""A new configuration, or the end of Kea, while scripts are at work: nothing is lost, doubled or out of turn."""

import shutil
import signal

import pytest

from rig import processes
from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import ACK, OFFER, NoAnswer, stranger
from rig.kea import HOOK, Kea, hook
from rig.recorder import Printer
from rig.wait import quiet, wait_until

POINTS = ["pkt4_receive", "lease4_select", "pkt4_send"]    # what a DISCOVER meets
CLIENTS = 4
THREADED = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])


class Diary:
    """A slow script that notes its start and its end, its clients, and what it should have noted of each."""

    def __init__(self, link, directory, seconds=0.02, clients=CLIENTS):
        event = "$KEA_QUERY4_HWADDR $KEA_QUERY4_TRANSACTION_ID $1"
        end = f'/bin/sleep {seconds}\nprintf "%s\\n" "< {event}" >>{directory}/printer.lines'
        self.printer = Printer(directory, f"> {event}", then=end)
        self.clients = [stranger(link) for _ in range(clients)]
        self.expected = {client.mac: [] for client in self.clients}

    def hook(self, **parameters):
        return hook(self.printer.script, **{"wait": False, "hook_points": POINTS, "concurrency": 2, **parameters})

    def round(self, timeout=2):
        """A DISCOVER of each client."""
        for client in self.clients:
            query = client.message(1)
            assert client.exchange(query, timeout=timeout).type == OFFER
            self.expected[client.mac] += [f"{mark} {client.mac} {query.xid} {point}" for point in POINTS for mark in "><"]

    def wait(self):
        count = sum(map(len, self.expected.values()))
        wait_until(lambda: len(self.printer.lines()) >= count,
                   lambda: f"{count} starts and ends (seen: {len(self.printer.lines())})", 30)

    def check(self):
        """Each client's events were handled once, in order, and none before the end of the one before."""
        self.wait()
        assert self.turns() == self.expected

    def turns(self):
        """What was noted of each client; clients may overtake each other."""
        return {mac: [line for line in self.printer.lines() if mac in line] for mac in self.expected}


def without_us(kea, *hooks):
    """The configuration with these libraries instead of ours."""
    config = {name: value for name, value in kea.command("config-get")["arguments"].items() if name.startswith("Dhcp")}
    config[f"Dhcp{kea.family}"]["hooks-libraries"] = list(hooks)
    return config


def no_runner():
    wait_until(lambda: not processes.runners(), "the end of all runners")


def config_reload(kea):
    kea.reload()


def sighup(kea):
    already = len(kea.log())
    kea.process.send_signal(signal.SIGHUP)
    kea.wait_log("RUNSCRIPT_LOADED", since=already)


@THREADED
@pytest.mark.parametrize("reload", [config_reload, sighup], ids=lambda function: function.__name__)
def test_reload_while_scripts_run(link, tmp_path, reload, threads):
    diary = Diary(link, tmp_path)
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [diary.hook()]) as kea:
        for _ in range(3):
            diary.round()
        reload(kea)
        assert kea.said("HANDED_OVER") and kea.said("TAKEN_OVER"), "there was nothing to do when the reload came"
        assert kea.status()["pending"] > 0
        for _ in range(3):
            diary.round()
        quiet(kea)
        diary.check()
        assert len(processes.runners()) == 1
        assert not [line for message in ("EVENT_FAILED", "EVENT_LOST", "HANDLER_LOST") for line in kea.said(message)]
    no_runner()


@THREADED
def test_reloads_in_quick_succession(link, tmp_path, threads):
    diary = Diary(link, tmp_path)
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [diary.hook()]) as kea:
        for _ in range(4):
            diary.round()
            diary.round()
            kea.reload()
            kea.reload()
        assert len(kea.said("TAKEN_OVER")) == 8
        diary.round()
        quiet(kea)
        diary.check()
        assert len(processes.runners()) == 1
    no_runner()


def test_reload_while_there_is_no_runner(link, tmp_path):
    diary, runner = Diary(link, tmp_path), tmp_path / "runner"
    with Kea(4, SUBNET4, tmp_path, [diary.hook(required=False, runner=str(runner))]) as kea:
        diary.round()
        kea.reload()
        [line] = kea.said("KEPT")
        assert f"{len(POINTS) * CLIENTS} events not yet handled wait for the next configuration" in line
        diary.round()
        shutil.copy(HOOK.with_name("kea-runscript"), tmp_path / "copy").rename(runner)
        quiet(kea)
        diary.check()


@pytest.mark.parametrize("reloads", [0, 2])
@pytest.mark.parametrize("end", ["SIGTERM", "shutdown"])
def test_kea_stops_while_events_are_queued(link, tmp_path, end, reloads):
    diary = Diary(link, tmp_path)
    with Kea(4, SUBNET4, tmp_path, [diary.hook()]) as kea:
        diary.round()
        for _ in range(reloads):
            diary.round()
            kea.reload()
        diary.round()
        if end == "shutdown":
            assert kea.command("shutdown")["result"] == 0
            kea.process.wait(timeout=20)
            kea.process = None
    assert processes.runners(), "all was done before Kea had ended"
    diary.check()
    no_runner()


def test_a_new_kea_while_scripts_of_the_old_one_run(link, tmp_path):
    """Neither they nor the runner hold what belongs to Kea: ports, sockets, files."""
    diary = Diary(link, tmp_path, seconds=0.1)
    with Kea(4, SUBNET4, tmp_path, [diary.hook()]) as kea:
        processes.kill_runner()
        wait_until(processes.runners, "another, started while Kea has all its files open")
        diary.round()
    [old] = processes.runners()
    assert processes.files(old) & set(tmp_path.iterdir()) == {kea.log_file}
    with kea:
        assert len(processes.runners()) == 2
        assert stranger(link).dora().type == ACK
    no_runner()
    diary.check()


def test_kea_is_killed(link, tmp_path):
    """What runs is finished; what Kea held in memory is gone with it, and no runner stays."""
    diary = Diary(link, tmp_path, seconds=0.5)
    kea = Kea(4, SUBNET4, tmp_path, [diary.hook()]).start()
    diary.round()
    diary.printer.wait(2)
    kea.kill()
    assert processes.runners()
    no_runner()
    at_work = {client.mac for client in diary.clients[:2]}
    assert diary.turns() == {mac: lines[:2] if mac in at_work else [] for mac, lines in diary.expected.items()}


def test_no_runner_waits_for_a_kea_that_is_gone(link, tmp_path):
    diary = Diary(link, tmp_path)
    kea = Kea(4, SUBNET4, tmp_path, [diary.hook()]).start()
    kea.kill()
    no_runner()


@THREADED
def test_the_library_is_taken_out_and_put_back(link, tmp_path, threads):
    diary = Diary(link, tmp_path)
    with Kea(4, {**SUBNET4, **threads}, tmp_path) as kea:
        before, plain = processes.threads(kea.pid), without_us(kea)
        for _ in range(2):
            assert kea.command("config-set", without_us(kea, diary.hook()))["result"] == 0
            assert "runscript" in processes.threads(kea.pid)
            diary.round()
            assert kea.command("config-set", plain)["result"] == 0
            processes.wait_for_threads(kea.pid, before)
            assert stranger(link).dora().type == ACK
            no_runner()
            diary.check()
        assert kea.command("runscript-status")["result"] == 2    # unknown
        shown = kea.command("statistic-get-all")["arguments"]
        assert not [name for name in shown if name.startswith("runscript.")]


def test_reloads_leave_nothing_behind(link, tmp_path):
    diary = Diary(link, tmp_path, seconds=0, clients=2)
    with Kea(4, {**SUBNET4, **THREADS}, tmp_path, [diary.hook()]) as kea:
        diary.round()
        quiet(kea)
        before, threads = processes.Footprint.of(kea.pid), processes.threads(kea.pid)
        for _ in range(20):
            diary.round()
            kea.reload()
        quiet(kea)
        wait_until(lambda: processes.Footprint.of(kea.pid).descriptors <= before.descriptors, "the last closed file")
        wait_until(lambda: len(processes.runners()) == 1, "the end of former runners")
        processes.wait_for_threads(kea.pid, threads)
        diary.check()


BAD = {"parameter": lambda diary: diary.hook(timeout="soon"), "runner": lambda diary: diary.hook(runner="/nowhere"),
       "second script": lambda diary: hook(scripts=[diary.hook()["parameters"], {"script": "/nowhere"}])}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_configuration(link, tmp_path, bad):
    """Kea refuses it, does not serve, and is its old self after a good one; the events of before are not lost."""
    diary = Diary(link, tmp_path)
    with Kea(4, SUBNET4, tmp_path, [diary.hook()]) as kea:
        good = without_us(kea, diary.hook())
        without = processes.threads(kea.pid)
        without.remove("runscript")
        diary.round()
        answer = kea.command("config-set", without_us(kea, bad(diary)))
        # 1 is an error; Kea 3 says 5, an error that it does not recover from.
        assert answer["result"] in (1, 5) and "failed to load" in answer["text"]
        [line] = kea.said("LOAD_REFUSED")
        assert "timeout" in line or "/nowhere" in line
        processes.wait_for_threads(kea.pid, without)
        with pytest.raises(NoAnswer):
            stranger(link).discover(timeout=0.3)
        assert kea.command("config-set", good)["result"] == 0
        diary.round()
        quiet(kea)
        diary.check()
        assert len(processes.runners()) == 1
