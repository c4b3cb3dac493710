"""Pure: a key for the arguments of a call, the same for the same values whatever their order, and for no others."""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict

# Keys longer than that are kept as their digest.
LONGEST = 1024


class NoKey(Exception):
    """There is no key for a value that equals nothing but itself."""


def key_of(method: "str", kwargs: "Dict[str, Any]") -> "bytes":
    """The key of a call. 1, 1.0, True and "1" differ; the order of keywords, of dicts and of sets does not matter.
    Raises NoKey."""
    out = bytearray()
    try:
        _add(method, out)
        _add(kwargs, out)
    except RecursionError:
        raise NoKey("nested too deep") from None
    if len(out) <= LONGEST:
        return bytes(out)
    import hashlib
    return hashlib.sha256(out).digest()


def _add(value: "Any", out: "bytearray") -> "None":
    kind = type(value)
    write = _WRITERS.get(kind)
    if write is not None:
        data = write(value)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
    else:
        data = _other(value)
    name = b"%s.%s" % (kind.__module__.encode(), kind.__qualname__.encode())
    # Lengths in front, so that no two different values run together into the same bytes.
    out += struct.pack(">IQ", len(name), len(data))
    out += name
    out += data


def _each(values: "Any") -> "bytes":
    out = bytearray()
    for value in values:
        _add(value, out)
    return bytes(out)


def _sorted(values: "Any") -> "bytes":
    return b"".join(sorted(_each((value,)) for value in values))


def _pairs(value: "Any") -> "bytes":
    return b"".join(sorted(_each(pair) for pair in value.items()))


def _plain(value: "Any") -> "bytes":
    return repr(value).encode("utf-8", "surrogatepass")


def _text(value: "Any") -> "bytes":
    return value.encode("utf-8", "surrogatepass")  # type: ignore[no-any-return]


_WRITERS: "Dict[type, Callable[[Any], bytes]]" = {
    type(None): _plain, bool: _plain, int: lambda value: b"%x" % value, float: _plain, complex: _plain, str: _text,
    list: _each, tuple: _each, dict: _pairs, set: _sorted, frozenset: _sorted, range: _plain,
}
# Classes of the standard library that say in their repr all there is to them.
_EXACT = frozenset(["datetime", "decimal", "fractions", "uuid", "pathlib", "ipaddress"])


def _other(value: "Any") -> "bytes":
    cls = type(value)
    if hasattr(cls, "__remotesvc_wire__"):
        return _each(value.__remotesvc_wire__()[:2])
    if cls.__name__ == "Record" and hasattr(value, "is_tuple"):
        return _each((value.type_name, value.fields, tuple(value) if value.is_tuple else None))
    if hasattr(cls, "__dataclass_fields__"):
        return _pairs({name: getattr(value, name) for name in cls.__dataclass_fields__})
    if isinstance(value, tuple) and hasattr(cls, "_fields"):
        return _each(value)
    if hasattr(value, "_value_") and hasattr(value, "_name_"):  # a member of an Enum
        # Flags that go together have no name before Python 3.11.
        return _plain(value._value_) if value._name_ is None else _text(value._name_)
    if cls.__module__.partition(".")[0] in _EXACT:
        return _plain(value)
    raise NoKey("a value of type %s" % cls.__name__)
