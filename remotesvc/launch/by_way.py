"""Contexts that another context starts (``via=``): the call that asks it to, and what it does there.

Whoever asks may give up at any moment, when the answer is on its way, too. A kernel that nobody has heard of would live
as long as the context that started it: so its starter ends what nobody waits for, and is told to end what it has
answered for in vain.
"""

import time

from ..bootstrap.calls.current import current, running
from ..bootstrap.errors import CallTimeout, DecodeError, Error, WireError
from ..bootstrap.links import wire
from ..bootstrap.routing.closing import ENDED
from ..bootstrap.unreachable import ConnectError, ConnectTimeout, as_reply, from_reply_untrusted
from ..calling.context import Context
from ..calling.invocation import Invocation
from ..calling.options import DEFAULTS
from .ledger import Settled
from .start import info_untrusted
from .times import note_times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Tuple

    from .tree import Tree

# Seconds that a starter has beyond those for connecting, to say why it came to nothing.
PATIENCE = 5.0


class _Beside(Invocation):
    """A call that takes no turn of those that run there, as one that a running call waits for: a start via a busy
    context does not wait for what that does."""

    __slots__ = ()

    def _encode(self) -> "Tuple[Any, int]":
        encoded, flags = super()._encode()
        return encoded, flags | wire.CAUSED


def started_by(tree: "Tree", via: "Context", starter: "str", options: "Dict[str, Any]",
               name: "Optional[str]" = None) -> "Context":
    """A context that ``via`` starts for us by ``starter(options)``; waits until it is up. Raises its ConnectError."""
    tree.own(via)
    name, begun = name or via.name, time.monotonic()
    patient = DEFAULTS.replace({"timeout": options["connect_timeout"] + PATIENCE})
    call = _Beside(via, starter, (options,), {}, patient)
    try:
        number, info = _checked(tree, via, call.result())
        tree.ledger.starts[number] = Settled(name, info)
        tree.ledger.hops[number] = tree.ledger.hops.get(via.id, ()) + (via.id,)
        return Context(tree, number, name)
    except ConnectError:
        raise
    except BaseException as error:
        try:
            _Beside(via, "remotesvc.launch.by_way:disown", (call.handle,), {}, patient).send(0)
        except Error:
            pass  # it is gone, and so is what it has started
        if type(error) is not CallTimeout:
            raise
        late = ConnectTimeout(
            "%s has said nothing of it within the %g s for connecting, and %g more" % (
                via.name, options["connect_timeout"], PATIENCE), host=name, stage="exec",
            hint="It is cut off, or code that runs there lets nothing else run.")
        note_times(late, begun)
        raise late from None


def _checked(tree: "Tree", via: "Context", answer: "Any") -> "Tuple[int, Dict[str, Any]]":
    """Id and HELLO of a context that another has started: it must be one of its own."""
    error = from_reply_untrusted(answer) if type(answer) is list else None
    if error is not None:
        raise error
    number, info = answer if type(answer) is tuple and len(answer) == 2 else (None, None)
    towards = tree.router.routes.towards
    if type(number) is not int or type(info) is not dict or number in tree.ledger.starts or (
            towards(number) is None or towards(number) != towards(via.id)):
        raise WireError("%s did not name a new context of its own" % via.name)
    try:
        return number, info_untrusted(info)
    except DecodeError as error:
        raise WireError("what %s started introduced itself wrongly: %s" % (via.name, error)) from None


def up(context: "Context") -> "Context":
    """The context, once it is up; if nobody waits for that any more, it is ended. Raises its ConnectError."""
    try:
        context.wait_ready()
        call = running()
        if call is not None:
            call.check()
        return context
    except ConnectError:
        raise
    except BaseException:  # Cancelled, and Ctrl-C
        _end(context.tree, context.id)
        raise


def started(open_it: "Callable[[Any, Dict[str, Any]], Context]", options: "Dict[str, Any]") -> "Any":
    """On a child, what a starter does: id and HELLO of what ``open_it(tree, options)`` gives, or the reply that stands
    for a ConnectError."""
    call = current()
    try:
        context = open_it(call.router.tree(), options)
        context.tree.ledger.start_of(context.id).asked_by = (call.caller, call.id)
        return context.id, up(context).info
    except ConnectError as error:
        return as_reply(error)


def disown(handle: "int") -> "None":
    """On a child: end what this call of the same caller has started, if it came to that."""
    call = current()
    tree = call.router.tree()
    for number, start in list(tree.ledger.starts.items()):
        if start.asked_by == (call.caller, handle):
            _end(tree, number)


def _end(tree: "Tree", number: "int") -> "None":
    tree.close_context(number, ENDED)
    tree.ledger.forget(number)
