"""Signatures read from source, never by import."""

from __future__ import annotations

import textwrap

import pytest

from remotesvc.cli.arguments.signature import Callee, parse_source, read_callee
from remotesvc.cli.problems import BadUsage, NoSuchFunction

SOURCE = textwrap.dedent(
    """
    import functools
    from typing import List as L, overload
    from elsewhere import imported
    Ids = L[int]
    LIMIT = 5
    NAMES: list = ["a"]
    twice = lambda x, n=2: x * n
    partial = functools.partial(print, "a")
    both = one = lambda: 1

    def plain(a, b: int = 3, *rest: float, key: str, flag: bool = False, **others: int): ...
    def ordered(a, /, b, *, c): ...
    async def coro(ids: Ids): ...
    @functools.lru_cache(maxsize=None)
    def cached(n: int): ...
    @strange.decorator
    def decorated(n: int): ...

    @overload
    def many(a: int): ...
    @overload
    def many(a: str, b: int): ...
    def many(a, b=None): ...

    if LIMIT > 3:
        def branch(a): ...
    else:
        def branch(a, b): ...

    try:
        def guarded(a): ...
    except ImportError as problem:
        pass

    for loop_name in (1, 2):
        pass

    with open("x") as handle:
        pass

    class Plain:
        size = 3
        def __init__(self, a: int, b="x"): ...
        def method(self): ...
        @classmethod
        def make(cls, name: str): ...
        @staticmethod
        def add(a: int, b: int = 1): ...
        @property
        def prop(self): ...
        class Inner:
            @staticmethod
            def deep(x): ...

    class Empty: ...
    class Derived(Plain): ...
    class Built:
        def __new__(cls, *args): ...

    def setter():
        global made_later
        made_later = 3
    """
)


def callee(qualname: str, source: str = SOURCE) -> Callee:
    return read_callee(parse_source(source, "m.py"), "m", qualname, ("sub",))


@pytest.mark.parametrize(
    ("qualname", "shown"),
    [
        ("plain", "m:plain(a, b: int=3, *rest: float, key: str, flag: bool=False, **others: int)"),
        ("ordered", "m:ordered(a, /, b, *, c)"),
        ("coro", "m:coro(ids: Ids)"),
        ("cached", "m:cached(n: int)"),
        ("twice", "m:twice(x, n=2)"),
        ("both", "m:both()"),
        ("one", "m:one()"),
        ("many", "m:many(a, b=None)"),
        ("guarded", "m:guarded(a)"),
        ("Plain", "m:Plain(a: int, b='x')"),
        ("Plain.make", "m:Plain.make(name: str)"),
        ("Plain.add", "m:Plain.add(a: int, b: int=1)"),
        ("Plain.Inner.deep", "m:Plain.Inner.deep(x)"),
        ("Empty", "m:Empty()"),
    ],
)
def test_a_signature_that_is_read_from_source_is_checked(qualname: str, shown: str) -> None:
    result = callee(qualname)
    assert result.checked
    assert result.shown == shown


def test_parameters() -> None:
    parameters = {item.name: item for item in callee("plain").parameters}
    assert [item.kind for item in parameters.values()] == [
        "either",
        "either",
        "args",
        "keyword",
        "keyword",
        "kwargs",
    ]
    assert [item.required for item in parameters.values()] == [True, False, False, True, False, False]
    assert parameters["b"].type.kind == "int"
    assert parameters["flag"].type.kind == "bool"
    assert [item.kind for item in callee("ordered").parameters] == ["positional", "either", "keyword"]
    assert callee("coro").parameters[0].type.kind == "list"


def test_self_with_a_default_is_skipped_with_it() -> None:
    source = "class A:\n @classmethod\n def f(cls=None, x=1): ...\n @classmethod\n def g(cls, /, y): ..."
    assert callee("A.f", source).shown == "m:A.f(x=1)"
    assert callee("A.g", source).shown == "m:A.g(y)"


@pytest.mark.parametrize(
    "qualname",
    ["imported", "partial", "branch", "loop_name", "handle", "Derived", "Derived.anything", "Built",
     "made_later", "imported.attribute"],
)  # fmt: skip
def test_what_only_running_would_tell_is_unchecked(qualname: str) -> None:
    result = callee(qualname)
    assert not result.checked
    assert result.why


def test_a_strange_decorator_leaves_the_types_but_no_check() -> None:
    result = callee("decorated")
    assert not result.checked
    assert result.parameters[0].type.kind == "int"
    assert "strange.decorator" in result.why or "decorator" in result.why


@pytest.mark.parametrize(
    ("qualname", "message"),
    [
        ("LIMIT", "m:LIMIT is not callable: it is 5"),
        ("NAMES", "m:NAMES is not callable"),
        ("Plain.size", "m:Plain.size is not callable"),
        ("Plain.method", "instance method"),
        ("Plain.prop", "is a property"),
    ],
)
def test_what_is_not_callable_is_wrong_usage(qualname: str, message: str) -> None:
    with pytest.raises(BadUsage, match=message):
        callee(qualname)


@pytest.mark.parametrize(
    ("qualname", "message"),
    [
        ("plian", "module m has no function 'plian'; did you mean m:plain"),
        ("Plain.mkae", "class Plain of m has no function 'mkae'; did you mean m:Plain.make"),
        ("sub", "m.sub is a module, not a function"),
        ("zzzzzz", "module m has no function 'zzzzzz'$"),
    ],
)
def test_a_function_that_is_missing_is_wrong_usage(qualname: str, message: str) -> None:
    with pytest.raises(BadUsage, match=message):
        callee(qualname)


def test_a_service_that_is_missing_is_called_one() -> None:
    tree = parse_source("class Disks: ...\ndef dusk(): ...\n", "m.py")
    with pytest.raises(BadUsage, match="module m has no service 'Diskz'; did you mean m:Disks"):
        read_callee(tree, "m", "Diskz.free", of_service=True)


@pytest.mark.parametrize(
    "source",
    ["from x import *", "def __getattr__(name): ...", "globals()['f'] = len", "if 1:\n from x import *",
     "import sys\nsetattr(sys.modules[__name__], 'f', len)"],
)  # fmt: skip
def test_an_open_ended_module_may_have_any_function(source: str) -> None:
    assert not callee("f", source).checked


def test_setattr_inside_a_function_opens_nothing() -> None:
    with pytest.raises(NoSuchFunction):
        callee("f", "def g(o):\n setattr(o, 'a', 1)")


def test_a_syntax_error_shows_file_line_and_text() -> None:
    with pytest.raises(BadUsage) as caught:
        parse_source("x = 1\ndef broken(:\n    pass\n", "dir/m.py")
    text = str(caught.value)
    assert text.startswith("dir/m.py:2: SyntaxError: ")
    assert "    def broken(:" in text
    assert text.splitlines()[-1] == "               ^"


@pytest.mark.parametrize("source", ["x = \0", "(" * 5_000 + ")" * 5_000])
def test_source_that_cannot_be_parsed_is_an_error_not_a_crash(source: str) -> None:
    with pytest.raises(BadUsage):
        parse_source(source, "m.py")
