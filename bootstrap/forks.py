"""Forks of a child that called code makes, itself or by multiprocessing: they run that code, and are no contexts.

A fork has copies of our descriptors. As long as it holds those of the link, nobody above us hears of our end: they are
closed in it. It has our handler of SIGTERM, which takes leave as a context does: there that signal means what it does
to any process. And it has our loop below the function that was called: where the function comes to its end in the
fork, too, that would wait there for calls, and take them from us. So the fork ends there, as at the end of a program.
"""
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


def watch(router: "Any") -> "None":
    """Have every fork from now on drop the link of ``router`` to its parent. It is called before the first fork at the
    latest (see ``entry``), for a fork cannot ask for what it lacks of the kernel. Python 3.6, which has no hook, forks
    by ``fork_here``."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _drop(router))


def fork_here(router: "Any", fork: "Callable[[], int]") -> "int":
    """Fork by ``fork()``, and drop the link there."""
    pid = fork()
    if not pid:
        _drop(router)
    return pid


def _drop(router: "Any") -> "None":
    try:
        for fd in router.ends:
            os.close(fd)
        os.dup2(2, router.stderr)  # not closed: a crash is told of there
    except OSError:
        pass  # closed by the user's code, all of them
    import _signal  # type: ignore[import-not-found]
    if getattr(_signal.getsignal(_signal.SIGTERM), "__module__", "") == __package__ + ".entry":  # not the user's own
        _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)


def end() -> "None":
    """In a fork: end it, with the error that is being handled, if one is. Nothing is imported, for a thread that is not
    there may have been about to. Exit functions are left to our own end: whoever registered them meant that."""
    error = sys.exc_info()[1]
    status: "Any" = 0
    if isinstance(error, SystemExit):
        status = error.code or 0
        if not isinstance(status, int):
            os.write(2, ("%s\n" % status).encode("utf-8", "replace"))
            status = 1
    elif error is not None:
        status = 1
        sys.excepthook(type(error), error, error.__traceback__)
    os._exit(status & 255)
