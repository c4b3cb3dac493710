"""Targets that cost nothing: one process answers for all of them, in the kernel's protocol.

Where master, server and targets share a few cores, the start of a Python for each target is most of what connecting to
many hosts takes. Here sshd starts, whatever it is asked to run, a program of a few system calls that joins the session
to a socket. Behind that, one process plays every target: it takes the bundle without running it, says it is up, and
answers each call with the same number. Who sends BARE instead is sent a byte and the end.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import selectors
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from remotesvc.bootstrap import stage0
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.entry import hello_data
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.credit import ACK_EVERY
from remotesvc.launch.byte_path import BytePath
from remotesvc.launch.shared_reader import SharedPath
from tests.integration.ssh_servers import OpenSSHServer, openssh_server

BARE = b"bare"
ANSWER = 4711

_HEAD = len(stage0.PREAMBLE) + 24  # the marker, the bundle's size, a limit
_JOIN = r"""
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char data[1 << 16];

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int target = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    if (argc != 2 || connect(target, (struct sockaddr *)&address, sizeof address)) return 1;
    struct pollfd ends[2] = {{.fd = 0, .events = POLLIN}, {.fd = target, .events = POLLIN}};
    while (poll(ends, 2, -1) > 0)
        for (int from = 0; from < 2; from++) {
            if (!ends[from].revents) continue;
            ssize_t size = read(ends[from].fd, data, sizeof data);
            if (size <= 0) return 0;
            for (ssize_t done = 0; done < size;) {
                ssize_t piece = write(from ? 1 : target, data + done, size - done);
                if (piece <= 0) return 1;
                done += piece;
            }
        }
    return 1;
}
"""


class Target:
    """One simulated target: bytes in, bytes out."""

    def __init__(self) -> None:
        self.over = False
        self._head = b""
        self._marker = b""
        self._bundle = 0  # bytes of it that are still to come
        self._decoder = wire.Decoder()
        self._received = self._acked = 0
        self._id: int | None = None

    def feed(self, data: bytes) -> bytes:
        """Take what arrived; returns what to answer."""
        if not self._marker:
            self._head += data
            if self._head.startswith(BARE):
                self.over = True
                return b"x"
            begin = self._head.find(stage0.PREAMBLE)
            if begin < 0 or len(self._head) < begin + _HEAD:
                return b""
            self._marker = self._head[begin + 8 : begin + 24]
            self._bundle = int.from_bytes(self._head[begin + 24 : begin + 28], "big")
            data = self._head[begin + _HEAD :]
        skipped = min(self._bundle, len(data))
        self._bundle -= skipped
        return self._frames(data[skipped:]) if not self._bundle else b""

    def _frames(self, data: bytes) -> bytes:
        answer = b""
        self._received += len(data)
        for frame in self._decoder.feed_untrusted(data):
            if frame.kind == wire.CONFIG:
                self._id = marshal.loads(frame.payload)["id"]
                self._received -= wire.SIZE + len(frame.payload)  # which does not count
                answer += self._marker + wire.Frame(wire.HELLO, payload=_HELLO).pack()
            elif frame.kind == wire.MESSAGE and frame.handle == wire.CALL:
                reply = wire.Frame(wire.MESSAGE, 0, wire.REPLIES, 0, self._id, self._id, frame.reply_to, 0, _NUMBER)
                answer += reply.pack()
            elif frame.kind == wire.PING:
                answer += wire.Frame(wire.PONG, handle=frame.handle).pack()
            elif frame.kind == wire.BYE:
                self.over = True
        if self._received - self._acked >= ACK_EVERY:
            self._acked = self._received
            answer += wire.Frame(wire.ACK, handle=self._acked).pack()
        return answer


_HELLO = codec.encode(hello_data()).data
_NUMBER = codec.encode(ANSWER).data


def play(path: str) -> None:
    """Listen there, and be a target for everyone who comes."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1024)
    print("listening", flush=True)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    targets: dict[int, Target] = {}
    while True:
        for key, _events in selector.select():
            if key.fileobj is listener:
                session, _ = listener.accept()
                targets[session.fileno()] = Target()
                selector.register(session, selectors.EVENT_READ)
                continue
            session = key.fileobj  # type: ignore[assignment]
            with contextlib.suppress(OSError):
                data = session.recv(1 << 18)
                session.sendall(targets[key.fd].feed(data))
                if data and not targets[key.fd].over:
                    continue
            selector.unregister(session)
            del targets[key.fd]
            session.close()


@contextlib.contextmanager
def played(path: Path) -> Iterator[None]:
    """A process that plays a target for everyone who connects to this socket."""
    with subprocess.Popen([sys.executable, "-m", "benchmarks.simulated", str(path)], stdout=subprocess.PIPE,
                          cwd=Path(__file__).parents[1]) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == b"listening\n"
            yield
        finally:
            process.terminate()


class Played(SharedPath, BytePath):
    """The way to such a target, without SSH."""

    name = "simulated"

    def __init__(self, path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as session:
            session.connect(str(path))
            super().__init__(os.dup(session.fileno()), os.dup(session.fileno()))

    def exit_status(self) -> None:
        """It is no process."""

    def diagnostics(self) -> str:
        """It has nothing to say."""
        return ""

    def join(self, timeout: float) -> None:
        """Wait for the reader thread to end."""
        if self._thread is not None:
            self._thread.join(timeout)


@contextlib.contextmanager
def simulated_targets(directory: Path, extra: str) -> Iterator[OpenSSHServer]:
    """An sshd all of whose sessions are simulated targets. Needs a C compiler: see `missing`."""
    directory.mkdir(parents=True)
    join, path = directory / "join", directory / "targets"
    compiler = shutil.which("cc")
    assert compiler is not None
    subprocess.run([compiler, "-O2", "-xc", "-", "-o", str(join)], input=_JOIN, text=True, check=True)
    # An empty home: a shell's own files are no part of this.
    settings = f"ForceCommand exec {join} {path}\nSetEnv HOME={directory}\n{extra}"
    with played(path), openssh_server(directory / "sshd", settings) as server:
        yield server


def missing() -> str:
    """Why there can be none here; empty if there can."""
    return "" if shutil.which("cc") else "no C compiler"


if __name__ == "__main__":
    play(sys.argv[1])
