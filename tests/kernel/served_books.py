"""Services whose pool is asked, from within, what it has in its books; see ``test_books``."""

import dataclasses
import threading
import time

from remotesvc.service import AllowAny, DeduplicatingInvoker, Invoker, Message, Service, expose, master, no_reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import Any

KEPT = []  # type: list[Any]
RAN = threading.Event()


@dataclasses.dataclass
class Item:
    """What travels; that of `uneven` has a field more."""

    number: int
    data: bytes


class Books(Service):
    """Its calls outlive the work they are."""

    @expose
    def numbers(self) -> "Iterator[int]":
        yield from range(10**9)

    @expose
    def number_of(self, item: Item) -> int:
        assert isinstance(item, Item)
        return item.number

    @expose
    def later(self, message: Message) -> "Any":
        KEPT.append(message)
        return Service.NO_REPLY

    @expose
    def books(self) -> "list[int]":
        """Threads that work, and those that were given up."""
        lanes = self.pool.workers.lanes
        return [lanes.busy, lanes.abandoned]

    @expose
    @no_reply()
    async def walk(self) -> "AsyncIterator[int]":
        yield 1
        RAN.set()

    @expose
    def walked(self) -> bool:
        return RAN.wait(10)


class Noting(Invoker):
    """Knows the last who called."""

    def invoke(self, request: "Any") -> "Any":
        self.last = request.message
        return request.run()


class Noted(Service):
    invoker_class = Noting

    @expose
    def later(self, message: Message) -> "Any":
        KEPT.append(message)
        return Service.NO_REPLY

    @expose
    def forgets(self, message: Message) -> "Any":
        return Service.NO_REPLY

    @expose
    def other(self) -> bool:
        return True


class Watched(Service):
    """Works until its caller gives up."""

    @expose(AllowAny())
    def work(self, message: Message) -> None:
        while not message.cancelled:
            time.sleep(0.01)


def work_above() -> None:
    master().call_service(Watched, "work")


class Shared(Service):
    """Calls that ask the same are one."""

    invoker_class = DeduplicatingInvoker

    @expose
    def double(self, number: int) -> int:
        return 2 * number


class Choosy(DeduplicatingInvoker):
    """Its keys are none."""

    def key_from_request(self, method: str, kwargs: "dict[str, Any]") -> "Any":
        return [method]


class Keyed(Service):
    invoker_class = Choosy

    @expose
    def answer(self) -> int:
        return 42


def uneven(count: int) -> "Iterator[Any]":
    """Every fourth is one that the master does not know so."""
    other = dataclasses.make_dataclass("Item", ["number", "data", "more"])
    other.__module__ = __name__
    for number in range(count):
        yield other(number, bytes(60000), 1) if number % 4 == 0 else number
