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
    from typing import Any, Dict, List, Optional, Sequence

# The base of a class that only stands around a function, and is never made.
AROUND = "__remotesvc_around__"
# The name under which globals keep the source of what was made of them: a list of (file, what ``text_of`` takes).
SOURCES = "__remotesvc_sources__"


def _setter() -> "Any":
    if False:
        value = None

    def put(new: "Any") -> "None":
        nonlocal value
        value = new

    return put


_PUT = _setter().__code__


def cell() -> "Any":
    """A closure's variable that has no value yet. Functions that share one get the same."""
    return _setter().__closure__[0]


def set_cell(cell: "Any", value: "Any") -> "None":
    """Give a closure's variable a value; Python before 3.7 has no other way."""
    types.FunctionType(_PUT, {}, "put", None, (cell,))(value)


def text_of(source: "str", line: "int", name: "str", indent: "int", free: "Sequence[str]" = (),
            around: "Optional[str]" = "", future: "Sequence[str]" = ()) -> "str":
    """A module that defines what a piece of source defines, its first line numbered as it was where it was written.

    ``free``: variables from outside. ``around``: the class that it stands in, by which private names are made of those
    with two underscores; None for a class. ``future``: features of ``__future__``, which are not in the text.
    """
    head = "".join(_heads(source, name, indent, free, around))
    if name == "<lambda>":
        source = "(%s\n)" % source
    # The head has lines of its own, if there is room for them.
    return "\n" * max(0, line - 1 - head.count("\n")) + head + source


def _heads(source: "str", name: "str", indent: "int", free: "Sequence[str]", around: "Optional[str]") -> "List[str]":
    """What is put in front, one for each piece of code that is then around. In a class, a function does not see its own
    name: where it uses that, it is a global's, unless it is free."""
    if around is None:
        return ["if 1:\n"] if indent else []
    free = tuple(each for each in free if each != "__class__" or not around)
    if name == "<lambda>":
        heads = ["class %s(%s): _ = " % (around, AROUND)] if around else []
        return ["def _(%s):%s" % (", ".join(free), "\n " if heads else " return ")] * bool(free) + heads
    heads = ["def _(%s):\n" % ", ".join(free)] * bool(free)
    if indent > len(heads) and (around or not free or (name not in free and source.count(name) > 1)):
        heads.append("%sclass %s(%s):\n" % (" " * len(heads), around or "_", AROUND))
    return heads


def code_of(piece: "Any", file: "str") -> "Any":
    """The code of the function that a piece of source defines. VersionSkewError if this Python cannot read it."""
    source, _, name, indent, free, around, _ = piece
    compiled = compiled_of(piece, file)
    for _ in _heads(source, name, indent, free, around):
        compiled = next(each for each in compiled.co_consts if isinstance(each, types.CodeType))
    # Lambdas in the defaults of one stand before it.
    return [each for each in compiled.co_consts if isinstance(each, types.CodeType) and each.co_name == name][-1]


def compiled_of(piece: "Any", file: "str") -> "Any":
    """The code of the module that is made of what ``text_of`` takes. VersionSkewError if this Python cannot read it."""
    import __future__
    flags = 0
    for feature in piece[6]:
        if hasattr(__future__, feature):  # an older Python has to do without
            flags |= getattr(__future__, feature).compiler_flag
    try:
        return compile(text_of(*piece), file, "exec", flags, True)
    except SyntaxError as error:
        raise VersionSkewError("this Python cannot read the source of %s (line %s): %s"
                               % (piece[2], error.lineno, error.msg)) from None


def function(piece: "Any", file: "str", shared: "Dict[str, Any]", cells: "Dict[str, Any]") -> "types.FunctionType":
    """A function, of what ``text_of`` takes, without its values, which ``fill`` brings. ``cells``: of its closure, by
    the names of the variables."""
    shared["__builtins__"] = builtins
    shared.setdefault(SOURCES, []).append((file, piece))
    code = code_of(piece, file)
    return types.FunctionType(code, shared, piece[2], None, tuple(cells[name] for name in code.co_freevars) or None)


def fill(made: "Any", state: "Dict[str, Any]") -> "None":
    """Give a function the values it had: of globals, closure, defaults, attributes."""
    made.__globals__.update(state["globals"])
    for name, place in zip(made.__code__.co_freevars, made.__closure__ or ()):
        for value in state["closure"][name]:  # none, where it has no value yet
            set_cell(place, value)
    made.__defaults__, made.__kwdefaults__ = state["defaults"], state["kwdefaults"]
    made.__qualname__, made.__module__ = state["qualname"], state["module"]
    made.__dict__.update(state["attributes"])


def cached(function: "Any", most: "Any", typed: "bool") -> "Any":
    """A function whose values `functools.lru_cache` keeps."""
    import functools
    return functools.lru_cache(most, typed)(function)


def register(made: "Any", functions: "Dict[Any, Any]") -> "None":
    """Give a function of `functools.singledispatch` those that it calls, by their classes."""
    for kind, each in functions.items():
        made.register(kind, each)


def builtin_of(kind: "Any") -> "Any":
    """The builtin class that an exception's is made of."""
    while kind.__module__ != "builtins":
        kind = kind.__base__
    return kind


def raised(kind: "Any", *args: "Any") -> "Any":
    """An exception with such ``args``, past what its class does with what it is given."""
    base = builtin_of(kind)
    made = base.__new__(kind, *args)
    base.__init__(made, *args)
    return made


def hold(made: "Any", state: "Any") -> "None":
    """Give a dict or list of a class of its own what it holds, past its methods, and then its state, as pickle does."""
    items, kept = state
    if isinstance(made, dict):
        dict.update(made, items)
    else:
        list.extend(made, items)
    if kept is None:
        return
    if hasattr(made, "__setstate__"):
        made.__setstate__(kept)
        return
    attributes, slots = kept if isinstance(kept, tuple) else (kept, None)
    if attributes:
        vars(made).update(attributes)
    for name, value in (slots or {}).items():
        setattr(made, name, value)


def cls(piece: "Any", file: "str", shared: "Dict[str, Any]", needed: "Dict[str, Any]", module: "str") -> "Any":
    """The class that a statement makes, with the names that it uses at once; ``fill_class`` brings what its methods
    use."""
    name = piece[2]
    # Names that now mean something else, a base's say: what is here by now is what functions use.
    kept = {each: shared[each] for each in list(needed) + [name] if each in shared}
    shared.update(needed, __builtins__=builtins, __name__=module)
    shared.setdefault(SOURCES, []).append((file, piece))
    try:
        exec(compiled_of(piece, file), shared)
    except NameError as error:  # it came to its sender as bytecode, which brings only what methods use
        raise VersionSkewError("the class %s cannot be made here: %s; put it into a module, so that it is imported"
                               " instead" % (name, error)) from None
    made = shared[name]
    shared.update(kept)
    return made


def fill_class(made: "Any", state: "Any") -> "None":
    """Bring the names that the methods of a class use, and what its attributes are by now, those that are gone too."""
    shared, found, attributes, lost = state
    shared.update(found)
    for name in lost:
        if name in made.__dict__:
            type.__delattr__(made, name)
    for name, value in attributes.items():
        if name not in made.__dict__ or made.__dict__[name] != value:  # else others may have that very object, too
            type.__setattr__(made, name, value)
