"""asyncio's side of a fleet: threads for what an event loop must not wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

from .gather import Stop
from .outcome import Outcome

_MORE_THAN_EVER_WAITS = 1000
"""How many outcomes an asynchronous consumer may be behind before the run waits for it."""


def beside(function: Callable[[], object]) -> asyncio.Future[None]:
    """Run a function on a thread of its own; the future is done when it has returned.

    Not on the loop's own threads: they are few, and what the program does there may be waiting for us.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if ended.done():  # nobody waits any more
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    def run() -> None:
        last: BaseException | None = None
        try:
            function()
        except BaseException as error:
            last = error
        with suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(tell, last)

    threading.Thread(target=run, name="remotesvc-beside", daemon=True).start()
    return ended


async def follow(run: Callable[[Stop], Iterator[Outcome]]) -> AsyncIterator[Outcome]:
    """The outcomes of a run, which goes on beside the loop; leaving it early stops what is under way."""
    loop, stop = asyncio.get_running_loop(), Stop()
    arrived: asyncio.Queue[Outcome | BaseException | None] = asyncio.Queue()
    room = threading.Semaphore(_MORE_THAN_EVER_WAITS)

    def produce() -> None:
        last: BaseException | None = None
        try:
            for outcome in run(stop):
                while not room.acquire(timeout=1.0) and not stop.requested:
                    pass
                loop.call_soon_threadsafe(arrived.put_nowait, outcome)
        except BaseException as error:
            last = error
        loop.call_soon_threadsafe(arrived.put_nowait, last)

    producing = beside(produce)
    try:
        while (outcome := await arrived.get()) is not None:
            if isinstance(outcome, BaseException):
                raise outcome
            room.release()
            yield outcome
    finally:
        stop.request()
        await asyncio.shield(producing)
