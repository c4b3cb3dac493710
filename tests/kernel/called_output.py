"""Functions that tests call on targets and that print or log, of any Python from 3.6 on."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass


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


def write_onto_the_link(data: bytes) -> None:
    """Where frames go, and nothing else should."""
    import remotesvc

    os.write(remotesvc.current().router.ends[1], data)
