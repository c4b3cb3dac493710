"""What a module imports, read from its text; nothing is run."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple


class Import(NamedTuple):
    """One import statement's one target: the module it names, and where it stands."""

    importer: str
    target: str
    names: tuple[str, ...]
    line: int
    relative: bool
    at_top: bool  # carried out when the importing module is loaded
    typing_only: bool  # stands under `if TYPE_CHECKING:`, so no program carries it out


def imports_of(module: str, path: Path) -> list[Import]:
    """Every import that the text of a module contains, wherever it stands; nothing is run."""
    reader = _Reader(module, is_package=path.name == "__init__.py")
    reader.visit(ast.parse(path.read_text(encoding="utf-8"), str(path)))
    return reader.found


class _Reader(ast.NodeVisitor):
    """Walks the text of one module and notes its imports."""

    def __init__(self, module: str, is_package: bool) -> None:
        self._module = module
        self._package = module if is_package else module.rpartition(".")[0]
        self._depth = 0
        self._typing_only = False
        self.found: list[Import] = []

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._note(node, alias.name, ())

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            above = self._package.split(".")
            above = above[: len(above) - (node.level - 1)]
            base = ".".join([*above, base] if base else above)
        self._note(node, base, tuple(alias.name for alias in node.names), relative=node.level > 0)

    def visit_Call(self, node: ast.Call) -> None:
        """`importlib.import_module("x")` and `__import__("x")` are imports too."""
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and node.args and isinstance(node.args[0], ast.Constant):
            self._note(node, str(node.args[0].value), ())
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        name = node.test.attr if isinstance(node.test, ast.Attribute) else getattr(node.test, "id", "")
        if name != "TYPE_CHECKING":
            self.generic_visit(node)
            return
        before, self._typing_only = self._typing_only, True
        for statement in node.body:
            self.visit(statement)
        self._typing_only = before
        for statement in node.orelse:
            self.visit(statement)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef
    visit_Lambda = visit_FunctionDef

    def _note(
        self, node: ast.stmt | ast.expr, target: str, names: tuple[str, ...], relative: bool = False
    ) -> None:
        top = self._depth == 0
        self.found.append(Import(self._module, target, names, node.lineno, relative, top, self._typing_only))
