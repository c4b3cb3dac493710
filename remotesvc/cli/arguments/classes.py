"""Enums and dataclasses as their source has them: which members, which fields. Pure."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from remotesvc.calling.construct import ENUM, FLAG, RECORD

TYPED_DICT = "typed dict"
_BASES = {
    "enum.Enum": ENUM, "enum.IntEnum": ENUM, "enum.StrEnum": ENUM, "enum.Flag": FLAG, "enum.IntFlag": FLAG,
    "typing.NamedTuple": RECORD, "typing.TypedDict": TYPED_DICT, "typing_extensions.TypedDict": TYPED_DICT,
}  # fmt: skip
_DATACLASS = "dataclasses.dataclass"
_FIELD = "dataclasses.field"
_KW_ONLY = "dataclasses.KW_ONLY"
_DEEPEST = 20

Names = Callable[[ast.expr], "str | None"]
"""From an expression to the full name of what it means, "enum.Enum"; the module's own classes have bare names."""
UNKNOWN = object()
"""The value of a member that only running the code would tell."""


@dataclass(frozen=True)
class Field:
    """A field that a class is made with."""

    name: str
    annotation: ast.expr
    required: bool
    default: object = UNKNOWN
    """UNKNOWN where there is none, or the source does not settle it."""


@dataclass(frozen=True, eq=False)
class ClassSource:
    """A class of a module, and the other classes and the names there."""

    module: str
    node: ast.ClassDef
    classes: Mapping[str, ast.ClassDef] = field(repr=False)
    full_name: Names = field(repr=False)
    depth: int = 0

    @property
    def address(self) -> str:
        """"module:Class"."""
        return f"{self.module}:{self.node.name}"

    @cached_property
    def kind(self) -> str:
        """ENUM, FLAG, RECORD (a dataclass or a NamedTuple), TYPED_DICT; "" if it is none of them."""
        for item in self.node.decorator_list:
            if self.full_name(item.func if isinstance(item, ast.Call) else item) == _DATACLASS:
                return RECORD
        kinds = [_BASES.get(self.full_name(base) or "", "") for base in self.node.bases]
        kinds += [parent.kind for parent in self._parents if parent.kind != RECORD]
        return next(filter(None, kinds), "")

    @cached_property
    def members(self) -> dict[str, object]:
        """Of an Enum: name -> value, UNKNOWN where the source does not settle it."""
        found: dict[str, object] = {}
        for statement in self.node.body:
            if not isinstance(statement, ast.Assign):
                continue
            for target in statement.targets:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                for name in names:
                    if isinstance(name, ast.Name) and not name.id.startswith("_"):
                        found[name.id] = UNKNOWN if len(names) > 1 else _literal(statement.value)
        return found

    @cached_property
    def fields(self) -> dict[str, Field] | None:
        """Of a RECORD: the fields it is made with; None if only running the code would tell."""
        found: dict[str, Field] = {}
        plain = [base for base in self.node.bases if self.full_name(base) not in (*_BASES, "object")]
        if len(plain) > len(self._parents) or any(
            isinstance(item, ast.FunctionDef) and item.name in ("__init__", "__new__") for item in self.node.body
        ):
            return None
        for parent in reversed(self._parents):
            inherited = parent.fields
            if inherited is None:
                return None
            found.update(inherited)
        for statement in self.node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                self._field(statement.target.id, statement, found)
        return found

    def _field(self, name: str, statement: ast.AnnAssign, found: dict[str, Field]) -> None:
        annotation, value = statement.annotation, statement.value
        shown = ast.unparse(annotation)
        if "ClassVar" in shown or self.full_name(annotation) == _KW_ONLY:
            return
        if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).endswith("InitVar"):
            annotation = annotation.slice
        required = value is None
        if isinstance(value, ast.Call) and self.full_name(value.func) == _FIELD:
            words = {word.arg: word.value for word in value.keywords}
            init = words.get("init")
            if isinstance(init, ast.Constant) and init.value is False:
                found.pop(name, None)
                return
            required, value = not words.keys() & {"default", "default_factory"}, words.get("default")
        found[name] = Field(name, annotation, required, UNKNOWN if value is None else _literal(value))

    @cached_property
    def _parents(self) -> list[ClassSource]:
        """The bases that are classes of this module."""
        names = [base.id for base in self.node.bases if isinstance(base, ast.Name)]
        return [ClassSource(self.module, self.classes[name], self.classes, self.full_name, self.depth + 1)
                for name in names if name in self.classes and self.depth < _DEEPEST]


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return UNKNOWN
