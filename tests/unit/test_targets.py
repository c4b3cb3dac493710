"""How a callable is named on the wire: by module and name only if that name leads back to it."""

from __future__ import annotations

import builtins
import datetime
import functools
import importlib
import math
import operator
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

import pytest

from remotesvc.bootstrap.errors import UsageError
from remotesvc.calling.targets import Targets, target_of
from tests.unit import callables
from tests.unit.callables import Base, Derived

HERE = "tests.unit.callables"

NAMED = [
    (callables.plain, f"{HERE}:plain"),
    (callables.alias, f"{HERE}:plain"),
    (callables.coroutine, f"{HERE}:coroutine"),
    (callables.generator, f"{HERE}:generator"),
    (callables.async_generator, f"{HERE}:async_generator"),
    (callables.decorated, f"{HERE}:decorated"),
    (callables.replaced, f"{HERE}:replaced"),
    (Base, f"{HERE}:Base"),
    (Base.Inner, f"{HERE}:Base.Inner"),
    (Base.of_class, f"{HERE}:Base.of_class"),
    (Base.static, f"{HERE}:Base.static"),
    (Base.method, f"{HERE}:Base.method"),
    (Base.Inner.deep, f"{HERE}:Base.Inner.deep"),
    (Derived.of_class, f"{HERE}:Derived.of_class"),
    (Derived.static, f"{HERE}:Base.static"),
    (len, "builtins:len"),
    (dict, "builtins:dict"),
    (dict.fromkeys, "builtins:dict.fromkeys"),
    (math.sqrt, "math:sqrt"),
    (operator.add, "_operator:add"),
    (os.path.join, f"{os.path.__name__}:join"),
    (os.getpid, f"{os.name}:getpid"),
    (datetime.datetime.now, "datetime:datetime.now"),
    (ValueError, "builtins:ValueError"),
    # Of what lives in private modules on some Pythons, the names that hold on all.
    (Path, "pathlib:Path"),
    (Path.cwd, "pathlib:Path.cwd"),
    (Path.read_text, "pathlib:Path.read_text"),
    (Path.exists, "pathlib:Path.exists"),
    (PurePath.with_suffix, "pathlib:PurePath.with_suffix"),
    (os.path.islink, f"{os.path.__name__}:islink"),
    (os.path.normpath, f"{os.path.__name__}:normpath"),
    (os.path.isdir, f"{os.path.__name__}:isdir"),
]

UNNAMED = [
    callables.anonymous,
    callables.make_closure(),
    callables.first_replaced,
    callables.instance,
    callables.instance.method,
    callables.decorated.__wrapped__,  # type: ignore[attr-defined]
    callables.Equal(),
    [].append,
    "a".upper,
    str.upper,
    functools.partialmethod(callables.plain).func.__get__(1),
    type("Local", (), {}),
]


def follow(address: str) -> Any:
    module, _, qualname = address.partition(":")
    return functools.reduce(getattr, qualname.split("."), sys.modules[module])


@pytest.mark.parametrize(("fn", "address"), NAMED, ids=[address for _, address in NAMED])
def test_a_callable_whose_name_leads_back_to_it_is_named(fn: Any, address: str) -> None:
    target = target_of(fn)
    assert target.address == target.name == address
    assert follow(address) == fn
    assert target.module == address.partition(":")[0]
    assert (target.args, target.kwargs, target.function) == ((), {}, fn)


@pytest.mark.parametrize("fn", UNNAMED, ids=range(len(UNNAMED)))
def test_a_callable_whose_name_leads_elsewhere_or_nowhere_is_pickled(fn: Any) -> None:
    target = target_of(fn)
    assert target.address is None, "it would run something else there"
    assert target.module == ""
    assert target.function is fn
    assert ":" in target.name


def test_a_cached_function_keeps_its_name_only_where_it_has_it() -> None:
    assert target_of(callables.cached).address is None


def test_a_function_of_a_module_that_is_gone_is_pickled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, HERE)
    assert target_of(callables.plain).address is None


def test_a_function_of_a_module_that_is_named_like_the_standard_librarys_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The target ran its own module's of that name."""
    (tmp_path / "statistics.py").write_text("def mean(numbers): return 'mine'\n")
    importlib.import_module("statistics")
    monkeypatch.delitem(sys.modules, "statistics")
    monkeypatch.syspath_prepend(str(tmp_path))
    mine = importlib.import_module("statistics")
    with pytest.raises(UsageError, match=r"statistics:mean is of .*/statistics.py, which is named like a module of"):
        target_of(mine.mean)


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A program's own module, with a function in it."""
    module: Any = ModuleType("__main__")
    module.__file__ = callables.__file__
    exec("def function():\n    pass\n", vars(module))
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module  # type: ignore[no-any-return]


def test_a_function_of_a_script_goes_by_its_name_in_main(main: Any) -> None:
    assert target_of(main.function).address == target_of("__main__:function").address == "__main__:function"
    function = main.__dict__.pop("function")
    assert target_of(function).address is None


@pytest.mark.parametrize("name", ["package.tool", "package.__main__"])
def test_a_function_of_a_module_run_with_m_goes_by_the_modules_name(main: Any, name: str) -> None:
    main.__spec__ = ModuleSpec(name, None)
    targets = Targets()
    target = targets.of(main.function)
    assert target.address == targets.of("__main__:function").address == f"{name}:function"
    assert targets.of(main.function) is target


def test_a_function_of_a_program_that_is_in_no_file_is_pickled(main: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    main.function.__code__ = main.function.__code__.replace(co_filename="<stdin>")
    assert target_of(main.function).address is None
    monkeypatch.delattr(sys, "ps1")
    assert target_of(main.function).address is not None
    for file in "/dev/null", "/nowhere/script.py", None:
        main.__file__ = file
        assert target_of(main.function).address is None
    del main.__file__
    assert target_of(main.function).address is None


# -- partials


def test_a_partial_puts_its_arguments_in_front() -> None:
    fn = functools.partial(callables.plain, 1, a=2, b=3)
    target = target_of(fn)
    assert (target.address, target.args, target.kwargs) == (f"{HERE}:plain", (1,), {"a": 2, "b": 3})
    assert target.function is callables.plain


def test_a_partial_of_a_partial_means_what_it_means_here() -> None:
    inner: Any = functools.partial(callables.plain, 1, a=2)
    inner.mark = True  # or the two are flattened at once
    outer: Any = functools.partial(inner, 3, a=4)
    target = target_of(outer)
    assert callables.plain(*target.args, 5, **target.kwargs) == outer(5)


def test_a_partial_of_a_lambda_is_pickled_with_its_arguments() -> None:
    target = target_of(functools.partial(callables.anonymous, 1))
    assert (target.address, target.args, target.function) == (None, (1,), callables.anonymous)


# -- text


@pytest.mark.parametrize("text", ["os:getpid", "os.path:join", "a:b.c.d", "_x:_y"])
def test_text_that_names_a_function_is_taken_as_it_stands(text: str) -> None:
    target = target_of(text)
    assert target.address == target.name == text
    assert target.function is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "os",
        "os:",
        ":getpid",
        "os.getpid",
        "os:getpid()",
        "os:system:x",
        "os:getpid ",
        "..os:getpid",
        "os..path:join",
        "os:.join",
        "os:a-b",
        "a/b:c",
        "1a:b",
        "os:getpid\n",
        "x" * 5000,
    ],
)
def test_text_that_names_no_function_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="module:function") as caught:
        target_of(text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("thing", [None, 1, b"os:getpid", [], object(), callables.BadRepr(), builtins], ids=type)
def test_what_cannot_be_called(thing: object) -> None:
    with pytest.raises(UsageError, match="cannot be called"):
        target_of(thing)
