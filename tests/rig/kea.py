"""A real Kea server: configuration, start, control socket, log, end."""

import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from . import rows, sanitizer
from .wait import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
HOOK = Path(os.environ.get("HOOK_UNDER_TEST", REPOSITORY / "build" / "kea-hook-runscript.so")).absolute()
RUNNER = HOOK.with_name("kea-runscript-runner")
TOOLS = HOOK.with_name("kea-runscript")


def hook(script=None, **parameters):
    """The library under test as an entry of hooks-libraries; `hook_points=` stands for "hook-points".

    With `answers`, a script's answer may be missed unless the test says otherwise.
    """
    assert HOOK.exists(), f"{HOOK} is missing: make build, or set HOOK_UNDER_TEST"
    if parameters.get("answers"):
        parameters.setdefault("on_failure", "continue")
    if script:
        parameters["script"] = str(script)
    return {"library": str(HOOK), "parameters": {key.replace("_", "-"): value for key, value in parameters.items()}}


def binary(family):
    """The server: variable KEA_DHCP4 or KEA_DHCP6, else in PATH, /usr/sbin included."""
    return named(family) or shutil.which(f"kea-dhcp{family}", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def named(family):
    return os.environ.get(f"KEA_DHCP{family}")


def unconfined(family):
    """The server; if nobody has named one, a copy of it, in the /run that is ours: AppArmor's profile is of the path that
    Debian installs, and allows that server the host's own files alone."""
    return named(family) or copied(binary(family))


@functools.cache
def copied(server):
    return shutil.copy(server, "/run")


@functools.cache
def version(family=4):
    """Kea's version, as (2, 6, 3)."""
    said = subprocess.run([binary(family), "-v"], check=True, capture_output=True, text=True).stdout
    return tuple(map(int, said.strip().split("-")[0].split(".")))


class Kea:
    """One server of family 4 or 6, started on entry and stopped on exit.

    `config` is what stands inside "Dhcp4" or "Dhcp6"; what every test needs alike (interfaces, lease file,
    control socket, log) is added where it is missing. The log is the process's output, crashes included.
    """

    program = staticmethod(unconfined)
    database = {}      # where leases are, instead of in a file
    recent = []    # started since the test began, or still running: for the report of a failed test

    def __init__(self, family, config, directory, hooks=(), severity="INFO", debuglevel=0, environment=None,
                 wrapper=(), patience=20, strict=False):
        self.family = family
        self.name = f"kea-dhcp{family}"
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config_file = self.directory / f"{self.name}.conf"
        self.log_file = self.directory / f"{self.name}.log"
        self.lease_file = self.directory / f"leases{family}.csv"
        self.socket = self.directory / f"control{family}"
        self.logger = {"name": self.name, "severity": severity, "debuglevel": debuglevel,
                       "output_options": [{"output": "stdout"}]}
        self.environment = environment or {}
        self.wrapper = wrapper      # a command that runs the server, e.g. ["valgrind"]
        self.patience = patience    # seconds that it may take to start, end and answer
        # Kea 3 lets scripts be in one directory only, unless told otherwise; the tests' are anywhere.
        self.options = ["-X"] if version(family) >= (3,) and not strict else []
        self.process = None
        self.configure(config, hooks)

    def configure(self, config, hooks=()):
        """Writes the configuration that the next start or reload reads."""
        common = {
            "interfaces-config": {"interfaces": ["vs"]},
            "control-socket": {"socket-type": "unix", "socket-name": str(self.socket)},
            "multi-threading": {"enable-multi-threading": False},
            "loggers": [self.logger],
        }
        if self.family == 4:
            common["interfaces-config"]["dhcp-socket-type"] = "raw"
        else:
            common["server-id"] = {"type": "EN", "enterprise-id": 3561, "identifier": "41474430", "persist": False}
            common["data-directory"] = str(self.directory)
        whole = {**common, **config}
        database = {**self.database, **config.get("lease-database", {})}
        whole["lease-database"] = {"name": str(self.lease_file), **database} if "type" in self.database else \
            {"type": "memfile", "lfc-interval": 0, **database, "name": str(self.lease_file)}
        whole["hooks-libraries"] = [*config.get("hooks-libraries", []), *hooks]
        for library in whole["hooks-libraries"]:
            if Path(library["library"]).name == HOOK.name:
                rows.read_parameters(library.get("parameters", {}))
                self.keep_to_directory(library)
        # Kea does not know all of JSON's \u escapes.
        self.config_file.write_text(json.dumps({f"Dhcp{self.family}": whole}, indent=1, ensure_ascii=False))

    def keep_to_directory(self, library):
        """Kea 2.2 has no other way to give a DHCPv4 server a data directory of its own, in which spools are."""
        if self.family == 4 and version(4) < (2, 6) and (parameters := library.get("parameters")):
            # Some are no maps: a test of what is refused has written them.
            for script in filter(lambda script: isinstance(script, dict), parameters.get("scripts", [parameters])):
                script.setdefault("spool", str(self.directory / "runscript"))

    # Start and end

    def spawn(self, option):
        """Runs the server's program on the configuration file, its output going to the log."""
        directory = str(self.directory)
        environment = {**os.environ, "KEA_PIDFILE_DIR": directory, "KEA_LOCKFILE_DIR": "none",
                       # Kea 2.6 and 3.0 accept files below these directories only.
                       "KEA_HOOKS_PATH": str(HOOK.parent), "KEA_DHCP_DATA_DIR": directory,
                       "KEA_CONTROL_SOCKET_DIR": directory, "KEA_LOG_FILE_DIR": directory,
                       **sanitizer.environment(), **self.environment}
        self.directory.chmod(0o750)
        command = [*sanitizer.COMMAND, *self.wrapper, self.program(self.family), *self.options, option, self.config_file]
        with open(self.log_file, "ab") as log:
            return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def launch(self):
        """Starts the process without waiting until it serves."""
        self.process = self.spawn("-c")
        if self not in Kea.recent:
            Kea.recent.append(self)

    def check(self, option="-t"):
        """The exit code of a mere check of the configuration, 0 if it is good; `-T` loads libraries for it."""
        return self.spawn(option).wait(timeout=20)

    def start(self):
        already = len(self.log())
        self.launch()
        self.wait_log(rf"DHCP{self.family}_STARTED", since=already)
        return self

    def expect_refusal(self):
        """Starts a server that must not start; returns what it said."""
        self.launch()
        try:
            wait_until(lambda: self.process.poll() is not None, f"the end of {self.name}, which should refuse this,")
            assert self.process.returncode != 0, f"{self.name} ended as if all were well"
        finally:
            self.kill()
        return self.log()

    def stop(self):
        """Ends the server as init would, and fails if it had crashed or does not end."""
        if not self.process:
            return
        died = self.process.poll()
        assert died is None, f"{self.name} had ended by itself, with code {died}"
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=self.patience)
        finally:
            self.kill()
        assert code == 0, f"{self.name} ended with code {code} after SIGTERM"

    def kill(self):
        """Ends the server at once: a power cut, as far as Kea can tell."""
        self.process.kill()
        self.process.wait()
        self.process = None
        rows.read_log(self.log())

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            if self.process:
                self.kill()
            raise

    def __exit__(self, failure, *_):
        # A failed test has its own reason; a crash shows in the log that is printed with it.
        if failure is None:
            self.stop()
        elif self.process:
            self.kill()

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    # What it says

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def wait_log(self, pattern, timeout=None, since=0):
        """Waits for a line that matches, from character `since` of the log on; returns the match."""
        def seen():
            # Asked first: what a dying server wrote is complete once it is dead.
            alive = self.alive()
            match = re.search(pattern, self.log()[since:])
            assert match or alive, f"{self.name} ended instead of logging {pattern}:\n{self.log()[-3000:]}"
            return match
        return wait_until(seen, lambda: f"{pattern} in {self.name}'s log", timeout or self.patience)

    def said(self, message, since=0):
        """What each line of one of our messages says, e.g. of "EVENT_FAILED"."""
        return re.findall(rf" RUNSCRIPT_{message} (.*)", self.log()[since:])

    # Commands

    def command(self, name, arguments=None):
        """Kea's answer to a command: result (0 is success), text, arguments."""
        request = {"command": name}
        if arguments is not None:
            request["arguments"] = arguments
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(self.patience)
            control.connect(str(self.socket))
            control.sendall(json.dumps(request).encode())
            answer = b""
            while chunk := control.recv(65536):
                answer += chunk
        answer = json.loads(answer)
        if name == "runscript-status":
            rows.read_status(answer)
        return answer

    def status(self, script=0):
        """What runscript-status tells of a script."""
        return self.command("runscript-status")["arguments"]["scripts"][script]

    def reload(self):
        """Reads the configuration again; libraries are unloaded and loaded."""
        answer = self.command("config-reload")
        assert answer["result"] == 0, answer
        return answer
