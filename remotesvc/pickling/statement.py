"""Pure: what a class statement says, and what has become of its class since."""

import ast
import builtins
import functools
from types import FunctionType, MethodType

from .codes import inner, same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

_WRAPPERS = (FunctionType, MethodType, staticmethod, classmethod, property, functools.partial,
             type(functools.lru_cache()(len)))
# What of them is no item of their `__dict__`.
_WRAPPED = ("__func__", "fget", "fset", "fdel", "func")
# Python makes these static or class methods by itself.
_BY_NAME = ("__new__", "__init_subclass__", "__class_getitem__")


def functions_in(member: "Any") -> "Iterator[FunctionType]":
    """The functions that a member of a class is made of: behind most decorators there is the one that was written."""
    # An object of another class may hold functions for reasons of its own.
    waiting = [member] if callable(member) or hasattr(type(member), "__get__") else []
    seen: "Dict[int, Any]" = {}
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each
        further = list(vars(each).values()) if isinstance(getattr(each, "__dict__", None), dict) else []
        if isinstance(each, _WRAPPERS):
            further += [getattr(each, name, None) for name in _WRAPPED]
        if isinstance(each, FunctionType):
            yield each
            further += [content for cell in each.__closure__ or () for content in content_of(cell)]
            further += list(each.__defaults__ or ())
        waiting.extend(part for part in further if isinstance(part, _WRAPPERS))


def content_of(cell: "Any") -> "List[Any]":
    """A list of what is in a closure's cell; empty if it has no value yet."""
    try:
        return [cell.cell_contents]
    except ValueError:
        return []


def own_functions(cls: "type") -> "Iterator[FunctionType]":
    """Those that go by the name of a class, and of the classes in it: its methods, and what decorators put around."""
    for member in vars(cls).values():
        inside = isinstance(member, type) and member.__qualname__.startswith("%s." % cls.__qualname__)
        for each in own_functions(member) if inside else functions_in(member):
            if each.__qualname__.startswith("%s." % cls.__qualname__):
                yield each


def is_method(function: "FunctionType", cls: "type") -> "bool":
    """Whether a function was written in a class of that name, rather than put around one that was."""
    path, _, name = function.__qualname__.rpartition(".")
    return path == cls.__qualname__ and name == function.__code__.co_name


class Statement(object):
    """``piece``: what ``text_of`` takes of the statement of the top level. ``node``: the class statement that is meant,
    which may stand in that one. ``code``: of the module that is made of the piece. ``method``: of one of its methods.
    ``names``: around it here."""

    def __init__(self, piece: "List[Any]", node: "Any", code: "CodeType", method: "CodeType",
                 names: "Dict[str, Any]") -> "None":
        self.piece, self.node, self.code, self.method, self.names = piece, node, code, method, names

    def inside(self, cls: "type") -> "Optional[Statement]":
        """The statement of a class that stands in this one; None if none does."""
        for node in ast.walk(self.node):
            if isinstance(node, ast.ClassDef) and node is not self.node and node.name == cls.__name__:
                return Statement(self.piece, node, self.code, self.method, self.names)
        return None

    def bases(self, cls: "type") -> "Dict[str, type]":
        """The bases that the statement calls by a name: that may mean another class by now, its own even."""
        made = vars(cls).get("__orig_bases__", cls.__bases__)
        if len(made) != len(self.node.bases):
            return {}
        named = {each.id: base for each, base in zip(self.node.bases, made) if isinstance(each, ast.Name)}
        return {name: base for name, base in named.items() if isinstance(base, type)
                and isinstance(self.names.get(name, base), type) and getattr(builtins, name, None) is not base}

    def since(self, cls: "type", check: "Callable[[FunctionType], Any]") -> "Tuple[Dict[str, Any], List[str]]":
        """What a class was given since of functions, and of what holds some, with the classes in it, which tell of
        theirs; and the names of what it lost. ``check`` is called with each method that is not of the statement:
        whether that is because its file was edited."""
        once, sure, perhaps = _bound(self.node)
        alone = self._is_alone(cls)
        codes, given = list(inner(self.code)), {}  # type: Any, Dict[str, Any]
        for name, value in vars(cls).items():
            if isinstance(value, type):
                if value.__qualname__ == "%s.%s" % (cls.__qualname__, name):
                    given[name] = value
                continue
            functions = list(functions_in(value))
            ours = [each for each in functions if any(same(each.__code__, code) for code in codes)]
            for each in functions:
                if each not in ours and is_method(each, cls) and each.__code__.co_filename == self.method.co_filename:
                    check(each)
            if alone and name in once:
                made = getattr(value, "__func__", None) if name in _BY_NAME else value
                other = made not in ours or _private(made.__code__.co_name, self.node.name) != name
            elif alone and name not in sure | perhaps:
                other = bool(functions) and not name.startswith("__annot")  # which Python 3.14 makes
            else:
                other = any(self._is_replaced(part, ours) for part in _parts(value))
            if other:
                given[name] = value
        return given, [name for name in sure if name not in vars(cls)] if _is_plain(cls) else []

    def _is_alone(self, cls: "type") -> "bool":
        """Whether nothing but the statement has made it: what decorators and the like do to it, they do there, too."""
        return not self.node.decorator_list and _is_plain(cls) and not hasattr(cls, "_fields") and not any(
            "__init_subclass__" in vars(each) and each.__module__ != "typing" for each in cls.__mro__[1:-1])

    def _is_replaced(self, part: "Any", ours: "List[FunctionType]") -> "bool":
        """Whether there are functions in a part of a member, and none of the statement is among them."""
        functions = list(functions_in(part))
        return bool(functions) and not any(each in ours for each in functions) and self._is_own(functions[0])

    def _is_own(self, function: "FunctionType") -> "bool":
        """Whether a function was written beside the class, rather than made by a decorator."""
        return (function.__globals__ is self.names and "<locals>" not in function.__qualname__
                and function.__code__.co_filename != "<string>")


def _parts(member: "Any") -> "List[Any]":
    """What of a member can be replaced by itself: each function of a property, which ``setter`` and the like take over
    from the one before; else all of it."""
    return [member.fget, member.fset, member.fdel] if isinstance(member, property) else [member]


def _is_plain(cls: "type") -> "bool":
    return type(cls).__name__ in ("type", "ABCMeta")


def _bound(node: "Any") -> "Tuple[Set[str], Set[str], Set[str]]":
    """The names that a class statement binds: by one function without decorators; in any case; and perhaps."""
    once, sure, perhaps = set(), set(), set()  # type: Set[str], Set[str], Set[str]
    for each in node.body:
        names = {_private(name, node.name) for name in _names_bound(each)}
        once -= names
        if isinstance(each, ast.Delete):
            perhaps |= names
            sure -= names
        elif isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
            once |= names - sure - perhaps if not each.decorator_list else set()
            sure |= names
        elif isinstance(each, (ast.ClassDef, ast.Assign)) or getattr(each, "value", None) is not None:
            sure |= names
        else:
            perhaps |= names
    return once, sure, perhaps


def _names_bound(node: "Any") -> "Iterator[str]":
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
        return
    if isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    for each in ast.iter_child_nodes(node):
        for name in _names_bound(each):
            yield name


def _private(name: "str", cls: "str") -> "str":
    mangled = name.startswith("__") and not name.endswith("__") and cls.strip("_")
    return "_%s%s" % (cls.lstrip("_"), name) if mangled else name
