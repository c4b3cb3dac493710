"""Requests to the parent: threads that want the same of it at the same time share one request and its reply."""

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Tuple

    from .modules import Request

    Reply = Dict[str, Any]
    Ask = Callable[[Dict[str, Any]], Reply]


class _Asked(object):
    """A request on its way: its first sender asks, others with the same request wait for the outcome."""

    def __init__(self) -> "None":
        self.done = threading.Event()
        self.reply: "Optional[Reply]" = None


class Requests(object):
    """``ask`` sends a request and returns its reply, or raises. `sent` counts those that went to the parent."""

    def __init__(self, ask: "Ask") -> "None":
        self.sent = 0
        self._ask = ask
        self._lock = threading.Lock()
        self._asked: "Dict[Tuple[Any, ...], _Asked]" = {}

    def reply_to(self, wanted: "Request") -> "Reply":
        """The parent's reply. If the thread that asks fails, it has the error, and one of those that wait asks."""
        key = wanted.key
        while True:
            with self._lock:
                theirs = self._asked.get(key)
                if theirs is None:
                    ours = self._asked[key] = _Asked()
                    self.sent += 1
            if theirs is None:
                break
            theirs.done.wait()
            if theirs.reply is not None:
                return theirs.reply
        try:
            ours.reply = self._ask(wanted.plain())
            return ours.reply
        finally:
            with self._lock:
                del self._asked[key]
            ours.done.set()
