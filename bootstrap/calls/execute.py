"""Runs one call: decode, find the function, run it, send its outcome. Everything a call can do wrong ends here."""
import marshal
import sys
import threading
import time

from ..errors import Busy, Cancelled, EncodeError, Error, UsageError
from ..links import wire
from .current import enter
from .dispatcher import to_main

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

    from .current import Call


# Types of values that are surely all there is to wait for.
PLAIN = frozenset([type(None), bool, int, float, str, bytes, list, tuple, dict])


class Executor(object):
    """What a dispatcher's workers run.

    ``deliver(entries)`` takes modules that came with a call, ``drain(call_id)`` sends what it has printed so far.
    """

    def __init__(self, router: "Any", deliver: "Callable[[List[Any]], Any]", drain: "Callable[[int], Any]") -> "None":
        self.router = router
        self._deliver = deliver
        self.drain = drain
        self._parts: "Dict[str, Any]" = {}
        self._lock = threading.Lock()

    def __call__(self, call: "Call", message: "Any") -> "Any":
        """Run one message; returns ``to_main`` when it belongs on the main thread, ``parked`` when it waits."""
        try:
            target, args, kwargs, options, modules = parts(message)
            call.name = target or options["name"]
            call.lineage = [self.router.id]
            if options:
                call.lineage = options.get("lineage", []) + call.lineage
                if options.get("thread") == "main" and threading.current_thread() is not threading.main_thread():
                    return to_main
                if options.get("timeout") is not None:
                    call.deadline = time.monotonic() + options["timeout"]
            message.release()
            if modules:
                self._deliver(modules)
        except BaseException as error:
            message.release()
            self.fail(call, message, error)
            return None
        if "chain" in options:
            return self._lazy(".chain", "Chains").run(call, message, (target, args, kwargs, options))
        self.run(call, message, target, args, kwargs, options)
        return None

    def _lazy(self, module: "str", name: "str") -> "Any":
        """A part of ours that most targets never need: fetched and made at its first use."""
        if name not in self._parts:
            import importlib
            make = getattr(importlib.import_module(module, __package__), name)
            with self._lock:
                if name not in self._parts:
                    self._parts[name] = make(self.router, self)
        return self._parts[name]

    def run(self, call, message, target, args, kwargs, options):
        # type: (Call, Any, Optional[str], List[Any], Dict[str, Any], Dict[str, Any]) -> Optional[List[Any]]
        """Run the function and answer; returns the error reply it ended with, if any."""
        if message.given_up or call.cancelled:
            return None
        enter(call)
        try:
            if target is not None and not options:  # nearly all
                value = resolve(target, self.router)(*args, **kwargs)
            elif options.get("isolation") == "process":
                value = self._lazy("...calling.isolation", "Isolation")(call, target, args, kwargs, options)
            else:
                value = run_function(self.router, target, args, kwargs, options)
            kind = type(value)
            if kind not in PLAIN and (
                    hasattr(kind, "__await__") or hasattr(kind, "__anext__") or hasattr(kind, "gi_frame")):
                done, value = self._lazy(".unfold", "Unfolder")(call, message, value)
                if not done:
                    return None
        except Cancelled as error:
            return self.fail(call, message, error, None if call.cancelled else 1)
        except BaseException as error:  # SystemExit and KeyboardInterrupt included: the call ends, not the kernel
            return self.fail(call, message, error, None if options.get("isolation") == "process" else 1)
        finally:
            enter(None)
        return self.finish(call, message, value, options.get("strict_types", False))

    def finish(self, call: "Call", message: "Any", value: "Any", strict: "bool") -> "Optional[List[Any]]":
        """Send the value a call returned, after all it printed."""
        self.drain(call.id)
        if message.reply_to:
            try:
                self.reply(message, value, strict)
            except EncodeError as error:
                return self.fail(call, message, error)
            except Error:
                pass  # the parent is gone, or no longer wants it
        return None

    def reply(self, message: "Any", value: "Any", strict: "bool") -> "None":
        """Answer the caller with a value. Raises EncodeError, NotSent."""
        router = self.router
        encoded = router.codec.encode(value, router.bindings, strict, "return value")
        router.post(message.src, message.reply_to, encoded, stream=wire.REPLIES, direct=True)

    def fail(self, call: "Call", message: "Any", error: "BaseException", skip: "Optional[int]" = None) -> "List[Any]":
        """Send the error a call ended with; see ``outcome.fail``."""
        self.drain(call.id)  # a fork ends here
        from .outcome import fail
        return fail(self, call, message, error, skip)


class Refused(UsageError):
    """A call that could not begin: an error of ours rather than of the function."""
    ours = True


class Full(Busy):
    """A call that there is no room for: ours, too."""
    ours = True


def parts(message: "Any", bindings: "Any" = None) -> "Any":
    """What a call says, all five parts: see `pending`. Marshalled, as plain values of a parent are, it is read in one
    step: to trust that is no more than to run what it says. Nothing else begins like a marshalled list."""
    if message.commands and message.payload[:1] == b"[":
        said = marshal.loads(message.payload)
    else:
        said = message.decode(bindings)
    if type(said) is list and 1 < len(said) < 5:
        said += ({}, {}, [])[len(said) - 2:]
    return said


def run_function(router, target, args, kwargs, options):
    # type: (Any, Optional[str], List[Any], Dict[str, Any], Dict[str, Any]) -> Any
    """Run the function that a call names, or brings pickled; returns or raises what it does."""
    if target is not None:
        return resolve(target, router)(*args, **kwargs)
    from .pickled import unpickle
    function, args, kwargs = unpickle(options["pickle"], router)
    return function(*args, **kwargs)


def resolve(target: "str", router: "Any") -> "Any":
    """The object that "module:qual.name" names, imported here. Raises ImportError, AttributeError, Refused."""
    module_name, _, qualname = target.partition(":")
    module: "Any" = sys.modules.get(module_name)
    if module_name == "__main__":
        module = router.importer().main_module()
    elif module is None or getattr(getattr(module, "__spec__", None), "_initializing", False):
        import importlib
        with router.importing:  # packages that import each other can deadlock when two threads begin with both
            module = importlib.import_module(module_name)
    found: "Any" = module
    for name in qualname.split("."):
        found = getattr(found, name)
    if not callable(found):
        raise Refused("%s is %s, which cannot be called" % (target, type(found).__name__))
    return found
