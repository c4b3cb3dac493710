"""JSON output: one object a host, and the encoding of values JSON cannot hold. Pure.

| value | in JSON |
|---|---|
| None, bool, str, int, finite float, list, dict with string keys | as JSON has them |
| tuple, set, frozenset, array, numpy array | a list (sets sorted where their items can be) |
| bytes, bytearray, memoryview of bytes | `{"$bytes": base64}` |
| nan, inf, -inf | `{"$float": "nan"}`, `"inf"`, `"-inf"` |
| complex | `{"$complex": [real, imaginary]}` |
| int of more than 4,300 digits | `{"$int": "0x..."}` |
| Decimal, Fraction, UUID, Path | a string |
| datetime, date, time | a string, ISO 8601 |
| timedelta | its seconds, a number |
| Enum | its value |
| range | `{"$range": [start, stop, step]}` |
| Record, dataclass, namedtuple | an object of its fields |
| Secret | `"***"` |
| exception | `{"$error": {"type": ..., "message": ..., "frames": [...]}}` |
| Context, Sender | `{"$object": its repr}` |
| dict with int, float, bool, None keys | an object; keys as json.dumps writes them (`1`, `true`, `null`) |
| dict with other keys, or whose keys collide or look like the above | `{"$dict": [[key, value], ...]}` |

An object with exactly one key that starts with `$` is always one of these. Output is pure ASCII, so that
nothing in it is a command to a terminal.
"""

from __future__ import annotations

import base64
import codecs
import json
import math
from collections.abc import Mapping
from typing import Any

from remotesvc.fleet.outcome import Outcome

SCHEMA = 1
"""Raised when a field changes its meaning; fields may be added without."""

HUGE_BITS = 14_000
"""Python refuses to write longer integers in decimal (4,300 digits)."""
_AS_TEXT = frozenset((
    ("decimal", "Decimal"), ("fractions", "Fraction"), ("uuid", "UUID"), ("ipaddress", "IPv4Address"),
    ("ipaddress", "IPv6Address"),
))  # fmt: skip


def result_object(
    outcome: Outcome, *, stdout: bytes = b"", stderr: bytes = b"", truncated: bool = False
) -> dict[str, Any]:
    """The object of one host. `value` is there when status is ok, `error` otherwise (null for a host never
    tried), and then `items`, if it was a generator: a list of what came before it failed. What was printed and is no
    text is there twice, the second time byte for byte.
    """
    result: dict[str, Any] = {
        "schema": SCHEMA, "event": "result", "host": outcome.host, "status": outcome.status.value,
    }  # fmt: skip
    if outcome.ok:
        result["value"] = encode(outcome.value)
    else:
        result["error"] = None if outcome.error is None else describe_error(outcome.error)
        if outcome.items is not None:
            result["items"] = encode(outcome.items)
    result |= {
        "rc": outcome.rc, "stdout": stdout.decode("utf-8", "replace"), "stderr": stderr.decode("utf-8", "replace"),
        "attempts": outcome.attempts,
        "started": None if outcome.started is None else round(outcome.started, 6),
        "seconds": round(outcome.seconds, 6),
    }  # fmt: skip
    for name, printed in (("stdout", stdout), ("stderr", stderr)):
        if not _is_text(printed, whole=not truncated):
            result[f"{name}_base64"] = base64.b64encode(printed).decode("ascii")
    if truncated:
        result["truncated"] = True
    return result


def _is_text(data: bytes, whole: bool) -> bool:
    """Whether it is UTF-8; what is not whole may end in the middle of a character."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final=whole)
    except UnicodeDecodeError:
        return False
    return True


def dumps(value: Any) -> str:
    """JSON text in one line. DEL is the one ASCII control that json leaves as it is."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("\x7f", "\\u007f")


def describe_error(error: BaseException) -> dict[str, Any]:
    """`type`, `message`, `frames`; and of a connection error its `stage`, `hint`, `diagnostics`."""
    from .told import Told

    told = Told.of(error)
    more = {"stage": told.stage, "hint": told.hint, "diagnostics": told.diagnostics}
    return {
        "type": told.type, "message": told.message, "frames": [_frame(frame) for frame in told.frames],
        **{name: text for name, text in more.items() if text},
    }  # fmt: skip


def _frame(frame: Any) -> dict[str, Any]:
    file, line, function, source = frame
    if not file:  # CallError's mark for frames left out of a deep traceback
        return {"omitted": line}
    from remotesvc.bootstrap.failures.callerror import shown_file

    return {"file": shown_file(file), "line": line, "function": function, "source": source}


def encode(value: Any) -> Any:
    """`value` as json.dumps takes it. One stack frame a nesting level: a value of the codec's depth still fits."""
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if value.bit_length() < HUGE_BITS else {"$int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    fields = fields_of(value)
    if fields is not None:
        # Loops, not comprehensions: before Python 3.12 those are stack frames of their own.
        encoded = {}
        for name, item in fields.items():
            encoded[str(name)] = encode(item)
        return encoded
    if isinstance(value, Mapping):
        items = []
        for item in value.values():
            items.append(encode(item))
        return _pack_dict(list(value), items)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = []
        for item in _ordered(value):
            items.append(encode(item))
        return items
    return _leaf(value)


def _pack_dict(keys: list[Any], items: list[Any]) -> dict[str, Any]:
    names = [_key(key) for key in keys]
    plain = None not in names and len(set(names)) == len(names)
    if plain and not (len(names) == 1 and str(names[0]).startswith("$")):
        return {str(name): item for name, item in zip(names, items, strict=True)}
    return {"$dict": [[encode(key), item] for key, item in zip(keys, items, strict=True)]}


def _key(key: Any) -> str | None:
    if type(key) is str:
        return key
    if key is None or type(key) is bool:
        return json.dumps(key)
    if (type(key) is int and key.bit_length() < HUGE_BITS) or (type(key) is float and math.isfinite(key)):
        return repr(key)
    return None


def is_record(value: Any) -> bool:
    """Whether this is a `remotesvc.Record`, told by name: the class need not be imported to say no."""
    return type(value).__name__ == "Record" and type(value).__module__ in (
        "remotesvc.bootstrap.data.record",
        "remotesvc",
    )


def fields_of(value: Any) -> dict[str, Any] | None:
    """The fields of a Record, dataclass or namedtuple; None of anything else."""
    if is_record(value):
        return dict(value.fields)
    names = getattr(type(value), "_fields", None) or getattr(type(value), "__dataclass_fields__", None)
    return None if names is None else {name: getattr(value, name, None) for name in names}


def _ordered(value: Any) -> Any:
    if not isinstance(value, (set, frozenset)):
        return value
    try:
        return sorted(value)
    except TypeError:
        return sorted(value, key=repr)


def _leaf(value: Any) -> Any:
    from enum import Enum

    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, memoryview):
        return {"$bytes": base64.b64encode(value).decode("ascii")} if value.format == "B" else value.tolist()
    if isinstance(value, Enum):
        return encode(value.value)
    if isinstance(value, range):
        return {"$range": [value.start, value.stop, value.step]}
    if isinstance(value, complex):
        return {"$complex": [encode(value.real), encode(value.imag)]}
    if isinstance(value, BaseException):
        return {"$error": describe_error(value)}
    return _by_name(value)


def _by_name(value: Any) -> Any:
    """Types of modules that need not be imported to recognise a value of theirs."""
    name = (type(value).__module__, type(value).__name__)
    if name in _AS_TEXT or name[0].startswith("pathlib"):
        return str(value)
    if name == ("datetime", "timedelta"):
        return value.total_seconds()
    if name[0] == "datetime" and hasattr(value, "isoformat"):
        return value.isoformat()
    if name[1] == "Secret":
        return "***"
    to_list = getattr(value, "tolist", None)
    if to_list is not None:
        return encode(to_list())
    if isinstance(value, (str, int, float)):  # a subclass: only the base part means anything in JSON
        return encode(_BASES[next(base for base in _BASES if isinstance(value, base))](value))
    return {"$object": repr(value)}


_BASES: dict[type, Any] = {str: str, int: int, float: float}
