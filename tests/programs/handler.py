#!/usr/bin/env python3
"""A handler that keeps a diary and does as a client's vendor class tells it, sensible or not.

handler.py DIARY [SOCKET]: on standard input and output, or on each connection to the socket.
A line of the diary: process, connection, sequence number, hook point, hardware address, vendor class.

With a number in the file `ahead` beside the diary, that is what its hello says, and it reads on while it is at work: the
diary has `read` and the hook point for each line as it comes, and `answered` just before an answer goes.
"""

import json
import os
import queue
import signal
import socket
import sys
import threading
import time
from pathlib import Path

DIARY = Path(sys.argv[1])


def note(*words):
    with open(DIARY, "a") as diary:
        diary.write(" ".join(map(str, words)) + "\n")


def wait_for(file):
    while not DIARY.with_name(file).exists():
        time.sleep(0.005)


class Lane:
    """One connection, or standard input and output."""

    def __init__(self, number, connection=None):
        self.number = number
        self.connection = connection
        file = DIARY.with_name("ahead")
        self.ahead = int(file.read_text()) if file.exists() else None
        self.lines = connection.makefile("r") if connection else sys.stdin

    def write(self, text):
        if self.connection:
            self.connection.sendall(text.encode())
        else:
            sys.stdout.write(text)
            sys.stdout.flush()

    def answer(self, seq, **more):
        if self.ahead is not None:
            note(os.getpid(), self.number, seq, "answered")
        self.write(json.dumps({"seq": seq, **more}) + "\n")

    def end(self, how):
        """Ends as a process would, but a server of several connections ends this one alone."""
        if self.connection:
            self.connection.shutdown(socket.SHUT_RDWR)
            sys.exit()
        how()

    def read_on(self):
        """The events; each is read as soon as it comes."""
        events = queue.SimpleQueue()

        def read():
            try:
                for event in map(json.loads, self.lines):
                    note(os.getpid(), self.number, event["seq"], "read", event["hook"])
                    events.put(event)
            finally:
                events.put(None)
        threading.Thread(target=read, daemon=True).start()
        return iter(events.get, None)

    def serve(self):
        hello = json.loads(self.lines.readline() or "{}")
        note(os.getpid(), self.number, 0, "hello", hello.get("server"), hello.get("version"))
        if DIARY.with_name("slow").exists():
            wait_for("awake")
        self.write(json.dumps({"hello": 1, "ahead": self.ahead} if self.ahead else {"hello": 1}) + "\n")
        for event in map(json.loads, self.lines) if self.ahead is None else self.read_on():
            seq, variables = event["seq"], event["vars"]
            deed = bytes.fromhex(variables.get("KEA_QUERY4_OPTION_60", "0x")[2:]).decode()
            note(os.getpid(), self.number, seq, event["hook"], variables.get("KEA_QUERY4_HWADDR"), deed or "-")
            DEEDS.get(deed, lambda lane, seq: lane.answer(seq))(self, seq)
        note(os.getpid(), self.number, 0, "end")
        if DIARY.with_name("deaf").exists():
            hang(self, 0)


def crash(lane, _seq):
    lane.end(lambda: os.kill(os.getpid(), signal.SIGKILL))


def leave(lane, _seq):
    print("I have had enough", file=sys.stderr, flush=True)
    lane.end(lambda: os._exit(3))


def hang(_lane, _seq):
    while True:
        time.sleep(1000)


def stubborn(lane, seq):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang(lane, seq)


def late(lane, seq):
    wait_for("go")
    lane.answer(seq, next="drop")


def later(lane, seq):
    wait_for("on")
    lane.answer(seq)


def again(lane, seq):
    """Not before `on`."""
    lane.answer(seq, **({} if DIARY.with_name("on").exists() else {"again": 0.2}))


def nap(lane, seq):
    time.sleep(0.6)
    lane.answer(seq)


def wordy(lane, seq):
    lane.answer(seq, log=[{"level": "debug", "text": "x" * 1000}] * 16)


def half(lane, seq):
    lane.write('{"seq": %d, "next"' % seq)
    hang(lane, seq)


def twice(lane, seq):
    lane.answer(seq)
    lane.answer(seq)


def close(lane, seq):
    if lane.connection:
        lane.connection.shutdown(socket.SHUT_WR)
    else:
        os.close(1)
    hang(lane, seq)


def say(lane, seq):
    lane.write(DIARY.with_name("words").read_bytes().decode().replace("SEQ", str(seq)) + "\n")


DEEDS = {
    "say": say, "again": again,
    "crash": crash, "leave": leave, "hang": hang, "stubborn": stubborn, "late": late, "later": later, "nap": nap,
    "wordy": wordy, "half": half, "twice": twice, "close": close,
    "garbage": lambda lane, seq: lane.write("nonsense\n"),
    "huge": lambda lane, seq: lane.write("x" * 10_000_000 + "\n"),
    "drop": lambda lane, seq: lane.answer(seq, next="drop"),
    "fail": lambda lane, seq: lane.answer(seq, failure={"kind": "exit", "text": "no database"}),
    "log": lambda lane, seq: lane.answer(seq, log=[{"level": "info", "text": "a word"}, {"level": "error", "text": "a cry"}]),
    "wish": lambda lane, seq: lane.answer(seq, **{"boot-file-name": "wished"}),
}


def listen(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(64)
        for number in range(1, 1_000_000):
            connection, _ = server.accept()
            threading.Thread(target=Lane(number, connection).serve, daemon=True).start()


if len(sys.argv) > 2:
    listen(sys.argv[2])
else:
    Lane(0).serve()
