"""What a module imports, read from its bytecode; nothing is imported or run.

Bytecode, because the interpreter has it ready in ``__pycache__``: 50 times faster than parsing. An import is
IMPORT_NAME with the level and the names after ``from`` loaded just before. Bodies of classes run when the
module is imported, bodies of functions perhaps later, perhaps never: the two are told apart.
"""

from __future__ import annotations

import opcode
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

from .found import Found

_IMPORT_NAME = opcode.opmap["IMPORT_NAME"]
_EXTENDED_ARG = opcode.opmap["EXTENDED_ARG"]
_LOAD_CONST = opcode.opmap["LOAD_CONST"]
_LOAD_SMALL_INT = opcode.opmap.get("LOAD_SMALL_INT", -1)
_CACHE = opcode.opmap.get("CACHE", 0)
# By how many bits the index of a name is shifted in the argument.
_NAME_LOADS = {
    opcode.opmap["LOAD_NAME"]: 0,
    opcode.opmap["LOAD_GLOBAL"]: int(sys.version_info >= (3, 11)),
    opcode.opmap["LOAD_ATTR"]: int(sys.version_info >= (3, 12)),
}
_JUMPS_IF_FALSE = frozenset(
    number
    for name, number in opcode.opmap.items()
    if "JUMP" in name and "IF_FALSE" in name and "BACKWARD" not in name and "INSTRUMENTED" not in name
)
_NO_JUMPS = frozenset(opcode.opmap[name] for name in ("TO_BOOL", "NOT_TAKEN") if name in opcode.opmap)
_CO_OPTIMIZED = 1  # set for functions, not for modules and classes
_NESTING_LIMIT = 50


@dataclass(frozen=True)
class Imported:
    """One import statement, absolute: ``from module import names``; names is empty for ``import module``."""

    module: str
    names: tuple[str, ...] = ()


def imports_of(found: Found, code: CodeType | None, functions: bool = False) -> tuple[Imported, ...]:
    """What a module imports when it is imported itself, or what its functions import; nothing if it has no code."""
    if code is None:
        return ()
    package = found.name if found.is_pkg else found.name.rpartition(".")[0]
    imports: dict[Imported, None] = {}
    for body in _bodies(code, functions, False, 0):
        for name, level, names in _imports_in(body):
            module = _absolute(name, level, package)
            if module:
                imports[Imported(module, names)] = None
    return tuple(imports)


def _bodies(code: CodeType, functions: bool, inside: bool, depth: int) -> Iterator[CodeType]:
    """The code objects of a module that run when it is imported, or those that are, or are inside, functions."""
    if functions == inside:
        yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and depth < _NESTING_LIMIT:
            deferred = inside or bool(constant.co_flags & _CO_OPTIMIZED)
            if functions or not deferred:
                yield from _bodies(constant, functions, deferred, depth + 1)


def _imports_in(code: CodeType) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """(name, level, names after ``from``) of each IMPORT_NAME in one code object."""
    raw = code.co_code
    skipped = _type_checking_ranges(code) if "TYPE_CHECKING" in code.co_names else []
    at = raw.find(_IMPORT_NAME)
    while at >= 0:
        if at % 2 == 0 and not any(start <= at < end for start, end in skipped):
            arguments = list(_arguments_before(raw, at))
            names = _constant(code, *arguments[1]) if len(arguments) > 1 else None
            level = _constant(code, *arguments[2]) if len(arguments) > 2 else None
            index = arguments[0][1]
            if isinstance(level, int) and index < len(code.co_names):
                yield code.co_names[index], level, names if isinstance(names, tuple) else ()
        at = raw.find(_IMPORT_NAME, at + 1)


def _arguments_before(raw: bytes, at: int) -> Iterator[tuple[int, int]]:
    """(operation, argument) of the instruction at an offset and of the two before it, latest first."""
    for _ in range(3):
        if at < 0:
            return
        operation, argument, shift = raw[at], raw[at + 1], 8
        at -= 2
        while at >= 0 and raw[at] == _EXTENDED_ARG:
            argument |= raw[at + 1] << shift
            shift += 8
            at -= 2
        yield operation, argument


def _constant(code: CodeType, operation: int, argument: int) -> object:
    if operation == _LOAD_SMALL_INT:
        return argument
    return code.co_consts[argument] if operation == _LOAD_CONST and argument < len(code.co_consts) else None


def _type_checking_ranges(code: CodeType) -> list[tuple[int, int]]:
    """Where the bodies of ``if TYPE_CHECKING:`` are: no program runs them."""
    ranges: list[tuple[int, int]] = []
    raw = code.co_code
    for at in _loads_of(code.co_names.index("TYPE_CHECKING"), raw):
        operation, argument, following = _instruction(raw, at)
        while operation in _NO_JUMPS and following < len(raw):
            at = following
            operation, argument, following = _instruction(raw, at)
        if operation in _JUMPS_IF_FALSE:
            ranges.append((at, 2 * argument + (0 if operation in opcode.hasjabs else following)))
    return ranges


def _loads_of(index: int, raw: bytes) -> Iterator[int]:
    """The offsets behind the instructions that load the name of an index."""
    for load, shift in _NAME_LOADS.items():
        for argument in {index << shift, (index << shift) | (1 << shift) - 1}:
            pattern = bytes([load, argument & 0xFF])
            at = raw.find(pattern)
            while at >= 0:
                start = at
                while start >= 2 and raw[start - 2] == _EXTENDED_ARG:
                    start -= 2
                _, found, following = _instruction(raw, start)
                if at % 2 == 0 and found == argument:
                    yield following
                at = raw.find(pattern, at + 1)


def _instruction(raw: bytes, at: int) -> tuple[int, int, int]:
    """(operation, argument, offset of the next one) of the instruction at an offset, or extended from there."""
    argument = raw[at + 1]
    while raw[at] == _EXTENDED_ARG:
        at += 2
        argument = argument << 8 | raw[at + 1]
    following = at + 2
    while following < len(raw) and raw[following] == _CACHE:
        following += 2
    return raw[at], argument, following


def _absolute(name: str, level: int, package: str) -> str:
    """The module that an import names, from inside a package; "" if it leads out of the top."""
    if level == 0:
        return name
    parts = package.split(".") if package else []
    if level > len(parts):
        return ""
    base = parts[: len(parts) - level + 1]
    return ".".join([*base, name] if name else base)
