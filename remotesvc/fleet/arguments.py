"""What a function is called with on each host. Pure."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import UnionType
from typing import Any, Union, get_args, get_origin

from remotesvc.bootstrap.calls.refusals import ArgumentError
from remotesvc.bootstrap.data.record import Record
from remotesvc.service.base import Service

SMALL = 16 * 1024
"""Bytes, roughly: arguments up to here are encoded and sent in no time worth mentioning."""

_UNIONS = ("Optional", "Union", "typing.Optional", "typing.Union")
_CONTAINERS = (tuple, list, set, frozenset, dict)
_SCALARS = (type(None), bool, int, float)


@dataclass(frozen=True)
class FactsPlace:
    """Where a function wants the facts of its host: the parameter's name, and its place among the positional ones.

    index: None if it is by keyword only. by_position: it has no name to call it by.
    """

    name: str
    index: int | None = None
    by_position: bool = False

    def fill(self, args: Sequence[Any], kwargs: dict[str, Any], facts: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with the facts among them: those given by position are for the parameters beside it."""
        if self.index is not None and (self.index < len(args) or (self.by_position and self.index == len(args))):
            return (*args[: self.index], facts, *args[self.index :]), kwargs
        return tuple(args), kwargs if self.by_position else {**kwargs, self.name: facts}


def facts_place(fn: Any) -> FactsPlace | None:
    """Where a function has a parameter that is annotated `remotesvc.Host`, if it has one."""
    try:
        parameters = list(_signature(fn).parameters.values()) if callable(fn) else []
    except (TypeError, ValueError):
        return None
    for index, parameter in enumerate(parameters):
        if not _is_host(parameter.annotation):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY:
            return FactsPlace(parameter.name)
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            return FactsPlace(parameter.name, index, parameter.kind is parameter.POSITIONAL_ONLY)
    return None


def facts_place_of_method(service: Any, name: str) -> FactsPlace | None:
    """Where a method has such a parameter, of a service that is given as its class: what is known by its name only, the
    target has."""
    if not (isinstance(service, type) and issubclass(service, Service) and isinstance(name, str)):
        return None
    method = service.methods().get(name)
    place = None if method is None else facts_place(method.function)
    if method is None or place is None or place.index is None:
        return place
    try:
        positional = method.signature.positional  # without `self`, and without what asks for the caller's Message
    except ArgumentError:  # each host will say so
        return None
    return replace(place, index=positional.index(place.name)) if place.name in positional else None


def _is_host(annotation: Any) -> bool:
    """Whether this means `remotesvc.Host`, or that or None."""
    annotation = getattr(annotation, "__forward_arg__", annotation)  # of what could not be evaluated
    if isinstance(annotation, str):
        return _says_host(annotation)
    ours = str(getattr(annotation, "__module__", "")).startswith("remotesvc")
    if ours and getattr(annotation, "__qualname__", "") == "Host":
        return True
    return any(map(_is_host, get_args(annotation))) if get_origin(annotation) in (Union, UnionType) else False


def _says_host(text: str) -> bool:
    """Whether an annotation means `remotesvc.Host` that is a text, as where only type checkers can evaluate it."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return False
    return _names_host(node)


def _names_host(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _names_host(node.left) or _names_host(node.right)
    if isinstance(node, ast.Constant):  # quotes within quotes
        return isinstance(node.value, str) and _says_host(node.value)
    if isinstance(node, ast.Subscript):
        given = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return ast.unparse(node.value) in _UNIONS and any(map(_names_host, given))
    return ast.unparse(node) in ("Host", "remotesvc.Host")


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
