"""The source of functions and classes: from `linecache`, which knows files, cells of notebooks and what came from the
master, or as it came here itself.

It is compared with the code that runs here, so that a file that was edited meanwhile is not sent for it.
"""

import __future__

import ast
import functools
import linecache
from types import CodeType, FunctionType

from ..bootstrap.calls import bysource as there
from ..bootstrap.errors import Error
from . import extent
from .codes import alike, inner, same
from .files import Files
from .statement import Statement, functions_in, own_functions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, List, Tuple

LINES = 100000
"""Lines of the largest file whose functions are sent: to keep its line numbers, a function costs the target a byte for
each line before it."""

# Features that a Python that we know does without, unless asked for them.
_FUTURE = [name for name in ("annotations", "generator_stop", "barry_as_FLUFL") if hasattr(__future__, name)]
_FUTURE_FLAGS = sum(getattr(__future__, name).compiler_flag for name in _FUTURE)


class NoSource(Error):
    """Something cannot be sent as source; the message says what, and why."""


class Sources(object):
    """Where source comes from. ``ask``: gives the definition of a piece of code that came here as bytecode, as
    ``piece_of`` does there; None if nobody knows it."""

    def __init__(self, ask: "Callable[[CodeType], Any]") -> "None":
        self._ask = ask
        self.files = Files()

    def of_function(self, function: "FunctionType") -> "List[Any]":
        """What ``text_of`` takes of the lines that define a function, or a lambda's expression."""
        code = function.__code__
        text, tree = self._running(code, function.__globals__, function.__qualname__)
        return _definition(code, text, tree, function.__qualname__)

    def of_class(self, cls: "type") -> "Statement":
        """The statement, of the top level, that makes a class."""
        if "<locals>" in cls.__qualname__:
            raise NoSource("the class %s was made in a function, and only those of the top level can be sent"
                           % cls.__qualname__)
        for method in own_functions(cls):
            code, names = method.__code__, method.__globals__
            try:
                text, tree = self._running(code, names, cls.__qualname__)
            except NoSource:
                continue  # one that something else has made, as dataclasses do
            node = _class_around(code, text, tree)
            if node is not None and node.name == cls.__name__:
                piece = _class_piece(code, text, node)
                return Statement(piece, node, there.compiled_of(piece, ""), code, names)
        written = any(True for member in vars(cls).values() for _ in functions_in(member))
        reason = "no method whose source is known" if written else "no methods, and by these its source would be found"
        raise NoSource("the class %s has %s" % (cls.__qualname__, reason))

    def check(self, function: "FunctionType") -> "None":
        """Raises NoSource if the source of a function is not known, or not what runs here."""
        self._running(function.__code__, function.__globals__, function.__qualname__)

    def _running(self, code: "CodeType", names: "Dict[str, Any]", name: "str") -> "Tuple[str, ast.Module]":
        try:
            return _running(code, names, name)
        except NoSource:
            piece = self._ask(code)
            if piece is None:
                raise
        # Kept as what came as source is, for the next time.
        names.setdefault(there.SOURCES, []).append((code.co_filename, piece))
        return _running(code, names, name)


def piece_of(code: "CodeType", names: "Dict[str, Any]") -> "List[Any]":
    """What ``text_of`` takes of the definition of a piece of code: of a method that of its class. ``names``: its
    globals, or what of them is known. Raises NoSource."""
    text, tree = _running(code, names, code.co_name)
    node = _class_around(code, text, tree)
    return _definition(code, text, tree, code.co_name) if node is None else _class_piece(code, text, node)


def _definition(code: "CodeType", text: "str", tree: "ast.Module", name: "str") -> "List[Any]":
    found = []
    for node, around in _all_of(tree):
        if isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and node.lineno == code.co_firstlineno:
            found.append(_piece(code, extent.expression(text, node), 0, around))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == code.co_name:
            first = extent.first_line(node)
            if first == code.co_firstlineno:
                source = extent.lines(text, first, extent.last_line(text, node))
                found.append(_piece(code, source, node.col_offset, around))
    if len(found) > 1:  # lambdas in one line
        found = [each for each in found if _makes(each, code)]
    if len({each[0] for each in found if each[0]}) != 1:
        raise NoSource("the source of %s cannot be told from others in line %d" % (name, code.co_firstlineno))
    return found[0]


def _piece(code: "CodeType", source: "str", indent: "int", around: "str") -> "List[Any]":
    return [source, code.co_firstlineno, code.co_name, indent, list(code.co_freevars), around, _future(code)]


def _future(code: "CodeType") -> "List[str]":
    """What of ``__future__`` held where a piece of code was written."""
    return [name for name in _FUTURE if code.co_flags & getattr(__future__, name).compiler_flag]


def _all_of(tree: "ast.Module") -> "Iterator[Tuple[Any, str]]":
    """All nodes, each with the class by which private names in it are made, empty if by none."""
    waiting: "List[Tuple[Any, str]]" = [(tree, "")]
    while waiting:
        node, around = waiting.pop()
        yield node, around
        if isinstance(node, ast.ClassDef):
            around = node.name if node.name.strip("_") else ""
        waiting.extend((each, around) for each in ast.iter_child_nodes(node))


def _class_around(code: "CodeType", text: "str", tree: "ast.Module") -> "Any":
    """The class statement, of the top level, that a piece of code stands in; None if in none."""
    waiting: "List[Any]" = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ClassDef):
            real = [getattr(each, "id", "") for each in node.bases] != [there.AROUND]
            if real and extent.first_line(node) <= code.co_firstlineno <= extent.last_line(text, node):
                return node
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            waiting.extend(each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.expr))
    return None


def _class_piece(code: "CodeType", text: "str", node: "Any") -> "List[Any]":
    """What ``text_of`` takes of a class statement. ``code``: of one of its methods."""
    first = extent.first_line(node)
    source = extent.lines(text, first, extent.last_line(text, node))
    return [source, first, node.name, node.col_offset, [], None, _future(code)]


def _running(code: "CodeType", names: "Dict[str, Any]", name: "str") -> "Tuple[str, ast.Module]":
    """The text, and its tree, in which a piece of code is that runs here. ``names``: its globals."""
    reason = "is not known here"
    for text in _texts(code, names, name):
        tree, compiled = _read(text, name, code.co_flags & _FUTURE_FLAGS)
        if any(same(each, code) for each in inner(compiled)):
            return text, tree
        reason = "is not what runs here"
    raise NoSource("the source of %s %s" % (name, reason))


def _texts(code: "CodeType", names: "Dict[str, Any]", name: "str") -> "Iterator[str]":
    """The texts in which a piece of code may be: those it came in, and that of its file."""
    for file, piece in names.get(there.SOURCES, ()):
        if file == code.co_filename:
            yield there.text_of(*piece)
    if code.co_firstlineno >= LINES:
        raise NoSource("%s begins behind line %d" % (name, LINES))
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, names)
    if lines:
        yield "".join(lines)


@functools.lru_cache(maxsize=8)
def _read(text: "str", name: "str", flags: "int") -> "Tuple[ast.Module, CodeType]":
    try:
        return ast.parse(text), compile(text, "", "exec", flags, True)
    except (SyntaxError, ValueError) as error:
        raise NoSource("the source of %s cannot be read: %s" % (name, error)) from None


def _makes(piece: "List[Any]", code: "CodeType") -> "bool":
    """Whether a piece of source makes such code."""
    try:
        made = there.code_of(piece, "")
    except (Error, IndexError, StopIteration):
        return False
    return alike(made, code)
