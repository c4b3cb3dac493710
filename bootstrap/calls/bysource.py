"""Functions and classes that travel as their source, for a Python whose bytecode is another; see
`remotesvc.pickling.bysource`, which pickles them so.

A function is made of the compiled code alone: its decorators, defaults and annotations are not evaluated again. All
that came with one call share the names of the module that they were written in, and keep their source among these: no
file here has it, and whoever sends them on needs it.
"""
import builtins
import types

from ..errors import VersionSkewError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

# Stands for a closure's variable that has no value yet.
EMPTY = "remotesvc: no value"
# The name under which globals keep the source of what was made of them: a list of (file, what ``text_of`` takes).
SOURCES = "__remotesvc_sources__"


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


def text_of(source: "str", line: "int", name: "str", indent: "int", free: "Tuple[str, ...]") -> "str":
    """A module that defines what a piece of source defines, its first line numbered as it was where it was written.
    ``free``: variables from outside."""
    head = _head(name, indent, free)
    if name == "<lambda>":
        head += " return " if head else ""
        source = "(%s\n)" % source
    # The head has a line of its own, if there is room for one.
    return "\n" * max(0, line - 1 - head.count("\n")) + head + source


def _head(name: "str", indent: "int", free: "Tuple[str, ...]") -> "str":
    if not indent and not free:
        return ""
    return "def _(%s):%s" % (", ".join(free), "" if name == "<lambda>" else "\n")


def code_of(source: "str", file: "str", line: "int", name: "str", indent: "int", free: "Tuple[str, ...]") -> "Any":
    """The code of the function that a piece of source defines. VersionSkewError if this Python cannot read it."""
    compiled = _compiled(text_of(source, line, name, indent, free), file, name)
    if _head(name, indent, free):
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
    shared.setdefault(SOURCES, []).append((file, (source, line, name, indent, free)))
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
    piece = source, line, name, 0, ()  # type: Tuple[str, int, str, int, Tuple[str, ...]]
    shared.setdefault(SOURCES, []).append((file, piece))
    try:
        exec(_compiled(text_of(*piece), file, name), shared)
    except NameError as error:  # it came to its sender as bytecode, which brings only what methods use
        raise VersionSkewError("the class %s cannot be made here: %s; put it into a module, so that it is imported"
                               " instead" % (name, error)) from None
    return shared[name]


def fill_class(made: "Any", state: "Any") -> "None":
    """Bring the names that the methods of a class use."""
    shared, found = state
    shared.update(found)
