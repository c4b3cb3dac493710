"""Services whose methods await. Python 3.6."""

import asyncio
import os
import threading

import remotesvc
from remotesvc.service import SerializedInvoker, Service, call, expose
from tests.kernel import called

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any


class Keeper(Service):
    """Keeps what asyncio binds to a loop."""

    def __init__(self, router: "Any" = None) -> None:
        super().__init__(router)
        self.lock = None  # type: Any
        self.queue = None  # type: Any
        self.ended = None  # type: Any

    @expose()
    async def locked(self, seconds: float) -> bool:
        if self.lock is None:
            self.lock = asyncio.Lock()
        async with self.lock:
            await asyncio.sleep(seconds)
        return True

    @expose()
    async def get(self) -> int:
        if self.queue is None:
            self.queue = asyncio.Queue()
        return await self.queue.get()  # type: ignore[no-any-return]

    @expose()
    async def waits(self) -> bool:
        return self.queue is not None and not self.queue.empty()

    @expose()
    async def put(self, value: int) -> None:
        while self.queue is None:
            await asyncio.sleep(0.01)
        self.queue.put_nowait(value)

    @expose()
    async def drain(self, n: int) -> "AsyncIterator[int]":
        for _ in range(n):
            yield await self.get()

    @expose()
    def tidies_up(self, told: str) -> "AsyncIterator[bytes]":
        return called.async_tidies_up(told)

    @expose()
    async def names(self) -> "list[str]":
        """The running call, as a coroutine and the tasks it begins know it."""

        async def name() -> str:
            await asyncio.sleep(0.05)
            return remotesvc.current().name

        tasks = [asyncio.ensure_future(name()), asyncio.ensure_future(name())]
        return [await name(), *[await task for task in tasks]]

    @expose()
    async def other(self) -> "list[str]":
        await asyncio.sleep(0.02)
        return [remotesvc.current().name]

    @expose()
    async def blocks(self) -> "Any":
        return call(Keeper, "other")

    @expose()
    async def ends_its_loop(self, how: str) -> None:
        async def ends() -> None:
            if how == "stop":
                asyncio.get_event_loop().stop()
            else:
                raise SystemExit(3)

        self.task = asyncio.ensure_future(ends())  # not awaited: its error is asyncio's, which ends its loop for that

    @expose()
    async def thread(self) -> str:
        return threading.current_thread().name

    @expose()
    async def forks(self) -> "Any":
        process = os.fork()
        if process:
            return os.waitpid(process, 0)[1]
        return None

    async def on_shutdown(self) -> None:
        async with self.lock:
            self.ended = threading.current_thread().name


class Left(Service):
    """It and the next block for one another."""

    @expose()
    async def outer(self) -> "Any":
        return call(Right, "back")

    @expose()
    async def inner(self) -> str:
        return "fine"


class Right(Service):
    @expose()
    async def back(self) -> "Any":
        return call(Left, "inner")


class InTurn(Service):
    """The same, one after the other."""

    invoker_class = SerializedInvoker

    @expose()
    async def outer(self) -> "Any":
        await asyncio.sleep(0)
        return call(InTurn, "inner")

    @expose()
    def inner(self) -> str:
        return "part of it"

    @expose()
    async def tidies_up(self, told: "list[str]") -> None:
        told.append("begun")
        try:
            await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0.05)
            told.append("ended")
