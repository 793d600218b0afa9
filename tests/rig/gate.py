"""A script that takes as long as a test wants it to."""

import os
from pathlib import Path

from .recorder import Printer

# A client's gate is a fifo: who reads from it waits until somebody writes.
STOP = """\
gate={path}.$KEA_QUERY4_HWADDR$KEA_QUERY6_HWADDR
[ ! -p "$gate" ] || read -r code <"$gate"
eval "$code"
"""


class Gate:
    """It stops for each client that is shut out, and goes on with the shell code that lets it in."""

    def __init__(self, directory, name="gate"):
        self.path = Path(directory) / name
        self.printer = Printer(directory, "$1 $KEA_QUERY4_HWADDR$KEA_QUERY6_HWADDR", STOP.format(path=self.path), name)
        self.script = self.printer.script

    def shut(self, client):
        os.mkfifo(f"{self.path}.{client.mac}")

    def wait(self, count=1):
        """Until the script has been called so often."""
        return self.printer.wait(count)

    def open(self, client, code="exit 0"):
        """The script goes on; its next calls are not stopped."""
        fifo = f"{self.path}.{client.mac}"
        with open(fifo, "w") as gate:
            os.unlink(fifo)
            gate.write(code + "\n")
