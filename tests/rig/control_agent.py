"""Kea's control agent: commands over HTTP."""

import contextlib
import json
import os
import shutil
import subprocess
import urllib.request

from .kea import copied
from .wait import wait_until

URL = "http://127.0.0.1:8000/"


class ControlAgent:
    """In front of one server."""

    def __init__(self, kea):
        self.kea = kea
        self.service = f"dhcp{kea.family}"
        self.process = None

    def configuration(self):
        sockets = {self.service: {"socket-type": "unix", "socket-name": str(self.kea.socket)}}
        loggers = [{"name": "kea-ctrl-agent", "severity": "INFO", "output_options": [{"output": "stdout"}]}]
        return {"Control-agent": {"http-host": "127.0.0.1", "http-port": 8000, "control-sockets": sockets, "loggers": loggers}}

    def __enter__(self):
        config, log = self.kea.directory / "agent.conf", self.kea.directory / "agent.log"
        config.write_text(json.dumps(self.configuration()))
        directory = str(self.kea.directory)
        environment = {**os.environ, "KEA_PIDFILE_DIR": directory, "KEA_LOCKFILE_DIR": "none",
                       "KEA_CONTROL_SOCKET_DIR": directory}
        program = copied(shutil.which("kea-ctrl-agent", path=os.environ.get("PATH", "") + ":/usr/sbin"))
        self.process = subprocess.Popen([program, "-c", config], env=environment, stdin=subprocess.DEVNULL,
                                        stdout=open(log, "wb"), stderr=subprocess.STDOUT)
        wait_until(self.is_there, lambda: f"the agent:\n{log.read_text()}")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)

    def is_there(self):
        with contextlib.suppress(OSError):
            return self.ask("version-get")

    def ask(self, command, arguments=None):
        """The server's answer."""
        request = {"command": command, "service": [self.service], **({"arguments": arguments} if arguments else {})}
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(URL, json.dumps(request).encode(), headers), timeout=20) as answer:
            return json.load(answer)[0]
