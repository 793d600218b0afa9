"""A script's spool as it is on the disk: its directory, its segments, the records in them."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from .kea import hook

UNIT, HEADER = 64, 24
MAGIC = b"\xffEv\1"
STATE_AT = 20


def spool(base, kea, script):
    """The directory of a script's own."""
    return Path(base) / f"{kea.name}-{Path(script).name}-{zlib.crc32(str(script).encode()):08x}"


def segments(directory):
    return sorted(directory.glob("[0-9]*.v1"))


@dataclass(frozen=True)
class Record:
    at: int
    id: int
    state: str
    text: str

    @property
    def end(self):
        return self.at + len(encode(self.id, self.text))


def records(segment):
    """Those of a segment, which has to be whole."""
    data, at = segment.read_bytes(), 0
    while at < len(data):
        length, identifier, _, state = struct.unpack_from("<IQIc", data, at + len(MAGIC))
        assert data.startswith(MAGIC, at)
        record = Record(at, identifier, state.decode(), data[at + HEADER:at + HEADER + length].decode())
        yield record
        at = record.end


def encode(identifier, text, state=b"0"):
    """The bytes of a record, zeros and all."""
    text = text.encode()
    head = struct.pack("<IQ", len(text), identifier)
    data = MAGIC + head + struct.pack("<I", zlib.crc32(head + text)) + state + bytes(3) + text
    return data + bytes(-len(data) % UNIT)


def write(segment, at, data):
    with open(segment, "r+b") as file:
        file.seek(at)
        file.write(data)


def waiting(script, runner, **parameters):
    """The library with a script that nobody waits for, and whose runner may not be there yet: what comes stays in the spool."""
    return hook(script, wait=False, required=False, runner=str(runner), **{"hook_points": ["pkt4_receive"], **parameters})
