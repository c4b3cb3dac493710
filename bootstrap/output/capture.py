"""What a child writes to stdout and stderr, in order, on its way to the parent.

Fds 1 and 2 become pipes, so subprocesses and C code are caught too; `sys.stdout` and `sys.stderr` become
streams of ours, so that it is known which call printed. Both meet in one queue: a pipe is read only into the
queue, under its lock, and who prints a line reads the pipes first, so the queue has the order of writing. The
capture thread empties it; it alone puts lines together (`units`) and emits. A print() writes a line in pieces: they
wait in `_pieces`, which takes no lock, for what ends the line, or for the capture thread.

Locks. `_lock` is a leaf: nothing blocks under it, no other lock is taken under it. `emit`, which blocks when
credit is out and takes the locks of the link, runs on the capture thread, which holds nothing then: so a
finaliser or signal handler may print wherever it interrupts, inside the link too. Others wait for that
thread: in `drain` and `flush_call` as long as it takes (hold no lock there), in a write or flush PATIENCE
seconds at a time, for a finaliser may run where a lock is held that `emit` wants. Threads in `never_wait`
never wait.
"""
import collections
import os
import sys
import threading
import time

from ..forks import end
from .stdstreams import Binary, Text, flush_others
from .units import Units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, List, Optional, Sequence, Set, Tuple

    from .units import Key

READ = 65536  # bytes of one read of a pipe
PIPE = 1 << 20  # no pipe holds more: 16 pages of at most 64 KiB
QUEUE = 65536  # bytes in the queue above which a writer waits
FULL = 64 * QUEUE  # above this its patience has no end, and `never_wait` threads are not heard
PARTIAL = 0.1  # seconds after which a line goes without its end
PIECE, PIECES = 512, 64  # bytes of a piece of a line, and how many may wait for the end of theirs
OFTEN, BURST = 0.01, 1.0  # flushes of whole lines wait once in so many seconds, or as many as that makes in a BURST
PATIENCE = 5.0  # seconds that a write or flush waits at a time for the capture thread, and `close` altogether


class Capture(object):
    """Carries fds 1 and 2 upward: `emit(fd, call, data)` gets whole lines where it can, at most 64 KiB.

    `emit` may block; once it raises (kept in `error`) the link is gone, and output is discarded.
    `current_call()` is the id of the call the calling thread works for, or 0. `never_wait` holds the idents
    of the threads that `emit` depends on (link, timers): add yours. `keeps` says that what was emitted outlives this
    process: then each flush waits for that.
    """

    keeps = False

    def __init__(self, emit: "Callable[[int, int, bytes], Any]", current_call: "Callable[[], int]") -> "None":
        self.never_wait: "Set[int]" = set()
        self.error: "Optional[BaseException]" = None
        self.fork: "Any" = None  # how Python 3.6 forks: see `entry`
        self._current_call = current_call
        self._pid = self._queued = 0
        self._closed = True
        self._closing = self._woken = self._pulling = self._busy = False
        self._flushed = 0.0  # later by OFTEN with each flush that waits
        self._begun: "Set[Tuple[int, int]]" = set()  # fd and thread of lines without an end
        self._mutex = threading.RLock()
        self._lock = threading.Condition(self._mutex)
        self._queue: "Deque[Tuple[Callable[..., Any], Any, int]]" = collections.deque()
        self._pieces: "Deque[Tuple[Key, bytes]]" = collections.deque()
        self._pipes: "Tuple[Tuple[int, int], ...]" = ()
        self.streams: "Tuple[Any, ...]" = ()
        self._units = Units(lambda *unit: self._unless_broken(emit, *unit))  # the capture thread's own

    def install(self, pipes: "Sequence[Tuple[int, int]]" = ()) -> "None":
        """Take over fds 1 and 2, `sys.stdout` and `sys.stderr`. Fds 0 to 2 are open, and the caller has copies.

        `pipes` are those that fds 1 and 2 lead into already, with what was written to them; without, they are made.
        Raises RuntimeError, with nothing changed, if this process may have no further descriptors or threads.
        """
        import select
        fds: "List[int]" = []
        self._fds = fds
        poll, look, pull = select.poll(), select.poll(), select.poll()
        try:
            for each in range(3):  # all ends are kept, or whoever closes fd 1 would end its pipe
                fds.extend(pipes[each] if each < len(pipes) else os.pipe())
                os.set_blocking(fds[-2], False)  # never the write end: subprocesses inherit it
                poll.register(fds[-2], select.POLLIN)
                if each < 2:
                    look.register(fds[-2], select.POLLIN)
                    pull.register(fds[-2], select.POLLIN)
            self._pid, self._closed = os.getpid(), False
            self._thread = threading.Thread(target=self._run, args=(poll,), name="remotesvc-output")
            self._thread.daemon = True
            self._thread.start()
        except (OSError, RuntimeError) as error:
            self._closed = True
            for fd in fds[2 * len(pipes):]:
                os.close(fd)
            raise RuntimeError("cannot capture stdout and stderr of this process: %s" % error) from error
        os.dup2(fds[1], 1)
        os.dup2(fds[3], 2)
        # Two, for a signal handler that comes in the middle of one cannot use that, and may print.
        self._look, self._filled = look.poll, pull.poll
        self._pipes = (1, fds[0]), (2, fds[2])
        # Kept alive: a print() that is under way in some thread, perhaps the one that led here, uses its stream without
        # holding a reference.
        self._replaced = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
        self.streams = out, err = Text(Binary(self, 1)), Text(Binary(self, 2))
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = out, err  # type: ignore[assignment, misc]

    def write(self, fd: "int", data: "bytes") -> "None":
        """Queue what the calling thread prints; returns once the queue is short enough."""
        if os.getpid() != self._pid:  # a fork: the link is not its own, but the pipe is
            while data:
                data = data[os.write(fd, data):]
            return
        thread = threading.get_ident()
        key = fd, self._current_call(), thread
        if data[-1:] != b"\n":
            self._begun.add((fd, thread))
            if len(data) < PIECE and len(self._pieces) < PIECES and b"\n" not in data:
                self._pieces.append((key, data))
                if not self._woken:
                    self.tick()
                return
        else:
            self._begun.discard((fd, thread))
        self._put(len(data), b"\n" in data, (key, data))

    def post(self, action: "Callable[[], Any]", size: "int" = 0) -> "None":
        """Run `action` on the capture thread, after what was written before; `size` counts like output."""
        if self._here():
            self._put(size, True, None, action)

    def drain(self) -> "None":
        """Return when all that is in the pipes now, and all whole lines printed, have been emitted."""
        self._sync(-1, 0)

    def flush_call(self, call: "int") -> "None":
        """Like `drain`, the call's partial lines included: before its reply goes."""
        streams = self.streams
        if sys.stdout is not streams[0] or sys.stderr is not streams[1]:
            flush_others(streams)
        if not self._here():
            if os.getpid() != self._pid:  # a fork, whose call has ended
                end()
            return
        with self._mutex:  # most calls print nothing: one look is all that costs them
            if not (self._pieces or self._queue or self._busy or self._units.partial or self._closed or self._look(0)):
                return
        self._sync(call, 0)

    def flush(self, fd: "int") -> "None":
        """Emit the calling thread's partial line: flush() of a stream.

        Whole lines are on their way as it is, so that who flushes each of very many does not wait for them.
        """
        thread, now = threading.get_ident(), time.monotonic()
        flushed = max(self._flushed, now - BURST)
        if self.keeps or (fd, thread) in self._begun or flushed < now:
            self._flushed = flushed + OFTEN
            self._begun.discard((fd, thread))
            self._sync(self._current_call(), thread, PATIENCE)

    def tick(self) -> "None":
        """Have the capture thread look round; never blocks. Partial lines go without it, on time."""
        with self._lock:
            if not self._woken and not self._closed:
                self._woken = True
                os.write(self._fds[5], b"\0")

    def close(self) -> "None":
        """Emit what there is, for at most PATIENCE seconds; what is written afterwards is discarded."""
        if self._here():
            self._closing = True
            self.tick()
            if threading.current_thread() is not self._thread:
                self._thread.join(PATIENCE)

    def _here(self) -> "bool":
        return os.getpid() == self._pid and not self._closed and not sys.is_finalizing()

    def _put(self, size: "int", pull: "bool", piece: "Any", action: "Any" = None) -> "None":
        """Queue what is printed, or an action."""
        free = threading.get_ident() in self.never_wait
        with self._lock:
            if self._closed or free and self._queued > FULL:
                return
            if piece is not None:
                self._pieces.append(piece)
            self._pull(self._pipes if pull and not free else ())
            if action is not None:
                self._queue.append((self._act, (action,), size))
                self._queued += size
            if not self._woken:
                self.tick()
            while self._queued > QUEUE and not free and not self._pulling and self._here():
                if not self._lock.wait(PATIENCE) and self._queued <= FULL:
                    break

    def _pull(self, pipes: "Tuple[Tuple[int, int], ...]") -> "None":
        """Move what is in pipes, then the pieces, into the queue, under the lock; never blocks."""
        if self._pulling:
            return  # a signal handler or finaliser that prints, in the middle of this
        self._pulling = True
        try:
            if pipes and self._filled(0):
                self._read(pipes)
            pieces = self._pieces
            while pieces:  # a signal handler's, too
                key, data = pieces.popleft()
                while pieces and pieces[0][0] == key:
                    data += pieces.popleft()[1]
                self._queue.append((self._line, (key, data), len(data)))
                self._queued += len(data)
        finally:
            self._pulling = False

    def _read(self, pipes: "Tuple[Tuple[int, int], ...]") -> "None":
        for fd, pipe in pipes:
            for _ in range(PIPE // READ):  # who writes without pause must not keep us here
                try:
                    data = os.read(pipe, READ)
                except BlockingIOError:
                    break
                self._queue.append((self._line, ((fd, 0, 0), data), len(data)))
                self._queued += len(data)
                if len(data) < READ:
                    break

    def _sync(self, call: "int", thread: "int", patience: "Optional[float]" = None) -> "None":
        """Wait until the queue as it is now, then the partial lines asked for, have been emitted."""
        if not self._here() or threading.get_ident() in self.never_wait:
            return
        done: "List[bool]" = []
        with self._lock:
            self._pull(self._pipes)
            if self._queue or self._busy or self._units.partial:
                self._queue.append((self._mark, (call, thread, done), 0))
                self.tick()
                while not (done or self._closed or self._pulling) and self._lock.wait(patience):
                    pass

    # The rest runs on the capture thread.

    def _run(self, poll: "Any") -> "None":
        self.never_wait.add(threading.get_ident())
        last = False
        wait: "Optional[int]" = None
        try:
            while not last:
                poll.poll(wait)
                with self._lock:
                    if self._woken:
                        os.read(self._fds[4], 1)
                        self._woken = False
                    last = self._closing
                    self._pull(self._pipes)
                    work, self._queue, self._busy = self._queue, collections.deque(), True
                for action, args, _ in work:
                    action(*args)
                old = time.monotonic() - PARTIAL
                if last:
                    self._units.cut_all()
                self._units.cut_older(old)
                self._units.release()
                ages = [since - old for _, since in self._units.partial.values()]
                wait = int(min(ages) * 1000) + 1 if ages else None
                with self._lock:
                    self._busy = False
                    self._queued -= sum(size for _, _, size in work)
                    self._lock.notify_all()
        finally:
            self._end()

    def _end(self) -> "None":
        """Nobody reads the pipes any more: release who waits, and let nobody hang or fail on fds 1 and 2."""
        with self._lock:
            self._closed, self._pipes = True, ()
            self._lock.notify_all()
            for fd in self._fds:
                os.close(fd)
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 1)
            os.dup2(null, 2)
            os.close(null)

    def _line(self, key: "Key", data: "bytes") -> "None":
        self._units.add(key, data, time.monotonic())

    def _mark(self, call: "int", thread: "int", done: "List[bool]") -> "None":
        self._units.cut_of(call, thread)
        self._units.release()
        with self._lock:
            done.append(True)
            self._lock.notify_all()

    def _act(self, action: "Callable[[], Any]") -> "None":
        self._units.release()
        self._unless_broken(action)

    def _unless_broken(self, action: "Callable[..., Any]", *args: "Any") -> "None":
        try:
            if self.error is None:
                action(*args)
        except Exception as error:
            self.error = error
