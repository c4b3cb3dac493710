"""Functions that users give us to call: what they raise is logged, and ends nothing of ours."""

import collections
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Deque

# What waits for whoever writes the log: a hook that always raises must not cost a thread for each message.
_failed: "Deque[Any]" = collections.deque(maxlen=100)
_writes = threading.Lock()


def hook_failed(name: "str", error: "BaseException") -> "None":
    """A hook has raised. On the thread that called it, perhaps one that reads a link: what is raised there would end
    that, and all calls to a host with it; and it must not wait for whoever writes the log."""
    if not issubclass(type(error), Exception) and threading.current_thread() is threading.main_thread():
        raise error  # Ctrl-C
    _failed.append((name, error))
    if _writes.acquire(False):
        try:
            threading.Thread(target=_log_all, name="remotesvc-hook", daemon=True).start()
        except RuntimeError:  # there may be no more threads, or the program ends
            _writes.release()


def _log_all() -> "None":
    while True:
        try:
            while _failed:
                _log(*_failed.popleft())
        finally:
            _writes.release()
        if not _failed or not _writes.acquire(False):  # one that came in this instant
            return


def _log(name: "str", error: "BaseException") -> "None":
    import logging
    logger = logging.getLogger("remotesvc")
    logger.disabled = False  # logging.config disables what it does not know
    logger.error("%s raised %s", name, type(error).__name__, exc_info=(type(error), error, error.__traceback__))
