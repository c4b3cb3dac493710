"""Turn command-line text into the value an annotation asks for. Pure.

| annotation | text |
|---|---|
| none, unknown, `Any`, `object`, an Enum, a class | stays a string |
| `str` | as it is |
| `int` | decimal, or with 0x, 0o, 0b |
| `float` | what Python's float() takes |
| `bool` | true false yes no on off 1 0 |
| `bytes` | the bytes of the argument |
| `Path` | a path |
| `list`, `tuple`, `set`, `frozenset` | a JSON array; items are converted by their own type |
| `dict` | a JSON object; keys and values are converted by their own types |
| `Literal[...]` | one of the values as text |
| `Optional[X]` | `None` or `null`, else X |
| a union | the first member that takes the text; str last |
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remotesvc.cli.arguments.typespec import ANY, TypeSpec

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_SHOWN = 60


class Unconvertible(ValueError):
    """The text is not what the annotation asks for; the message says what was expected and what was given."""


def convert(text: str, spec: TypeSpec) -> Any:
    """The value of `text` as `spec`. Unconvertible when it is none."""
    return _READERS[spec.kind](text, spec)


def convert_bytes(data: bytes, spec: TypeSpec) -> Any:
    """The same for what was read from stdin: `bytes` gets the data untouched, everything else its text
    (UTF-8).
    """
    if spec.kind == "bytes" or (spec.kind == "union" and any(item.kind == "bytes" for item in spec.items)):
        return data
    text = data.decode("utf-8", "surrogateescape")
    # What a program prints ends with a newline; only a string can want to keep it.
    return convert(text if spec.kind in ("str", "any") else text.strip(), spec)


def from_json(text: str) -> Any:
    """`text` as JSON, for arguments whose types nobody knows."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unconvertible(f"not JSON: {_quote(text)} ({error})") from None


def _quote(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _int(text: str, spec: TypeSpec) -> int:
    body = text.strip().lstrip("+-").lower()
    try:
        return int(text, 0 if body.startswith(("0x", "0o", "0b")) else 10)
    except ValueError:
        raise Unconvertible(f"expected an int, got {_quote(text)}") from None


def _float(text: str, spec: TypeSpec) -> float:
    try:
        return float(text)
    except ValueError:
        raise Unconvertible(f"expected a float, got {_quote(text)}") from None


def _bool(text: str, spec: TypeSpec) -> bool:
    word = text.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise Unconvertible(f"expected true or false, got {_quote(text)}")


def _none(text: str, spec: TypeSpec) -> None:
    if text.strip() not in ("None", "null"):
        raise Unconvertible(f"expected None, got {_quote(text)}")


def _literal(text: str, spec: TypeSpec) -> Any:
    for choice in spec.choices:
        if text == (choice if isinstance(choice, str) else str(choice)):
            return choice
    allowed = ", ".join(repr(choice) for choice in spec.choices)
    raise Unconvertible(f"expected one of {allowed}, got {_quote(text)}")


# A union tries the narrow types first: "1" for `str | int` is an int, or the annotation would have no effect.
_ORDER = (
    "none",
    "literal",
    "bool",
    "int",
    "float",
    "dict",
    "list",
    "tuple",
    "set",
    "frozenset",
    "path",
    "bytes",
)


def _union(text: str, spec: TypeSpec) -> Any:
    kinds = {item.kind for item in spec.items}
    members = [item for kind in _ORDER for item in spec.items if item.kind == kind]
    if "int" in kinds or "float" in kinds:  # then 1 and 0 are numbers, and only the words are booleans
        members.sort(key=lambda item: item.kind == "bool")
    for item in members:
        try:
            return convert(text, item)
        except Unconvertible:
            continue
    if kinds & {"str", "any"}:
        return text
    raise Unconvertible(f"expected {spec}, got {_quote(text)}")


def _container(text: str, spec: TypeSpec) -> Any:
    wanted = "object" if spec.kind == "dict" else "array"
    example = '{"a": 1}' if spec.kind == "dict" else '["a", "b"]'
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unconvertible(f"expected a JSON {wanted} such as {example}, got {_quote(text)} ({error})") from None
    return _fit(value, spec, "")


def _fit(value: Any, spec: TypeSpec, where: str) -> Any:
    """A JSON value as `spec`; `where` is its place in the argument."""
    if spec.kind == "any":
        return value
    if spec.kind == "union":
        return _fit_union(value, spec, where)
    if spec.kind in _SEQUENCES and isinstance(value, list):
        return _fit_sequence(value, spec, where)
    if spec.kind == "dict" and isinstance(value, dict):
        key, item = spec.items if len(spec.items) == 2 else (ANY, ANY)
        return {convert(k, key): _fit(v, item, f"{where}[{k!r}]") for k, v in value.items()}
    if spec.kind == "none" and value is None:
        return None
    if spec.kind == "literal" and any(value == choice and type(value) is type(choice) for choice in spec.choices):
        return value
    if spec.kind == "float" and type(value) is int:
        return float(value)
    if spec.kind in _SCALARS and type(value) is _SCALARS[spec.kind]:
        return value
    if spec.kind in ("path", "bytes") and isinstance(value, str):
        return convert(value, spec)
    place = f" at {where}" if where else ""
    raise Unconvertible(f"expected {spec}{place}, got {_quote(json.dumps(value))}")


def _fit_union(value: Any, spec: TypeSpec, where: str) -> Any:
    for item in sorted(spec.items, key=lambda item: item.kind == "any"):
        try:
            return _fit(value, item, where)
        except Unconvertible:
            continue
    raise Unconvertible(f"expected {spec}{f' at {where}' if where else ''}, got {_quote(json.dumps(value))}")


def _fit_sequence(value: list[Any], spec: TypeSpec, where: str) -> Any:
    types = spec.items
    if spec.kind == "tuple" and types and not spec.ellipsis:
        if len(value) != len(types):
            raise Unconvertible(f"expected {spec} with {len(types)} items, got {len(value)}")
    else:
        types = (types[0] if types else ANY,) * len(value)
    items = [_fit(item, kind, f"{where}[{i}]") for i, (item, kind) in enumerate(zip(value, types, strict=True))]
    try:
        return _SEQUENCES[spec.kind](items)
    except TypeError as error:  # a list inside a set
        raise Unconvertible(f"expected {spec}: {error}") from None


_SEQUENCES: dict[str, Callable[[list[Any]], Any]] = {
    "list": list, "tuple": tuple, "set": set, "frozenset": frozenset,
}  # fmt: skip
_SCALARS: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
_READERS: dict[str, Callable[[str, TypeSpec], Any]] = {
    "any": lambda text, spec: text,
    "str": lambda text, spec: text,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "bytes": lambda text, spec: os.fsencode(text),
    "path": lambda text, spec: Path(text),
    "none": _none,
    "list": _container,
    "tuple": _container,
    "set": _container,
    "frozenset": _container,
    "dict": _container,
    "literal": _literal,
    "union": _union,
}
