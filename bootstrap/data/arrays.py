"""Buffers of numbers: memoryview, array.array, numpy arrays (imported on first need).

On the wire: what it was, byte order and format ("<d"; for numpy its own "<f8"), item size, shape, bytes.
numpy is never imported: an array of it is known by its class's name and read through the buffer protocol, and
becomes one again where the receiving process has numpy loaded; elsewhere it arrives as a memoryview, which
numpy and struct take without copying. """

import sys

from ..errors import DecodeError
from . import tags
from .limits import MAX_MESSAGE
from .places import Refused
from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple

_HERE = "<" if sys.byteorder == "little" else ">"
_SIGNED, _UNSIGNED, _REAL = "bhilqn", "BHILQN", "efd"
_FORMATS = "?c" + _SIGNED + _UNSIGNED + _REAL
_UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as")  # of numpy's times
_MAX_NDIM = 32
_KINDS = {"memoryview": "memoryview", "array": "array.array", "numpy": "numpy.ndarray"}


def lower_buffer(kind: "str", view: "memoryview", format: "str" = "") -> "Tuple[int, Any, str]":
    """The items of the ARRAY for a buffer. Raises Refused where its items are not plain numbers."""
    code = format or view.format
    order = _HERE
    if len(code) == 2 and code[0] in "@=<>":
        order, code = (code[0] if code[0] in "<>" else _HERE), code[1]
    if len(code) != 1 or code not in _FORMATS or view.ndim > _MAX_NDIM:
        raise Refused("its items are not plain numbers (format %r)" % view.format)
    return tags.ARRAY, [kind, order + code, view.itemsize, list(view.shape or ()), view.tobytes()], "*"


def lower_numpy(value: "Any") -> "Tuple[int, Any, str]":
    """The items of the ARRAY for a numpy.ndarray. Raises Refused where they are objects or records."""
    format = value.dtype.str
    if not _is_numpy_format(format) or len(value.shape) > _MAX_NDIM:
        raise Refused("an array of objects or records (dtype %s)" % format[:60])
    if not value.dtype.itemsize:
        raise Refused("an array whose items have no size (dtype %s)" % format)
    return tags.ARRAY, ["numpy", format, value.dtype.itemsize, list(value.shape), value.tobytes()], "*"


def _is_numpy_format(format: "str") -> "bool":
    """Tell whether a text is the name of a dtype without objects and records, such as "<f8" or "<M8[ns]"."""
    size, _, unit = format[2:].partition("[")
    return (len(format) < 24 and format[:1] in tuple("<>|") and format[1:2] in tuple("biufcSUMm")
            and bool(size) and set(size) <= set("0123456789")
            and (not unit or (format[1] in "Mm" and unit.rstrip("]").strip("0123456789") in _UNITS)))


def build_buffer(kind: "Any", format: "Any", itemsize: "Any", shape: "Any", data: "Any") -> "Any":
    """The buffer that an ARRAY stands for, a Record where this Python has none like it. Raises
    DecodeError."""
    if (type(kind) is not str or kind not in _KINDS or type(format) is not str or type(itemsize) is not int
            or type(data) is not bytes or type(shape) is not list or len(shape) > _MAX_NDIM or itemsize < 1):
        raise DecodeError("a malformed array")
    if not _is_numpy_format(format) if kind == "numpy" else not (
            len(format) == 2 and format[0] in "<>" and format[1] in _FORMATS and itemsize in (1, 2, 4, 8)):
        raise DecodeError("an array of unknown format")
    count = itemsize  # of at least 1: numpy makes an empty text one character long, as often as the shape says
    for length in shape:
        if type(length) is not int or not 0 <= length <= MAX_MESSAGE:
            raise DecodeError("a malformed shape")
        count *= length
    if count != len(data):
        raise DecodeError("an array whose bytes do not fill its shape")
    value = None
    if kind == "numpy" and "numpy" in sys.modules:
        numpy: "Any" = sys.modules["numpy"]
        dtype = numpy.dtype(format)
        if dtype.itemsize != itemsize:
            raise DecodeError("an array of unknown format")
        return numpy.ndarray(shape, dtype, data).copy()
    code = _native(format, itemsize, kind == "numpy")
    if code:
        value = _built(kind, code, shape, data if format[0] in (_HERE, "|") else _swapped(data, itemsize))
    if value is None:
        value = Record(_KINDS[kind], {"format": format, "itemsize": itemsize, "shape": shape, "data": data})
    return value


def _native(format: "str", itemsize: "int", is_dtype: "bool") -> "str":
    """The struct format that has these items on this machine: "l" has 8 bytes here and 4 elsewhere."""
    code = format[1]
    if is_dtype:
        code = {"b": "?", "i": "q", "u": "Q", "f": "d"}.get(code, "")
    for family in (_SIGNED, _UNSIGNED, _REAL, "?", "c"):
        if code and code in family:
            for other in code + family:
                if _size(other) == itemsize:
                    return other
    return ""


def _size(code: "str") -> "int":
    try:
        return memoryview(bytes(8)).cast(code).itemsize  # type: ignore[call-overload,no-any-return]
    except ValueError:  # half floats, before 3.12
        return 0


def _swapped(data: "bytes", itemsize: "int") -> "bytes":
    """Each item's bytes in reverse order."""
    swapped = bytearray(len(data))
    for place in range(itemsize):
        swapped[place::itemsize] = data[itemsize - 1 - place::itemsize]
    return bytes(swapped)


def _built(kind: "str", code: "str", shape: "List[int]", data: "bytes") -> "Any":
    if kind == "array":
        try:
            import array
            return array.array(code, data) if len(shape) == 1 else None
        except (ImportError, ValueError):
            return None
    view = memoryview(data)
    if 0 in shape:  # cast() takes no lengths of 0
        return view.cast(code) if len(shape) == 1 else None  # type: ignore[call-overload]
    return view.cast(code, shape)  # type: ignore[call-overload]
