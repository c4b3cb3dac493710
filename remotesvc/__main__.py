"""`python -m remotesvc` is the `remotesvc` command."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Run the command and return its exit code; Ctrl-C while the command is still being imported is one, too."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored on purpose
        signal.signal(signal.SIGINT, _interrupted)
    try:
        from remotesvc.cli import main as command

        code = command.main()
    except KeyboardInterrupt:
        code = 130
    finally:
        if signal.getsignal(signal.SIGINT) in (_interrupted, _leave):
            # From here on Python would say that it ignored it, or at last die of it.
            signal.signal(signal.SIGINT, _done)
            atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    _end(code)
    return code


def _end(code: int) -> None:
    """End as Python does, but for what it does last, where that would be another end than this.

    If there are threads yet, connecting to a host perhaps, it takes everything apart beneath them: one in native code
    that expects none of that, bcrypt's say, aborts the process. And if a KeyboardInterrupt went through an `exec`, of
    what makes a dataclass say, it dies of SIGINT, although the exception was dealt with.
    """
    import threading

    if threading.active_count() == 1 and code != 130:
        return
    from remotesvc.cli.show.stream import leave_streams_quietly

    threading._shutdown()  # type: ignore[attr-defined]  # waits for those that are no daemons
    try:
        atexit._run_exitfuncs()
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    leave_streams_quietly()
    os._exit(code)


def _interrupted(number: int, frame: FrameType | None) -> None:
    """The first Ctrl-C ends what is under way; a second, by which that may be cut short, ends the process."""
    signal.signal(signal.SIGINT, _leave)
    raise KeyboardInterrupt


def _done(number: int, frame: FrameType | None) -> None:
    """There is little left to wait for; if that hangs, a second Ctrl-C ends the process."""
    signal.signal(signal.SIGINT, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
