"""Values that take time: coroutines are run to their end, generators are iterated by the caller under credit."""
import threading

from ..errors import Error, NotSent
from ..links import wire
from ..links.credit import WINDOW, SendCredit
from ..links.large import abandon
from .current import enter, running
from .execute import Full
from .outcome import fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator, List, Tuple

# Open generators; each has a thread of its own, which mostly waits for credit.
MAX_OPEN = 64
# Items that go ahead of a caller who took none: many take one and go, and what they leave they would have to wait for.
# Each grant says that more were taken, and then there may be so many times more, up to the window.
AHEAD, MORE = 64, 4


class Ahead(SendCredit):
    """What may be sent to a caller who may go on, or not.

    It counts items, as if all were as large as the next one: large ones are few in a window as it is. Our peer's first
    grants come as much sooner: see ``assembly.Eager``.
    """

    items = AHEAD

    def take(self, size: "int") -> "bool":
        """See ``SendCredit.take``."""
        return self.outstanding < self.items * size and SendCredit.take(self, size)

    def granted(self, size: "int") -> "None":
        """See ``SendCredit.granted``."""
        SendCredit.granted(self, size)
        self.items = min(MORE * self.items, WINDOW)


class Unfolder(object):
    """What one context has open."""

    def __init__(self, router: "Any", executor: "Any") -> "None":
        self._router = router
        self._executor = executor
        self._finished = getattr(executor, "finished", None) or router.dispatcher.finished
        self._lock = threading.Lock()
        self._open = 0

    def __call__(self, call: "Any", message: "Any", value: "Any") -> "Tuple[bool, Any]":
        """(True, value) for a coroutine, (False, None) once a thread sends what a generator yields."""
        if hasattr(type(value), "__await__"):
            return True, run(value)
        if not iterates(value):
            return True, value
        with self._lock:
            if self._open >= MAX_OPEN:
                raise Full("%d generators are open, which is the limit" % MAX_OPEN, call=call.name)
            self._open += 1
        # From here on its end is told by that thread, not by the worker.
        call.open = True
        thread = threading.Thread(target=self._produce, args=(call, message, value), name="remotesvc-generator",
                                  daemon=True)
        try:
            thread.start()
        except RuntimeError:  # this host has no room for another: its end is an ordinary one
            call.open = False
            self._closed()
            raise
        return False, None

    def _closed(self) -> "None":
        with self._lock:
            self._open -= 1

    def _produce(self, call: "Any", message: "Any", items: "Any") -> "None":
        try:
            self.produce(call, message, items)
        finally:
            self._closed()
            self._finished(call)

    def produce(self, call: "Any", message: "Any", items: "Any") -> "None":
        """Send what a generator yields; returns when it has ended."""
        enter(call)
        executor, stream = self._executor, self._router.streams.new()
        outgoing = self._router.streams.out(message.src, stream)
        outgoing.credit = Ahead(WINDOW)
        call.on_cancel(lambda: outgoing.granted(0))  # who waits for credit looks up, or it would be open till then
        if hasattr(type(items), "__anext__"):
            items = from_async(items)
        ours = True  # does what goes wrong now go wrong with sending, or in the generator?
        try:
            self._send(call, message, None, stream, 0)
            while True:
                ours = False
                try:
                    item = next(items)
                except StopIteration as end:
                    ours = True
                    self._send(call, message, end.value, stream, wire.END)  # what it returned, for `yield from`
                    break
                ours = True
                self._send(call, message, item, stream, 0)
        except BaseException as error:
            if call.cancelled:  # nobody wants to know how it ended
                abandon(self._router, message.src, stream, message.reply_to)
            else:
                skip = None if ours and issubclass(type(error), Error) else 1
                fail(executor, call, message, error, skip, wire.ERROR | wire.STREAM | wire.END, stream)
        finally:
            try:
                items.close()
            except BaseException as error:  # what a generator does when it is told to end is its own affair
                self._router.report(error)
            enter(None)

    def _send(self, call: "Any", message: "Any", value: "Any", stream: "int", flags: "int") -> "None":
        """Send the next item on its stream; waits until the caller has room for it. Raises EncodeError, and NotSent
        when the caller is gone or has closed the iterator."""
        self._executor.drain(call.id)
        if call.cancelled:  # nobody may be left to keep us without credit, either
            raise NotSent("the iterator is closed")
        router = self._router
        encoded = router.codec.encode(value, router.bindings, False, "return value" if flags & wire.END else "item")
        router.post(message.src, message.reply_to, encoded, 0, flags | wire.STREAM, stream, True,
                    given_up=lambda: call.cancelled)


def iterates(value: "Any") -> "bool":
    """Is it a generator, or an asynchronous one? Its type says so: what stands for anything has any attribute."""
    kind = type(value)
    return hasattr(kind, "gi_frame") or (hasattr(kind, "__anext__") and hasattr(kind, "aclose"))


class Tasks(object):
    """What asyncio runs for one call: cancelled, as asyncio does that, when the caller gives up.

    Mostly that is one task; a call may call services of its own process, whose methods run on other threads' loops.
    """

    def __init__(self, call: "Any") -> "None":
        self._call = call
        self._running: "List[Tuple[Any, Any]]" = []
        call.on_cancel(self._cancel)

    def begin(self, loop: "Any", task: "Any") -> "Tuple[Any, Any]":
        """One more; returns what ``end`` takes."""
        entry = loop, task
        self._running.append(entry)
        if self._call.cancelled:
            self._cancel()
        return entry

    def end(self, entry: "Tuple[Any, Any]") -> "None":
        try:
            self._running.remove(entry)
        except ValueError:  # it was cancelled
            pass

    def _cancel(self) -> "None":
        while self._running:
            try:
                loop, task = self._running.pop()  # each once: a second time would end what it does when it is cancelled
                loop.call_soon_threadsafe(task.cancel)
            except (IndexError, RuntimeError):  # another thread was faster; its loop has been closed meanwhile
                pass


async def outcome(awaitable: "Any", wanted: "bool" = True) -> "Tuple[bool, Any]":
    """(True, what it comes to) or (False, its error), which asyncio is not to see: that asks errors what they are, and
    shows them, and one that raises then would end the loop. If it is done because it is ``wanted``, it is cancelled
    when the caller of the call that runs here gives up."""
    call = running() if wanted else None
    tasks: "Any" = None
    entry: "Any" = None
    if call is not None:
        import asyncio
        current = getattr(asyncio, "current_task", None) or asyncio.Task.current_task  # type: ignore[attr-defined]
        tasks = call.tasks = call.tasks or Tasks(call)
        entry = tasks.begin(asyncio.get_event_loop(), current())
    try:
        return True, await awaitable
    except BaseException as error:
        return False, error
    finally:
        if entry is not None:
            tasks.end(entry)


def run(coroutine: "Any") -> "Any":
    """Run a coroutine to its end in an event loop of its own; returns or raises what it does."""
    loop = _begin()
    try:
        returned, value = loop.run_until_complete(outcome(coroutine))
    finally:
        end_loop(loop)
    if not returned:
        raise value
    return value


def from_async(items: "Any") -> "Iterator[Any]":
    """Iterate an asynchronous generator from a thread without a loop."""
    loop = _begin()

    def step(awaitable: "Any", wanted: "bool" = True) -> "Any":
        returned, value = loop.run_until_complete(outcome(awaitable, wanted))
        if not returned:
            raise value
        return value

    try:
        yield from iterate_async(step, items)
    finally:
        end_loop(loop)


def iterate_async(step: "Callable[..., Any]", items: "Any") -> "Iterator[Any]":
    """Iterate an asynchronous generator; ``step(awaitable, wanted)`` runs each step to its end, see ``outcome``."""
    try:
        while True:
            try:
                item = step(items.__anext__())
            except StopAsyncIteration:
                return
            yield item
    finally:
        step(items.aclose(), False)  # it may tidy up, above all when the caller has gone


def _begin() -> "Any":
    import asyncio
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # on a main thread, old Pythons start processes only then
    return loop


def end_loop(loop: "Any") -> "None":
    """Close a loop, as `asyncio.run` does, whose own end an odd error of a task that is left over could prevent."""
    import asyncio
    try:
        left = (getattr(asyncio, "all_tasks", None) or asyncio.Task.all_tasks)(loop)  # type: ignore[attr-defined]
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        if hasattr(loop, "shutdown_default_executor"):
            loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
