"""The root of the tree: the master as the parent of its children, and its part of the kernel's router.

What only the master has: the module server, the versions that it warns of, futures of ``concurrent.futures``, and
whoever is shown what targets print and log.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from . import fastcodec
from .bootstrap.calls.dispatcher import ONLY_PARENTS
from .bootstrap.data.codec import Bindings
from .bootstrap.errors import DecodeError, UsageError
from .bootstrap.failures.callerror import CallError
from .bootstrap.links import assembly, wire
from .bootstrap.routing.ids import IdPool
from .bootstrap.routing.mailbox import Mailbox
from .bootstrap.routing.router import Router as KernelRouter
from .calling.context import Context
from .calling.fair_inbox import FairInbox
from .calling.inbox import Inbox
from .calling.invocation import Invocation
from .futures import CallFuture, Cancelled
from .launch.start import magic_in
from .launch.tree import Tree
from .messages.sender import Sender
from .modules.codes import kernel_codes
from .modules.explain import ImportOrigin
from .modules.found import Found
from .modules.push import Pusher
from .modules.server import ModuleServer
from .modules.skew import Skew
from .output import CallbackError, LogEvent, OutputEvent, Outputs

_LOG = logging.getLogger("remotesvc")

# What code for a newer Python raises on an older one.
_OF_AN_OLD_PYTHON = frozenset({"SyntaxError", "TypeError", "AttributeError", "NameError", "ImportError"})
# Bytes of modules sent ahead with a call: the first flight of a connection carries little more without waiting.
AHEAD = 64 * 1024
# Seconds that a result waits for what its call printed to be shown: a handler that hangs holds up nothing for longer.
OUTPUT_PATIENCE = 5.0
# Context ids are 32 bits; the highest stands for "my neighbour".
LAST_ID = 0xFFFFFFFE


class MasterTree(Tree):
    """The master's children; it also sends modules ahead and knows ``concurrent.futures``."""

    cancelled_class = Cancelled
    kernel_codes = staticmethod(kernel_codes)

    def __init__(self, router: KernelRouter, settings: dict[str, Any], modules: ModuleServer,
                 events: FairInbox) -> None:
        super().__init__(router, IdPool(_no_more_ids, 1, LAST_ID), settings)
        self._modules = modules
        self._events = events
        self._pusher = Pusher(router, modules, self._magic_of)
        self._questions = Inbox(router, "remotesvc-versions", lambda message: None)
        self._skew = Skew(modules, self.context, self.name_of, self._questions.run)

    def source_line(self, label: str, number: int) -> str:
        """A line of code that was sent: of a module, or of what went as a pickle."""
        line = self._modules.sent.source_line(label, number)
        return line or (self._pickles.source_line(label, number) if self._pickles else "")

    def make_future(self, invocation: Invocation) -> CallFuture[Any]:
        return CallFuture(invocation, self.callbacks.run, self._events)

    def after_output(self, context: int | None = None) -> None:
        if context is None:
            self._events.flush(OUTPUT_PATIENCE)
        else:
            self._events.flush_of(context, OUTPUT_PATIENCE)

    def modules_for(self, number: int, target: Any) -> list[Any]:
        if not target.module:
            return []
        return self._ahead(number, target.module, AHEAD)

    def _ahead(self, number: int, module: str, budget: int) -> list[Any]:
        hops = self.ledger.hops.get(number, ())
        # What is further away asks its parent, and so on up to our own child: each link carries a module once.
        keeper = hops[0] if hops else number
        start = self.ledger.starts.get(keeper)
        # As long as the child is not up this is a guess, mostly right; where it is wrong, the child asks once more.
        magic = b"" if start is None else start.magic
        entries = self._modules.ahead(keeper, module, budget, (*hops[1:], number) if hops else (), magic, follow=True)
        if hops and entries:
            self._pusher.send(keeper, entries)
        self._pusher.wake(keeper)
        self._skew.look(number)
        return [] if hops else entries

    def _magic_of(self, number: int) -> bytes:
        """The magic number of a context's Python, once it is up; empty if another process started it."""
        start = self.ledger.starts.get(number)
        return b"" if start is None else magic_in(start.wait())

    def modules_named(self, number: int, names: list[str]) -> list[Any]:
        return [entry for name in names for entry in self._ahead(number, name, AHEAD // len(names))]

    def whole(self, context: Context, names: list[str]) -> tuple[bytes, str]:
        def lacking(guessed: list[str], standard: list[str]) -> Any:
            answer = context.call("remotesvc.jobs.begin:lacking", guessed, standard)
            if type(answer) is not list:
                raise DecodeError(f"the answer of {context.name} is malformed: what it has not got is no list")
            return answer

        info = context.info
        return self._modules.whole(context.id, names, tuple(info["version"][:2]), magic_in(info), lacking)

    def ask_above(self, request: Any) -> dict[str, Any]:
        return {}

    def on_gone(self, gone: set[int]) -> None:
        super().on_gone(gone)
        if not self.router.closed:  # not here, since it may wait for a module that is just being compressed
            for number in gone:
                self._module_requests.run(self._forget_modules, number)

    def explain_error(self, context: Context, error: CallError) -> str:
        """See ``Router.explain_error``."""
        self.own(context)
        if error.attrs.get("strerror") == os.strerror(errno.ENOENT):
            labels = [str(frame[0]) for frame in error.frames]
            owner = self._modules.sent.owner_of(str(error.attrs.get("filename", "")), labels)
            return "" if owner is None else _in_no_file(owner, context.name)
        if not _OF_AN_OLD_PYTHON.intersection(error.mro):
            return ""
        python = tuple(context.info["version"][:2])
        labels = [str(frame[0]) for frame in error.frames] + [str(error.attrs.get("filename", ""))]
        needs = self._modules.sent.too_new(labels, python)
        here = sys.version_info[:2]
        if not needs and "SyntaxError" in error.mro and python < here and self._modules.sent.is_valid_here(labels[-1]):
            return (f"{context.name} has Python {python[0]}.{python[1]}; that of here, {here[0]}.{here[1]}, "
                    "understands this code: write it for the older one, or name a newer Python there (--python PATH).")
        return "\n".join(
            f"{package} needs Python {least[0]}.{least[1]} or newer, and {context.name} has {python[0]}.{python[1]}: "
            f"install an older {package.split()[0]} here, or name a newer Python there (--python PATH)."
            for package, least in needs.items())

    def _forget_modules(self, number: int) -> None:
        self._modules.forget(number)
        self._skew.forget(number)

    def answer_modules(self, child: int, wanted: Any) -> Any:
        reply = self._modules.answer(child, wanted)
        self._module_requests.run(self._pusher.wake, child)  # behind the reply: somebody waits for that
        self._skew.look(child)
        return reply

    def explain(self, context: Context) -> list[ImportOrigin]:
        """See ``Router.explain_imports``."""
        self.own(context)
        report = context.call("remotesvc.bootstrap.imports.loaded:report", self._modules.distributions(context.id))
        return self._modules.explain(context.id, report)

    def close(self) -> None:
        super().close()
        self._pusher.close()
        self._questions.close()


class Root(KernelRouter):
    """The kernel's router as the master has it, complete.

    settings  what each child is configured with
    outputs   hands what targets print and log to ``on_output`` and ``on_log``, one thing after the other
    events    what has arrived and was not handed over
    """

    cancelled_class = Cancelled

    def __init__(self, settings: dict[str, Any], modules: ModuleServer,
                 on_output: Callable[[OutputEvent], object] | None,
                 on_log: Callable[[LogEvent], object] | None) -> None:
        super().__init__(0, [], fastcodec, Bindings(make_context=self._context, make_sender=self._sender))
        self.bindings.home = self
        self.outputs = Outputs(self._name_of, on_output, on_log)
        self.events = FairInbox(self, "remotesvc-events", self._on_event)
        self._tree = MasterTree(self, settings, modules, self.events)
        self.mailboxes[wire.CALL] = NoCalls(self)
        self.mailboxes[wire.EMIT_OUTPUT] = self.mailboxes[wire.EMIT_LOG] = self.events
        assembly.begin(self)

    def report(self, error: BaseException) -> None:
        try:
            if issubclass(type(error), CallbackError):
                _LOG.error("%s", error, exc_info=error.__cause__)
            else:
                _LOG.error("internal error", exc_info=(type(error), error, error.__traceback__))
        except Exception:  # an error of a user's that cannot be looked at
            _LOG.error("internal error: %s", type(error))

    def busy(self, neighbour: int | None) -> bool:
        return self._tree.busy(neighbour)

    def tree(self) -> MasterTree:
        return self._tree

    def _context(self, number: int, name: str) -> Context:
        return self._tree.context(number, name)

    def _sender(self, context: int, handle: int) -> Sender:
        return Sender(self, context, handle)

    def _name_of(self, number: int) -> str:
        return self._tree.name_of(number)

    def _on_event(self, message: Any) -> None:
        value = message.decode()
        if message.handle == wire.EMIT_OUTPUT:
            self.outputs.on_output(message.src, value)
        else:
            self.outputs.on_log(message.src, value)


class NoCalls(Mailbox):
    """The master's mailbox for calls: it says what every context says to those below and beside it."""

    def __init__(self, router: KernelRouter) -> None:
        self._router = router

    def on_message(self, message: Any) -> None:
        """On a reader thread."""
        message.release()
        self._router.dropped += 1
        self._router.refuse(message, ONLY_PARENTS)


def _no_more_ids() -> list[int]:
    raise UsageError("all context ids of this router are used")


def _in_no_file(owner: Found, host: str) -> str:
    """What to do about code that opens a file beside it by its path."""
    why = f"What {owner.name} opened by its path lies beside code that was sent, which is in no file there: "
    if owner.distribution is None:
        resources = "read it with importlib.resources, " if owner.is_pkg else ""
        return f"{why}{resources}hand over what is in it as an argument, or push it there."
    return (f"{why}install {owner.distribution.name} on {host}, and say that it comes from there: "
            f'imports={{"{owner.name}": "target"}} (--imports {owner.name}=target).')
