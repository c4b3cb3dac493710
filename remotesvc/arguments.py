"""Arguments of `Router`, checked at once: a mistake would otherwise show in a call much later."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable

from .bootstrap.data.secret import Secret
from .bootstrap.errors import UsageError


def several(name: str, values: Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    """Names, patterns or paths as a list. UsageError for a single text: each of its letters would be a pattern, and
    nobody would notice a `deny` that denies nothing."""
    if isinstance(values, (str, bytes, os.PathLike)):
        raise UsageError(f"{name}={values!r}: give a list, {name}=[{values!r}]")
    found = tuple(values)
    for each in found:
        if not isinstance(each, (str, os.PathLike)):
            raise UsageError(f"{name}={list(found)!r}: {each!r} is no text")
    return tuple(os.fspath(each) for each in found)


def level(value: int | str) -> int:
    """A level of `logging`, by number or by name."""
    number = logging.getLevelName(value) if isinstance(value, str) else value
    if not isinstance(number, int) or isinstance(number, bool):
        raise UsageError(f"log_level={value!r} is no level of logging: give a number, or a name such as 'INFO'")
    return number


def settings(concurrency: int | None) -> dict[str, int]:
    """Settings of one context, over those of its router: how many calls it runs at once; empty for None."""
    if concurrency is None:
        return {}
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or concurrency < 1:
        raise UsageError(f"concurrency={concurrency!r}: a context runs at least one call at a time")
    return {"concurrency": concurrency}


def password(value: object) -> Secret | None:
    """The password of a user to become, which is typed as one line. It is never shown."""
    if value is None:
        return None
    word = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(word, str):
        raise UsageError(f"password= is a str or a Secret with one, not of type {type(word).__name__}")
    if any(c in "\n\r\0" or "\ud800" <= c <= "\udfff" for c in word):
        raise UsageError("password= is one line of text: it holds a newline, a NUL, or a surrogate, which has no UTF-8")
    return Secret(word)


def check_interactive(given: object) -> None:
    """Raise UsageError unless this says whether, or who, is asked."""
    if not isinstance(given, bool) and not (hasattr(given, "confirm") and hasattr(given, "secret")):
        raise UsageError(f"interactive={given!r}: give True, False, or somebody who has confirm() and secret()")
