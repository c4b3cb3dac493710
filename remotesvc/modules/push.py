"""Sends the modules that were announced to children, while their calls already run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from remotesvc.bootstrap.errors import Error
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.unreachable import ConnectError

from .server import ModuleServer

PATIENCE = 60.0
"""Seconds that a child may take for the modules in one window, before it has to ask for what it still needs."""

log = logging.getLogger("remotesvc.modules")


class Pusher:
    """One thread for each child that is being sent modules, as long as there are any."""

    def __init__(self, router: Any, server: ModuleServer, magic_of: Callable[[int], bytes]) -> None:
        self._router = router
        self._server = server
        self._magic_of = magic_of
        self._active: dict[int, threading.Thread] = {}
        self._lock = threading.Lock()

    def wake(self, child: int) -> None:
        """Send what is waiting for a child. Returns at once."""
        with self._lock:
            if child not in self._active and self._server.waiting(child):
                thread = threading.Thread(target=self._push, args=(child,), name=f"remotesvc-push-{child}", daemon=True)
                thread.start()  # may fail: then there is nothing here to wait for
                self._active[child] = thread

    def send(self, child: int, items: list[Any]) -> None:
        """Send entries to a child, and wait while it has many to deal with. Raises NotSent, CallTimeout."""
        encoded = self._router.codec.encode(items, self._router.bindings)
        self._router.post(child, wire.PUSH_MODULES, encoded, stream=wire.MODULES, deadline=time.monotonic() + PATIENCE)

    def _push(self, child: int) -> None:
        failed, dropped = False, []
        try:
            magic = self._magic_of(child)
            while True:
                with self._lock:
                    items = self._server.more(child, magic)
                    if not items:
                        del self._active[child]
                        return
                self.send(child, items)
        except (Error, ConnectError):
            pass  # it never came up, is gone, or takes nothing: then it asks
        except Exception:  # of files that change or finders of others
            log.exception("context %d is not sent what it was promised", child)
            failed = True
        finally:
            with self._lock:
                if self._active.get(child) is threading.current_thread():
                    dropped = self._server.give_up(child)
                    del self._active[child]
        if failed and dropped:
            with suppress(Error, ConnectError):
                self.send(child, dropped)

    def close(self) -> None:
        """Wait a moment for threads whose links are closed."""
        with self._lock:
            threads = list(self._active.values())
        for thread in threads:
            thread.join(5)
