"""Turns a byte path into a context. Nothing is waited for: the kernel, the configuration and the first calls go out in
one flight, and whoever needs the answer waits for that."""

import marshal
import os
import re
import threading
import time
from _frozen_importlib_external import MAGIC_NUMBER

from ..bootstrap.data.marshalled import FORMAT
from ..bootstrap.errors import DecodeError, Lost
from ..bootstrap.links import outbox, wire
from ..bootstrap.unreachable import BootstrapError, ConnectError, ConnectTimeout
from ..calling.waiting import wait_in_call
from .handshake import Handshake
from .times import note_times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from .bundle import Bundle
    from .connection import Connection

# Phases of a connection that take at least one round trip to the target, and a line so short, in seconds, that the 80
# KiB of bytecode, two more round trips while TCP starts slowly, cost less than to compile.
_TRIPS = ("kex", "auth", "open", "exec")
NEAR = 0.005
# What the shortest phase takes on a short line while both ends are busy. A line that takes longer has a proxy in it,
# perhaps, which is near.
_BUSY = 0.03

# Seconds a kernel has to come up, at least, whatever is left of the budget: those before it have succeeded by then.
LEAST = 1.0

# Seconds after HELLO after which the rest of the kernel follows, unless the child asks for it before. It needs none of
# it for a first plain call: where hundreds of hosts are called just once, that would be most of what is sent.
HOLD = 0.25
# Bytes sent before HELLO above which that is no plain call: it waits for the rest already.
PLAIN = 512

# How the kernel's last words begin, by the interpreter (`faulthandler`) or by itself.
_KERNELS_WORDS = re.compile("^(?:Fatal Python error|remotesvc): ", re.M)

# Fields of a HELLO besides the version; and characters of each, at most: as many as a path may have.
_FIELDS: "Any" = (("magic", bytes), ("platform", str), ("pid", int), ("hostname", str), ("executable", str),
                  ("uid", int))
LONGEST = 4096


class Start(object):
    """One child on its way to READY; afterwards what is known of it.

    ``info`` is its HELLO (version, magic, platform, pid, hostname, executable, uid), ``phases`` the seconds each stage
    took, ``error`` why it failed; ``magic`` is the magic number of its Python: until HELLO what was foretold, if the
    line is short; on a long one source, half as many bytes, is there sooner. ``asked_by``: whose call has started it
    here, (context, handle).
    """

    def __init__(self, router: "Any", context: "int", connection: "Connection") -> "None":
        self.context = context
        self.host = connection.host
        self.path = connection.path
        self.phases = connection.phases
        self._near = near(self.phases, self.path.round_trip)
        self.magic = connection.magic if self._near else b""
        self.info: "Dict[str, Any]" = {}
        self.asked_by: "Optional[Tuple[int, int]]" = None
        self.error: "Optional[BaseException]" = None
        self._router = router
        self._remember = connection.remember
        self._marker = os.urandom(16)
        self._handshake = Handshake(self._marker)
        self._ready = threading.Event()
        self._timer: "Any" = None
        self._unsent: "List[Bundle]" = []  # whose rest is to be sent
        self._said_before = ""
        self._begun = time.monotonic()
        self._connecting = connection.begun
        self._budget = connection.budget
        self.link = router.attach(self.path, context)
        self.link.on_hello = self._on_hello
        self.link.make_error = self._make_error
        # Until HELLO there is nobody to ask, and the budget for connecting says how long we wait.
        ask, lost = connection.alive or (self.link.ping_after, self.link.lost_after)
        self._silence = (min(ask, self.link.ping_after), min(lost, self.link.lost_after), self.link.busy_lost_after)
        self.link.ping_after = self.link.lost_after = self.link.busy_lost_after = float("inf")

    def begin(self, bundle: "Bundle", config: "Dict[str, Any]") -> "None":
        """Send the kernel and its configuration; READY must follow within what is left of the seconds for
        connecting."""
        self._unsent.append(bundle)
        self._begun = time.monotonic()
        left = max(LEAST, self._budget + self.phases.get("asked", 0.0) - (self._begun - self._connecting))
        self._timer = self._router.timers.after(left, self._expire)
        self.path.start(self._feed, self._ended)
        frame = wire.Frame(wire.CONFIG, payload=marshal.dumps(config, FORMAT))
        outbox.write_first(self.link, [bundle.preamble(self._marker, left, self._coded()), frame.pack()])
        with self.link.lock:
            self.link.wake_writer()  # while there may be threads: the reader will need it, and must not fail of that
        # To have it ready when it is wanted: it is made once, while the first target starts.
        self._router.timers.after(0, lambda: bundle.rest(self._coded()))

    def _coded(self) -> "bool":
        """Is bytecode of ours worth sending? The target takes it if it is what we think it is."""
        return self._near and self.magic == MAGIC_NUMBER

    def wait(self, timeout: "Optional[float]" = None) -> "Dict[str, Any]":
        """Wait for READY; returns ``info``. Raises the ConnectError, or Lost, that it ended with, and Cancelled in a
        call that its caller gave up."""
        wait_in_call(self._ready.wait, timeout)
        if self.error is not None:
            raise self.error
        return self.info

    @property
    def ready(self) -> "bool":
        """Is the kernel up?"""
        return self._ready.is_set() and self.error is None

    @property
    def decided(self) -> "bool":
        """Is it known whether the kernel came up?"""
        return self._ready.is_set()

    @property
    def noise(self) -> "str":
        """What the target printed before its kernel spoke."""
        return self._handshake.noise

    @property
    def diagnostics(self) -> "str":
        """What the target printed before its kernel spoke, and what it has written to stderr until it was up."""
        said = self._said_before if self.ready else self.path.diagnostics()
        return (self._handshake.noise + "\n" + said).strip()

    def _feed(self, data: "bytes") -> "None":
        if self._handshake.done:
            self.link.feed(data)
            return
        self.link.heard = time.monotonic()
        rest = self._handshake.feed_untrusted(data)
        if rest:
            self.link.feed(rest)

    def _on_hello(self, frame: "wire.Frame") -> "None":
        try:
            info = info_untrusted(self._router.codec.decode(frame.payload, (), False))
        except DecodeError as error:
            wrong = BootstrapError("the target introduced itself wrongly: %s" % error, host=self.host, stage="boot",
                                   hint="Something there speaks our language and is no kernel of ours.")
            self.note_times(wrong)
            self.fail(wrong)
            return
        self.info = info
        self.magic = magic_in(info)
        if self._remember is not None:
            self._remember(info)
        self.link.ping_after, self.link.lost_after, self.link.busy_lost_after = self._silence
        self.phases["boot"] = time.monotonic() - self._begun
        self._timer.cancel()
        # Stderr may be ahead of stdout: the first call has crashed, perhaps, before we hear that the kernel is up.
        said = self.path.diagnostics()
        crash = _KERNELS_WORDS.search(said)
        self._said_before = said[:crash.start()] if crash else said
        self.link.make_error = self._make_lost
        # As a child we had better not wait: user code may leave us no thread for it.
        if self._router.id or self.link.flight.sent + self.link.queued > PLAIN:
            self._send_rest()
        else:
            self._timer = self._router.timers.after(HOLD, self._send_rest)
            self.link.on_hello = self._on_asked
        self.path.settled()
        self._ready.set()

    def _on_asked(self, frame: "wire.Frame") -> "None":
        if frame.kind != wire.KERNEL:
            self._router.hub.strike(self.link, "it introduced itself twice")
        self._send_rest()

    def _send_rest(self) -> "None":
        try:
            bundle = self._unsent.pop()  # one step: the timer and the child's question may meet
        except IndexError:
            return
        rest = bundle.rest(self._coded())
        header = wire.Frame(wire.KERNEL).header(len(rest))
        self.link.send("kernel", 0, [header, rest], len(header) + len(rest), False)

    def _ended(self, reason: "str") -> "None":
        if not self._ready.is_set() and self.error is None:
            self.error = self._why(reason)
        self.link.fail(reason)
        self._timer.cancel()
        self._ready.set()

    def _expire(self) -> "None":
        if not self._ready.is_set():
            late = ConnectTimeout(
                "no kernel came up within the %g s for connecting" % self._budget, host=self.host,
                stage=self.path.stage, diagnostics=self.diagnostics,
                hint="Raise connect_timeout if the host is that slow. Or something there waits, or reads our stdin, "
                     "before our command runs: a profile, a wrapper, a ForceCommand.")
            # What was sent behind the kernel is run if that comes up after all: nobody can call it back.
            late.may_have_run = self.link.flight.sent + self.link.queued > 0
            self.note_times(late)
            self.fail(late)

    def fail(self, error: "ConnectError") -> "None":
        """It will not come up."""
        self.error = error
        self.link.fail(str(error))
        self._ready.set()

    def _why(self, reason: "str") -> "BaseException":
        # Who stands between us and the kernel may know better, unless we have got past it.
        error = None if self._handshake.told else self.path.explain(self.host, self._handshake.noise)
        if error is None:
            error = self._handshake.failure(self.host, reason, self.path.exit_status(), self.path.diagnostics())
        if isinstance(error, ConnectError):
            self.note_times(error)
        return error

    def note_times(self, error: "ConnectError") -> "None":
        """Say in an error where the time for connecting went."""
        note_times(error, self._connecting, self.phases)

    def _make_lost(self, reason: "str") -> "BaseException":
        """What calls end with when a child that was up is gone, with what it said last; a profile's words before it was
        up are none of that."""
        error = Lost(reason)
        said = self.path.diagnostics()
        if said.startswith(self._said_before):
            said = said[len(self._said_before):]
        error.diagnostics = said.strip()
        return error

    def _make_error(self, reason: "str") -> "BaseException":
        """What calls end with when the child dies before READY."""
        if self.error is None:
            self.error = self._why(reason)
        return self.error.again() if isinstance(self.error, ConnectError) else self.error


def info_untrusted(info: "Any") -> "Dict[str, Any]":
    """What a kernel says of itself, if all of it has the types that it should: nobody else looks. Raises
    DecodeError."""
    if type(info) is not dict:
        raise DecodeError("HELLO is a %s" % type(info).__name__)
    version = info.get("version")
    if type(version) is not list or len(version) != 3 or not all(type(each) is int and each >> 10 == 0
                                                                 for each in version):
        raise DecodeError("its answer is malformed: the version of its Python")
    for name, kind in _FIELDS:
        value: "Any" = info.get(name)
        if type(value) is not kind or (kind is not int and len(value) > LONGEST):
            raise DecodeError("its answer is malformed: %s" % name)
    return info


def magic_in(info: "Dict[str, Any]") -> "bytes":
    """The magic number in a HELLO; empty if there is none."""
    magic = info.get("magic")
    return magic if isinstance(magic, bytes) else b""


def near(phases: "Dict[str, float]", round_trip: "Optional[float]" = None) -> "bool":
    """Is a target on a short line? The start of the connection tells, and the shortest round trip the system has seen,
    if it says so; on this machine there was neither."""
    trips = [phases[name] for name in _TRIPS if name in phases]
    return not trips or min(trips) < (NEAR if round_trip is None or round_trip >= NEAR else _BUSY)
