"""The program's own script as a module: its functions can be called elsewhere, what it does stays here."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from types import ModuleType
from typing import Any

from remotesvc.bootstrap.errors import UsageError
from remotesvc.bootstrap.imports.modules import MAIN

from .found import Found

_HINT = """\
{file} has no guard, so importing it on a target would run all of it again. Put what it does under

    if __name__ == "__main__":
        main()

and its functions can be called there."""


def main_script(module: ModuleType | None = None) -> Found:
    """The script that this program was started with, as it travels.

    UsageError if there is none (an interactive session, or bytecode) or it has no guard.
    """
    module = module or sys.modules[MAIN]
    path = getattr(module, "__file__", None)
    if path is None or path == "<stdin>":
        raise UsageError(
            "what an interactive session defines is in no file: its functions can be called and travel by value,"
            " but have no name there, and a service needs a module"
        )
    if path.endswith(".pyc"):
        raise UsageError(
            f"{path} is bytecode: its functions can be called and travel by value, but have no name there, and a"
            " service needs a module"
        )
    try:
        return Found(MAIN, "source", source=without_guarded(_text(module, path), path), origin=path)
    except UsageError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"the script {path} cannot be read: {error}") from error


def is_program(name: str) -> bool:
    """Whether a module is the one that this program was started with by ``python -m``."""
    spec = getattr(sys.modules[MAIN], "__spec__", None)
    return spec is not None and spec.name == name


def check_guard(found: Found) -> None:
    """UsageError if importing what was started by ``python -m`` would run all of it again."""
    if found.kind == "source":
        try:
            without_guarded(found.source, found.origin or found.name)
        except SyntaxError:
            pass  # it was edited meanwhile: whoever imports it is told


def _text(module: ModuleType, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        loader: Any = module.__loader__
        if module.__spec__ is None or not hasattr(loader, "get_data"):
            raise
        data: bytes = loader.get_data(path)  # in an archive, as zipapp makes them
        return data


def without_guarded(source: bytes, path: str) -> bytes:
    """A script's text, UTF-8, with the body of ``if __name__ == "__main__":`` blanked out.

    The lines keep their numbers. UsageError, with what to write, if there is no guard; SyntaxError.
    """
    tree = ast.parse(source, path)
    guards = [node for node in tree.body if isinstance(node, ast.If) and _is_guard(node.test)]
    if not guards:
        raise UsageError(_HINT.format(file=path))
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    lines = io.StringIO(source.decode(encoding), newline=None).readlines()
    if encoding not in ("utf-8", "utf-8-sig"):
        for number in range(min(2, len(lines))):
            if "coding" in lines[number] and lines[number].lstrip().startswith("#"):
                lines[number] = "#\n"
    for guard in guards:
        first, last = guard.lineno - 1, (guard.body[-1].end_lineno or guard.lineno)
        lines[first:last] = ["if False: pass\n", *["\n"] * (last - first - 1)]
    return "".join(lines).encode()


def _is_guard(test: ast.expr) -> bool:
    """Whether a condition is, or begins with, ``__name__ == "__main__"`` either way round."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(_is_guard(value) for value in test.values)
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = [test.left, test.comparators[0]]
    return any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides) and any(
        isinstance(side, ast.Constant) and side.value == MAIN for side in sides
    )
