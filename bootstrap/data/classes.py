"""Objects of classes, both ways (imported on first need).

Going out, a class only has to be of a known kind: Enum, namedtuple, struct sequence, dataclass, exception, or
a relative of a builtin type, which then travels as that type. Coming in, a class is one the receiver
registered or named; its objects are made without calling anything a user wrote: no __new__, __init__,
__post_init__, __setattr__, property or _missing_. All others arrive as a Record.

`strict` is False, True, or OWN: then only those are refused that a pickle carries better. """

import sys

from ..errors import DecodeError
from . import tags
from .places import FOREIGN, Refused
from .record import Record, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from .pack import Encoded

    Lowered = Tuple[Optional[int], Any, str]

# Mappings and sequences of the standard library that are no relatives of dict and list: what they arrive as.
_STANDARD: "Dict[str, Any]" = {
    "os._Environ": dict, "mappingproxy": dict, "collections.UserDict": dict, "collections.ChainMap": dict,
    "collections.deque": list, "collections.UserList": list, "collections.UserString": str,
    "dict_keys": list, "dict_values": list, "dict_items": list,
    "odict_keys": list, "odict_values": list, "odict_items": list,
    "collections.OrderedDict": dict, "collections.Counter": dict, "collections.defaultdict": dict,
}
# Of these a pickle makes no more than the codec does, or what means nothing elsewhere.
_VIEWS = frozenset(["os._Environ", "mappingproxy", "dict_keys", "dict_values", "dict_items", "odict_keys",
                    "odict_values", "odict_items"])
# A text or number with a class of its own is one above all: its library need not be there.
_SCALARS = (str, bytes, bytearray, int, float, complex)
_BASES = (dict, list, tuple, set, frozenset) + _SCALARS
_MAX_FIELDS = 4096
_MAX_NAME = 512
# Combinations of one class of flags, each of some 300 bytes.
_MAX_FLAGS = 1 << 16


def lower(value: "Any", cls: "type", state: "Encoded") -> "Lowered":
    """Return what stands for an object on the wire. Raises Refused, or what methods of `value` raise."""
    if hasattr(cls, "__remotesvc_wire__"):
        kind, first, second, router = value.__remotesvc_wire__()
        if state.bindings.home not in (None, router):
            raise Refused(FOREIGN)
        return (tags.CONTEXT if kind == "context" else tags.SENDER), [first, second], "*"
    if cls is Record:
        return _record(value)
    if issubclass(cls, BaseException):
        from ..failures.describe import describe
        return tags.EXCEPTION, [describe(value)], "*"
    enum = sys.modules.get("enum")
    if enum is not None and issubclass(cls, enum.Enum):
        return _record_of(cls, state, tags.MEMBER, 0, [("name", value._name_), ("value", value._value_)])
    if issubclass(cls, tuple) and (hasattr(cls, "_fields") or hasattr(cls, "n_sequence_fields")):
        items = list(value)
        names = _names(value, cls, len(items))
        pairs = list(zip(names, items)) + _hidden(value, cls)
        return _record_of(cls, state, tags.SEQUENCE, len(items), pairs)
    if hasattr(cls, "__dataclass_fields__"):
        from dataclasses import fields
        pairs = [(field.name, getattr(value, field.name)) for field in fields(value)]
        base = next((base for base in _BASES if issubclass(cls, base)), None)
        if base is not None and not (base is dict and set(dict.keys(value)) <= {name for name, _ in pairs}):
            raise Refused("a dataclass that is a %s, too: what that holds would be lost" % base.__name__)
        return _record_of(cls, state, tags.OBJECT, 0, pairs)
    if str(cls.__module__) == "numpy" and not issubclass(cls, _BASES):
        return _from_numpy(value, cls, state)
    return None, _plain(value, cls, state), ""


def _record_of(cls: "type", state: "Encoded", kind: "int", length: "int",
               pairs: "List[Tuple[Optional[str], Any]]") -> "Lowered":
    name = type_name(cls)
    # Nobody makes another sys.version_info, or sys.flags, not even pickle.
    strict = state.strict is True or (state.strict and not name.startswith("sys."))
    if strict and state.bindings.classes.get(name) is not cls:
        raise Refused("strict_types: a class that was not registered would arrive as a Record")
    return _array(kind, name, length, pairs)


def _record(value: "Record") -> "Lowered":
    """A Record goes on as the thing it was."""
    if not value.is_tuple:
        return _array(tags.OBJECT, value.type_name, 0, list(value.fields.items()))
    items, names = list(value), list(value.fields)
    pairs: "List[Tuple[Optional[str], Any]]" = []
    for item in items:
        if names and (value.fields[names[0]] is item):
            pairs.append((names.pop(0), item))
        else:
            pairs.append((None, item))
    pairs.extend((name, value.fields[name]) for name in names)
    return _array(tags.SEQUENCE, value.type_name, len(items), pairs)


def _array(kind: "int", name: "str", length: "int", pairs: "List[Tuple[Optional[str], Any]]") -> "Lowered":
    items: "List[Any]" = [kind, name, length]
    for pair in pairs:
        items.extend(pair)
    if len(pairs) > _MAX_FIELDS or len(name) > _MAX_NAME:
        raise Refused("has more than %d fields, or too long a name" % _MAX_FIELDS)
    return tags.RECORD, items, "."


def _names(value: "Any", cls: "Any", count: "int") -> "List[Optional[str]]":
    """The name of each position; None where it has none."""
    if hasattr(cls, "_fields"):
        names = list(cls._fields)
        if type_name(cls) == "platform.uname_result" and len(names) < count:
            names.append("processor")  # computed when asked for, and a position all the same
    else:  # a struct sequence's descriptors are in order; the last positions may have none (os.stat: 3 of 10)
        names = [name for name, item in cls.__dict__.items() if type(item).__name__ == "member_descriptor"]
        names = names[:cls.n_sequence_fields - cls.n_unnamed_fields]
    return (names + [None] * count)[:count]


def _hidden(value: "Any", cls: "Any") -> "List[Tuple[Optional[str], Any]]":
    """The attributes of a struct sequence that are not among its positions, such as st_atime_ns."""
    if not hasattr(cls, "n_sequence_fields"):
        return []
    return list(value.__reduce__()[1][1].items())


def _plain(value: "Any", cls: "type", state: "Encoded") -> "Any":
    """The builtin value that a relative of it travels as."""
    name = type_name(cls)
    target = _STANDARD.get(name) or next((base for base in _BASES if issubclass(cls, base)), None)
    if target is None or name.startswith(("datetime.", "pandas.")):
        raise Refused("only data travels, and this is none of the types that do")
    if state.strict is True or (state.strict and name not in _VIEWS and not issubclass(cls, _SCALARS)):
        raise Refused("strict_types: it would arrive as %s" % target.__name__)
    if target is dict:
        # Of a relative of dict what it holds, whatever its own methods say. OrderedDict has an order of its own.
        known: "Any" = next((base for base in cls.__mro__ if base.__module__ in ("builtins", "collections")), cls)
        return dict(known.items(value) if issubclass(cls, dict) else value.items())
    if target in _SCALARS and issubclass(cls, target):
        return _exact(value, target)
    return target(value)


def _exact(value: "Any", target: "Any") -> "Any":
    """The value without what the subclass adds: its own __str__ or __int__ may say something else."""
    if target is str:
        return str.__str__(value)
    return target(memoryview(value)) if target in (bytes, bytearray) else target.__pos__(value)


def _from_numpy(value: "Any", cls: "type", state: "Encoded") -> "Lowered":
    if type_name(cls) == "numpy.ndarray":
        from .arrays import lower_numpy
        return lower_numpy(value)
    # What is no array is a number or text with a type of its own, "generic" being the base of them all.
    plain = value.item() if any(type_name(base) == "numpy.generic" for base in cls.__mro__) else None
    if type(plain) not in (int, float, bool, complex, str, bytes):
        raise Refused("a numpy object that is not a plain array, number or text")
    if state.strict is True:  # a target that is told a number needs no numpy
        raise Refused("strict_types: it would arrive as %s" % type(plain).__name__)
    return None, plain, ""


def build(code: "int", items: "List[Any]", bindings: "Any") -> "Any":
    """The object that a tagged array stands for. Raises DecodeError, or ValueError where it has the wrong
    items."""
    if code == tags.EXCEPTION:
        from ..failures.rebuild import rebuild
        (data,) = items
        return rebuild(data, classes=bindings.classes)
    if code == tags.RECORD:
        return _build_record(items, bindings.classes)
    first, second = items
    if type(first) is not int or not 0 <= first < 1 << 32:
        raise ValueError
    if code == tags.CONTEXT:
        if type(second) is not str or len(second) > _MAX_NAME:
            raise ValueError
        make, name, fields = bindings.make_context, "remotesvc.Context", {"id": first, "name": second}
    else:
        if type(second) is not int or not 0 <= second < 1 << 64:
            raise ValueError
        make, name, fields = bindings.make_sender, "remotesvc.Sender", {"context": first, "handle": second}
    return Record(name, fields) if make is None else make(first, second)


def _build_record(items: "List[Any]", classes: "Dict[str, type]") -> "Any":
    kind, name, length = items[:3]
    names, values = items[3::2], items[4::2]
    if (type(kind) is not int or type(name) is not str or type(length) is not int or len(name) > _MAX_NAME
            or len(names) != len(values) or len(names) > _MAX_FIELDS or not 0 <= length <= len(names)):
        raise ValueError
    fields: "Dict[str, Any]" = {}
    for place, (field, value) in enumerate(zip(names, values)):
        if field is None and kind == tags.SEQUENCE and place < length:
            continue
        if type(field) is not str or len(field) > _MAX_NAME or field in fields:
            raise ValueError
        fields[field] = value
    if kind == tags.SEQUENCE:
        cls = classes.get(name)
        return Record(name, fields, values[:length]) if cls is None else _namedtuple(cls, names, values)
    if (length or kind not in (tags.OBJECT, tags.MEMBER)
            or (kind == tags.MEMBER and names != ["name", "value"])):
        raise ValueError
    cls = classes.get(name)
    if cls is None:
        return Record(name, fields)
    # A Record that passed through where the class is not known comes as an object, whatever it was.
    if kind == tags.MEMBER or (names == ["name", "value"] and hasattr(cls, "__members__")):
        return _member(cls, fields["name"], fields["value"])
    return _dataclass(cls, fields)


def _namedtuple(cls: "Any", names: "List[Any]", values: "List[Any]") -> "Any":
    if not issubclass(cls, tuple) or list(getattr(cls, "_fields", ())) != names:
        raise DecodeError("the fields of %s differ here and there" % type_name(cls))
    return tuple.__new__(cls, values)


def _member(cls: "Any", name: "Any", value: "Any") -> "Any":
    import enum
    if not issubclass(cls, enum.Enum):
        raise DecodeError("%s is no Enum here" % type_name(cls))
    members = cls.__dict__["_member_map_"]
    if type(name) is str and name in members:
        return members[name]
    # A combination of flags is made by the standard library's own method, unless the class has another.
    missing = next(base for base in cls.__mro__ if "_missing_" in base.__dict__)
    if (not issubclass(cls, enum.Flag) or missing.__module__ != "enum" or type(cls) is not type(enum.Flag)
            or type(value) is not int or value.bit_length() > 64):
        raise DecodeError("%s has no such member here" % type_name(cls))
    made = cls.__dict__["_value2member_map_"]  # the enum keeps each combination for good
    if value not in made and len(made) >= _MAX_FLAGS:
        raise DecodeError("%s has %d combinations of flags here already" % (type_name(cls), len(made)))
    return cls(value)


def _dataclass(cls: "Any", fields: "Dict[str, Any]") -> "Any":
    from dataclasses import fields as fields_of
    if not hasattr(cls, "__dataclass_fields__") or {field.name for field in fields_of(cls)} != set(fields):
        raise DecodeError("the fields of %s differ here and there" % type_name(cls))
    made = object.__new__(cls)
    for name, value in fields.items():
        holder: "Any" = next((base.__dict__[name] for base in cls.__mro__ if name in base.__dict__), None)
        if type(holder).__name__ == "member_descriptor":  # a slot
            holder.__set__(made, value)
        elif hasattr(type(holder), "__set__"):
            raise DecodeError("%s.%s is a property: it would run code" % (type_name(cls), name))
        else:
            object.__getattribute__(made, "__dict__")[name] = value
    return made
