"""Functions that tests call on targets, of any Python from 3.6 on."""

import os
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
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


class OwnError(Exception):
    """An exception class that only its module knows."""


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


def kernels_started() -> "list[int]":
    """The pids of the kernels that this one has started, once they are up."""
    import remotesvc

    router = remotesvc.current().router
    numbers = [number for number in list(router.links) if number is not None]  # one may end while another is waited for
    return [router.tree().start_of(number).wait()["pid"] for number in numbers]


def type_name(value: "Any") -> str:
    return type(value).__name__


# -- generators and coroutines


def count(n: int) -> "Iterator[int]":
    yield from range(n)


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


# -- waiting: each says that it has begun, in a file or on stdout


def touch(path: str) -> None:
    with open(path, "a") as file:
        file.write("%d\n" % os.getpid())  # noqa: UP031


def wait_cancelled(path: str, after: str = "", limit: float = 60) -> bool:
    """Begin by making a file; when the caller gives up, make the other."""
    import remotesvc

    touch(path)
    told = remotesvc.current().wait(limit)
    if told and after:
        touch(after)
    return told


def until_told() -> None:
    """Lasts as long as its caller allows, by the clock here, and ends as one that was given up."""
    import remotesvc

    call = remotesvc.current()
    call.wait(call.remaining)
    raise remotesvc.Cancelled("the time is over")


def wait_for_file(started: str, path: str, limit: float = 60) -> str:
    """Cannot be cancelled: makes a file, and waits for another."""
    touch(started)
    wait_exists(path, limit)
    return "done"


def wait_exists(path: str, limit: float = 60) -> None:
    end = time.monotonic() + limit
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise TimeoutError(path)
        time.sleep(0.005)


def loop_until_cancelled(path: str) -> None:
    import remotesvc

    touch(path)
    while True:
        remotesvc.current().check()
        time.sleep(0.005)


def meet(names: "list[str]", own: str, limit: float = 60) -> bool:
    """Comes back only once all of the party are there: proof that they run at the same time."""
    touch(own)
    for name in names:
        wait_exists(name, limit)
    return True


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


kept = []  # type: list[Any]


def open_children(n: int) -> "list[int]":
    """Children of ours that stay; their pids."""
    import remotesvc

    children = [remotesvc.current().router.tree().local() for _ in range(n)]
    kept.extend(children)
    return [child.call("os:getpid") for child in children]


# -- processes of their own


def spawn_sleep(own_session: bool = False, path: str = "") -> int:
    import subprocess

    process = subprocess.Popen(
        ["sleep", "300"], start_new_session=own_session, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if path:
        with open(path, "w") as file:
            file.write(str(process.pid))
    return process.pid


def spawn_and_wait(path: str) -> None:
    """A subprocess, and a call that lasts as long as it; its pid goes to the file."""
    import subprocess

    process = subprocess.Popen(["sleep", "300"])
    with open(path + ".part", "w") as file:
        file.write("%d %d" % (os.getpid(), process.pid))  # noqa: UP031
    os.rename(path + ".part", path)
    process.wait()


def surroundings() -> "dict[str, Any]":
    mask = os.umask(0o77)
    os.umask(mask)
    return {
        "cwd": os.getcwd(),
        "env": os.environ.get("REMOTESVC_TEST_OPTION"),
        "umask": mask,
        "nice": os.nice(0),
        "pid": os.getpid(),
    }


# -- ways to fail


def fail(kind: str, *args: "Any") -> None:
    import builtins

    raise getattr(builtins, kind)(*args)


def fail_own() -> None:
    raise OwnError("mine", 7)


def fail_chained() -> None:
    try:
        dict.fromkeys(["here"])["gone"]
    except KeyError as error:
        raise ValueError("outer") from error


def fail_group() -> None:
    import builtins

    first = ValueError("one")
    first.add_note("a note on one")  # type: ignore[attr-defined,unused-ignore]
    make = builtins.ExceptionGroup  # type: ignore[attr-defined,unused-ignore]
    group = make("several", [first, OSError(2, "No such file", "/nowhere")])
    group.add_note("a note on all")
    raise group


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")

    __repr__ = __str__


def fail_unprintable() -> None:
    raise Unprintable("x")


def fail_long(size: int) -> None:
    raise ValueError("x" * size)


def fail_every(name: str) -> None:
    sys.path.insert(0, "")
    from tests.failures.common import builtin_classes, instance_of

    raise instance_of(builtin_classes()[name])


def exception_names() -> "list[str]":
    from tests.failures.common import builtin_classes

    return sorted(builtin_classes())


def lock() -> "Any":
    return {"deep": [0, {"er": (1, threading.Lock())}]}


def give_lambda() -> "Any":
    return lambda: 1


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


def die(how: str, path: str = "") -> None:
    """End the process the hard way, or nearly."""
    if path:
        touch(path)
    if how == "exit":
        os._exit(7)
    import signal

    os.kill(os.getpid(), getattr(signal, how))
    threading.Event().wait(60)  # a signal may come a moment later


def abort() -> None:
    os.abort()


def fork_that(does: str) -> int:
    """Fork; the fork returns, raises or exits, and what came of it is returned: its exit status, or minus a signal."""
    fork = os.fork()
    if fork:
        status = os.waitpid(fork, 0)[1]
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    if does == "raise":
        raise ValueError("in the fork")
    if does == "exit":
        sys.exit(5)
    if does == "exit with a word":
        sys.exit("a last word")
    return 99


def fork_between_items() -> "Iterator[Any]":
    """The fork, too, comes to the end of this generator."""
    yield "before"
    yield fork_that("return")


def leave_a_fork() -> int:
    """Start a fork that lives on, as processes of multiprocessing are on many Pythons; returns its pid."""
    fork = os.fork()
    if not fork:
        time.sleep(120)
        os._exit(0)
    return fork


def segfault() -> None:
    import ctypes
    import faulthandler

    faulthandler.disable()
    ctypes.string_at(0)


def hold_gil(path: str, seconds: int) -> int:
    """Sleep in C without letting any other thread run."""
    import ctypes

    touch(path)
    ctypes.PyDLL(None).sleep(seconds)
    return seconds


# -- output


def write_from_c(text: bytes) -> int:
    """To descriptor 1, past everything that Python knows of."""
    import ctypes

    return ctypes.CDLL(None).write(1, text, len(text))  # type: ignore[no-any-return]


def say(text: str, stream: str = "stdout", flush: bool = False) -> None:
    getattr(sys, stream).write(text)
    if flush:
        getattr(sys, stream).flush()


def burst(line: bytes, times: int, fd: int) -> int:
    data = memoryview(line * times)
    total = len(data)
    while data:
        data = data[os.write(fd, data) :]
    return total


def say_in_all_ways() -> None:
    import subprocess

    print("by print")
    os.write(1, b"by write\n")
    sys.stdout.flush()
    subprocess.check_call(["sh", "-c", "echo by a process; echo its errors >&2"])
    sys.stderr.write("no newline")


def log(level: int, text: str) -> None:
    import logging

    logging.getLogger("tests.called").log(level, text, extra={"colour": "green"})


def log_exception() -> None:
    import logging

    try:
        dict.fromkeys(["here"])["gone"]
    except KeyError:
        logging.getLogger("tests.called").exception("it failed")


def memory() -> int:
    """Our resident set, in KiB."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise LookupError("VmRSS")


def say_and_wait(text: str, path: str) -> None:
    sys.stdout.write(text)
    wait_exists(path)
    sys.stdout.write("\n")


def allow_open_files(more: int) -> int:
    """Limit this process so that it can open so many files more; returns the limit."""
    import resource

    here = set(map(int, os.listdir("/proc/self/fd")))
    free = [number for number in range(4096) if number not in here]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[more], resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return free[more]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def forbid_threads() -> None:
    """From now on this process can start none, as on a host that has no more room for them."""
    import _thread
    import threading

    def refuse(*args: "Any", **kwargs: "Any") -> None:
        raise RuntimeError("can't start new thread")

    for module, name in ((threading, "_start_new_thread"), (threading, "_start_joinable_thread"),
                         (_thread, "start_new_thread")):
        if hasattr(module, name):
            setattr(module, name, refuse)


def children() -> "list[int]":
    """The pids of this process's children."""
    pids = []
    for task in os.listdir("/proc/self/task"):
        with open("/proc/self/task/" + task + "/children") as file:
            pids += [int(pid) for pid in file.read().split()]
    return pids


def finders_met(module: str) -> "list[str]":
    """The finders an import comes by while another thread imports a module, after it has asked the first."""
    import importlib

    names = []
    for finder in sys.meta_path:
        names.append(getattr(finder, "__name__", type(finder).__name__))
        importlib.import_module(module)
    return names
