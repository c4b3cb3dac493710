"""``_contextvars`` for a Python without that extension: what it exports is in every interpreter's core (PEP 567).

The classes are found among the subclasses of object. `copy_context` has no such place; but a Token refers to the
context that its variable was set in (``context.c``, token_tp_traverse), and a context can copy itself.
"""

import gc
from typing import Any

_NAMES = ("Context", "ContextVar", "Token")
_HEAP_TYPE = 1 << 9  # object.h: made by a class statement, so not the interpreter's
_core: Any = {
    each.__name__: each
    for each in object.__subclasses__()
    if each.__module__ in ("builtins", "_contextvars") and not each.__flags__ & _HEAP_TYPE
}
try:
    Context, ContextVar, Token = (_core[name] for name in _NAMES)
except KeyError as missing:
    raise ImportError(f"this Python's core shows no {missing.args[0]}", name="_contextvars") from None
_probe = ContextVar("remotesvc")


def copy_context() -> Any:
    """A copy of the current context."""
    token = _probe.set(None)
    try:
        (current,) = (each for each in gc.get_referents(token) if type(each) is Context)
    finally:
        _probe.reset(token)
    return current.copy()
