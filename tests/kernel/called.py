"""Functions that tests call on targets, of any Python from 3.6 on."""

import os
import sys
import threading
import time

from tests.kernel.called_waiting import touch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator
    from typing import Any


class Thing(object):  # noqa: UP004
    """Something with every kind of method."""

    base = 10

    def __init__(self, number: int) -> None:
        self.number = number

    def method(self, other: int) -> int:
        return self.number + other

    def __call__(self, other: int) -> int:
        return self.number * other

    @classmethod
    def of_class(cls, other: int) -> int:
        return cls.base + other

    @staticmethod
    def static(other: int) -> int:
        return other + 1

    class Inner(object):  # noqa: UP004
        @classmethod
        def deep(cls) -> str:
            return cls.__qualname__


def add(a: "Any", b: "Any" = 0) -> "Any":
    return a + b


def echo(value: "Any") -> "Any":
    return value


def keywords(*args: "Any", **kwargs: "Any") -> "Any":
    return [list(args), kwargs]


def make_adder(number: int) -> "Callable[[int], int]":
    def adder(other: int) -> int:
        return number + other

    return adder


def process() -> int:
    return os.getpid()


def type_name(value: "Any") -> str:
    return type(value).__name__


# -- generators and coroutines


def count(n: int) -> "Iterator[int]":
    yield from range(n)


def count_and_sum(n: int, size: int) -> "Generator[int, None, Any]":
    yield from range(n)
    return [sum(range(n)), bytes(size)]


def count_and_return_lock(n: int) -> "Generator[int, None, Any]":
    yield from range(n)
    return threading.Lock()


def count_then_fail(n: int) -> "Iterator[int]":
    yield from range(n)
    raise FileNotFoundError(2, "No such file", "/nowhere")


def yield_lock() -> "Iterator[Any]":
    yield 1
    yield threading.Lock()


def big_items(n: int, size: int) -> "Iterator[bytes]":
    for number in range(n):
        produced.append(number)
        yield bytes([number % 256]) * size


produced = []  # type: list[int]


def how_many_produced() -> int:
    return len(produced)


def until_closed(path: str) -> "Iterator[int]":
    number = 0
    try:
        while True:
            yield number
            number += 1
    finally:
        touch(path)


async def double(number: int) -> int:
    import asyncio

    await asyncio.sleep(0)
    return 2 * number


async def async_fail() -> None:
    import asyncio

    await asyncio.sleep(0)
    raise ValueError("from a coroutine")


async def async_count(n: int) -> "AsyncIterator[int]":
    import asyncio

    for number in range(n):
        await asyncio.sleep(0)
        yield number


async def async_tidies_up(told: str) -> "AsyncIterator[bytes]":
    """More than is sent ahead; what it does at its end takes a while."""
    import asyncio

    try:
        while True:
            yield bytes(1 << 19)
    finally:
        await asyncio.sleep(0.05)
        open(told, "w").close()


async def async_wait(begun: str, told: str) -> None:
    """Wait for something that never comes; make a file when that is cancelled."""
    import asyncio

    touch(begun)
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        touch(told)
        raise


async def async_wait_for_more(begun: str, told: str) -> "AsyncIterator[int]":
    yield 1
    await async_wait(begun, told)
    yield 2


# -- what the running call knows of itself


def about_me() -> "dict[str, Any]":
    import remotesvc

    call = remotesvc.current()
    return {
        "name": call.name,
        "context": call.router.id,
        "remaining": call.remaining,
        "cancelled": call.cancelled,
        "main": threading.current_thread() is threading.main_thread(),
    }


def current_in_thread() -> str:
    import remotesvc

    said = []  # type: list[str]

    def ask() -> None:
        try:
            remotesvc.current()
        except remotesvc.UsageError as error:
            said.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return said[0]


def is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def modules() -> "list[str]":
    return sorted(sys.modules)


def nap(seconds: float) -> int:
    """Wait a moment; returns which thread did."""
    time.sleep(seconds)
    return threading.get_ident()


def set_handler_and_get_signal() -> bool:
    import signal

    got = []  # type: list[int]
    before = signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        end = time.monotonic() + 10
        while not got and time.monotonic() < end:
            time.sleep(0.005)
    finally:
        signal.signal(signal.SIGUSR1, before)
    return got == [signal.SIGUSR1]


order = []  # type: list[Any]


def note(value: "Any") -> "Any":
    order.append(value)
    return value


def noted() -> "list[Any]":
    return list(order)


def note_and_fail(value: "Any") -> None:
    order.append(value)
    raise LookupError(value)


# -- calling others from a called function


def call_child(module_and_name: str, *args: "Any") -> "Any":
    import remotesvc

    child = remotesvc.current().router.tree().local()
    try:
        return [os.getpid(), child.call(module_and_name, *args)]
    finally:
        child.close()


def call_context(context: "Any", target: str, *args: "Any") -> "Any":
    """Call a context that was passed to us."""
    return context.call(target, *args)


def ask_the_master(how: str, data: bytes) -> "Any":
    from remotesvc.service import master

    if how == "push":
        return master().push(data, "/no/such/directory/file")
    asked = getattr(master(), how)("builtins:len", data)
    return asked.result(30) if how == "submit" else asked


kept = []  # type: list[Any]


def open_children(n: int) -> "list[int]":
    """Children of ours that stay; their pids."""
    return [child.call("os:getpid") for child in started(n)]


def ids_of_children(n: int) -> "list[int]":
    """The same; their context ids, once they are up."""
    children = started(n)
    for child in children:
        child.wait_ready()
    return [child.id for child in children]


def started(n: int) -> "list[Any]":
    import remotesvc

    children = [remotesvc.current().router.tree().local() for _ in range(n)]
    kept.extend(children)
    return children


def nest(depth: int) -> "list[Any]":
    value = []  # type: list[Any]
    for _ in range(depth):
        value = [value]
    return value


def many_bytes(size: int) -> bytes:
    return b"\0" * size


def power(bits: int) -> int:
    return 1 << bits


def decimal(text: str) -> "Any":
    import decimal

    return decimal.Decimal(text)


def finders_met(module: str) -> "list[str]":
    """The finders an import comes by while another thread imports a module, after it has asked the first."""
    import importlib

    names = []
    for finder in sys.meta_path:
        names.append(getattr(finder, "__name__", type(finder).__name__))
        importlib.import_module(module)
    return names


def threads_after_calls_below(timeout: float) -> "list[str]":
    """The threads there are after calls with a timeout to a child of this process."""
    import remotesvc

    below = remotesvc.current().router.tree().local()
    assert [below.options(timeout=timeout).submit(add, number).result() for number in range(3)] == [0, 1, 2]
    below.ping()
    names = [thread.name for thread in threading.enumerate()]
    below.close()
    return names
