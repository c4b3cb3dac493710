"""What a function takes, for who asks at the shell: `remotesvc run web1 tasks:free --help`. Pure."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from remotesvc.calling.construct import ENUM, FLAG

from ..problems import BadUsage
from .classes import UNKNOWN, Field
from .signature import Callee, Parameter
from .typespec import TypeSpec

_HELP = frozenset(("--help", "-h"))


def usage_of(callee: Callee, command: str) -> str:
    """How a function is called by `remotesvc COMMAND`, and what its docstring says."""
    given = [item for item in callee.parameters if item.type.kind != "host"]  # that one is not the user's to give
    words = [_word(item) for item in given] if callee.parameters or callee.checked else ["[ARG]..."]
    lines = [" ".join(["Usage: remotesvc", command, "PATTERN", callee.name, *words])]
    lines += ["", *callee.text.splitlines()] if callee.text else []
    lines += ["", f"Signature: {callee.shown}"] if callee.shown else []
    classes: dict[str, str] = {}
    for item in given:
        _describe(item.type, classes)
    lines += ["", *classes.values()] if classes else []
    lines += ["", f"Nothing is checked here: {callee.why}."] if not callee.checked else []
    lines += ["", f"Options of remotesvc itself: remotesvc {command} --help"]
    return "\n".join(lines)


def wants_usage(behind: Sequence[str]) -> bool:
    """Whether the help that is asked for is the function's: it stands behind the target."""
    return not _HELP.isdisjoint(behind)


def check_names(callee: Callee, behind: Sequence[str]) -> None:
    """Raises BadUsage for an option of ours behind the target that is a parameter's name, too: whose is it?"""
    for item in callee.parameters:
        names = ("--" + item.name.replace("_", "-"), "-" + item.name)
        option = next((name for name in names if name in behind), None)
        if option is not None and item.kind in ("either", "keyword"):
            raise BadUsage(f"{option} behind {callee.name} may be its parameter or an option of remotesvc: write --kw"
                           f" {item.name}=VALUE for the parameter, and the option ahead of {callee.name}")


def _describe(spec: TypeSpec, classes: dict[str, str]) -> None:
    """Add a line on each of the user's classes in a type: what is written for one. `classes`: by their addresses."""
    for item in spec.items:
        _describe(item, classes)
    made = spec.made
    if made is None or made.source.address in classes:
        return
    name = made.source.node.name
    if made.source.kind in (ENUM, FLAG):
        classes[made.source.address] = f"{name}: {', '.join(made.source.members)}"
        return
    fields = made.source.fields
    shown = ", ".join(map(_field, fields.values())) if fields is not None else "what its class takes"
    classes[made.source.address] = f"{name}: a JSON object of {shown}"
    for field in (fields or {}).values():
        _describe(made.type_of(field), classes)


def _field(field: Field) -> str:
    default = "" if field.required else f" = {'...' if field.default is UNKNOWN else repr(field.default)}"
    return f"{field.name}: {ast.unparse(field.annotation)}{default}"


def _word(item: Parameter) -> str:
    option = "--" + item.name.replace("_", "-")
    if item.kind == "args":
        return f"[{item.name.upper()}]..."
    if item.kind == "kwargs":
        return "[--NAME VALUE]..."
    if item.kind == "positional":
        word = item.name.upper()
    elif item.type.is_switch:
        word = f"{option}|--no-{option[2:]}"
    elif item.kind == "either":
        word = f"[{option}] {item.name.upper()}" if item.required else f"{option} {item.name.upper()}"
    else:
        word = f"{option} {item.name.upper()}"
    return word if item.required else f"[{word}]"
