"""The capture of stdout and stderr in an interpreter of its own.

A few lines of Python go to a fresh interpreter that has installed the capture. What was emitted comes back over a spare
descriptor, record by record. Asserts among those lines fail the test too. They may put another `emit` in the place of
ours.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import textwrap
import threading
from collections.abc import Callable
from typing import NamedTuple

from tests.interpreters import Interpreter
from tests.zones import ROOT

HEADER = struct.Struct(">BQI")
FAILED = 9

DRIVER = """
import os, struct, subprocess, sys, threading, traceback

SPARE = int(sys.argv[1])
sys.path.insert(0, sys.argv[2])
from remotesvc.bootstrap.output import capture

local = threading.local()
credit = threading.Event()
credit.set()
waiting = threading.Event()  # emit is waiting for credit
emitted = []

def send(stream, call, data):
    record = struct.pack(">BQI", stream, call, len(data)) + data
    while record:
        record = record[os.write(SPARE, record):]

def emit(stream, call, data):
    if not credit.is_set():
        waiting.set()
        credit.wait()
    emitted.append((stream, call, data))
    send(stream, call, data)

def in_call(number, function, *args):
    def run():
        local.call = number
        function(*args)
    thread = threading.Thread(target=run)
    thread.start()
    return thread

def so_far():
    return b"".join(data for _, _, data in emitted)

# Where this process is starved, the capture's thread may take longer than its users are patient.
capture.PATIENCE = 50
cap = capture.Capture(lambda *unit: emit(*unit), lambda: getattr(local, "call", 0))
status = 0
try:
    if sys.argv[4] == "install":
        cap.install()
    exec(compile(sys.argv[3], "<test>", "exec"), globals())
except BaseException:
    send(9, 0, traceback.format_exc().encode())
    status = 1
credit.set()
cap.close()
sys.exit(status)
"""


class Record(NamedTuple):
    stream: int
    call: int
    data: bytes


class Records(list[Record]):
    def text(self, stream: int = 1, call: int | None = None) -> bytes:
        return b"".join(r.data for r in self if r.stream == stream and call in (None, r.call))


Run = Callable[..., Records]


def run_in(interpreter: Interpreter, body: str, mode: str = "install") -> Records:
    reading, writing = os.pipe()
    command = [interpreter.path, "-I", "-S", "-B", "-c", DRIVER, str(writing), str(ROOT)]
    process = subprocess.Popen(
        [*command, textwrap.dedent(body), mode],
        pass_fds=[writing],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    os.close(writing)
    chunks: list[bytes] = []

    def read() -> None:
        with open(reading, "rb") as file:
            chunks.append(file.read())

    reader = threading.Thread(target=read)
    reader.start()
    with process:
        try:
            uncaught = process.communicate(timeout=60)[0]
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # what it forked hangs with it
            raise
    reader.join(60)
    records = parse(chunks[0])
    assert records.text(FAILED).decode() == ""
    assert (process.returncode, uncaught) == (0, b"")
    return records


def parse(data: bytes) -> Records:
    records = Records()
    while data:
        stream, call, length = HEADER.unpack_from(data)
        assert len(data) >= HEADER.size + length
        records.append(Record(stream, call, data[HEADER.size : HEADER.size + length]))
        data = data[HEADER.size + length :]
    return records
