"""Which names a module or class body binds, and to what, as far as the source alone says. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_OPAQUE = ast.Pass()
"""Stands for a binding whose value only running the code would tell: an import, a loop variable, two branches."""

# Calls by which code binds module names without writing them down.
_BINDING_CALLS = frozenset(("globals", "vars", "exec", "setattr", "locals"))


class Scope:
    """The bindings of one body.

    `open_ended`: names may exist that the source does not show (star import, module `__getattr__`, base
    classes). `aliases`: imported name -> last part of what it names. `origins`: imported name -> all of
    what it names, with a dot in front for each level of a relative import. `assigned`: name -> expression, bound
    exactly once.
    """

    def __init__(self, is_class: bool) -> None:
        self.is_class = is_class
        self.open_ended = False
        self.aliases: dict[str, str] = {}
        self.origins: dict[str, str] = {}
        self.assigned: dict[str, ast.expr] = {}
        self._bound: dict[str, ast.AST] = {}

    @classmethod
    def of_module(cls, tree: ast.Module) -> Scope:
        """The top level of a module."""
        scope = cls(is_class=False)
        scope._walk(tree.body, conditional=False)
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                scope._bind_all(node.names, _OPAQUE, only_new=True)
        calls = (node.func for node in _outside_functions(tree) if isinstance(node, ast.Call))
        scope.open_ended |= any(isinstance(func, ast.Name) and func.id in _BINDING_CALLS for func in calls)
        scope.open_ended |= "__getattr__" in scope._bound
        return scope

    @classmethod
    def of_class(cls, node: ast.ClassDef) -> Scope:
        """The body of a class; whatever has bases, a metaclass or a decorator may have more names than that."""
        scope = cls(is_class=True)
        scope._walk(node.body, conditional=False)
        plain = [base for base in node.bases if not (isinstance(base, ast.Name) and base.id == "object")]
        scope.open_ended |= bool(plain or node.keywords or node.decorator_list)
        return scope

    def find(self, name: str) -> ast.AST | None:
        """What `name` is bound to: a definition, an expression, or something opaque. None if not bound here."""
        return self._bound.get(name)

    def classes(self) -> dict[str, ast.ClassDef]:
        """The classes defined in this body."""
        return {name: node for name, node in self._bound.items() if isinstance(node, ast.ClassDef)}

    def callables(self) -> list[str]:
        """The functions and classes of this body, for "did you mean"."""
        kinds = (*_FUNCTIONS, ast.ClassDef, ast.Lambda)
        return [name for name, node in self._bound.items() if isinstance(node, kinds)]

    def _bind(self, name: str, node: ast.AST, conditional: bool) -> None:
        before = self._bound.get(name)
        if conditional and before is not None and before is not node:
            node = _OPAQUE  # defined in two branches: which one counts is decided where it runs
        self._bound[name] = node
        if isinstance(node, ast.expr):
            self.assigned[name] = node
        else:
            self.assigned.pop(name, None)

    def _bind_all(self, names: Iterable[str], node: ast.AST, only_new: bool = False) -> None:
        for name in names:
            if not (only_new and name in self._bound):
                self._bind(name, node, conditional=False)

    def _walk(self, body: list[ast.stmt], conditional: bool) -> None:
        for node in body:
            if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
                self._bind(node.name, node, conditional)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self._import(node)
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    self._assign(target, node.value, conditional)
            elif isinstance(node, ast.AnnAssign):
                if node.value is not None:
                    self._assign(node.target, node.value, conditional)
            else:
                self._other(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.open_ended = True
                continue
            bound = alias.asname or alias.name.partition(".")[0]
            self._bound[bound] = _OPAQUE
            last = alias.name.rpartition(".")[2]
            ours = isinstance(node, ast.ImportFrom) and node.module == "remotesvc"
            self.aliases[bound] = f"remotesvc.{last}" if ours else last
            if isinstance(node, ast.ImportFrom):
                self.origins[bound] = f"{'.' * node.level}{node.module or ''}.{alias.name}"
            else:
                self.origins[bound] = alias.name if alias.asname else bound

    def _assign(self, target: ast.expr, value: ast.expr, conditional: bool) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, value, conditional)
        else:
            self._bind_all(_stored(target), _OPAQUE)

    def _other(self, node: ast.stmt) -> None:
        """If, try, with, loops, match: their bodies bind here too, perhaps. Everything else they bind is opaque."""
        bodies = [
            body
            for holder in (node, *getattr(node, "handlers", ()), *getattr(node, "cases", ()))
            for body in (
                getattr(holder, "body", []),
                getattr(holder, "orelse", []),
                getattr(holder, "finalbody", []),
            )
        ]
        for body in bodies:
            self._walk(body, conditional=True)
        inner = {id(child) for body in bodies for statement in body for child in ast.walk(statement)}
        self._bind_all(_stored(node, inner), _OPAQUE)


def _stored(node: ast.AST, skip: Iterable[int] = ()) -> list[str]:
    return [
        child.id
        for child in ast.walk(node)
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store) and id(child) not in skip
    ]


def _outside_functions(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node but those inside functions: what runs while the module is imported."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            stack.extend(ast.iter_child_nodes(node))
