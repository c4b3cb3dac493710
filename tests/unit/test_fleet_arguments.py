"""What a function of a fleet is called with."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import Any, Optional

import pytest

import remotesvc
from remotesvc.fleet.arguments import SMALL, FactsPlace, facts_place, facts_place_of_method, named, small, spread
from remotesvc.service import CALLER, Message, Service, expose


def with_facts(number: int, host: remotesvc.Host) -> None:
    """A function that is told where it runs."""


def test_the_parameter_for_the_facts_of_a_host() -> None:
    assert facts_place(with_facts) == FactsPlace("host", 1)
    assert facts_place(len) is None
    assert facts_place("os:getpid") is None


def first(host: remotesvc.Host, size: int = 0) -> None: ...


def between(a: int, host: Optional[remotesvc.Host] = None, *rest: int) -> None: ...  # noqa: UP045


def unnamed(host: remotesvc.Host | None, /, size: int = 0) -> None: ...


def later(a: int = 1, host: "Optional[remotesvc.Host]" = None, /) -> None: ...  # noqa: UP037,UP045


@pytest.mark.parametrize(("fn", "args", "called"), [
    (first, (), ((), {"host": "facts"})),
    (first, (3,), (("facts", 3), {})),
    (between, (1,), ((1,), {"host": "facts"})),
    (between, (1, 2, 3), ((1, "facts", 2, 3), {})),
    (unnamed, (), (("facts",), {})),
    (unnamed, (3,), (("facts", 3), {})),
    (later, (2,), ((2, "facts"), {})),
    (later, (), ((), {})),
])  # fmt: skip
def test_the_facts_stand_where_the_function_has_them(fn: Any, args: Any, called: Any) -> None:
    place = facts_place(fn)
    assert place is not None and place.fill(args, {}, "facts") == called


@pytest.mark.parametrize("annotation", ["Host", "remotesvc.Host"])
def test_the_parameter_whose_annotation_only_type_checkers_can_evaluate(annotation: str) -> None:
    # From 3.14 on nobody writes quotes around such a one.
    text = annotation if sys.version_info >= (3, 14) else repr(annotation)
    space: dict[str, Any] = {}
    source = f"def told(other: {text.replace('Host', 'Unknown')}, there: {text}): pass"
    exec(compile(source, "there", "exec", dont_inherit=True), space)  # without the __future__ of this module
    assert facts_place(space["told"]) == FactsPlace("there", 1)


@pytest.mark.parametrize("annotation", [Optional[remotesvc.Host], remotesvc.Host | None])  # noqa: UP045
def test_an_annotation_that_was_evaluated(annotation: Any) -> None:
    def told(there: Any) -> None: ...

    told.__annotations__["there"] = annotation
    assert facts_place(told) == FactsPlace("there", 0)


@pytest.mark.parametrize(("annotation", "wanted"), [
    ("Union[Host, None]", True),
    ("typing.Union[None, remotesvc.Host]", True),
    ("Union[int, Optional[Host]]", True),
    ("None | Host", True),
    ("Optional['remotesvc.Host']", True),
    ("list[Host]", False),
    ("Union[int, None]", False),
    ("other.Host", False),
    ("Host if", False),
])  # fmt: skip
def test_an_annotation_that_is_a_text(annotation: str, wanted: bool) -> None:
    def told(there: Any) -> None: ...

    told.__annotations__["there"] = annotation
    assert facts_place(told) == (FactsPlace("there", 0) if wanted else None)


class Served(Service):
    @expose()
    def first(self, caller: Message = CALLER, there: remotesvc.Host | None = None, size: int = 0) -> None: ...

    @expose()
    def last(self, size: int, *, there: remotesvc.Host) -> None: ...

    @expose()
    def without(self, size: int) -> None: ...

    def hidden(self, there: remotesvc.Host) -> None: ...


def test_the_parameter_of_a_method_of_a_service() -> None:
    assert facts_place_of_method(Served, "first") == FactsPlace("there", 0)
    assert facts_place_of_method(Served, "last") == FactsPlace("there")
    for name in ("without", "hidden", "unknown"):
        assert facts_place_of_method(Served, name) is None
    assert facts_place_of_method("tests.unit.test_fleet_arguments.Served", "first") is None


def test_arguments_of_one_host() -> None:
    assert spread((1, 2)) == ((1, 2), {})
    assert spread({"one": 1}) == ((), {"one": 1})
    assert spread("one") == (("one",), {})


@pytest.mark.parametrize("value", [None, True, 3, 0.5, "text", b"bytes", [1, ("a", {2})], {"a": {"b": [None]}},
                                   remotesvc.Record("Host", {"name": "web1"})])
def test_plain_values_are_small(value: Any) -> None:
    assert small((value,), {"name": value})


@pytest.mark.parametrize("value", ["x" * SMALL, b"x" * SMALL, [0] * SMALL, {"a": ["x" * SMALL]}, Path("/"), object(),
                                   [[["x" * (SMALL // 4)] * 2] * 2]])
def test_large_values_and_those_that_are_not_plain_are_not_small(value: Any) -> None:
    assert not small(value)
    assert not small((), {"name": [1, value]})


def test_a_value_without_an_end_is_not_small() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert not small(endless)


def test_what_travels_by_its_name() -> None:
    assert named("os:getpid") and named(os.getpid) and named(with_facts)
    assert not named(lambda: None) and not named(functools.partial(os.getpid))
