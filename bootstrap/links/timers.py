"""All timers of a router, in one thread."""
import heapq
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Optional

# Seconds: a timer that fires so much too late means that this process was stopped, not its peers.
STOPPED = 2.0


class Timer(object):
    """One entry; ``cancel()`` it at any time."""

    __slots__ = ("when", "run")

    def __init__(self, when: "float", run: "Optional[Callable[[], Any]]") -> "None":
        self.when = when
        self.run = run

    def cancel(self) -> "None":
        """Never run it, nor wake for it."""
        self.run = None

    def __lt__(self, other: "Timer") -> "bool":
        return self.when < other.when


class Timers(object):
    """A thread, from the first timer on, that runs functions which must not block. ``late`` is called first when it
    wakes more than STOPPED seconds late: who measures silence has to start again."""

    def __init__(self, late: "Callable[[], Any]", failed: "Callable[[BaseException], Any]") -> "None":
        self._late = late
        self._failed = failed
        self._heap: "List[Timer]" = []
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._most = 1000
        self._thread: "Optional[threading.Thread]" = None
        self._closed = False

    def after(self, delay: "float", run: "Callable[[], Any]") -> "Timer":
        """Run ``run`` in ``delay`` seconds on the timer thread."""
        timer = Timer(time.monotonic() + delay, run)
        with self._lock:
            if self._closed:
                timer.run = None
                return timer
            if self._thread is None:  # first: where no thread can be started, nothing must be left to run later
                thread = threading.Thread(target=self._loop, name="remotesvc-timers", daemon=True)
                thread.start()
                self._thread = thread
            heapq.heappush(self._heap, timer)
            if len(self._heap) > self._most:  # cancelled, mostly
                self._heap = sorted(each for each in self._heap if each.run)
                self._most = 2 * len(self._heap) + 1000
            if self._heap[0] is timer:
                self._wake.notify()
        return timer

    def close(self) -> "None":
        """Drop every timer and end the thread."""
        with self._lock:
            self._closed = True
            del self._heap[:]
            self._wake.notify()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)

    def _loop(self) -> "None":
        while True:
            with self._lock:
                while not self._closed and (
                        not self._heap or self._heap[0].run and self._heap[0].when > time.monotonic()):
                    self._wake.wait(self._heap[0].when - time.monotonic() if self._heap else None)
                if self._closed:
                    return
                timer = heapq.heappop(self._heap)
            run, timer.run = timer.run, None
            if run is None:
                continue
            try:
                if time.monotonic() - timer.when > STOPPED:
                    self._late()
                run()
            except BaseException as error:  # a broken timer must not stop the heartbeat of every link
                self._failed(error)
