"""On the target: builds objects of the user's classes from the name of the class and the values of its fields.

The command line reads the source of what it calls and imports nothing of it, so it has no such classes itself: an
argument of one of them travels as a pickle that calls these functions.
"""

import functools
import importlib
import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ENUM = "enum"
FLAG = "flag"
RECORD = "record"


def make(address: "str", kind: "str", value: "Any") -> "Any":
    """An object of the class "module:Class": the member of that name or value (of a flag several, joined by "|"), or
    the class called with these fields. Raises ValueError for a member that is not there, and what the class raises."""
    module, _, name = address.partition(":")
    found: "Any" = getattr(importlib.import_module(module), name)
    if kind == RECORD:
        return found(**value)
    parts = [part.strip() for part in value.split("|")] if kind == FLAG else [value]
    return functools.reduce(operator.or_, [_member(found, part) for part in parts])


def _member(cls: "Any", text: "str") -> "Any":
    members = cls.__members__
    if text in members:
        return members[text]
    for member in members.values():
        if str(member.value) == text:
            return member
    raise ValueError("%r is no %s: it is one of %s" % (text, cls.__name__, ", ".join(members)))
