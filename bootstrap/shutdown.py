"""The end of a child: idle main thread, exit functions, then everything in our process group, within two seconds.

A daemon that was started on purpose has a session of its own and lives on.
"""
import os
import threading
import time

from .routing.closing import close

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Seconds for exit functions and for what was started here to end by itself.
GRACE = 0.7
# In pieces of so many: a process that is starved of the processor loses one of them, and its exit functions still run.
PIECE = 0.02


def finish(router: "Any") -> "None":
    """On the main thread, when it has nothing left to do: run exit functions, and wait for the end."""
    import atexit
    try:
        atexit._run_exitfuncs()
    finally:
        router.left.set()
        threading.Event().wait()


def leave(router: "Any", reason: "str") -> "None":
    """On a thread of its own: release all who wait, let the main thread finish, then end our process group."""
    close(router, reason)
    router.dispatcher.stop()
    for _ in range(int(GRACE / PIECE)):
        if router.left.wait(PIECE):
            break
    end_group(os.getpid())


def end_group(group: "int") -> "None":
    """End what is left in our process group, which is to be of this number; ourselves with it, if some of that takes
    too long."""
    if os.getpgrp() != group or not _others(group):
        return
    import _signal  # type: ignore[import-not-found]
    os.killpg(group, _signal.SIGTERM)
    until = time.monotonic() + GRACE
    while time.monotonic() < until:
        _reap()
        if not _others(group):
            return
        time.sleep(0.02)
    os.killpg(group, _signal.SIGKILL)  # ourselves included, as the last act


def _others(group: "int") -> "bool":
    """Is anybody else left in our process group?"""
    own = os.getpid()
    try:
        names = os.listdir("/proc")
    except OSError:
        return _reap()
    for name in names:
        if name.isdigit() and int(name) != own:
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != b"Z":
                return True
    return False


def _reap() -> "bool":
    """Collect children that ended; False when there are none left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    except ChildProcessError:
        return False
