"""Functions that tests begin as detached jobs. Python 3.6."""

import os
import signal
import sys

from tests.kernel.called_waiting import touch, wait_exists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def in_turns(count: int) -> None:
    """Prints to both streams, and has a subprocess print, in an order that can be told."""
    for number in range(count):
        print("out", number)
        print("err", number, file=sys.stderr)
        os.system("echo below %d" % number)  # noqa: UP031


def flood(size: int) -> None:
    """Prints numbered lines of 16 characters, so many bytes of them."""
    for number in range(size // 16):
        print("line %010d" % number)  # noqa: UP031


def lasting(begun: str, go_on: str) -> "dict[str, Any]":
    """Lasts until a file is there; says where it ran."""
    touch(begun)
    print("waiting")
    wait_exists(go_on)
    print("going on")
    return {"pid": os.getpid(), "group": os.getpgrp(), "session": os.getsid(0), "stdin": os.fstat(0).st_rdev}


def stubborn(begun: str) -> None:
    """Takes no notice of SIGTERM, nor does its subprocess, whose pid it tells."""
    import subprocess

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    process = subprocess.Popen(["sleep", "300"])
    with open(begun + ".part", "w") as file:
        file.write("%d %d" % (os.getpid(), process.pid))  # noqa: UP031
    os.rename(begun + ".part", begun)
    process.wait()
    wait_exists(begun + ".never", 300)


def tidy(begun: str, tidied: str, told: str) -> None:
    """Tidies up when it is ended, which two functions are told, one of which fails."""
    import remotesvc

    for function in (lambda: touch(told), lambda: 1 // 0):
        remotesvc.current().on_cancel(function)
    try:
        touch(begun)
        wait_exists(begun + ".never", 300)
    finally:
        touch(tidied)


async def patient(begun: str, cancelled: str) -> None:
    """A coroutine that is cancelled where it waits."""
    import asyncio

    touch(begun)
    try:
        await asyncio.sleep(300)
    except asyncio.CancelledError:
        touch(cancelled)
        raise


def leave_subprocess(path: str) -> str:
    """Returns while something it started still runs."""
    import subprocess

    process = subprocess.Popen(["sleep", "300"])
    touch(path)
    return str(process.pid)


def leave_fork(path: str) -> None:
    """Dies without a result, while a fork of it lives on."""
    import time

    pid = os.fork()
    if not pid:
        os.setsid()
        time.sleep(300)
        os._exit(0)
    with open(path + ".part", "w") as file:
        file.write(str(pid))
    os.rename(path + ".part", path)
    os._exit(1)


def count_then_fail(count: int) -> "Iterator[int]":
    yield from range(count)
    raise ValueError("at the end")


def endless() -> "Iterator[int]":
    while True:
        yield 1


def last_words() -> None:
    """What is flushed is there when the process is gone in the next moment."""
    print("flushed", flush=True)
    os._exit(7)


def turn_deaf(path: str) -> None:
    """From now on nobody hears here what processes of jobs say, as if this one had died meanwhile; their names, as the
    system shows them, go to a file."""
    import subprocess

    from remotesvc.jobs import begin

    def run(argv: "list[str]", parcel: bytes) -> "Any":
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.close()  # type: ignore[union-attr]
        process.stdin.write(parcel)  # type: ignore[union-attr]
        process.stdin.close()  # type: ignore[union-attr]
        process.wait()
        with open(path, "w") as file:
            file.write(argv[-1])
        return b"", ""

    begin._run = run


def chained() -> None:
    try:
        raise KeyError("first")
    except KeyError as error:
        raise FileNotFoundError(2, "No such file", "/nowhere") from error


def by_name(name: str) -> str:
    """An import that nobody can see ahead."""
    import importlib

    return importlib.import_module(name).__name__


def seen_only_here() -> str:
    """Imports in a function, of a module that imports another in a function."""
    from tests.kernel import called_jobs_deep

    return called_jobs_deep.deeper()


def reveal(value: "Any") -> int:
    """The length of a secret, which is none."""
    return len(value.reveal())


def start_another() -> None:
    import remotesvc

    remotesvc.current().router.tree().local()


def use_service(name: str) -> None:
    """What needs a connection, or another context's router."""
    from remotesvc import Receiver, current, service

    if name == "receiver":
        Receiver(current().router)
    elif name == "pool":
        service.Pool(current().router)
    elif name == "call":
        service.call("tests.kernel.services.Counter", "count")
    else:
        getattr(service, name)()


def remove_records(jobs_dir: str, path: str) -> None:
    """Leaves a subprocess running, and no place for what this comes to; the subprocess's pid goes to the file."""
    import shutil
    import subprocess

    process = subprocess.Popen(["sleep", "300"])
    shutil.rmtree(jobs_dir)
    with open(path + ".part", "w") as file:
        file.write(str(process.pid))
    os.rename(path + ".part", path)


def fill_disk(jobs_dir: str) -> str:
    """From now on files below the directory can have as many bytes in all as they have now, as on a disk that is full.
    """
    import errno

    from remotesvc.jobs import folder

    def used() -> int:
        return sum(os.path.getsize(os.path.join(top, name)) for top, _, names in os.walk(jobs_dir) for name in names)

    def write_all(fd: int, data: bytes) -> None:
        if used() + len(data) > size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(fd, data)

    real, size = folder.write_all, used()
    folder.write_all = write_all
    return "a value"


def forks() -> int:
    """The fork comes back from the function, too."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return os.getpid()


def detach_below() -> None:
    import remotesvc

    remotesvc.current().router.tree().local().detach("os:getpid")


def lie(name: str) -> None:
    """Have this process answer nonsense where a job is to begin, as a hostile target may."""
    from remotesvc.jobs import begin

    setattr(begin, name, lambda *args: 4711)
