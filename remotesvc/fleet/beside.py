"""Threads for what an event loop must not wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress


def beside(function: Callable[[], object]) -> asyncio.Future[None]:
    """Run a function on a thread of its own; the future is done when it has returned.

    The loop's own threads are few, and the program may have given them other things to do: what it does there may wait
    for us.
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
