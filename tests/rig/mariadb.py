"""A real MariaDB, in which Kea keeps its reservations."""

import shutil
import subprocess
from pathlib import Path

from .kea import version
from .sql import Server

SCHEMA = Path("/usr/share/kea/scripts/mysql/dhcpdb_create.mysql")


class MariaDB(Server):
    """A server with a database `kea`."""

    user = "mysql"
    port = 3307
    database = {"type": "mysql", "name": "kea", "user": "kea", "password": "kea", "host": "127.0.0.1", "port": port}

    @classmethod
    def can_run(cls):
        return shutil.which("mariadbd") and SCHEMA.exists() and cls.has_user()

    def create(self):
        self.run("mariadb-install-db", "--no-defaults", f"--datadir={self.directory}/data", "--auth-root-authentication-method=normal")

    def command(self):
        return ["mariadbd", "--no-defaults", f"--datadir={self.directory}/data", f"--socket={self.directory}/socket",
                "--bind-address=127.0.0.1", f"--port={self.port}", "--log-bin-trust-function-creators=1"]

    def is_there(self):
        try:
            return self.sql("select 1", "mysql")
        except subprocess.CalledProcessError:
            return None

    def fill(self):
        self.sql("create database kea; create user kea@'127.0.0.1' identified by 'kea'; grant all on kea.* to kea@'127.0.0.1'", "mysql")
        self.run("mariadb", "--no-defaults", f"--socket={self.directory}/socket", "--user=root", "kea", input=SCHEMA.read_text())

    def sql(self, text, database="kea"):
        self.run("mariadb", "--no-defaults", f"--socket={self.directory}/socket", "--user=root", "-e", text, database)
        return True

    def libraries(self, hooks):
        """What Kea needs to use it, from this directory."""
        return [{"library": f"{hooks}/libdhcp_mysql.so"}] if version() >= (3,) else []
