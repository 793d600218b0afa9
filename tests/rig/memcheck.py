"""valgrind's memory checker around a server, and what it has to say of one library."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

# Blocks that are not freed, but still known: no error.
REACHABLE = "Leak_StillReachable"
# The same, known by a pointer into their midst.
POSSIBLY_LOST = "Leak_PossiblyLost"


@dataclass(frozen=True)
class Finding:
    """An error, or blocks that were not freed."""

    kind: str       # InvalidRead, UninitCondition, Leak_DefinitelyLost ...
    text: str
    bytes: int      # leaked, or still reachable
    frames: tuple   # functions with their files, innermost first; then those of where it came from

    @classmethod
    def of(cls, element):
        text = element.findtext("what") or element.findtext("xwhat/text")
        leaked = int(element.findtext("xwhat/leakedbytes", "0"))
        return cls(element.findtext("kind"), text, leaked, tuple(
            (frame.findtext("fn", "???"), frame.findtext("obj", "")) for frame in element.iter("frame")))

    def concerns(self, library):
        return any(path and Path(path).resolve() == library for _, path in self.frames)

    def __str__(self):
        return "\n    ".join([f"{self.kind}: {self.text}", *(f"{name} ({path})" for name, path in self.frames)])


class Memcheck:
    """`command` is to stand before the server's; `findings` is complete once the server has ended."""

    def __init__(self, directory):
        self.report = Path(directory) / "memcheck.xml"
        self.command = ["valgrind", "--quiet", "--xml=yes", f"--xml-file={self.report}",
                        "--child-silent-after-fork=yes", "--track-origins=yes", "--num-callers=60",
                        "--leak-check=full", "--show-leak-kinds=all"]

    def findings(self):
        root = ElementTree.parse(self.report).getroot()
        assert [status.findtext("state") for status in root.iter("status")][-1] == "FINISHED"
        return [Finding.of(error) for error in root.iter("error")]
