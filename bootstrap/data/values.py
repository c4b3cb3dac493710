"""What `pack` does not know, on its way out (imported on first need; `leaves` and `classes` are the
way in).

A value becomes a leaf (bytes), the items of a tagged array, or a plain value that takes its place. Types of
modules that may be absent are known by name and compared with the module already loaded; nothing is imported
for them. """

import struct
import sys

from . import tags
from .limits import BESIDE
from .places import Refused
from .secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

    from .pack import Encoded

    # code (None: a plain value in its place), payload or items, how items are shown in a place
    Lowered = Tuple[Optional[int], Any, str]


_SCALARS = frozenset([str, bytes, int, float, bool, type(None)])
_FIXEXT = {1: b"\xd4", 2: b"\xd5", 4: b"\xd6", 8: b"\xd7", 16: b"\xd8"}


def lower(value: "Any", state: "Encoded") -> "Lowered":
    """Return what stands for `value` on the wire. Raises Refused, or what methods of `value` raise."""
    cls = type(value)
    make = _BY_TYPE.get(cls)
    if make is None:
        module = str(getattr(cls, "__module__", ""))
        name = cls.__name__
        if module in _MODULES and cls is getattr(sys.modules.get(module.partition("._")[0]), name, None):
            make = _BY_NAME.get(name)
    if make is not None:
        return make(value, state)
    from .classes import lower as lower_object
    return lower_object(value, cls, state)


def leaf(code: "int", payload: "bytes", state: "Encoded") -> "bytes":
    """An extension with its header. Payloads stay below 64 KiB: what could be longer goes beside."""
    state.tagged = True
    size = len(payload)
    if size in _FIXEXT:
        return _FIXEXT[size] + b"%c" % code + payload
    return (b"\xc7%c%c" % (size, code) if size < 256 else struct.pack(">BHb", 0xc8, size, code)) + payload


def beside(data: "bytes", kind: "type", state: "Encoded") -> "bytes":
    """Put the bytes of a str or bytes beside the message; returns what stands for them."""
    return leaf(tags.BLOB, _reference(data, tags.STR if kind is str else tags.BYTES, state), state)


def _reference(data: "bytes", kind: "int", state: "Encoded") -> "bytes":
    """Put bytes beside the message; returns the payload of the BLOB that stands for them."""
    if not state.blobs:
        state.blobs = []
    state.blobs.append(data)
    return struct.pack(">BI", kind, len(state.blobs) - 1)


def plain_keys(items: "List[Any]", state: "Encoded") -> "bool":
    """Whether a dict, as [..., value, key, value, key], may be a plain map; puts plain keys in the place of others."""
    plain = True
    for place in range(1, len(items), 2):
        key = items[place]
        kind = type(key)
        if kind not in _SCALARS:
            try:
                code, key, _ = lower(key, state)
            except Refused:  # met again in its turn
                code = -1
            kind = type(key)
            if code is None and kind in _SCALARS:
                items[place] = key
            else:
                plain = False
        if (kind is str or kind is bytes) and len(key) >= BESIDE >> 2:
            if len(key if kind is bytes else key.encode("utf-8", "surrogatepass")) >= BESIDE:
                plain = False
        elif kind is int and not -1 << 63 <= key < 1 << 64:
            plain = False
    return plain


def _int(value: "int", state: "Encoded") -> "Lowered":
    bits = value.bit_length()
    if bits > tags.MAX_BITS:
        raise Refused("an integer of %d bits; at most %d travel" % (bits, tags.MAX_BITS))
    return tags.BIGINT, value.to_bytes(bits // 8 + 1, "big", signed=True), ""


def _bytearray(value: "bytearray", state: "Encoded") -> "Lowered":
    data = bytes(value)
    if len(data) >= BESIDE:
        return tags.BLOB, _reference(data, tags.MUTABLE, state), ""
    return tags.BYTEARRAY, data, ""


def _secret(value: "Secret", state: "Encoded") -> "Lowered":
    state.secret = True
    return tags.SECRET, [value.reveal()], "secret"


def _memoryview(value: "memoryview", state: "Encoded") -> "Lowered":
    from .arrays import lower_buffer
    return lower_buffer("memoryview", value)


def _array(value: "Any", state: "Encoded") -> "Lowered":
    from .arrays import lower_buffer
    return lower_buffer("array", memoryview(value), value.typecode)


def _offset(value: "Any", zone: "Any", strict: "Any") -> "Tuple[bytes, bool]":
    """The fixed offset of an aware datetime, time or of a timezone, as bytes: microseconds, then its name if
    any."""
    import datetime
    if zone is None:
        return b"", False
    if type(zone) is datetime.timezone:
        parts = zone.__getinitargs__()  # type: ignore[attr-defined]
        delta, name = parts[0], parts[1] if len(parts) > 1 else None
    else:
        if strict is True:
            raise Refused("its time zone would arrive as a fixed offset")
        delta, name = value.utcoffset(), value.tzname()
        if delta is None:
            raise Refused("its time zone has no offset by itself")
    micro = (delta.days * 86400 + delta.seconds) * 10**6 + delta.microseconds
    text = b"" if name is None else b"=" + name[:80].encode("utf-8", "surrogatepass")
    if name is not None and len(text) > tags.MAX_ZONE:
        text = b"=" + name[:tags.MAX_ZONE // 4].encode("utf-8", "surrogatepass")
    return struct.pack(">q", micro) + text, True


def _datetime(value: "Any", state: "Encoded") -> "Lowered":
    offset, aware = _offset(value, value.tzinfo, state.strict)
    flags = value.fold | (tags.AWARE if aware else 0)
    raw = struct.pack(">HBBBBBIB", value.year, value.month, value.day, value.hour, value.minute, value.second,
                      value.microsecond, flags)
    return tags.DATETIME, raw + offset, ""


def _date(value: "Any", state: "Encoded") -> "Lowered":
    return tags.DATE, struct.pack(">HBB", value.year, value.month, value.day), ""


def _time(value: "Any", state: "Encoded") -> "Lowered":
    offset, aware = _offset(value, value.tzinfo, state.strict)
    flags = value.fold | (tags.AWARE if aware else 0)
    raw = struct.pack(">BBBIB", value.hour, value.minute, value.second, value.microsecond, flags)
    return tags.TIME, raw + offset, ""


def _timedelta(value: "Any", state: "Encoded") -> "Lowered":
    return tags.TIMEDELTA, struct.pack(">iII", value.days, value.seconds, value.microseconds), ""


def _timezone(value: "Any", state: "Encoded") -> "Lowered":
    return tags.TIMEZONE, _offset(value, value, state.strict)[0], ""


def _decimal(value: "Any", state: "Encoded") -> "Lowered":
    if not tags.decimal_fits(value):
        _, digits, exponent = value.as_tuple()
        raise Refused("a Decimal with %d digits and exponent %s; at most %d digits and %d travel"
                      % (len(digits), exponent, tags.MAX_DIGITS, tags.MAX_EXPONENT))
    # Whether it is written "1E+20" or "1e+20", the thread's decimal context says.
    return tags.DECIMAL, str(value).replace("e", "E").encode("ascii"), ""


def _fraction(value: "Any", state: "Encoded") -> "Lowered":
    pair = [value.numerator, value.denominator]
    if max(part.bit_length() for part in pair) > tags.MAX_FRACTION_BITS:
        raise Refused("a Fraction of more than %d bits" % tags.MAX_FRACTION_BITS)
    return tags.FRACTION, pair, "*"


def _uuid(value: "Any", state: "Encoded") -> "Lowered":
    return tags.UUID, value.bytes, ""


def _bounds(parts: "List[Any]") -> "List[Optional[int]]":
    for part in parts:
        if not (part is None or isinstance(part, int)):
            raise Refused("a slice of %s; only those of integers travel" % type(part).__name__)
    return [None if part is None else int(part) for part in parts]


def _path(value: "Any", state: "Encoded") -> "Lowered":
    text = str(value).encode("utf-8", "surrogatepass")
    if len(text) >= BESIDE - 1:
        raise Refused("a path of %d bytes" % len(text))
    return tags.PATH, b"%c" % tags.PATHS.index(type(value).__name__) + text, ""


_BY_TYPE: "Dict[type, Callable[[Any, Encoded], Lowered]]" = {
    int: _int, bytearray: _bytearray, Secret: _secret, memoryview: _memoryview,
    set: lambda value, state: (tags.SET, list(value), "*"),
    frozenset: lambda value, state: (tags.FROZENSET, list(value), "*"),
    complex: lambda value, state: (tags.COMPLEX, struct.pack(">dd", value.real, value.imag), ""),
    range: lambda value, state: (tags.RANGE, [int(value.start), int(value.stop), int(value.step)], "*"),
    slice: lambda value, state: (tags.SLICE, _bounds([value.start, value.stop, value.step]), "*"),
}
_MODULES = ("datetime", "decimal", "fractions", "uuid", "pathlib", "pathlib._local", "array")
_BY_NAME: "Dict[str, Callable[[Any, Encoded], Lowered]]" = {
    "datetime": _datetime, "date": _date, "time": _time, "timedelta": _timedelta, "timezone": _timezone,
    "Decimal": _decimal, "Fraction": _fraction, "UUID": _uuid, "array": _array,
}
_BY_NAME.update((name, _path) for name in tags.PATHS)
