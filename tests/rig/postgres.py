"""A real PostgreSQL, in which Kea keeps its leases or its reservations."""

import subprocess
from pathlib import Path

from .kea import version
from .sql import Server

SCHEMA = Path("/usr/share/kea/scripts/pgsql/dhcpdb_create.pgsql")


class Postgres(Server):
    """A server with a database `kea`."""

    user = "postgres"
    database = {"type": "postgresql", "name": "kea", "user": "postgres", "host": "127.0.0.1", "port": 5432}

    @staticmethod
    def programs():
        return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)

    @classmethod
    def can_run(cls):
        return cls.programs() and SCHEMA.exists() and cls.has_user()

    def environment(self):
        return {**super().environment(), "PGHOST": str(self.directory), "PGUSER": "postgres"}

    def create(self):
        self.run(self.programs() / "initdb", "--auth=trust", "--no-sync", "-D", self.directory / "data")

    def command(self):
        return [self.programs() / "postgres", "-D", self.directory / "data", "-k", self.directory, "-h", "127.0.0.1", "-F"]

    def is_there(self):
        try:
            return self.run("psql", "-c", "select 1", "postgres")
        except subprocess.CalledProcessError:
            return None

    def fill(self):
        self.run("createdb", "kea")
        self.run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", SCHEMA, "kea")

    def sql(self, text):
        self.run("psql", "-q", "-c", text, "kea")

    def clear(self):
        """Each test finds no lease. In Kea 3 other tables refer to these."""
        self.sql("truncate lease4, lease6 cascade; delete from lease4_stat; delete from lease6_stat")

    def libraries(self, hooks):
        """What Kea needs to use it, from this directory."""
        return [{"library": f"{hooks}/libdhcp_pgsql.so"}] if version() >= (3,) else []
