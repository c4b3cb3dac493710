"""What a function is called with on each host. Pure."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from remotesvc.bootstrap.data.record import Record

SMALL = 16 * 1024
"""Bytes, roughly: arguments up to here are encoded and sent in no time worth mentioning."""

_CONTAINERS = (tuple, list, set, frozenset, dict)
_SCALARS = (type(None), bool, int, float)


def facts_parameter(fn: Any) -> str | None:
    """The parameter of a function that is annotated `remotesvc.Host`, if there is one."""
    try:
        parameters = _signature(fn).parameters.values() if callable(fn) else ()
    except (TypeError, ValueError):
        return None
    for parameter in parameters:
        # That which could not be evaluated is a ForwardRef.
        annotation = getattr(parameter.annotation, "__forward_arg__", parameter.annotation)
        if annotation in ("Host", "remotesvc.Host") or getattr(annotation, "__qualname__", "") == "Host" and str(
                getattr(annotation, "__module__", "")).startswith("remotesvc"):  # fmt: skip
            return parameter.name
    return None


def _signature(fn: Any) -> inspect.Signature:
    if sys.version_info >= (3, 14):  # annotations are evaluated only now, and may name what only type checkers import
        from annotationlib import Format

        return inspect.signature(fn, annotation_format=Format.FORWARDREF)
    return inspect.signature(fn)


def spread(given: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional arguments and keywords: of a tuple, a dict of keywords, or one value."""
    if isinstance(given, tuple):
        return given, {}
    return ((), given) if isinstance(given, dict) else ((given,), {})


def small(*values: Any) -> bool:
    """Whether values are plain and small. Looking stops as soon as they hold more than SMALL."""
    left = SMALL
    pending: list[Any] = [values]
    while pending and left > 0:
        value = pending.pop()
        kind = type(value)
        if kind in _CONTAINERS and len(value) <= left:
            pending.extend([*value, *value.values()] if kind is dict else value)
            left -= 1
        elif kind is Record:
            pending.append(value.fields)
        elif kind in (str, bytes):
            left -= len(value) + 1
        elif kind in _SCALARS:
            left -= 8
        else:
            return False
    return left > 0


def named(fn: Any) -> bool:
    """Whether a function travels by its name. One without a name is pickled, with all it refers to."""
    return type(fn) is str or "<" not in getattr(fn, "__qualname__", "<")
