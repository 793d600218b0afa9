"""A real database server, of a user of its own, for Kea's leases and reservations."""

import os
import shutil
import subprocess
from pathlib import Path

from .wait import wait_until


class Server:
    """Started on entry, with a database `kea` that has Kea's tables."""

    user = ""    # which it runs as: such servers refuse to be root's

    @classmethod
    def as_user(cls):
        return ["setpriv", f"--reuid={cls.user}", f"--regid={cls.user}", "--clear-groups"]

    @classmethod
    def has_user(cls):
        """A namespace of an ordinary user's has nobody but that user."""
        return subprocess.run([*cls.as_user(), "true"], capture_output=True).returncode == 0

    def __init__(self, directory):
        self.directory = Path(directory) / self.user
        self.directory.mkdir()
        shutil.chown(self.directory, self.user)
        for parent in self.directory.parents:
            if parent.owner() == "root" and parent != Path("/"):
                os.chmod(parent, parent.stat().st_mode | 0o011)
        self.process = None

    def environment(self):
        return {**os.environ, "LC_ALL": "C.UTF-8"}

    def run(self, *command, **how):
        try:
            return subprocess.run([*self.as_user(), *command], env=self.environment(), cwd=self.directory, check=True,
                                  capture_output=True, text=True, **how)
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise

    def start(self):
        self.process = subprocess.Popen([*self.as_user(), *self.command()], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=open(self.directory / "log", "wb"))
        wait_until(self.is_there, lambda: f"{self.user}:\n{(self.directory / 'log').read_text()}", 30)

    def __enter__(self):
        self.create()
        self.start()
        self.fill()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
