"""The types an argument on the command line can be converted to, read from annotations in source. Pure."""

from __future__ import annotations

import ast
from collections.abc import Container, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TypeSpec:
    """One annotation. `kind` says how to convert, `items` are the types inside, `choices` the values of a
    Literal.

    Kinds: str int float bool bytes path none any list tuple set frozenset dict literal union host. `text` is the
    annotation as written, for messages. In a tuple `items` holds one type a place, or one type and
    `ellipsis`.
    """

    kind: str
    text: str = ""
    items: tuple[TypeSpec, ...] = ()
    choices: tuple[object, ...] = ()
    ellipsis: bool = False

    def __str__(self) -> str:
        return self.text or self.kind


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


class Annotations:
    """Reads annotation expressions of one module. `aliases`: what imported names mean (`from typing import
    List as L` gives L -> List); `assigned`: module-level `Name = expression`, so that simple type aliases
    are followed; `classes`: defined in the module itself, so a `Path` among them is not pathlib's.
    """

    def __init__(
        self, aliases: Mapping[str, str], assigned: Mapping[str, ast.expr], classes: Container[str] = ()
    ) -> None:
        self._aliases = aliases
        self._assigned = assigned
        self._classes = classes

    def read(self, node: ast.expr | None) -> TypeSpec:
        """The type of an annotation; ANY where there is none or it means nothing to us."""
        if node is None:
            return ANY
        spec = self._read(node, 0)
        return TypeSpec(spec.kind, ast.unparse(node), spec.items, spec.choices, spec.ellipsis)

    def _read(self, node: ast.expr, depth: int) -> TypeSpec:
        if depth > _DEEPEST:
            return ANY
        if isinstance(node, ast.Constant):
            return self._constant(node.value, depth)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return _union([self._read(node.left, depth + 1), self._read(node.right, depth + 1)])
        if isinstance(node, ast.Subscript):
            return self._subscript(node, depth)
        name = self._name(node)
        if name is None:
            return ANY
        if isinstance(node, ast.Name) and node.id in self._assigned:
            return self._read(self._assigned[node.id], depth + 1)
        return TypeSpec(_PLAIN.get(name, "any"), name)

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
    return TypeSpec("union", " | ".join(str(member) for member in flat), tuple(flat))
