"""Pure: what a piece of code looks up, and whether two pieces do the same."""

import dis
from types import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator, Set, Tuple

_LOOKUPS = frozenset(["LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS", "STORE_GLOBAL", "DELETE_GLOBAL"])
_VARIABLES = _LOOKUPS | {"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"}
# What is the same in two pieces that do the same.
_ALIKE = ("co_name", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_argcount")


def inner(code: "CodeType") -> "Iterator[CodeType]":
    """The code of all that is defined in a piece of code."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            for deeper in inner(each):
                yield deeper


def names_in(code: "CodeType") -> "Set[str]":
    """All names that a piece of code, and what is defined in it, looks up among its globals."""
    return _looked_up(code).union(*[_looked_up(each) for each in inner(code)])


def names_at_once(code: "CodeType") -> "Set[str]":
    """The names that a class statement looks up as it runs: itself, and the class statements in it."""
    return _looked_up(code).union(*[names_at_once(each) for each in code.co_consts
                                    if isinstance(each, CodeType) and "__qualname__" in each.co_names])


def _looked_up(code: "CodeType") -> "Set[str]":
    return {each.argval for each in dis.get_instructions(code) if each.opname in _LOOKUPS}


def attributes_in(code: "CodeType") -> "Set[str]":
    """All names that follow a dot, and others."""
    return set(code.co_names).union(*[each.co_names for each in inner(code)])


def attributes_of_names(code: "CodeType") -> "Set[Tuple[str, str]]":
    """Of a piece of code, and what is defined in it: what stands before a dot and behind it, where the first is a
    variable from outside."""
    found = set()
    for piece in [code] + list(inner(code)):
        before = None
        for each in dis.get_instructions(piece):
            if each.opname in ("LOAD_ATTR", "LOAD_METHOD") and before is not None and before.opname in _VARIABLES:
                found.add((before.argval, each.argval))
            if each.opname != "EXTENDED_ARG":
                before = each
    return found


def same(one: "CodeType", other: "CodeType") -> "bool":
    """Whether two pieces of code, of the same line, do the same; in which file does not matter."""
    return one.co_firstlineno == other.co_firstlineno and one.co_code == other.co_code and alike(one, other)


def alike(one: "CodeType", other: "CodeType") -> "bool":
    """Whether two pieces have the same names and constants, and all that is defined in them, too."""
    if any(getattr(one, name) != getattr(other, name) for name in _ALIKE) or len(one.co_consts) != len(other.co_consts):
        return False
    return all(
        alike(mine, theirs)
        if isinstance(mine, CodeType) and isinstance(theirs, CodeType)
        # Python 3.10 has the names of inner functions among the constants, and ours may stand in a function more.
        else repr(mine) == repr(theirs) or mine == theirs or "<locals>" in str(theirs)
        for mine, theirs in zip(one.co_consts, other.co_consts)
    )
