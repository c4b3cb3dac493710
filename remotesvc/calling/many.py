"""Many calls of one function that travel as one: what a call costs besides running is paid once for all of them."""

from ..bootstrap.calls.current import current
from ..bootstrap.calls.execute import resolve
from ..bootstrap.errors import UsageError
from .targets import Target, target_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Sequence


def many(fn: "Any") -> "Target":
    """What to call in place of ``fn`` with a list of argument tuples, for the list of its values.

    Raises UsageError for what cannot be called.
    """
    inner = target_of(fn)
    by_name = inner.address is not None
    target = Target("%s:each" % __name__ if by_name else None, inner.name,
                    (inner.address if by_name else inner.function, inner.args, inner.kwargs), function=each)
    target.module = inner.module  # whose imports go along; this module is there after one request
    return target


def each(fn: "Any", args: "Sequence[Any]", kwargs: "Dict[str, Any]", arguments: "List[Sequence[Any]]") -> "List[Any]":
    """On the target: the values of ``fn(*args, *one, **kwargs)`` for each of ``arguments``, in order.

    The first that raises ends it, and so does a caller who gives up. Raises UsageError for a coroutine function.
    """
    call = current()
    function = resolve(fn, call.router) if isinstance(fn, str) else fn
    values = []
    for one in arguments:
        call.check()
        value = function(*args, *one, **kwargs)
        if hasattr(value, "__await__"):
            value.close()
            raise UsageError("%s is a coroutine function, whose calls cannot go together: leave chunksize at 1"
                             % (fn if isinstance(fn, str) else getattr(fn, "__qualname__", "?")))
        values.append(list(value) if hasattr(value, "__next__") else value)
    return values
