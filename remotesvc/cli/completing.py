"""What a shell offers at TAB: names of hosts and groups, files, functions and services. Nothing is connected to, and
none of the user's code runs; whatever goes wrong offers nothing, for at a prompt there is nobody to tell.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

Complete = Callable[[click.Context, click.Parameter, str], list[Any]]

_OF_PATTERNS = ",:&!"
"""What stands between the terms of a pattern."""

_HARMLESS = re.compile(r"[\w@%+=:,./\[\]-]+")
"""Names that a shell takes as they are: an inventory may have any, and what is offered stands unquoted in the line."""

_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n'
    local completion type value
    COMPREPLY=()
    for completion in $(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_LAST="$2" \\
            %(complete_var)s=bash_complete "$1" 2>/dev/null); do
        IFS=',' read -r type value <<< "$completion"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value"); [[ $value == *[:.] ]] && compopt -o nospace ;;
        esac
    done
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@add_completion_class
class Bash(BashComplete):
    """bash, which takes `web:db1` for three words; what we offer is put in the place of the last, its $2."""

    source_template = _BASH
    _typed, _kept = "", 0

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is completed, and that."""
        line = os.environ.get("COMP_LINE")
        if line is None:
            return super().get_completion_args()
        words = split_arg_string(line)[1:]
        self._typed = "" if line[-1:].isspace() else words.pop()
        self._kept = len(self._typed) - len(os.environ.get("COMP_LAST", ""))
        return words, self._typed

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """What is put there."""
        value = str(item.value)
        if item.type == "plain" and self._kept > 0 and value.startswith(self._typed):
            value = value[self._kept :]
        return f"{item.type},{value}"


def _quietly(complete: Complete) -> Complete:
    def found(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
        try:
            return complete(ctx, parameter, incomplete)
        except Exception:
            return []

    return found


def files(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The shell completes names of files itself."""
    return [CompletionItem(incomplete, type="file")]


def directories(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The shell completes names of directories itself."""
    return [CompletionItem(incomplete, type="dir")]


@_quietly
def hosts(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Patterns whose last term is a name: of the inventory, else an alias of ssh_config."""
    at = 1 + max(incomplete.rfind(sign) for sign in _OF_PATTERNS)
    before, last = incomplete[:at], incomplete[at:]
    if incomplete.startswith("@") and parameter.name == "limit" and os.path.sep in incomplete:
        return files(ctx, parameter, incomplete)
    names = _names(ctx, last.startswith("@"))
    return [before + name for name in names if name.startswith(last) and _HARMLESS.fullmatch(name)]


def _names(ctx: click.Context, only_groups: bool) -> list[str]:
    sources = ctx.params.get("inventory") or ()
    if sources:
        from remotesvc.fleet.inventory import load

        inventory = load(sources)
        return [f"@{name}" for name in inventory.groups] if only_groups else ["all", *inventory.groups, *inventory]
    from remotesvc.ssh.configuration.aliases import aliases

    file = ctx.params.get("ssh_config")
    return [] if file == "none" else aliases() if file is None else aliases((file,))


@_quietly
def functions(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """MODULE:FUNCTION, as far as the source tells; before the colon, modules where the user's are looked for."""
    place, colon, name = incomplete.rpartition(":")
    if not colon:
        return _modules(ctx, incomplete)
    wanted = _methods if ctx.info_name == "call" else _services if ctx.info_name == "services" else _callables
    return [f"{place}:{each}" for each in wanted(_tree(place, ctx), name) if each.startswith(name)]


def _modules(ctx: click.Context, incomplete: str) -> list[Any]:
    if os.path.sep in incomplete or incomplete.startswith("~"):
        return [CompletionItem(incomplete, type="file")]
    found = set()
    for directory in _path(ctx):
        for entry in os.scandir(directory or "."):
            name = entry.name.removesuffix(".py")
            package = entry.is_dir() and os.path.exists(os.path.join(entry.path, "__init__.py"))
            if name.isidentifier() and (package or name != entry.name):
                found.add(f"{name}:")
    return sorted(name for name in found if name.startswith(incomplete))


def _path(ctx: click.Context) -> tuple[str, ...]:
    from .options import here

    return tuple(ctx.params.get("path") or here())


def _tree(place: str, ctx: click.Context) -> ast.Module:
    from .arguments.target import find_source, parse_target

    source = find_source(parse_target(f"{place}:x", _path(ctx)))
    return ast.parse(source.text if source is not None and source.text is not None else b"")


def _callables(tree: ast.Module, begun: str) -> Iterable[str]:
    from .arguments.scope import Scope

    top = Scope.of_module(tree)
    owner, dot, _ = begun.rpartition(".")
    node = top.classes().get(owner)
    names = Scope.of_class(node).callables() if node is not None else [] if dot else top.callables()
    return [f"{owner}{dot}{name}" for name in names if begun.startswith("_") or not name.startswith("_")]


def _services(tree: ast.Module, begun: str) -> Iterable[str]:
    return [node.name for node in _service_classes(tree)]


def _methods(tree: ast.Module, begun: str) -> Iterable[str]:
    return [f"{node.name}.{inner.name}" for node in _service_classes(tree) for inner in node.body
            if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef))
            and any("expose" in ast.unparse(decorator) for decorator in inner.decorator_list)]  # fmt: skip


def _service_classes(tree: ast.Module) -> list[ast.ClassDef]:
    """Classes with bases: whether one is a service is for the target to say."""
    return [node for node in tree.body if isinstance(node, ast.ClassDef) and node.bases]
