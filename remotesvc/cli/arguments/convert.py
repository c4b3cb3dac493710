"""Turn command-line text into the value an annotation asks for. Pure.

| annotation | text |
|---|---|
| none, unknown, `Any`, `object`, another class | stays a string |
| `str` | as it is |
| `int` | decimal, or with 0x, 0o, 0b |
| `float` | what Python's float() takes |
| `bool` | true false yes no on off 1 0 |
| `bytes` | the bytes of the argument |
| `Path` | a path |
| `date`, `datetime`, `time` | ISO 8601 |
| `timedelta` | seconds, `1h30m`, `1:30:00`, `2 days, 1:30:00` |
| `Decimal`, `Fraction`, `complex`, `UUID` | what Python takes |
| an Enum of the user's | the name of a member, else its value; of a Flag several, as `READ|WRITE` |
| a dataclass or NamedTuple of the user's | a JSON object; fields are converted by their own types |
| `list`, `tuple`, `set`, `frozenset` | a JSON array; items are converted by their own type |
| `dict` | a JSON object; keys and values are converted by their own types |
| `Literal[...]` | one of the values as text |
| `TypedDict` | a JSON object |
| `Optional[X]` | `None` or `null`, else X |
| a union | the first member that takes the text; str last |
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from remotesvc.calling.construct import RECORD

from . import standard
from .classes import UNKNOWN
from .deferred import Made
from .scalars import SCALARS, Unconvertible, quote
from .typespec import ANY, TypeSpec

_SEQUENCES: dict[str, Callable[[list[Any]], Any]] = {
    "list": list, "tuple": tuple, "set": set, "frozenset": frozenset,
}  # fmt: skip
_CONTAINERS = (*_SEQUENCES, "dict", RECORD)
_OF_JSON: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
"""What JSON has a type of its own for."""
_OF_TEXTS = (*standard.KINDS, "enum", "flag")
"""What JSON writes as a text, in the same words as the command line."""
_OF_NUMBERS = ("decimal", "fraction", "complex", "timedelta", "enum", "flag")
"""What a number of JSON may stand for, too."""

_ORDER = (
    "none", "literal", "bool", "int", "float", "decimal", "fraction", "complex", "enum", "flag", "uuid",
    "date", "datetime", "time", "timedelta", "record", "dict", "list", "tuple", "set", "frozenset", "path", "bytes",
)  # fmt: skip
"""How a union tries its members, narrow types first: "1" for `str | int` is an int, or the annotation would have no
effect. What is left, str and Any, takes every text: `_union` comes to it last."""


def convert(text: str, spec: TypeSpec) -> Any:
    """The value of `text` as `spec`. Unconvertible when it is none."""
    if spec.kind == "union":
        return _union(text, spec)
    if spec.kind in _CONTAINERS:
        return _container(text, spec)
    return SCALARS[spec.kind](text, spec)


def convert_bytes(data: bytes, spec: TypeSpec) -> Any:
    """The value of what was read from stdin as `spec`: `bytes` gets the data untouched, everything else its text
    (UTF-8). Unconvertible when it is none."""
    if spec.kind == "bytes" or (spec.kind == "union" and any(item.kind == "bytes" for item in spec.items)):
        return data
    text = data.decode("utf-8", "surrogateescape")
    # What a program prints ends with a newline; only a string can want to keep it.
    return convert(text if spec.kind in ("str", "any") else text.strip(), spec)


def from_json(text: str) -> Any:
    """`text` as JSON, for arguments whose types nobody knows. Unconvertible when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unconvertible(f"not JSON: {quote(text)} ({error})") from None


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
    if only := _only(spec):
        return convert(text, only)  # whose error says what is allowed
    raise Unconvertible(f"expected {spec}, got {quote(text)}")


def _only(spec: TypeSpec) -> TypeSpec | None:
    """The one type of a union that is None otherwise, if its error says more than its name."""
    members = [item for item in spec.items if item.kind != "none"]
    return members[0] if len(members) == 1 and members[0].kind in (*_OF_TEXTS, RECORD, "literal") else None


def _container(text: str, spec: TypeSpec) -> Any:
    """A text that is JSON."""
    is_object = spec.kind in ("dict", RECORD)
    wanted = "object" if is_object else "array"
    example = '{"a": 1}' if is_object else '["a", "b"]'
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unconvertible(f"expected a JSON {wanted} such as {example}, got {quote(text)} ({error})") from None
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
    if spec.kind in _OF_JSON and type(value) is _OF_JSON[spec.kind]:
        return value
    if spec.kind == RECORD and isinstance(value, dict):
        return _record(value, spec, where)
    if isinstance(value, str) and spec.kind in ("path", "bytes", *_OF_TEXTS):
        return _convert_at(value, spec, where)
    if spec.kind in _OF_NUMBERS and type(value) in (int, float):
        return _convert_at(repr(value), spec, where)
    place = f" at {where}" if where else ""
    raise Unconvertible(f"expected {spec}{place}, got {quote(json.dumps(value))}")


def _fit_union(value: Any, spec: TypeSpec, where: str) -> Any:
    # Of texts, too, the narrow types come first.
    for item in sorted(spec.items, key=lambda item: {"any": 2, "str": 1}.get(item.kind, 0)):
        try:
            return _fit(value, item, where)
        except Unconvertible:
            continue
    if only := _only(spec):
        return _fit(value, only, where)
    raise Unconvertible(f"expected {spec}{f' at {where}' if where else ''}, got {quote(json.dumps(value))}")


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


def _record(value: dict[str, Any], spec: TypeSpec, where: str) -> Made:
    """What a JSON object makes of a dataclass."""
    assert spec.made is not None
    source = spec.made.source
    fields, place = source.fields, f" at {where}" if where else ""
    if fields is None:
        return Made(source.address, RECORD, value)
    takes = ", ".join(item.name if item.required else f"{item.name}=..." for item in fields.values())
    unknown = [name for name in value if name not in fields]
    missing = [item.name for item in fields.values() if item.required and item.name not in value]
    for problem, names in (("has no field", unknown), ("misses", missing)):
        if names:
            raise Unconvertible(f"{source.node.name}{place} {problem} {', '.join(names)}; it takes {takes}")
    made = {item.name: item.default for item in fields.values() if item.default is not UNKNOWN}
    made |= {name: _fit(item, spec.made.type_of(fields[name]), f"{where}.{name}" if where else name)
            for name, item in value.items()}
    return Made(source.address, RECORD, made)


def _convert_at(text: str, spec: TypeSpec, where: str) -> Any:
    """The value of a text that stands inside an argument, at `where`; as `convert`."""
    try:
        return convert(text, spec)
    except Unconvertible as error:
        raise Unconvertible(f"{where}: {error}" if where else str(error)) from None
