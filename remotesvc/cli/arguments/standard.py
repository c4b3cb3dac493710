"""Text to values of the standard library's types. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_CLOCK = re.compile(r"(?:(-?\d+) days?, *)?(\d+):([0-5]?\d):([0-5]?\d(?:\.\d{1,6})?)")
_WORDS = re.compile(r"(?:\d+(?:\.\d+)?[wdhms])+")
_WORD = re.compile(r"(\d+(?:\.\d+)?)([wdhms])")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(_zulu(text))


def _clock(text: str) -> time:
    return time.fromisoformat(_zulu(text))


def _zulu(text: str) -> str:
    """Python before 3.11 does not know that Z is +00:00."""
    return text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text


def _duration(text: str) -> timedelta:
    if text.startswith("-") and (_WORDS.fullmatch(text[1:]) or re.fullmatch(r"[\d:.]+", text[1:])):
        return -_duration(text[1:])
    if match := _CLOCK.fullmatch(text):
        days, hours, minutes, seconds = match.groups()
        return timedelta(int(days or 0), hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    if _WORDS.fullmatch(text):
        parts = [timedelta(**{_UNITS[unit]: float(number)}) for number, unit in _WORD.findall(text)]
        return sum(parts, timedelta())
    return timedelta(seconds=float(text))


# Imported when they are asked for: they take as long as the rest of a command's start.


def _decimal(text: str) -> Any:
    from decimal import Decimal

    return Decimal(text)


def _fraction(text: str) -> Any:
    from fractions import Fraction

    return Fraction(text)


def _uuid(text: str) -> Any:
    from uuid import UUID

    return UUID(text)


def _complex(text: str) -> complex:
    return complex(text.replace(" ", ""))


KINDS: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "date": ("datetime.date", "a date such as 2026-11-29", date.fromisoformat),
    "datetime": ("datetime.datetime", "a date and time such as 2026-11-29T18:30:00", _moment),
    "time": ("datetime.time", "a time such as 18:30 or 18:30:15", _clock),
    "timedelta": ("datetime.timedelta", "seconds, or a duration such as 1h30m or 1:30:00", _duration),
    "decimal": ("decimal.Decimal", "a decimal number", _decimal),
    "fraction": ("fractions.Fraction", "a fraction such as 1/3", _fraction),
    "complex": ("complex", "a complex number such as 1+2j", _complex),
    "uuid": ("uuid.UUID", "a UUID", _uuid),
}  # fmt: skip
"""Kind of a TypeSpec -> full name of the type, what its text is, how that is read."""


def read(kind: str, text: str) -> Any:
    """The value of a text. ValueError if it is none."""
    try:
        return KINDS[kind][2](text.strip())
    except (ValueError, ArithmeticError) as error:
        raise ValueError(f"expected {KINDS[kind][1]}") from error
