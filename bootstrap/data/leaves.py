"""Rare values of the standard library on their way in (imported on first need).

Only modules named here are imported, never one that a peer names; where this Python lacks one
(python3-minimal), the value becomes a Record. """

import struct

from ..errors import DecodeError
from . import tags
from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List

_DATETIME = struct.Struct(">HBBBBBIB")
_TIME = struct.Struct(">BBBIB")
_FOLD = 1
_DAY = 86400 * 10**6  # microseconds


def leaf(code: "int", payload: "bytes") -> "Any":
    """The value of a leaf extension. Raises DecodeError."""
    make = _LEAVES.get(code)
    if make is None:
        raise DecodeError("unknown extension %d" % code)
    try:
        return make(payload)
    except DecodeError:
        raise
    except Exception as error:  # out of range, of the wrong length, no text...
        raise DecodeError("malformed value of extension %d: %s" % (code, type(error).__name__)) from None


def _zone(raw: "bytes", aware: "bool" = True) -> "Any":
    import datetime
    if not aware:
        if raw:
            raise ValueError
        return None
    (micro,) = struct.unpack_from(">q", raw)
    if not -_DAY < micro < _DAY:
        raise ValueError
    delta = datetime.timedelta(microseconds=micro)
    if len(raw) == 8:
        return datetime.timezone(delta)
    if raw[8:9] != b"=" or len(raw) > 9 + tags.MAX_ZONE:
        raise ValueError
    return datetime.timezone(delta, raw[9:].decode("utf-8", "surrogatepass"))


def _make_datetime(raw: "bytes") -> "Any":
    import datetime
    year, month, day, hour, minute, second, micro, flags = _DATETIME.unpack_from(raw)
    if flags > 3:
        raise ValueError
    return datetime.datetime(year, month, day, hour, minute, second, micro,
                             _zone(raw[_DATETIME.size:], bool(flags & tags.AWARE)), fold=flags & _FOLD)


def _make_date(raw: "bytes") -> "Any":
    import datetime
    return datetime.date(*struct.unpack(">HBB", raw))


def _make_time(raw: "bytes") -> "Any":
    import datetime
    hour, minute, second, micro, flags = _TIME.unpack_from(raw)
    if flags > 3:
        raise ValueError
    return datetime.time(hour, minute, second, micro, _zone(raw[_TIME.size:], bool(flags & tags.AWARE)),
                         fold=flags & _FOLD)


def _make_timedelta(raw: "bytes") -> "Any":
    import datetime
    days, seconds, micro = struct.unpack(">iII", raw)
    if seconds >= 86400 or micro >= 10**6:
        raise ValueError
    return datetime.timedelta(days, seconds, micro)


def _make_decimal(raw: "bytes") -> "Any":
    text = raw.decode("ascii")
    if len(text) > tags.MAX_DIGITS + 16:
        raise ValueError
    try:
        import decimal
    except ImportError:
        return Record("decimal.Decimal", {"value": text})
    value = decimal.Decimal(text)
    if not tags.decimal_fits(value) or str(value).replace("e", "E") != text:
        raise ValueError
    return value


def _make_uuid(raw: "bytes") -> "Any":
    if len(raw) != 16:
        raise ValueError
    try:
        import uuid
    except ImportError:
        return Record("uuid.UUID", {"bytes": raw})
    return uuid.UUID(bytes=raw)


def _make_path(raw: "bytes") -> "Any":
    name, text = tags.PATHS[raw[0]], raw[1:].decode("utf-8", "surrogatepass")
    try:
        import pathlib
    except ImportError:
        return Record("pathlib." + name, {"path": text})
    cls = getattr(pathlib, name)
    if issubclass(cls, pathlib.Path) and not isinstance(pathlib.Path(), cls):
        cls = getattr(pathlib, "Pure" + name)  # the other platform's: only its pure kind exists here
    return cls(text)


_LEAVES: "Dict[int, Callable[[bytes], Any]]" = {
    tags.COMPLEX: lambda raw: complex(*struct.unpack(">dd", raw)),
    tags.DATETIME: _make_datetime, tags.DATE: _make_date, tags.TIME: _make_time,
    tags.TIMEDELTA: _make_timedelta, tags.TIMEZONE: _zone,
    tags.DECIMAL: _make_decimal, tags.UUID: _make_uuid, tags.PATH: _make_path,
}


def build(code: "int", items: "List[Any]") -> "Any":
    """The value of a tagged array. Raises DecodeError, or ValueError or TypeError for items of the wrong
    kind."""
    if code == tags.ARRAY:
        from .arrays import build_buffer
        return build_buffer(*items)
    if code == tags.FRACTION:
        return _make_fraction(*items)
    allowed = (int, type(None)) if code == tags.SLICE else (int,)
    if len(items) != 3 or not all(type(item) in allowed for item in items):
        raise ValueError
    return range(*items) if code == tags.RANGE else slice(*items)


def _make_fraction(numerator: "Any", denominator: "Any") -> "Any":
    if type(numerator) is not int or type(denominator) is not int or denominator < 1:
        raise ValueError
    if max(numerator.bit_length(), denominator.bit_length()) > tags.MAX_FRACTION_BITS:
        raise ValueError
    try:
        import fractions
    except ImportError:
        return Record("fractions.Fraction", {"numerator": numerator, "denominator": denominator})
    return fractions.Fraction(numerator, denominator)
