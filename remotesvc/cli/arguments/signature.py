"""Read a function's signature from the source of its module, with `ast`. Pure: text in, `Callee` out.

What the source does not settle is left to the target: a name that comes from a star import, a native
module, an unknown decorator. Then the call is sent unchecked. What the source does settle wrongly (no such
function, not callable, a SyntaxError) is an error here, before anything is connected.
"""

from __future__ import annotations

import ast
import difflib
import re
from dataclasses import dataclass, replace

from remotesvc.fleet.arguments import FactsPlace

from ..problems import BadUsage, NoSuchFunction
from .scope import Scope
from .typespec import ANY, Annotations, Find, Module, TypeSpec


@dataclass(frozen=True)
class Parameter:
    """One parameter. kind: "positional" (only), "either", "keyword" (only), "args" (*), "kwargs" (**)."""

    name: str
    kind: str
    type: TypeSpec = ANY
    required: bool = True


@dataclass(frozen=True)
class Callee:
    """What is known of the function. If it is not `checked`, `parameters` may help to convert, but nothing is refused.

    `shown` is the signature for people, `text` its docstring; `why` says in a few words why it is unchecked.
    """

    name: str
    checked: bool
    parameters: tuple[Parameter, ...] = ()
    shown: str = ""
    why: str = ""
    text: str = ""

    @property
    def facts(self) -> FactsPlace | None:
        """Where the parameter annotated `remotesvc.Host` is, which is given the facts of the host; None if there is
        none."""
        for index, item in enumerate(self.parameters):  # those without a star come in the order of their places
            if item.type.kind == "host" and item.kind == "keyword":
                return FactsPlace(item.name)
            if item.type.kind == "host" and item.kind in ("positional", "either"):
                return FactsPlace(item.name, index, item.kind == "positional")
        return None


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_VALUES = (
    ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.JoinedStr, ast.ListComp, ast.SetComp,
    ast.DictComp, ast.GeneratorExp, ast.Compare, ast.UnaryOp,
)  # fmt: skip
# These return a callable that takes the same arguments.
_NEUTRAL = frozenset((
    "staticmethod", "classmethod", "cache", "lru_cache", "wraps", "contextmanager", "asynccontextmanager",
    "final", "override", "deprecated", "abstractmethod", "expose", "arg_spec", "no_reply", "no_type_check", "overload",
))  # fmt: skip


def unchecked(name: str, why: str) -> Callee:
    """A callee of which this machine knows nothing."""
    return Callee(name, False, why=why)


def parse_source(text: str | bytes, file: str) -> ast.Module:
    """The tree of a module. BadUsage with file, line and text when Python could not compile it either."""
    try:
        return ast.parse(text, file)
    except SyntaxError as error:
        shown = [f"{file}:{error.lineno or '?'}: SyntaxError: {error.msg}"]
        if error.text:
            line = error.text.rstrip("\n")
            shown.append("    " + line.lstrip())
            if error.offset:
                shown.append("    " + " " * max(0, error.offset - 1 - (len(line) - len(line.lstrip()))) + "^")
        raise BadUsage("\n".join(shown)) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise BadUsage(f"{file}: cannot be parsed: {error}") from error


def read_callee(
    tree: ast.Module, module: str, qualname: str, submodules: tuple[str, ...] = (), of_service: bool = False,
    find: Find = lambda name: None,
) -> Callee:
    """The callee that `qualname` (func, Class, Class.method) names in the module; `of_service`: a method of a
    service, which has an object to be called on; `find`: the sources of modules, for classes it imports. BadUsage if it
    cannot be one.
    """
    top = Scope.of_module(tree)
    own = Module(module, module if submodules else module.rpartition(".")[0], tree)
    reader = _Reader(f"{module}:{qualname}", Annotations.of_module(own, top, find), of_service)
    scope, parts = top, qualname.split(".")
    for depth, part in enumerate(parts):
        node = scope.find(part)
        if node is None:
            if scope.open_ended:
                return unchecked(reader.name, f"{'.'.join(parts[: depth + 1])} is not defined in the source itself")
            raise _missing(module, parts[: depth + 1], scope, submodules, of_service)
        if depth == len(parts) - 1:
            text = ast.get_docstring(node) if isinstance(node, (*_FUNCTIONS, ast.ClassDef)) else None
            return replace(reader.read(node, scope), text=text or "")
        if not isinstance(node, ast.ClassDef):
            return unchecked(reader.name, f"{part} is not a class in the source itself")
        scope = Scope.of_class(node)
    raise AssertionError("a qualname has at least one part")


def _missing(
    module: str, parts: list[str], scope: Scope, submodules: tuple[str, ...], of_service: bool
) -> BadUsage:
    name, owner = parts[-1], ".".join(parts[:-1])
    if not owner and name in submodules:
        return BadUsage(f"{module}.{name} is a module, not a function: write {module}.{name}:function")
    place = f"class {owner} of {module}" if owner else f"module {module}"
    wanted, names = ("service", [*scope.classes()]) if of_service and not owner else ("function", scope.callables())
    near = difflib.get_close_matches(name, names, n=3)
    prefix = f"{owner}." if owner else ""
    hint = f"; did you mean {' or '.join(f'{module}:{prefix}{match}' for match in near)}?" if near else ""
    return NoSuchFunction(f"{place} has no {wanted} {name!r}{hint}")


def check_class(tree: ast.Module, module: str, qualname: str) -> None:
    """Raises BadUsage if the source settles that this is no class, as a service is one."""
    scope, parts = Scope.of_module(tree), qualname.split(".")
    for depth, part in enumerate(parts):
        node = scope.find(part)
        if node is None and not scope.open_ended:
            near = difflib.get_close_matches(part, scope.classes(), n=1)
            hint = f"; did you mean {':'.join([module, '.'.join([*parts[:depth], near[0]])])}?" if near else ""
            raise BadUsage(f"{module} has no service {qualname!r}{hint}")
        if isinstance(node, (*_FUNCTIONS, ast.Lambda, *_VALUES)):
            kind = "a function" if isinstance(node, (*_FUNCTIONS, ast.Lambda)) else "a value"
            name = f"{module}:{'.'.join(parts[: depth + 1])}"
            raise BadUsage(f"{name} is {kind}, not a service: name a class, a subclass of remotesvc.service.Service")
        if not isinstance(node, ast.ClassDef):
            return
        scope = Scope.of_class(node)


class _Reader:
    """Turns the node a name is bound to into a callee."""

    def __init__(self, name: str, annotations: Annotations, of_service: bool) -> None:
        self.name = name
        self._of_service = of_service
        self._annotations = annotations

    def read(self, node: ast.AST, scope: Scope) -> Callee:
        if isinstance(node, _FUNCTIONS):
            return self._function(node, in_class=scope.is_class)
        if isinstance(node, ast.ClassDef):
            return self._class(node)
        if isinstance(node, ast.Lambda):
            return self._callee(node.args, skip_first=False, shown_name=self.name)
        if isinstance(node, _VALUES):
            raise BadUsage(f"{self.name} is not callable: it is {ast.unparse(node)[:60]}")
        return unchecked(self.name, "what it is bound to is known only when it runs")

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, in_class: bool) -> Callee:
        decorators = [_decorator_name(item) for item in node.decorator_list]
        if "property" in decorators or "cached_property" in decorators:
            raise BadUsage(f"{self.name} is a property, not a function")
        unknown = [name for name in decorators if name not in _NEUTRAL]
        static = "staticmethod" in decorators
        bound = "classmethod" in decorators
        if in_class and self._of_service:
            bound = not static
        elif in_class and not static and not bound and not unknown:
            raise BadUsage(
                f"{self.name} is an instance method and there is no instance to call it on: "
                "name a function, a classmethod or a staticmethod"
            )
        args = _without_message(node.args) if self._of_service else node.args
        callee = self._callee(args, skip_first=in_class and bound, shown_name=self.name)
        if unknown:
            # The decorator may have changed what the function takes.
            return Callee(self.name, False, callee.parameters, callee.shown, f"decorated with {unknown[0]}")
        return callee

    def _class(self, node: ast.ClassDef) -> Callee:
        scope = Scope.of_class(node)
        init = scope.find("__init__")
        settled = not (node.decorator_list or node.keywords or scope.find("__new__"))
        if isinstance(init, _FUNCTIONS) and settled and not init.decorator_list:
            return self._callee(init.args, skip_first=True, shown_name=self.name)
        if init is None and settled and not node.bases:
            return Callee(self.name, True, (), f"{self.name}()")
        return unchecked(self.name, "how the class is built is known only when it runs")

    def _callee(self, args: ast.arguments, skip_first: bool, shown_name: str) -> Callee:
        read = self._annotations.read
        positional = [*args.posonlyargs, *args.args]
        required = len(positional) - len(args.defaults)
        parameters = [
            Parameter(
                arg.arg,
                "positional" if index < len(args.posonlyargs) else "either",
                read(arg.annotation),
                index < required,
            )
            for index, arg in enumerate(positional)
        ][1 if skip_first else 0 :]
        if args.vararg:
            parameters.append(Parameter(args.vararg.arg, "args", read(args.vararg.annotation), False))
        for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
            parameters.append(Parameter(arg.arg, "keyword", read(arg.annotation), default is None))
        if args.kwarg:
            parameters.append(Parameter(args.kwarg.arg, "kwargs", read(args.kwarg.annotation), False))
        return Callee(self.name, True, tuple(parameters), f"{shown_name}({_shown(args, skip_first)})")


def _without_message(args: ast.arguments) -> ast.arguments:
    """The parameters without the one through which a method of a service gets its caller's Message."""

    positional = [*args.posonlyargs, *args.args]
    without: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults))
    pairs = list(zip(positional, [*without, *args.defaults], strict=True))
    asking = {
        arg.arg for arg, default in [*pairs, *zip(args.kwonlyargs, args.kw_defaults, strict=True)]
        if "Message" in _words(arg.annotation) or _words(default)[-1:] == ["CALLER"]
    }  # fmt: skip

    def asks(arg: ast.arg) -> bool:
        return arg.arg in asking

    defaults = [each for arg, each in pairs if not asks(arg)]
    keyword = [pair for pair in zip(args.kwonlyargs, args.kw_defaults, strict=True) if not asks(pair[0])]
    return ast.arguments(
        posonlyargs=[arg for arg in args.posonlyargs if not asks(arg)],
        args=[arg for arg in args.args if not asks(arg)],
        vararg=args.vararg, kwonlyargs=[arg for arg, _ in keyword], kw_defaults=[each for _, each in keyword],
        kwarg=args.kwarg, defaults=[each for each in defaults if each is not None],
    )  # fmt: skip


def _words(node: ast.expr | None) -> list[str]:
    return re.findall(r"\w+", ast.unparse(node)) if node is not None else []


def _shown(args: ast.arguments, skip_first: bool) -> str:
    if skip_first and (args.posonlyargs or args.args):
        first = args.posonlyargs or args.args
        drop_default = len(args.defaults) == len(args.posonlyargs) + len(args.args)
        args = ast.arguments(
            posonlyargs=args.posonlyargs[1:] if first is args.posonlyargs else [],
            args=args.args if first is args.posonlyargs else args.args[1:],
            vararg=args.vararg, kwonlyargs=args.kwonlyargs, kw_defaults=args.kw_defaults, kwarg=args.kwarg,
            defaults=args.defaults[1:] if drop_default else args.defaults,
        )  # fmt: skip
    return ast.unparse(args)


def _decorator_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ast.unparse(node)
