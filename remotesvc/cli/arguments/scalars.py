"""Turn one text into a value that holds no other values: numbers, words, paths, members of an Enum. Pure.

`convert` has the table of what each annotation takes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remotesvc.calling.construct import FLAG

from . import standard
from .classes import UNKNOWN
from .deferred import Made
from .typespec import TypeSpec

TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")
_SHOWN = 60
"""Characters of a text that an error quotes; the user knows the rest."""


class Unconvertible(ValueError):
    """The text is not what the annotation asks for; the message says what was expected and what was given."""


def quote(text: str) -> str:
    """A text as errors show it: its beginning, if it is long."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _int(text: str, spec: TypeSpec) -> int:
    body = text.strip().lstrip("+-").lower()
    try:
        return int(text, 0 if body.startswith(("0x", "0o", "0b")) else 10)
    except ValueError:
        raise Unconvertible(f"expected an int, got {quote(text)}") from None


def _float(text: str, spec: TypeSpec) -> float:
    try:
        return float(text)
    except ValueError:
        raise Unconvertible(f"expected a float, got {quote(text)}") from None


def _bool(text: str, spec: TypeSpec) -> bool:
    word = text.strip().lower()
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise Unconvertible(f"expected true or false, got {quote(text)}")


def _none(text: str, spec: TypeSpec) -> None:
    if text.strip() not in ("None", "null"):
        raise Unconvertible(f"expected None, got {quote(text)}")


def _literal(text: str, spec: TypeSpec) -> Any:
    for choice in spec.choices:
        if text == (choice if isinstance(choice, str) else str(choice)):
            return choice
    allowed = ", ".join(repr(choice) for choice in spec.choices)
    raise Unconvertible(f"expected one of {allowed}, got {quote(text)}")


def _standard(text: str, spec: TypeSpec) -> Any:
    try:
        return standard.read(spec.kind, text)
    except ValueError as error:
        raise Unconvertible(f"{error}, got {quote(text)}") from None


def _member(text: str, spec: TypeSpec) -> Made:
    """A member of an Enum, by its name or its value."""
    assert spec.made is not None
    source = spec.made.source
    texts = [part.strip() for part in text.split("|")] if spec.kind == FLAG else [text]
    names = []
    for part in texts:
        by_value = (name for name, value in source.members.items() if value is not UNKNOWN and str(value) == part)
        found = part if part in source.members else next(by_value, None)
        if found is None and UNKNOWN not in source.members.values():
            raise Unconvertible(f"expected one of {', '.join(source.members)} ({source.node.name}), got {quote(text)}")
        names.append(part if found is None else found)  # the target decides what the source does not tell
    return Made(source.address, spec.kind, "|".join(names))


SCALARS: dict[str, Callable[[str, TypeSpec], Any]] = {
    "any": lambda text, spec: text,
    "str": lambda text, spec: text,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "bytes": lambda text, spec: os.fsencode(text),
    "path": lambda text, spec: Path(text),
    "none": _none,
    "literal": _literal,
    "enum": _member,
    "flag": _member,
    **dict.fromkeys(standard.KINDS, _standard),
}
"""Kind of a TypeSpec -> what reads a text as one; Unconvertible if it is none."""
