"""A real PostgreSQL, in which Kea keeps its leases."""

import os
import shutil
import subprocess
from pathlib import Path

from .kea import version
from .wait import wait_until

SCHEMA = Path("/usr/share/kea/scripts/pgsql/dhcpdb_create.pgsql")
# PostgreSQL does not run as root.
USER = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def programs():
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def can_run():
    """A namespace of an ordinary user's has nobody but that user."""
    has_user = subprocess.run([*USER, "true"], capture_output=True).returncode == 0
    return programs() and SCHEMA.exists() and has_user


class Postgres:
    """A server with a database `kea`, of which each test finds the tables empty."""

    def __init__(self, directory):
        self.directory = Path(directory) / "postgres"
        self.directory.mkdir()
        shutil.chown(self.directory, "postgres")
        for parent in self.directory.parents:
            if parent.owner() == "root" and parent != Path("/"):
                os.chmod(parent, parent.stat().st_mode | 0o011)
        self.process = None

    def run(self, program, *arguments, **how):
        environment = {**os.environ, "PGHOST": str(self.directory), "PGUSER": "postgres", "LC_ALL": "C.UTF-8"}
        return subprocess.run([*USER, programs() / program, *arguments], env=environment, cwd=self.directory, check=True,
                              capture_output=True, text=True, **how)

    def __enter__(self):
        self.run("initdb", "--auth=trust", "--no-sync", "-D", self.directory / "data")
        options = ["-D", self.directory / "data", "-k", self.directory, "-h", "127.0.0.1", "-F"]
        self.process = subprocess.Popen([*USER, programs() / "postgres", *options], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=open(self.directory / "log", "wb"))
        wait_until(self.is_there, lambda: f"PostgreSQL:\n{(self.directory / 'log').read_text()}", 30)
        self.run("createdb", "kea")
        self.run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", SCHEMA, "kea")
        return self

    def is_there(self):
        try:
            return self.run("psql", "-c", "select 1", "postgres")
        except subprocess.CalledProcessError:
            return None

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)

    def sql(self, text):
        self.run("psql", "-q", "-c", text, "kea")

    def clear(self):
        self.sql("truncate lease4, lease6; delete from lease4_stat; delete from lease6_stat")

    database = {"type": "postgresql", "name": "kea", "user": "postgres", "host": "127.0.0.1", "port": 5432}

    def libraries(self, hooks):
        """What Kea needs to use it, from this directory."""
        return [{"library": f"{hooks}/libdhcp_pgsql.so"}] if version() >= (3,) else []


