"""The types an argument on the command line can be converted to, read from annotations in source. Pure."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from .classes import TYPED_DICT, ClassSource, Field
from .scope import Scope
from .standard import KINDS


@dataclass(frozen=True)
class TypeSpec:
    """One annotation. `kind` says how to convert, `items` are the types inside, `choices` the values of a Literal.

    Kinds: str int float bool bytes path none any list tuple set frozenset dict literal union host, those of
    `standard.KINDS`, and, for classes of the user's, enum flag record, where `made` says what is in them. `text` is the
    annotation as written, for messages. Of a tuple, `items` has a type for each place, or just one with `ellipsis`.
    """

    kind: str
    text: str = ""
    items: tuple[TypeSpec, ...] = ()
    choices: tuple[object, ...] = ()
    ellipsis: bool = False
    made: MadeSpec | None = None

    def __str__(self) -> str:
        return self.text or self.kind

    @property
    def is_switch(self) -> bool:
        """Whether a bare option says it: a bool, or one that may be None."""
        return self.kind == "bool" or (self.kind == "union" and {item.kind for item in self.items} == {"bool", "none"})


@dataclass(frozen=True, eq=False)
class MadeSpec:
    """A class of the user's: its source, and what the annotations in its module mean."""

    source: ClassSource
    annotations: Annotations

    def type_of(self, field: Field) -> TypeSpec:
        """The type of one of its fields; read now, for classes may hold each other."""
        return self.annotations.read(field.annotation)


@dataclass(frozen=True)
class Module:
    """A module whose source is at hand, and the package that its relative imports begin at."""

    name: str
    package: str
    tree: ast.Module


Find = Callable[[str], "Module | None"]

ANY = TypeSpec("any")
"""No annotation, or one that cannot be judged from here: the text travels as it is."""

_PLAIN = {
    "str": "str", "int": "int", "float": "float", "bool": "bool", "bytes": "bytes", "None": "none",
    "Path": "path", "PurePath": "path", "PosixPath": "path", "PurePosixPath": "path",
    "list": "list", "List": "list", "Sequence": "list", "MutableSequence": "list", "Iterable": "list",
    "Collection": "list",
    "tuple": "tuple", "Tuple": "tuple", "set": "set", "Set": "set", "AbstractSet": "set",
    "MutableSet": "set", "frozenset": "frozenset", "FrozenSet": "frozenset", "dict": "dict", "Dict": "dict",
    "Mapping": "dict", "MutableMapping": "dict", "remotesvc.Host": "host",
}  # fmt: skip
_WRAPPERS = ("Annotated", "Final", "ClassVar", "Required", "NotRequired")
_DEEPEST = 20
_HOPS = 5
"""At most so many modules may hand on a class that they import from another."""
_BY_NAME = {name: kind for kind, (name, _, _) in KINDS.items()}


class Annotations:
    """Reads annotation expressions of one module.

    aliases   what imported names mean: `from typing import List as L` gives L -> List
    assigned  module-level `Name = expression`, so that simple type aliases are followed
    classes   defined in the module itself, so a `Path` among them is not pathlib's
    origins   the full names of what imported names mean
    module    its name
    find      gives the sources of other modules, for classes that come from there
    hops      how many modules have handed on what is being looked for
    """

    def __init__(
        self, aliases: Mapping[str, str], assigned: Mapping[str, ast.expr],
        classes: Mapping[str, ast.ClassDef] | None = None, origins: Mapping[str, str] | None = None,
        module: str = "", find: Find = lambda name: None, hops: int = 0
    ) -> None:
        self._aliases = aliases
        self._assigned = assigned
        self._classes = classes or {}
        self._origins = origins or {}
        self._module = module
        self._find = find
        self._hops = hops

    @classmethod
    def of_module(cls, module: Module, scope: Scope, find: Find, hops: int = 0) -> Annotations:
        """Those of a module with this top level."""
        origins = {name: _absolute(origin, module.package) for name, origin in scope.origins.items()}
        return cls(scope.aliases, scope.assigned, scope.classes(), origins, module.name, find, hops)

    def read(self, node: ast.expr | None) -> TypeSpec:
        """The type of an annotation; ANY where there is none or it means nothing to us."""
        if node is None:
            return ANY
        spec = self._read(node, 0)
        quoted = isinstance(node, ast.Constant) and isinstance(node.value, str)
        return replace(spec, text=ast.unparse(node).strip("'\"") if quoted else ast.unparse(node))

    def _read(self, node: ast.expr, depth: int) -> TypeSpec:
        if depth > _DEEPEST:
            return ANY
        if isinstance(node, ast.Constant):
            return self._constant(node.value, depth)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return _union([self._read(node.left, depth + 1), self._read(node.right, depth + 1)])
        if isinstance(node, ast.Subscript):
            return self._subscript(node, depth)
        if isinstance(node, ast.Call):
            new_type = self.full_name(node.func) == "typing.NewType" and len(node.args) == 2
            return self._read(node.args[1], depth + 1) if new_type else ANY
        if isinstance(node, ast.Name) and node.id in self._assigned:
            return self._read(self._assigned[node.id], depth + 1)
        if isinstance(node, ast.Name) and node.id in self._classes:
            return self._made(self._classes[node.id])
        name, full = self._name(node), self.full_name(node) or ""
        if name is None:
            return ANY
        kind = _BY_NAME.get(full) or _PLAIN.get(name)
        if kind is None and "." in full:
            return self._elsewhere(full) or TypeSpec("any", name)
        return TypeSpec(kind or "any", name)

    def full_name(self, node: ast.expr) -> str | None:
        """The full name of what a name, or names with dots, means; None for other expressions."""
        if isinstance(node, ast.Attribute):
            owner = self.full_name(node.value)
            return f"{owner}.{node.attr}" if owner else None
        if isinstance(node, ast.Name):
            return node.id if node.id in self._classes else self._origins.get(node.id, node.id)
        return None

    def _made(self, node: ast.ClassDef) -> TypeSpec:
        source = ClassSource(self._module, node, self._classes, self.full_name)
        if source.kind == TYPED_DICT:
            return TypeSpec("dict", node.name)
        if not source.kind or not self._module:
            return TypeSpec("any", node.name)
        return TypeSpec(source.kind, node.name, made=MadeSpec(source, self))

    def _elsewhere(self, full: str) -> TypeSpec | None:
        """A class of another module, by its source."""
        module, _, name = full.rpartition(".")
        found = self._find(module) if self._hops < _HOPS else None
        if found is None:
            return None
        scope = Scope.of_module(found.tree)
        there = Annotations.of_module(found, scope, self._find, self._hops + 1)
        return there._read(ast.Name(name, ast.Load()), 0) if name in scope.classes() or name in scope.origins else None

    def _constant(self, value: object, depth: int) -> TypeSpec:
        if value is None:
            return TypeSpec("none", "None")
        if isinstance(value, str):  # a quoted annotation
            try:
                return self._read(ast.parse(value.strip(), mode="eval").body, depth + 1)
            except (SyntaxError, ValueError, RecursionError):
                return ANY
        return ANY

    def _name(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Attribute):
            ours = isinstance(node.value, ast.Name) and node.value.id == "remotesvc"
            return f"remotesvc.{node.attr}" if ours else node.attr
        if isinstance(node, ast.Name):
            return None if node.id in self._classes else self._aliases.get(node.id, node.id)
        return None

    def _subscript(self, node: ast.Subscript, depth: int) -> TypeSpec:
        name = self._name(node.value)
        inner = node.slice
        parts = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
        if name == "Literal":
            return _literal(parts)
        if name in _WRAPPERS and parts:
            return self._read(parts[0], depth + 1)
        ellipsis = bool(parts) and isinstance(parts[-1], ast.Constant) and parts[-1].value is ...
        items = tuple(self._read(part, depth + 1) for part in parts[: -1 if ellipsis else None])
        if name == "Optional":
            return _union([*items, TypeSpec("none", "None")])
        if name == "Union":
            return _union(list(items))
        return TypeSpec(_PLAIN.get(name or "", "any"), ast.unparse(node), items, (), ellipsis)


def _absolute(origin: str, package: str) -> str:
    """What an import names, seen from a package: "..a.B" from "x.y" is "x.a.B"."""
    name = origin.lstrip(".")
    levels = len(origin) - len(name)
    if not levels:
        return name
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - levels + 1], name])


def _literal(parts: list[ast.expr]) -> TypeSpec:
    choices = []
    for part in parts:
        try:
            choices.append(ast.literal_eval(part))
        except ValueError:
            return ANY
    return TypeSpec("literal", "", (), tuple(choices))


def _union(members: list[TypeSpec]) -> TypeSpec:
    flat: list[TypeSpec] = []
    for member in members:
        flat += member.items if member.kind == "union" else [member]
    if any(member.kind == "host" for member in flat):  # Optional[remotesvc.Host]
        return TypeSpec("host")
    return TypeSpec("union", " | ".join(str(member) for member in flat), tuple(flat))
