"""Functions that tests call on targets to wait: each says that it has begun, in a file or on stdout. Python 3.6."""

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


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


def one_and_wait(path: str, after: str, limit: float = 60) -> "Iterator[int]":
    """The same as items: the first comes at once."""
    yield 1
    wait_cancelled(path, after, limit)


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


def say_and_wait(text: str, path: str) -> None:
    sys.stdout.write(text)
    wait_exists(path)
    sys.stdout.write("\n")


def fail_when_cancelled(path: str, after: str) -> None:
    """What it wants to be called when the caller gives up fails, and then it has another called."""
    import remotesvc

    call = remotesvc.current()
    call.on_cancel(lambda: touch(after))
    call.on_cancel(lambda: 1 // 0)
    touch(path)
    call.wait(60)
