"""Functions that users give us to call: what they raise is logged, and ends nothing of ours."""

import threading


def hook_failed(name: "str", error: "BaseException") -> "None":
    """A hook has raised. On the thread that called it, perhaps one that reads a link: what is raised there would end
    that, and all calls to a host with it; and it must not wait for whoever writes the log."""
    if not isinstance(error, Exception) and threading.current_thread() is threading.main_thread():
        raise error  # Ctrl-C
    try:
        threading.Thread(target=_log, args=(name, error), name="remotesvc-hook", daemon=True).start()
    except RuntimeError:  # there may be no more threads, or the program ends
        pass


def _log(name: "str", error: "BaseException") -> "None":
    import logging
    logger = logging.getLogger("remotesvc")
    logger.disabled = False  # logging.config disables what it does not know
    logger.error("%s raised %s", name, type(error).__name__, exc_info=(type(error), error, error.__traceback__))
