"""Pickles that another Python can read: what cloudpickle would send as bytecode goes as source instead.

The source is what `linecache` has: files, cells of notebooks, sessions of Python 3.13. What has none raises NoSource.
It is compared with the code that runs here, so that a file that was edited meanwhile is not sent for it.
"""

from __future__ import annotations

import ast
import dis
import functools
import importlib
import io
import linecache
import os
import pickle
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from remotesvc.bootstrap.calls import bysource as there
from remotesvc.bootstrap.errors import Error

PROTOCOL = 4
LINES = 100_000
"""Lines of a file whose functions are sent: to number those of one costs the target a byte for each before it."""


_LOOKUPS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS", "STORE_GLOBAL", "DELETE_GLOBAL"}


class NoSource(Error):
    """Something cannot be sent as source; the message says what, and why."""


class SourcePickler(pickle.Pickler):
    """Notes the modules that it meets, as the other pickler does."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, PROTOCOL)
        self.modules: set[str] = set()
        self._shared: dict[str, dict[str, Any]] = {}

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, ModuleType):
            self.modules.add(obj.__name__)
            return importlib.import_module, (obj.__name__,)
        if isinstance(obj, FunctionType) and not importable(obj):
            return self._function(obj)
        if isinstance(obj, type) and not importable(obj) and obj.__module__ != "builtins":
            return self._class(obj)
        name = getattr(obj, "__module__", None)
        if isinstance(name, str):
            self.modules.add(name)
        return NotImplemented

    def _names_of(self, module: str) -> dict[str, Any]:
        """What stands for the globals of a module there; one dict for all that was written in it."""
        return self._shared.setdefault(module, {"__name__": module})

    def _function(self, function: FunctionType) -> Any:
        code = function.__code__
        source, indent = source_of_function(function)
        module = str(function.__module__)
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        used = _used(names_in(code), function.__globals__)
        state = {
            "globals": used,
            "imports": _submodules(code, used),
            "closure": {name: _content(cell) for name, cell in cells.items()},
            "defaults": function.__defaults__,
            "kwdefaults": function.__kwdefaults__,
            "qualname": function.__qualname__,
            "module": module,
            "attributes": {key: value for key, value in vars(function).items() if key != "__wrapped__"},
        }
        line = code.co_firstlineno
        made = (source, shown_file(code), line, code.co_name, indent, code.co_freevars, self._names_of(module))
        return there.function, made, state, None, None, there.fill

    def _class(self, cls: type) -> Any:
        source, code, file, line, known = source_of_class(cls)
        module = cls.__module__
        body = {each.argval for part in _bodies(code) for each in dis.get_instructions(part) if each.opname in _LOOKUPS}
        needed = _used(body - {cls.__name__}, known)
        shared = self._names_of(module)
        made = (source, file, line, cls.__name__, shared, needed, module)
        return there.cls, made, (shared, _used(names_in(code), known)), None, None, there.fill_class


def portable(value: Any) -> tuple[bytes, set[str]]:
    """The pickle of a value for any Python, and the modules it names. NoSource, and what pickling raises."""
    file = io.BytesIO()
    pickler = SourcePickler(file)
    pickler.dump(value)
    return file.getvalue(), pickler.modules - {"__main__", "builtins"}


def importable(thing: Any) -> bool:
    """Whether others find a function or class by its module and name."""
    module = thing.__module__
    found = None if module in (None, "__main__") else sys.modules.get(module)
    for name in thing.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is thing


def source_of_function(function: FunctionType) -> tuple[str, int]:
    """The lines that define a function, or a lambda's expression, and how far they are indented."""
    code = function.__code__
    text = _text(code, function.__globals__, function.__qualname__)
    tree, compiled = _read(text, function.__qualname__)
    if not any(_same(each, code) for each in _inner(compiled)):
        raise NoSource(f"the source of {function.__qualname__} is not what runs here")
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and node.lineno == code.co_firstlineno:
            found.append((ast.get_source_segment(text, node) or "", 0))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if first == code.co_firstlineno:
                found.append((_lines(text, first, node.end_lineno), node.col_offset))
    if len(found) > 1:  # lambdas in one line
        found = [each for each in found if _alike(*each, code)]
    if len({source for source, _ in found}) != 1:
        place = f"line {code.co_firstlineno}"
        raise NoSource(f"the source of {function.__qualname__} cannot be told from others in {place}")
    return found[0]


def source_of_class(cls: type) -> tuple[str, CodeType, str, int, dict[str, Any]]:
    """The statement that makes a class: its text, code, file, number of its first line, and the names around it."""
    own = [each for each in map(_plain, vars(cls).values()) if isinstance(each, FunctionType)]
    own = [each for each in own if each.__qualname__.startswith(f"{cls.__qualname__}.")]
    for method in own:
        try:
            text = _text(method.__code__, method.__globals__, cls.__qualname__)
            tree, _ = _read(text, cls.__qualname__)
        except NoSource:
            continue  # one that something else has made, as dataclasses do
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name == cls.__name__ and node.end_lineno is not None:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                if first <= method.__code__.co_firstlineno <= node.end_lineno:
                    source = _lines(text, first, node.end_lineno)
                    code, file = compile(source, "", "exec", 0, True), shown_file(method.__code__)
                    return source, code, file, first, method.__globals__
    raise NoSource(f"the class {cls.__qualname__} has no method whose source is known")


def names_in(code: CodeType) -> set[str]:
    """All names that a piece of code, and what is defined in it, looks up among its globals."""
    own = {each.argval for each in dis.get_instructions(code) if each.opname in _LOOKUPS}
    return own.union(*(names_in(each) for each in code.co_consts if isinstance(each, CodeType)))


def _submodules(code: CodeType, found: dict[str, Any]) -> list[ModuleType]:
    """Modules that it reaches through packages: `import a.b` gives a name to `a` only."""
    attributes = set(code.co_names).union(*(each.co_names for each in _inner(code)))
    packages = [each.__name__ for each in found.values() if isinstance(each, ModuleType)]
    names = sorted(f"{package}.{name}" for package in packages for name in attributes)
    return [sys.modules[name] for name in names if isinstance(sys.modules.get(name), ModuleType)]


def _inner(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _inner(each)


def shown_file(code: CodeType) -> str:
    """How tracebacks there name the file: never by a path of this machine."""
    name = code.co_filename
    return name if name.startswith("<") else f"remotesvc:/{os.path.basename(name)}"


def _bodies(code: CodeType) -> Iterator[CodeType]:
    """The code that a class statement runs at once: its own, and that of the class bodies in it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType) and "__qualname__" in each.co_names:
            yield from _bodies(each)


def _plain(member: Any) -> Any:
    member = getattr(member, "__func__", member)
    return getattr(member, "fget", member)


def _used(names: set[str], known: dict[str, Any]) -> dict[str, Any]:
    return {name: known[name] for name in sorted(names) if name in known}


def _content(cell: Any) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:
        return [there.EMPTY]


def _text(code: CodeType, module: dict[str, Any], name: str) -> str:
    if code.co_firstlineno >= LINES:
        raise NoSource(f"{name} begins behind line {LINES}")
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, module)
    if not lines:
        raise NoSource(f"the source of {name} is not known here")
    return "".join(lines)


@functools.lru_cache(maxsize=8)
def _read(text: str, name: str) -> tuple[ast.Module, CodeType]:
    try:
        return ast.parse(text), compile(text, "", "exec", 0, True)
    except (SyntaxError, ValueError) as error:
        raise NoSource(f"the source of {name} cannot be read: {error}") from None


def _lines(text: str, first: int, last: int | None) -> str:
    return "".join(text.splitlines(keepends=True)[first - 1 : last]).rstrip("\n") + "\n"


def _same(one: CodeType, other: CodeType) -> bool:
    """Whether two pieces of code, of the same line, do the same; in which file does not matter."""
    return one.co_firstlineno == other.co_firstlineno and one.co_code == other.co_code and _alike_in(one, other)


def _alike(source: str, indent: int, code: CodeType) -> bool:
    try:
        made = there.code_of(source, "", code.co_firstlineno, code.co_name, indent, code.co_freevars)
    except (Error, IndexError, StopIteration):
        return False
    return _alike_in(made, code)


def _alike_in(one: CodeType, other: CodeType) -> bool:
    names = ("co_name", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_argcount")
    if any(getattr(one, name) != getattr(other, name) for name in names) or len(one.co_consts) != len(other.co_consts):
        return False
    return all(
        _alike_in(mine, theirs)
        if isinstance(mine, CodeType) and isinstance(theirs, CodeType)
        # Python 3.10 has the names of inner functions among the constants, and ours may stand in a function more.
        else repr(mine) == repr(theirs) or mine == theirs or "<locals>" in str(theirs)
        for mine, theirs in zip(one.co_consts, other.co_consts, strict=True)
    )
