"""The runner as a service, as systemd has it: the test listens, and starts it again whenever it has ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

from . import processes
from .kea import RUNNER, hook
from .wait import wait_until

# sd_listen_fds(3)
START = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Service:
    """Root is whom tests run Kea as."""

    def __init__(self, directory, script=None, **parameters):
        self.file, self.path = Path(directory) / "mine.json", Path(directory) / "mine.sock"
        self.log_file = Path(directory) / "mine.log"
        self.configure(script=script and str(script), **parameters)
        self.process, self.listener = None, None
        self.is_masked = True

    def configure(self, **parameters):
        named = {name.replace("_", "-"): value for name, value in {"kea_user": "root", **parameters}.items()}
        self.file.write_text(json.dumps({name: value for name, value in named.items() if value is not None}))
        self.file.chmod(0o644)

    def hook(self, **parameters):
        """The library with this service behind it."""
        return hook(socket=str(self.path), **parameters)

    def launch(self, wrapper=()):
        """Starts it once; the listening socket is ours."""
        listener = self.listener.fileno()
        serve = [sys.executable, "-c", START, str(listener), *wrapper, RUNNER, "serve", "--config", self.file]
        with open(self.log_file, "ab") as log:
            return subprocess.Popen(serve, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                    pass_fds=[listener])

    def listen(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(64)

    def keep(self):
        while not self.is_masked:
            self.process = self.launch()
            self.process.wait()

    @property
    def pid(self):
        return wait_until(lambda: next(iter(processes.runners()), None), "the service")

    def end(self, number=signal.SIGTERM):
        """Ends it as systemd does, or by force; it is started again."""
        process = self.process
        os.kill(self.pid, number)
        wait_until(lambda: process.poll() is not None, "the end of the service")

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @contextmanager
    def masked(self):
        """As long as this lasts, nobody starts it."""
        self.is_masked = True
        os.kill(self.pid, signal.SIGTERM)
        self.keeper.join()
        try:
            yield
        finally:
            self.unmask()

    def unmask(self):
        self.is_masked = False
        self.keeper = threading.Thread(target=self.keep)
        self.keeper.start()

    def __enter__(self):
        self.listen()
        self.unmask()
        return self

    def __exit__(self, *_):
        self.is_masked = True
        while self.keeper.is_alive():
            processes.kill_runners()
            self.keeper.join(0.1)
        self.listener.close()
