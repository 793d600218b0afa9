"""A real LDAP server, OpenLDAP's slapd, with a directory dc=example,dc=org."""

import shutil
import signal
import subprocess
from pathlib import Path

from .kea import copied
from .wait import wait_until

PROGRAM, SCHEMAS = "/usr/sbin/slapd", Path("/etc/ldap/schema")
ADMIN = "cn=admin,dc=example,dc=org"

CONFIG = """\
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=example,dc=org"
rootdn "{admin}"
rootpw secret
directory {directory}/data
index objectClass,macAddress eq
"""

TOP = """\
dn: dc=example,dc=org
objectClass: domain
dc: example

dn: ou=devices,dc=example,dc=org
objectClass: organizationalUnit
ou: devices
"""


class Slapd:
    """Everybody may read, and the test write. It may be stopped and started again, with what it has."""

    uri = "ldap://127.0.0.1:3890"
    base = "ou=devices,dc=example,dc=org"

    @staticmethod
    def can_run():
        return Path(PROGRAM).exists() and shutil.which("ldapsearch")

    def __init__(self, directory):
        self.directory = Path(directory) / "slapd"
        (self.directory / "data").mkdir(parents=True)
        self.config = self.directory / "slapd.conf"
        self.config.write_text(CONFIG.format(schemas=SCHEMAS, admin=ADMIN, directory=self.directory))
        self.process = None

    def __enter__(self):
        self.start()
        self.add(TOP)
        return self

    def __exit__(self, *_):
        if self.process:
            self.stop()

    def start(self):
        # AppArmor's profile is of the path that Debian installs.
        command = [copied(PROGRAM), "-f", self.config, "-h", self.uri, "-d", "stats"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=open(self.directory / "log", "ab"))
        wait_until(self.is_there, lambda: f"slapd:\n{(self.directory / 'log').read_text()}", 20)

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(timeout=20)
        self.process = None

    def hang(self):
        """Connections are made still: that is the kernel's work."""
        self.process.send_signal(signal.SIGSTOP)
        wait_until(self.is_stopped, "the stop of slapd")

    def is_stopped(self):
        """With all of its threads."""
        statuses = [status.read_text() for status in Path(f"/proc/{self.process.pid}/task").glob("*/stat")]
        return all(status.rpartition(")")[2].split()[0] == "T" for status in statuses)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def run(self, program, *arguments, check=True, **how):
        command = [program, "-x", "-H", self.uri, *arguments]
        return subprocess.run(command, check=check, capture_output=True, text=True, **how)

    def is_there(self):
        return self.run("ldapsearch", "-s", "base", "-b", "", check=False).returncode == 0

    def add(self, entries):
        """In LDIF."""
        self.run("ldapadd", "-D", ADMIN, "-w", "secret", input=entries)

    def change(self, changes):
        """In LDIF."""
        self.run("ldapmodify", "-D", ADMIN, "-w", "secret", input=changes)

    def delete(self, name):
        self.run("ldapdelete", "-D", ADMIN, "-w", "secret", name)

    def names(self, wanted):
        """Of those entries that a filter finds."""
        found = self.run("ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-b", self.base, wanted, "1.1").stdout
        return [line.partition(" ")[2] for line in found.splitlines() if line.startswith("dn:")]
