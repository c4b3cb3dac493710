"""Chains: ordered calls to one context, where the first error stops the rest."""

import threading

from ..bootstrap.bound import Bound
from ..bootstrap.errors import Busy, Error, NotSent
from .targets import own_args

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .context import Context
    from .typed import TypedCalls
else:
    TypedCalls = object


class Chain(Bound, TypedCalls):
    """Calls made through it run one after the other, in the order they were made, however they were made.

    After the first error the rest do not run and report that error. ``reset()`` starts anew. As a context manager it
    waits at the end for everything submitted.
    """

    def __init__(self, context: "Context", invoke: "Any") -> "None":
        self._context = context
        self._invoke = invoke
        self._lock = threading.Lock()
        self._broken = ""
        self._futures: "Any" = []
        self.reset()

    def reset(self) -> "None":
        """Forget an error: calls from now on run again."""
        with self._lock:
            self._number = self._context.tree.router.streams.new()
            self._turn = 0
            self._broken = ""

    if not TYPE_CHECKING:  # as TypedCalls says
        def call(*args: "Any", **kwargs: "Any") -> "Any":
            """Like ``Context.call``, in its turn."""
            self, fn, rest = own_args(args)
            return self._submit(fn, rest, kwargs).result()

        def submit(*args: "Any", **kwargs: "Any") -> "Any":
            """Like ``Context.submit``, in its turn."""
            self, fn, rest = own_args(args)
            return self._submit(fn, rest, kwargs)

    def _submit(self, fn: "Any", args: "Any", kwargs: "Any") -> "Any":
        invocation = self._invoke(fn, args, kwargs)
        with self._lock:  # turns are numbered in the order the calls leave
            if self._broken:
                future = self._context.tree.make_future(invocation)
                future.give_up(NotSent("an earlier call of this chain could not be sent: %s" % self._broken))
                return future
            invocation.chained = (self._number, self._turn)
            try:
                future = self._context.tree.future(invocation)
            except BaseException as error:  # Ctrl-C, too: its turn may come, or not
                self._broken = str(error) or type(error).__name__
                raise
            self._turn += 1
            self._futures = [each for each in self._futures if not each.done()] + [future]
        future.add_done_callback(lambda future: self._check(future, invocation))
        return future

    def _check(self, future: "Any", invocation: "Any") -> "None":
        error = None if future.cancelled() else future.exception()
        if isinstance(error, (Busy, NotSent)) or type(error) is Error or (error is not None and not invocation.sent):
            # It never ran there, so its turn never comes: those behind it must not wait for that.
            with self._lock:
                self._broken = self._broken or str(error)
                rest, self._futures = self._futures, []
            for each in rest:
                each.give_up(error)

    def __enter__(self) -> "Chain":
        return self

    def __exit__(self, *exc_info: "Any") -> "None":
        for future in list(self._futures):
            if not future.cancelled():
                future.exception()
