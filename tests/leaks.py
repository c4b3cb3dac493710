"""What a test must not leave behind: threads, descriptors, child processes, kernels anywhere on this machine.

A snapshot is taken before the test and compared with the state after it. Things that are on their way out get
a few seconds, because closing is asynchronous in places; what is still there then is named in the failure.
"""

from __future__ import annotations

import gc
import os
import re
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

SETTLE_SECONDS = 5.0
_POLL_SECONDS = 0.02
# A pause may last so much longer than asked for; what is beyond that is no time in which anything could have ended.
_STARVED_SECONDS = 0.1

# Stands in the environment of whatever this test run starts: kernels of another run are not blamed on it.
RUN_VARIABLE = "REMOTESVC_TEST_RUN"
RUN_ID = f"{os.getpid()}-{uuid.uuid4().hex}"

# The name `ps` shows for a kernel: remotesvc:user@host:pid, with the pid of the process that started it.
_KERNEL_NAME = re.compile(rb"remotesvc:[^\0\s]*:(\d+)")


class Process(NamedTuple):
    """A process, told apart from a later one with the same pid by its start time (clock ticks since boot)."""

    pid: int
    started: int
    parent: int
    state: str
    command: bytes

    def __str__(self) -> str:
        command = self.command.replace(b"\0", b" ").decode(errors="backslashreplace").strip()
        return f"pid {self.pid} (state {self.state}): {command[:200] or '(no command line)'}"


def _read(path: str) -> bytes:
    """A file of /proc. This is done for each process on the machine, twice for each test: nothing dearer will do."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = piece = os.read(descriptor, 65536)
        while piece:
            piece = os.read(descriptor, 65536)
            content += piece
        return content
    finally:
        os.close(descriptor)


def _fields(pid: int) -> list[bytes]:
    """What stands behind the name in /proc/PID/stat: the state, the parent and so on."""
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def _process(pid: int) -> Process | None:
    try:
        fields = _fields(pid)
        command = _read(f"/proc/{pid}/cmdline")
    except OSError:  # it ended meanwhile
        return None
    return Process(pid, int(fields[19]), int(fields[1]), fields[0].decode(), command)


def _identities() -> set[tuple[int, int]]:
    """Every process that can be seen, by pid and start time; none where there is no /proc."""
    found: set[tuple[int, int]] = set()
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return found
    for pid in pids:
        try:
            found.add((pid, int(_fields(pid)[19])))
        except OSError:  # it ended meanwhile
            continue
    return found


def activity(lines: Collection[str], seconds: float = 1.0) -> list[str]:
    """What the processes in these lines do: the processor time they take in so many seconds, and the load here.

    One that takes all of it spins; one that takes little, on a machine with a load above its processors, is starved.
    """

    def used(pid: str) -> int | None:
        try:
            fields = _fields(int(pid))
            return int(fields[11]) + int(fields[12])
        except OSError:
            return None

    pids = [found[1] for line in lines if (found := re.search(r"pid (\d+) ", line))]
    before = {pid: used(pid) for pid in pids}
    if not pids:
        return []
    time.sleep(seconds)
    ticks, said = os.sysconf("SC_CLK_TCK"), []
    for pid, start in before.items():
        now = used(pid)
        said.append(f"pid {pid}: " + ("gone by now" if start is None or now is None else
                                      f"{(now - start) / ticks:.2f} s of processor time in {seconds:g} s"))
    return [*said, "load " + " ".join(f"{load:.1f}" for load in os.getloadavg())]


def descriptors() -> dict[int, str]:
    """What each open descriptor of this process refers to; empty where there is no /proc."""
    found: dict[int, str] = {}
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return found
    for name in names:
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # the one that listdir itself used
            continue
    return found


def _run_of(pid: int) -> str | None:
    """The test run that a process inherited from; None if it has none or may not be asked."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    prefix = RUN_VARIABLE.encode() + b"="
    return next((entry[len(prefix) :].decode() for entry in environment if entry.startswith(prefix)), None)


def _started_by_another(kernel: Process, master: int) -> bool:
    """Whether a kernel belongs to somebody else on this machine: another test run, or a user at work."""
    # Through sshd no environment is inherited; the sshd above it, or the first process of its container, has one.
    above: Process | None = kernel
    while above is not None:
        if above.pid == os.getpid():
            return False  # one of several processes of a run began with the environment of the first
        run = _run_of(above.pid)
        if run is not None:
            return run != RUN_ID
        above = _process(above.parent) if above.parent > 1 else None
    # Nobody above it says whose it is: then it is the master named in the command line that counts.
    if master == os.getpid():
        return False
    if _namespace(kernel.pid) not in ("", _namespace(os.getpid())):
        return True  # in a container that is none of ours: these pids are others
    return _process(master) is not None and _run_of(master) != RUN_ID


def _namespace(pid: int) -> str:
    """In which namespace of pids a process is; empty if it has ended, or may not be asked."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


class Snapshot:
    """What this process had open and running at one moment."""

    def __init__(self) -> None:
        # The threads themselves, not their idents: an ident is used again when its thread has ended.
        self._threads = set(threading.enumerate())
        self._descriptors = descriptors()
        self._processes = _identities()

    def left_over(self) -> list[str]:
        """What is here now and was not then, one line for each thing."""
        # The command lines of new ones only: those of all are most of what a check costs.
        new = (_process(pid) for pid, _ in sorted(_identities() - self._processes))
        processes = [process for process in new if process is not None]
        return [
            *self._new_threads(),
            *self._new_descriptors(),
            *self._new_children(processes),
            *self._new_kernels(processes),
        ]

    def wait_until_gone(self, seconds: float = SETTLE_SECONDS, known: Collection[str] = ()) -> list[str]:
        """Wait until nothing is left over but what is known, at most so long; returns what still is."""
        deadline = time.monotonic() + seconds
        left = self._unknown(known)
        if left:
            # A traceback that a finished test kept may hold the last reference to something.
            gc.collect()
        while left and time.monotonic() < deadline:
            paused = time.monotonic()
            time.sleep(_POLL_SECONDS)
            deadline += max(0.0, time.monotonic() - paused - _STARVED_SECONDS)
            left = self._unknown(known)
        return left

    def _unknown(self, known: Collection[str]) -> list[str]:
        return [line for line in self.left_over() if line not in known]

    def _new_threads(self) -> list[str]:
        new = [thread for thread in threading.enumerate() if thread not in self._threads]
        frames, lines = sys._current_frames() if new else {}, []
        for thread in new:
            if thread is threading.current_thread():
                continue
            frame = frames.get(thread.ident or 0)
            place = traceback.extract_stack(frame)[-1] if frame is not None else None
            where = f" at {place.filename}:{place.lineno} in {place.name}" if place is not None else ""
            lines.append(f"thread {thread.name!r}{' (daemon)' if thread.daemon else ''}{where}")
        return lines

    def _new_descriptors(self) -> list[str]:
        return [
            f"descriptor {number}: {target}"
            for number, target in sorted(descriptors().items())
            if self._descriptors.get(number) != target
        ]

    @staticmethod
    def _new_children(processes: list[Process]) -> list[str]:
        return [f"child process, {process}" for process in processes if process.parent == os.getpid()]

    @staticmethod
    def _new_kernels(processes: list[Process]) -> list[str]:
        lines = []
        for process in processes:
            name = _KERNEL_NAME.search(process.command)
            if name is None or process.parent == os.getpid():
                continue
            if not _started_by_another(process, int(name[1])):
                lines.append(f"kernel, {process}")
        return lines
