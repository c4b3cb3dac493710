"""The byte path over one SSH session: paramiko's channel, with the reader taken out.

A paramiko channel copies what arrives into a buffer, from which another thread reads: two thread wake-ups and
a copy for each answer. Here the channel's buffer is replaced, before the program is started, by an object
that hands the bytes on at once, on paramiko's transport thread. Three rules follow, and this module keeps
them:

- Nothing is sent from that thread: at a key exchange a send waits for that very thread, and the link dies.
- Nothing is raised there: an exception would end the transport.
- The SSH window is not given back there. It is opened as wide as SSH implementations bear, the link's own
  credit does the limiting, and once in a hundred megabytes `write`, on the writer's thread, gives it back.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence

import paramiko

from remotesvc.bootstrap.links.link import PathEnded
from remotesvc.escape import one_line
from remotesvc.launch.byte_path import BytePath

from ..noise import Noise
from ..peer import Peer
from .ending import end_program
from .packets import GuardedPacketizer, farewell_of, signal_number
from .packing import PACKET, Buffer, packed
from .socket import TunedSocket

WINDOW = 2**31 - 1
"""Bytes the server may send before it hears of us; some implementations count in signed 32 bits."""

GIVE_BACK = 256 * 1024 * 1024
"""Bytes of used window that are worth a message: more than the tenth of WINDOW below which paramiko sends none."""

LAST_WORDS = 0.5
"""Seconds to wait, after the end of output, for the end of the channel: the exit status comes in between."""

FIRST_WORDS = 3.0
"""Seconds to wait for that end until the kernel is up: the status tells what is wrong there, and a busy server sends it
when it can."""

BACKLOG = 1024 * 1024
"""Bytes kept from before `start`. More than banner and profile noise is an attack."""


class _Sink:
    """Takes the place of a paramiko channel's buffer."""

    def __init__(self, feed: Callable[[bytes], None], closed: Callable[[], None]) -> None:
        self.feed = feed
        """Called by paramiko on its transport thread with each packet's data."""
        self.close = closed
        """Called by paramiko, once or more, holding the channel's lock."""
        self.used = 0

    def read(self, size: int, timeout: float | None = None) -> range:
        """`Channel.recv` takes the length of what this returns for bytes read, and gives back that much."""
        used, self.used = self.used, 0
        return range(used)


class ParamikoPath(BytePath):
    """Bytes to and from a program that runs at the other end of an SSH connection. The connection is its own."""

    def __init__(self, peer: Peer, channel: paramiko.Channel) -> None:
        self.peer = peer
        self.name = f"ssh:{peer.host}"
        self.received = 0
        """Bytes of output so far, stderr included."""
        self.noted: list[int] = []
        """Bytes that a write has taken, for the link to know what is left where that was interrupted."""
        self._channel = channel
        self._given_back = 0
        self._noise = Noise()
        self._lock = threading.Lock()
        self._feed: Callable[[bytes], None] | None = None
        self._ended: Callable[[str], None] | None = None
        self._backlog: list[bytes] = []
        self._backlog_size = 0
        self._reason = ""
        self._output_over = False
        self._finish: threading.Thread | None = None
        self._channel_over = threading.Event()
        self._over = False
        self._settled = False
        self._ending = False
        self._sink = _Sink(self._take, self._on_closed)
        channel.in_buffer = self._sink  # type: ignore[assignment]
        channel.in_stderr_buffer = _Sink(self._take_noise, _nothing)  # type: ignore[assignment]

    # -- reading: on paramiko's transport thread

    def _take(self, data: bytes) -> None:
        self.received += len(data)
        if self._output_over:
            return
        feed = self._feed
        if feed is None:
            with self._lock:
                feed = self._feed
                if feed is None:
                    self._keep(data)
                    return
        try:
            feed(data)
        except BaseException as error:
            self._fail(f"cannot take what arrives: {type(error).__name__}: {error}")

    def _keep(self, data: bytes) -> None:
        self._backlog.append(data)
        self._backlog_size += len(data)
        if self._backlog_size > BACKLOG:
            self._backlog.clear()
            self._fail("the target flooded the connection before it was used")

    def _take_noise(self, data: bytes) -> None:
        self.received += len(data)
        self._noise.add(data)

    def _on_closed(self) -> None:
        """The output is over, or the whole channel is. The channel's lock is held: another thread goes on."""
        self._output_over = True
        if self._channel.closed:
            self._channel_over.set()
        if self._finish is None:
            self._finish = threading.Thread(target=self._conclude, name="remotesvc-ended", daemon=True)
            try:
                self._finish.start()
            except RuntimeError:  # no more threads, for instance while the interpreter exits
                self._channel_over.set()
                self._conclude()

    def _conclude(self) -> None:
        # The exit status follows the end of the output, and the end of the channel follows both.
        self._channel_over.wait(LAST_WORDS if self._settled else FIRST_WORDS)
        with self._lock:
            self._reason = self._reason or self._why()
            self._over = True
            ended = self._ended
        if ended is not None:
            ended(self._reason)

    def _why(self) -> str:
        status = self.exit_status()
        if status is not None:
            if status < 0:
                return f"the remote program was killed by signal {-status}"
            return f"the remote program ended with status {status}"
        farewell = farewell_of(self.peer.transport)
        if farewell:
            return f"the server closed the connection: {one_line(farewell)}"
        error = self.peer.transport.get_exception()
        if error is None or isinstance(error, EOFError):
            over = self._channel.closed
            return "the server closed the connection" if over else "the remote program closed its output"
        return f"the connection was lost: {str(error) or type(error).__name__}"

    # -- the link's side

    @property
    def round_trip(self) -> float | None:
        """Seconds of the shortest round trip to the server, or to a proxy before it; None if nobody tells."""
        sock = self.peer.socket
        return sock.round_trip() if isinstance(sock, TunedSocket) else None

    def start(self, feed: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        """Deliver what arrives to `feed`, on paramiko's transport thread; what came before, now and here.

        `feed` must not send, wait or be slow. `ended` is called once, after the last `feed`, with the reason,
        on a thread of its own, where it may do anything.
        """
        with self._lock:
            for data in self._backlog:
                feed(data)
            self._backlog.clear()
            self._feed = feed
            self._ended = ended
            over = self._over
        if over:
            ended(self._reason)

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Send every byte, in full packets. Blocks while the target does not read; one thread at a time, and
        never the reader. Raises PathEnded.
        """
        try:
            self.noted.append(sys.maxsize)  # all of it: from here on nobody is to go on with it
            if self.received - self._given_back > GIVE_BACK:
                self.give_back()
            if len(buffers) == 1 and isinstance(buffers[0], bytes) and len(buffers[0]) <= PACKET:
                self._send(buffers[0])
            else:
                for packet in packed(buffers):
                    self._send(packet)
        except PathEnded:
            raise
        except BaseException:
            # A signal's handler raised, as Ctrl-C does. How far it has come nobody can tell, and the transport thread
            # may wait for ever for a lock of the channel that was taken: it is not waited for.
            self._fail("it was interrupted while something was written to it")
            self._channel_over.set()
            self._on_closed()
            raise
        if not self.peer.transport.is_active():  # where it drops what it is given, saying nothing
            raise PathEnded(self._reason or "the connection is closed")

    def _send(self, packet: Buffer) -> None:
        while packet:
            try:
                sent = self._channel.send(packet)  # type: ignore[arg-type]
            except TimeoutError:  # nothing here has a time limit: a signal's handler raised it
                raise
            except (paramiko.SSHException, EOFError, OSError) as error:
                raise PathEnded(str(error) or "the connection is closed") from error
            if not sent:
                raise PathEnded("the remote program takes no more input")
            if sent == len(packet):
                return
            packet = memoryview(packet)[sent:]

    def give_back(self) -> None:
        """Grant as much window as was used. `write` calls it when it is time; its rules hold here too."""
        self._sink.used = self.received - self._given_back
        self._given_back += self._sink.used
        self._channel.recv(0)

    def close(self) -> None:
        """Cut the connection; a blocked `write` fails, `ended` follows. From any thread, again and again.

        What has not become a kernel is killed before, which takes a moment.
        """
        if self._ending:
            return
        self._ending = not self._settled and not self._reason
        self._reason = self._reason or "closed here"
        self._output_over = True
        if not (self._ending and end_program(self._channel, self._channel_over, self.peer.socket.sever)):
            self.peer.socket.sever()

    def _fail(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._output_over = True  # the kernel still hands out what it has received
        self.peer.socket.sever()

    def join(self, timeout: float) -> None:
        """Wait for the transport thread to end, for example after `close`."""
        if self.peer.transport is not threading.current_thread():
            self.peer.transport.join(timeout)

    @property
    def reason(self) -> str:
        """Why the path has ended or is about to; empty as long as it lives."""
        return self._reason

    def settled(self) -> None:
        """The kernel is ready: no more hurry about acknowledgements."""
        self._settled = True
        self.peer.socket.relax()

    def exit_status(self) -> int | None:
        """Status of the remote program; -N if signal N killed it, 255 if one this system does not have; None
        as long as it is not known.
        """
        packetizer = self.peer.transport.packetizer
        if isinstance(packetizer, GuardedPacketizer):
            name = packetizer.signals.get(self._channel.chanid)
            if name is not None:
                number = signal_number(name)
                return 255 if number is None else -number
        status = self._channel.exit_status
        return None if status < 0 else status

    def diagnostics(self) -> str:
        """What the remote program wrote to stderr, at most 64 KiB, the middle left out; not escaped."""
        return self._noise.text()


def _nothing() -> None:
    """The end of stderr says nothing that the end of stdout does not."""
