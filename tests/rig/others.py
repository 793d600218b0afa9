"""Hook libraries of Kea's own beside the one under test."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .kea import HOOK, RUNNER, binary

URL = "http://127.0.0.1:{}/"


def together(directory, *others):
    """A directory with all of them, ours, and other libraries: Kea 2.6 takes libraries from one only."""
    theirs = next(Path(binary(4)).resolve().parents[1].glob("lib*/**/kea/hooks"))
    directory = Path(directory) / "hooks"
    directory.mkdir()
    for file in [*theirs.glob("libdhcp_*.so"), HOOK, RUNNER, *others]:
        (directory / file.name).symlink_to(file)
    return directory


class Backup:
    """A backup server for Kea's high availability. It takes every lease update; Kea parks a packet until it has."""

    def __init__(self):
        backup = self
        self.updates = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                backup.updates.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                answer = json.dumps([{"result": 0, "text": "done"}]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 8002), Handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def libraries(self, hooks):
        """The entries of hooks-libraries, from this directory."""
        peers = [{"name": "us", "url": URL.format(8001), "role": "primary"},
                 {"name": "them", "url": URL.format(8002), "role": "backup"}]
        parameters = {"this-server-name": "us", "mode": "passive-backup", "wait-backup-ack": True, "peers": peers}
        return [{"library": f"{hooks}/libdhcp_lease_cmds.so"},
                {"library": f"{hooks}/libdhcp_ha.so", "parameters": {"high-availability": [parameters]}}]
