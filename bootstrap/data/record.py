"""`Record`: what a named structure arrives as where its class is not known."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, KeysView, Optional, Sequence, Tuple


def type_name(cls: "type") -> "str":
    """The name a class goes by on the wire and in `Bindings.classes`: "package.module.Class"; builtins
    bare; what `python -m` runs by the name others import it by."""
    module = str(cls.__module__)
    if module == "__main__":
        module = getattr(getattr(sys.modules[module], "__spec__", None), "name", module)
    return cls.__qualname__ if module == "builtins" else "%s.%s" % (module, cls.__qualname__)


class Record(object):
    """A dataclass, namedtuple, struct sequence or Enum member of a class that this process was not given.

    type_name: the class's full name there, such as "os.stat_result"
    fields:    name -> value, in their order; also as attributes (`r.st_size`) and items (`r["st_size"]`)
    is_tuple:  it was a tuple there: then it also has a length, positions, slices and equality with tuples.
               Positions without a name and names without a position (os.stat has both) are kept.

    Not to be changed; hashable where its values are.
    """

    __slots__ = ("type_name", "fields", "is_tuple", "_items")
    type_name: "str"
    fields: "Dict[str, Any]"
    is_tuple: "bool"
    _items: "Tuple[Any, ...]"

    def __init__(self, type_name: "str", fields: "Dict[str, Any]",
                 items: "Optional[Sequence[Any]]" = None) -> "None":
        assign = object.__setattr__
        assign(self, "type_name", type_name)
        assign(self, "fields", fields)
        assign(self, "is_tuple", items is not None)
        assign(self, "_items", () if items is None else tuple(items))

    def __setattr__(self, name: "str", value: "Any") -> "None":
        raise AttributeError("a Record cannot be changed")

    def __getattr__(self, name: "str") -> "Any":
        # Also asked for by copy and pickle before there are any fields.
        if not name.startswith("__") and name not in Record.__slots__ and name in self.fields:
            return self.fields[name]
        raise AttributeError("%s has no field %r" % (getattr(self, "type_name", "this Record"), name))

    def __getitem__(self, key: "Any") -> "Any":
        if self.is_tuple and not isinstance(key, str):
            return self._items[key]
        return self.fields[key]

    def keys(self) -> "KeysView[str]":
        """The names of the fields; with `[]` this makes `dict(record)` work."""
        return self.fields.keys()

    def __iter__(self) -> "Iterator[Any]":
        return iter(self._items) if self.is_tuple else iter(self.fields)

    def __len__(self) -> "int":
        return len(self._items) if self.is_tuple else len(self.fields)

    def __bool__(self) -> "bool":
        return not self.is_tuple or bool(self._items)

    def __contains__(self, what: "object") -> "bool":
        return what in (self._items if self.is_tuple else self.fields)

    def __eq__(self, other: "object") -> "bool":
        if self.is_tuple:  # like a namedtuple, it is what its items are
            if type(other) is Record and other.is_tuple:
                return self._items == other._items
            return self._items == other if isinstance(other, tuple) else NotImplemented
        if type(other) is not Record:
            return NotImplemented
        return not other.is_tuple and self.type_name == other.type_name and self.fields == other.fields

    def __hash__(self) -> "int":
        if self.is_tuple:
            return hash(self._items)
        return hash((self.type_name, frozenset(self.fields.items())))

    def __reduce__(self) -> "Tuple[Any, ...]":
        return Record, (self.type_name, self.fields, self._items if self.is_tuple else None)

    def __repr__(self) -> "str":
        shown = ", ".join("%s=%r" % pair for pair in self.fields.items())
        return "Record(%s: %s)" % (self.type_name, shown)
