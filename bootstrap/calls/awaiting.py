"""Coroutines and asynchronous generators, run from threads without an event loop.

Only functions import `asyncio`: a cold child that awaits nothing does without.
"""
from .current import running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator, List, Tuple


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


async def settled(awaitable: "Any", wanted: "bool" = True) -> "Tuple[bool, Any]":
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
        returned, value = loop.run_until_complete(settled(coroutine))
    finally:
        end_loop(loop)
    if not returned:
        raise value
    return value


def from_async(items: "Any") -> "Iterator[Any]":
    """Iterate an asynchronous generator from a thread without a loop."""
    loop = _begin()

    def step(awaitable: "Any", wanted: "bool" = True) -> "Any":
        returned, value = loop.run_until_complete(settled(awaitable, wanted))
        if not returned:
            raise value
        return value

    try:
        yield from iterate_async(step, items)
    finally:
        end_loop(loop)


def iterate_async(step: "Callable[..., Any]", items: "Any") -> "Iterator[Any]":
    """Iterate an asynchronous generator; ``step(awaitable, wanted)`` runs each step to its end, see ``settled``."""
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
