"""Calls in a process of their own, on the machine of the context that was asked: ``isolation="process"``.

The context starts a fresh child, runs the call there and passes the outcome on. One spare is kept, so that the next
such call does not wait for a start. A cancelled call is killed with everything in its group.
"""

import os
import threading

from ..bootstrap.calls.execute import run_function
from ..bootstrap.errors import Cancelled
from ..bootstrap.routing.closing import ENDED
from ..bootstrap.unreachable import ConnectError
from .items import Items

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Generator, List, Optional

    from .context import Context


class Isolation(object):
    """The spare of one context."""

    def __init__(self, router: "Any", executor: "Any") -> "None":
        self._tree = router.tree()
        self._spare: "Optional[Context]" = None
        self._lock = threading.Lock()

    def __call__(self, call: "Any", target: "Optional[str]", args: "List[Any]", kwargs: "Dict[str, Any]",
                 options: "Dict[str, Any]") -> "Any":
        """Run a call in a process of its own; returns its value, or raises its error."""
        settings = {name: options[name] for name in ("cwd", "env", "umask", "nice") if name in options}
        with self._lock:
            context, self._spare = self._spare, None
        if context is None or not self._tree.lives(context.id):
            context = self._fresh()
        path = self._tree.ledger.start_of(context.id).path
        lasting, reason = False, ENDED
        try:
            rest = {name: value for name, value in options.items() if name in ("pickle", "strict_types", "name")}
            future = context.submit("remotesvc.calling.isolation:run_here", target, args, kwargs, rest, settings)
            call.on_cancel(path.kill)
            with self._lock:
                if self._spare is None and not call.cancelled:
                    try:
                        self._spare = self._fresh()
                    except ConnectError:
                        pass  # a limit of this machine: this call has its process
            value = future.result()
            lasting = isinstance(value, Items)
            if not lasting:
                return value
            items = _items(context, value)
            next(items)
            return items
        except Exception:
            if call.cancelled:
                reason = "the caller gave up"
                raise Cancelled("the caller gave up", call=call.name) from None
            raise
        finally:
            if not lasting:
                _close(context, reason)

    def _fresh(self) -> "Context":
        return self._tree.local(concurrency=1)  # type: ignore[no-any-return]


def _items(context: "Context", items: "Items") -> "Generator[Any, None, Any]":
    """What a generator yields in a process of its own, which ends with it. The first item is for us: what has not begun
    is dropped without its end, as where too many generators are open."""
    try:
        yield None
        return (yield from items)
    finally:
        _close(context)


def _close(context: "Context", reason: "str" = ENDED) -> "None":
    context.tree.close_context(context.id, reason)
    context.tree.ledger.forget(context.id)


def run_here(target: "Optional[str]", args: "List[Any]", kwargs: "Dict[str, Any]", options: "Dict[str, Any]",
             settings: "Dict[str, Any]") -> "Any":
    """In the fresh process: make it what was asked for, then run the function."""
    from ..bootstrap.calls.current import current
    adapt(settings)
    return run_function(current().router, target, args, kwargs, options)


def adapt(settings: "Dict[str, Any]") -> "None":
    """Make this process what a call asked for: ``umask``, ``nice``, ``env``, ``cwd``. Raises OSError."""
    if "umask" in settings:
        os.umask(settings["umask"])
    if "nice" in settings:
        os.nice(settings["nice"])
    os.environ.update(settings.get("env", {}))
    if "cwd" in settings:
        os.chdir(settings["cwd"])
