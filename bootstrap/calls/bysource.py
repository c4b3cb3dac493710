"""Functions and classes that travel as their source, for a Python whose bytecode is another; see
`remotesvc.modules.bysource`, which pickles them so.

A function is made of the compiled code alone: its decorators, defaults and annotations are not evaluated again. All
that came with one call share the names of the module that they were written in.
"""
import builtins
import types

from ..errors import VersionSkewError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

# Stands for a closure's variable that has no value yet.
EMPTY = "remotesvc: no value"


def _setter() -> "Any":
    value = None

    def put(new: "Any") -> "None":
        nonlocal value
        value = new

    return put


_PUT = _setter().__code__


def set_cell(cell: "Any", value: "Any") -> "None":
    """Give a closure's variable a value; Python before 3.7 has no other way."""
    types.FunctionType(_PUT, {}, "put", None, (cell,))(value)


def code_of(source: "str", file: "str", line: "int", name: "str", indent: "int", free: "Tuple[str, ...]") -> "Any":
    """The code of the function that a piece of source defines, whose first line has a number. ``free``: its variables
    from outside. Raises VersionSkewError if this Python cannot read it."""
    head = ""
    if indent or free:
        head = "def _(%s):%s" % (", ".join(free), "" if name == "<lambda>" else "\n")
    if name == "<lambda>":
        head += " return " if head else ""
        source = "(%s\n)" % source
    # Numbered as it was written: the head has a line of its own, if there is room for one.
    above = line - 1 - head.count("\n")
    compiled = _compiled("\n" * max(0, above) + head + source, file, name)
    if head:
        compiled = next(each for each in compiled.co_consts if isinstance(each, types.CodeType))
    # Lambdas in the defaults of one stand before it.
    return [each for each in compiled.co_consts if isinstance(each, types.CodeType) and each.co_name == name][-1]


def _compiled(text: "str", file: "str", name: "str") -> "Any":
    try:
        return compile(text, file, "exec", 0, True)
    except SyntaxError as error:
        raise VersionSkewError("this Python cannot read the source of %s (line %s): %s"
                               % (name, error.lineno, error.msg)) from None


def function(source, file, line, name, indent, free, shared):
    # type: (str, str, int, str, int, Tuple[str, ...], Dict[str, Any]) -> types.FunctionType
    """A function without its values, which ``fill`` brings."""
    shared["__builtins__"] = builtins
    code = code_of(source, file, line, name, indent, free)
    cells: "List[Any]" = []
    for _ in code.co_freevars:
        made = _setter().__closure__
        cells.extend(made)
    return types.FunctionType(code, shared, name, None, tuple(cells) or None)


def fill(made: "Any", state: "Dict[str, Any]") -> "None":
    """Give a function the values it had: of globals, closure, defaults, attributes."""
    made.__globals__.update(state["globals"])
    for name, cell in zip(made.__code__.co_freevars, made.__closure__ or ()):
        if state["closure"][name] != [EMPTY]:
            set_cell(cell, state["closure"][name][0])
    made.__defaults__, made.__kwdefaults__ = state["defaults"], state["kwdefaults"]
    made.__qualname__, made.__module__ = state["qualname"], state["module"]
    made.__dict__.update(state["attributes"])


def cls(source: "str", file: "str", line: "int", name: "str", shared: "Dict[str, Any]", needed: "Dict[str, Any]",
        module: "str") -> "Any":
    """The class that a statement makes, with the names that it uses at once; ``fill_class`` brings what its methods
    use."""
    shared.update(needed, __builtins__=builtins, __name__=module)
    exec(_compiled("\n" * (line - 1) + source, file, name), shared)
    return shared[name]


def fill_class(made: "Any", state: "Any") -> "None":
    """Bring the names that the methods of a class use."""
    shared, found = state
    shared.update(found)
