"""A real name server, BIND, that takes updates."""

import subprocess
from pathlib import Path

from .wait import wait_until

PORT = 5300

KEY = 'key "dns-names" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'

CONFIG = """\
options {{
    directory "{directory}";
    pid-file none;
    session-keyfile none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    dnssec-validation no;
}};
controls {{ }};
include "{key}";
{zones}
"""

ZONE = 'zone "{name}" {{ type primary; file "{file}"; allow-update {{ key "dns-names"; }}; }};'

RECORDS = """\
$TTL 300
@ SOA ns.example.org. root.example.org. 1 3600 600 86400 300
@ NS ns.example.org.
{more}
"""

ZONES = {"example.org": "ns A 127.0.0.1\nprinter A 192.0.2.250\n", "2.0.192.in-addr.arpa": "",
         "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": ""}


class Named:
    """The zones example.org, 192.0.2.0/24 and 2001:db8::/64, for who has the key."""

    def __init__(self, directory):
        self.directory = Path(directory) / "named"
        self.directory.mkdir()
        self.key = self.directory / "key"
        self.key.write_text(KEY.format(secret="c2VjcmV0IG9mIGEgdGVzdCBvbmx5"))
        for name, more in ZONES.items():
            (self.directory / name).write_text(RECORDS.format(more=more))
        zones = "\n".join(ZONE.format(name=name, file=self.directory / name) for name in ZONES)
        self.config = self.directory / "named.conf"
        self.config.write_text(CONFIG.format(directory=self.directory, port=PORT, key=self.key, zones=zones))
        self.process = None

    def __enter__(self):
        command = ["/usr/sbin/named", "-g", "-n", "1", "-c", self.config]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=open(self.directory / "log", "ab"))
        wait_until(lambda: self.ask("ns.example.org", "A") == ["127.0.0.1"],
                   lambda: f"the name server:\n{(self.directory / 'log').read_text()}", 20)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)

    def ask(self, name, kind):
        """The data of these records."""
        command = ["dig", "+short", "+tries=1", "+time=2", "-p", str(PORT), "@127.0.0.1", name, kind]
        done = subprocess.run(command, capture_output=True, text=True)
        return sorted(line for line in done.stdout.splitlines() if not line.startswith(";"))

    def name_of(self, address):
        """By its PTR record."""
        command = ["dig", "+short", "+tries=1", "+time=2", "-p", str(PORT), "@127.0.0.1", "-x", address]
        return subprocess.run(command, capture_output=True, text=True).stdout.split()

    def forget(self, name):
        """Removes all records of this name."""
        text = f"server 127.0.0.1 {PORT}\nupdate delete {name}\nsend\n"
        subprocess.run(["nsupdate", "-k", self.key], input=text, text=True, check=True)
