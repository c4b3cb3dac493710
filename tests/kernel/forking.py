"""What tests do in a fork of the process that they are in, be it this one or a target (Python 3.6)."""

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def in_fork(act: "Callable[[], Any]", limit: int = 10) -> str:
    """What an action returns in a fork of this process, or the name of what it raises; that it hangs if it does for so
    many seconds."""
    reading, writing = os.pipe()
    fork = os.fork()
    if not fork:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(limit)
        try:
            text = repr(act())
        except BaseException as error:
            text = type(error).__name__
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as told:
        text = told.read()
    _, status = os.waitpid(fork, 0)
    return "hangs" if os.WIFSIGNALED(status) else text
