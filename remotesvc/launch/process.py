"""A child process of ours and its pipes."""

import errno
import os
import select
import signal
import subprocess
import threading
import time

from ..bootstrap.unreachable import BootstrapError
from .byte_path import BytePath
from .forks import watch
from .shared_reader import SharedPath
from .times import note_times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

# Seconds a child gets to end after its link has, before it is killed: its own grace is below two.
LINGER = 3.0
# The same for what never became a kernel: nothing says that it ends because its input does.
ENDING = 1.0
# Bytes of stderr kept for error messages.
MAX_SAID = 64 * 1024
# Seconds to wait for the status that explains an end of file.
STATUS_WAIT = 1.0


class ProcessPath(SharedPath, BytePath):
    """The byte path over the stdin and stdout of a new process, which leads a session of its own."""

    def __init__(self, argv: "List[str]", name: "str", env: "Optional[Dict[str, str]]" = None) -> "None":
        begun = time.monotonic()
        process: "Any" = None
        pipes: "List[Any]" = []
        fds: "List[int]" = []
        try:
            process = self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env,
                                                       stderr=subprocess.PIPE, bufsize=0, start_new_session=True)
            pipes += process.stdout, process.stdin, process.stderr
            fds.extend(map(os.dup, [pipe.fileno() for pipe in pipes]))  # in one step: none is lost to a handler
            for pipe in pipes:
                pipe.close()
            super().__init__(fds[0], fds[1])
            self.name = name
            self._stderr = fds[2]
            self._reading = iter(list(self._reading) + [self._stderr])
            self._said = b""
            self._lingers = ENDING
            self.listen(self._stderr, self._hear_more)
            watch(self)
        except BaseException as error:  # Ctrl-C, too: there is no object yet that somebody could close
            for pipe in pipes:
                pipe.close()
            for fd in set(fds).union(getattr(self, "_reading", ())):
                os.close(fd)
            if process is not None:
                self.kill()
                process.wait()
            if isinstance(error, OSError) and error.errno:  # of the system, and no signal's handler's
                raise _cannot(argv[0], error, name, begun) from None
            raise

    @property
    def pid(self) -> "int":
        """Of the process."""
        return self._process.pid

    def exit_status(self) -> "Optional[int]":
        """The status, negative for a signal; None while it runs."""
        return self._process.poll()

    def diagnostics(self) -> "str":
        """What it wrote to its stderr, the end of it."""
        return self._said.decode("utf-8", "replace")

    def join(self, timeout: "float") -> "None":
        """Wait for the reader thread to end."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def start(self, feed: "Callable[[bytes], None]", ended: "Callable[[str], None]") -> "None":
        """See ``FdPath.start``. Where it raises RuntimeError the process is gone, too."""
        try:
            super().start(feed, ended)
        except RuntimeError:
            self.abandon()
            raise

    def abandon(self) -> "None":
        """End the process now, whatever it is doing; for who cannot hand this path on."""
        try:
            self.kill()
        finally:  # after a second Ctrl-C
            self.close()
        try:
            self._process.wait(LINGER)
        except subprocess.TimeoutExpired:
            pass  # another user's, behind sudo: at the end of its stdin it ends by itself

    def settled(self) -> "None":
        """The kernel at the other end is up: it ends by itself."""
        super().settled()
        self._lingers = LINGER

    def _read(self, feed: "Callable[[bytes], None]", ended: "Callable[[str], None]") -> "None":
        def finish(reason: "str") -> "None":
            ended(self._why(reason))
            self.close()
            self._see_it_end()

        super()._read(feed, finish)

    def _hear_more(self) -> "None":
        if not self._hear():
            self.ignore(self._stderr)

    def _hear(self) -> "bool":
        try:
            data = os.read(self._stderr, 65536)
        except OSError:  # somebody closed all there were, as daemons do
            data = b""
        self._said = (self._said + data)[-MAX_SAID:]
        self._heard(data)
        return bool(data)

    def _hear_all(self) -> "None":
        """What there is on its stderr now, to the end."""
        poll = select.poll()  # select() takes no descriptor above 1023, and a master of many has those
        poll.register(self._stderr, select.POLLIN)
        while poll.poll(0) and self._hear():
            pass

    def _heard(self, data: "bytes") -> "None":
        """This came on its stderr, now; for those who have something to answer."""

    def close(self) -> "None":
        """See ``FdPath.close``."""
        try:
            super().close()
        except OSError:  # as above: there is nobody left to wake
            pass

    def _close(self, fds: "Any") -> "None":
        for fd in fds:
            try:
                os.close(fd)
            except OSError:
                pass

    def drop_copies(self) -> "None":
        """In a fork of this process."""
        self._closed = True
        self._close(self._reading)
        self._close(self._writable)

    def _why(self, reason: "str") -> "str":
        if reason != self.CLOSED:
            self._hear_all()
            try:
                status = self._process.wait(STATUS_WAIT)
            except subprocess.TimeoutExpired:
                return reason
            self._hear_all()  # one that has closed its stdout may have said more since
            if status < 0:
                return "the process was killed by %s" % _signal_name(-status)
            return "the process ended with status %d" % status
        return reason

    def _see_it_end(self) -> "None":
        try:
            self._process.wait(self._lingers)
        except subprocess.TimeoutExpired:
            self.kill()  # another user's, behind sudo, is left to end by itself
            self._process.wait()

    def kill(self) -> "None":
        """End it and its group now."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def _cannot(program: "str", error: "OSError", name: "str", begun: "float") -> "BootstrapError":
    """The error for a process that could not be started; it names the limit that was in the way."""
    hint = ""
    if error.errno == errno.EMFILE:
        hint = ("One process may have %d files open there (ulimit -n), and starting one takes up to ten: raise that "
                "limit." % os.sysconf("SC_OPEN_MAX"))
    elif error.errno == errno.EAGAIN:
        hint = "No more processes may be started there: raise that limit (ulimit -u, or the pids limit of a container)."
    elif error.errno == errno.ENOMEM:
        hint = "There is not enough memory for one more process."
    failure = BootstrapError("cannot start %s: %s" % (program, error), host=name, stage="exec", hint=hint)
    note_times(failure, begun)
    return failure


def _signal_name(number: "int") -> "str":
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number
