"""Fixtures: each test has a wire, a server and a script of its own."""

import os
from fcntl import LOCK_EX, LOCK_SH, flock

import pytest

from rig import processes, rows, sanitizer
from rig.kea import HOOK, Kea
from rig.net import Link
from rig.pairs import mark_products
from rig.recorder import Recorder

LOG_TAIL = 6000


@pytest.fixture
def link():
    """A wire with 192.0.2.0/24 and 2001:db8::/64 on it."""
    with Link() as link:
        yield link
    # A script that hangs is no business of the next test's.
    processes.kill_runners()


@pytest.fixture(scope="module")
def recorded_link():
    """The interface as it was in the recording."""
    with Link(server="vs", index=101, server4="10.4.0.1/16", client4="10.4.0.2/16") as link:
        yield link


@pytest.fixture
def recorder(tmp_path):
    """A script that records its calls."""
    return Recorder(tmp_path)


@pytest.fixture(autouse=sanitizer.KIND is not None)
def sanitized():
    """A test fails if the sanitizer has found something in the library."""
    sanitizer.check(HOOK)
    sanitizer.forget()
    yield
    faults = sanitizer.faults(HOOK)
    assert not faults, "\n\n".join(map(str, faults))


def pytest_configure():
    if "INSIDE_TEST_NAMESPACES" not in os.environ:
        pytest.exit("start the tests with tests/run: they need namespaces of their own")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs):
    """Workers (pytest -n) have namespaces of their own."""
    for spec in specs:
        spec.python = "tests/run --worker"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Before pytest looks at the marks that it was told to select."""
    mark_products(items)
    items.sort(key=alone)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """Workers share a lock, unless a test wants to have it for itself."""
    with open(__file__) as lock:
        flock(lock, LOCK_EX if alone(item) else LOCK_SH)
        yield


def alone(item):
    return item.get_closest_marker("alone") is not None


def pytest_runtest_setup():
    Kea.recent = [kea for kea in Kea.recent if kea.alive()]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """A failed test shows the end of its last servers' logs."""
    report = (yield).get_result()
    if report.failed:
        for kea in Kea.recent[-3:]:
            report.sections.append((f"end of the log of {kea.name}", kea.log()[-LOG_TAIL:]))


def is_whole(config):
    """Whether these are all tests, but those that take minutes at most: what `make check` and `make matrix` run."""
    options = config.option
    return (config.args_source == config.ArgsSource.TESTPATHS and not options.keyword and not options.collectonly
            and options.markexpr in ("", "not long and not product", "not alone"))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    rows.MET.update(getattr(node, "workeroutput", {}).get("rows", []))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["rows"] = list(rows.MET)
    elif session.exitstatus == 0 and is_whole(session.config):
        session.config.complaints = rows.complaints()
        if session.config.complaints:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    for complaint in getattr(config, "complaints", []):
        terminalreporter.write_line(f"FAILED {complaint}", red=True)
