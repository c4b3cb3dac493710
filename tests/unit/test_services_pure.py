"""The pure parts of services: keys of calls, kinds of values, signatures, marks, policies, lanes."""

from __future__ import annotations

import ast
import datetime
import decimal
import enum
import functools
import pathlib
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, Optional, Protocol, Union, cast

import pytest

import remotesvc.service as service_package
from remotesvc.bootstrap.calls.refusals import (
    REFUSED,
    ArgumentError,
    NoSuchMethod,
    ServiceForbidden,
    ServiceInactive,
    ServiceRefused,
    from_reply_untrusted,
    refusal,
    without_pool,
)
from remotesvc.bootstrap.data.record import Record
from remotesvc.bootstrap.errors import Busy, UsageError
from remotesvc.calling.services import Proxy

from remotesvc.bootstrap.errors import NotSent  # isort: skip
from remotesvc.service import (
    AllowAny,
    AllowContexts,
    AllowParents,
    Message,
    Policy,
    Service,
    arg_spec,
    expose,
    no_reply,
)
from remotesvc.service.arguments import Signature
from remotesvc.service.keys import NoKey, key_of
from remotesvc.service.kinds import classes_in, fits, shown
from remotesvc.service.lanes import MAX_ABANDONED, MAX_CALLS, MAX_COST, MAX_LANES, Lanes


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Pair(NamedTuple):
    a: int
    b: int


@dataclass
class Point:
    x: int
    y: int


def test_the_public_names_are_where_they_are_said_to_be() -> None:
    """What a type checker sees, and what is looked up at run time."""
    assert service_package.__file__ is not None
    tree = ast.parse(pathlib.Path(service_package.__file__).read_text())
    seen = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    public = set(service_package.__all__)  # type: ignore[attr-defined]
    assert public == seen - {"List"}
    assert public <= set(dir(service_package))
    assert all(getattr(service_package, name).__name__ == name for name in public - {"CALLER"})
    with pytest.raises(ImportError):
        from remotesvc.service import nothing  # type: ignore[attr-defined]  # noqa: F401


# -- keys

DIFFERENT: list[Any] = [
    None, True, False, 0, 1, 1.0, -1, 1 << 80, 0.1, float("inf"), 1j, "", "1", b"1", bytearray(b"1"), (), [], {}, set(),
    frozenset(), (1,), [1], [[1], [2]], [[1, 2]], [1, [2]], {1: 2}, {2: 1}, {"1": 2}, {1}, {1, 2}, {(1, 2)}, range(3),
    "ab", ["a", "b"], [["a"], "b"], datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1), decimal.Decimal("1.0"),
    decimal.Decimal("1.00"), pathlib.PurePosixPath("/x"), Colour.RED, Colour.BLUE, Pair(1, 2), (1, 2), Point(1, 2),
    Point(2, 1), Record("m.P", {"x": 1}), Record("m.Q", {"x": 1}), "\udcff", "x" * 5000, "x" * 5001, {"a": {}, "b": []},
]  # fmt: skip


def test_different_arguments_have_different_keys() -> None:
    keys = [key_of("m", {"x": value}) for value in DIFFERENT]
    assert len(set(keys)) == len(DIFFERENT)
    assert max(map(len, keys)) <= 1024
    assert key_of("m", {"x": 1}) != key_of("n", {"x": 1})
    assert key_of("m", {"x": 1}) != key_of("m", {"y": 1})


def test_order_does_not_matter() -> None:
    assert key_of("m", {"a": 1, "b": 2}) == key_of("m", {"b": 2, "a": 1})
    assert key_of("m", {"x": {"a": [1], "b": {3, 1}}}) == key_of("m", {"x": {"b": {1, 3}, "a": [1]}})
    assert key_of("m", {"x": [1, 2]}) != key_of("m", {"x": [2, 1]})


@pytest.mark.parametrize(
    "value", [object(), lambda: 0, [object()], {"a": object()}], ids=["object", "function", "list", "dict"])
def test_what_has_no_value_has_no_key(value: Any) -> None:
    with pytest.raises(NoKey):
        key_of("m", {"x": value})


def test_a_circle_has_no_key() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(NoKey):
        key_of("m", {"x": circle})


# -- kinds


class Speaks(Protocol):
    def speak(self) -> str: ...


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (1, int, True), ("1", int, False), (True, int, False), (True, bool, True), (1, float, True), (1.0, int, False),
        (None, None, True), (0, None, False), (1, (str, None), False), (None, (str, None), True),
        (None, Optional[int], True), ("x", Optional[int], False), (1, Union[int, str], True),  # noqa: UP007, UP045
        (1.5, int | str, False), ([1], tuple[int, ...], False),
        ([1], list[str], True), ((1,), list[str], False), ({}, dict[str, int], True), (1, Any, True),
        ("a", Literal["a", "b"], True), ("c", Literal["a", "b"], False), (True, Literal[1], False), (1, Speaks, True),
        (Point(1, 2), Point, True), (Record("x.Point", {}), Point, False), ([], "text", True),
    ],
)  # fmt: skip
def test_kinds(value: Any, kind: Any, expected: bool) -> None:
    assert fits(value, kind) is expected


def test_classes_that_annotations_name() -> None:
    assert classes_in(Optional[list[Point]]) == [Point]  # noqa: UP045
    assert classes_in(dict[str, Colour]) == [Colour]
    assert classes_in(Pair) == [Pair]
    assert classes_in(int) == classes_in(Any) == classes_in(Literal["x"]) == []
    assert shown((int, None)) == "int or None"


# -- signatures


def signature(function: Any, **spec: Any) -> Signature:
    return Signature(function, spec)


def test_positional_only_keyword_only_and_defaults() -> None:
    def method(self: Any, a: int, /, b: str = "b", *, c: int, d: int = 4, **rest: Any) -> Any:
        return a, b, c, d, rest

    taken = signature(method)
    bound = taken.bind([1], {"c": 3, "e": 5}, "m")
    assert taken.call(functools.partial(method, None), bound, None) == (1, "b", 3, 4, {"e": 5})
    assert taken.filled(bound) == {"a": 1, "b": "b", "c": 3, "d": 4, "e": 5}
    cases: list[Any] = [([], {"c": 1}, "'a' is missing"), ([1], {}, "'c' is missing"), ([1, 2], {"c": 1}, "'b' must")]
    for args, kwargs, words in cases:
        with pytest.raises(ArgumentError, match=words):
            taken.bind(args, kwargs, "m")


def test_the_message_is_no_argument_of_callers() -> None:
    def method(self: Any, a: int, who: Message, b: int = 2) -> Any:
        return a, who, b

    def quoted(self: Any, a: int, *, who: Message = None) -> Any:  # type: ignore[assignment]
        return a, who

    taken = signature(method)
    assert taken.message == "who"
    assert taken.call(functools.partial(method, None), taken.bind([1, 5], {}, "m"), "msg") == (1, "msg", 5)
    assert signature(quoted).message == "who"
    with pytest.raises(ArgumentError, match="no argument 'who'"):
        taken.bind([1], {"who": 1}, "m")


def test_annotations_that_cannot_be_told_are_not_checked() -> None:
    def method(self: Any, a: Nowhere, b: list[Nowhere]) -> Nowhere: ...  # type: ignore[name-defined]  # noqa: F821

    assert signature(method).bind([1, 2], {}, "m") == {"a": 1, "b": 2}


def test_a_spec_goes_before_annotations_and_must_fit() -> None:
    def method(self: Any, a: int) -> None: ...

    assert signature(method, a=str).bind(["x"], {}, "m") == {"a": "x"}
    with pytest.raises(ArgumentError, match="no argument 'b', which its arg_spec names"):
        signature(method, b=str)


def test_wrapped_methods_have_the_signature_inside() -> None:
    def method(self: Any, a: int) -> int:
        return a

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    with pytest.raises(ArgumentError):
        signature(wrapper).bind(["x"], {}, "m")
    with pytest.raises(ArgumentError, match="not a function"):
        signature(len)


# -- marks and policies


def test_marks() -> None:
    class Marked(Service):
        @expose
        @no_reply()
        def silent(self) -> None: ...

        @expose(AllowAny())
        @expose()
        @arg_spec({"a": int})
        def two(self, a: int) -> None: ...

        def unmarked(self) -> None: ...

    class Below(Marked):
        def two(self, a: int) -> None: ...

    methods = Marked.methods()
    assert sorted(methods) == ["silent", "two"]
    assert methods["silent"].silent
    assert [type(policy) for policy in methods["two"].policies] == [AllowParents, AllowAny]
    assert sorted(Below.methods()) == ["silent"]
    wrong: list[Any] = [3, "x", AllowAny, int]
    for bad in wrong:
        with pytest.raises(UsageError):
            expose(bad)
    with pytest.raises(UsageError):
        expose()(staticmethod(lambda: None))
    for spec in ({"a": "int"}, {1: int}, {"a": (int, "x")}):
        with pytest.raises(UsageError):
            arg_spec(spec)  # type: ignore[arg-type]


def caller(src: int, commands: bool) -> Any:
    return SimpleNamespace(src=src, auth=src, commands=commands, router=SimpleNamespace(id=5))


def test_policies() -> None:
    parent, own, other = caller(0, True), caller(5, False), caller(7, False)

    def decide(policy: Policy) -> list[bool]:
        return [policy.allows(None, each) for each in (parent, own, other)]

    assert decide(AllowParents()) == [True, True, False]
    assert decide(AllowAny()) == [True, True, True]
    assert decide(~AllowParents()) == [False, False, True]
    assert decide(AllowContexts([7, SimpleNamespace(id=5)])) == [False, True, True]
    assert decide(AllowAny() & ~AllowContexts([7])) == [True, True, False]
    assert decide(AllowContexts([7]) | AllowParents()) == [True, True, True]
    assert repr(AllowAny() & ~AllowParents() | AllowContexts([1])) == (
        "((AllowAny() & ~AllowParents()) | AllowContexts([1]))"
    )
    with pytest.raises(NotImplementedError):
        Policy().allows(None, None)


# -- refusals


@pytest.mark.parametrize("cls", [ServiceRefused, ServiceInactive, ServiceForbidden, NoSuchMethod, ArgumentError])
def test_refusals_travel(cls: type[ServiceRefused]) -> None:
    again = from_reply_untrusted(refusal(cls("why")), "web1", "m:f")
    assert type(again) is cls
    assert str(again) == "web1: why"


@pytest.mark.parametrize(
    "reply",
    [None, [], ["raised", {}], [REFUSED], [REFUSED, 1, 2], [REFUSED, "arguments", 3], {}, [REFUSED, "x", "y", "z"]],
)
def test_what_is_no_refusal(reply: Any) -> None:
    assert from_reply_untrusted(reply, "h", "c") is None


def test_a_refusal_of_an_unknown_kind_is_one_all_the_same() -> None:
    for code in ("new", ["list"], 5, None):
        assert type(from_reply_untrusted([REFUSED, code, "x"], "h", "c")) is ServiceRefused


def test_where_nobody_listens() -> None:
    assert type(without_pool(NotSent("nobody listens at handle 6 of context 0"), "h", "c")) is ServiceInactive
    other = NotSent("no route to context 5")
    assert without_pool(other, "h", "c") is other


# -- lanes


class Work:
    def __init__(self, src: int = 0, cost: int = 0, caused: bool = False, own_thread: bool = False) -> None:
        self.src, self.cost, self.caused, self.own_thread = src, cost, caused, own_thread
        self.on_pool = self.abandoned = self.begun = False
        self.lane: Any = None

    def begin(self) -> None:
        self.begun = True


def test_lanes_take_turns() -> None:
    lanes = Lanes(2)
    one, two = lanes.add("one"), lanes.add("two")
    works = [Work() for _ in range(6)]
    for work in works[:4]:
        lanes.put(one, work)
    for work in works[4:]:
        lanes.put(two, work)
    assert [lanes.take(), lanes.take()] == [works[0], works[4]]
    assert lanes.take() is None
    lanes.done(works[0])
    assert lanes.take() is works[1]
    lanes.done(works[4])
    assert lanes.take() in (works[2], works[5])


def test_a_lane_where_nothing_runs_may_always_begin() -> None:
    lanes = Lanes(1)
    one, two = lanes.add("one"), lanes.add("two")
    first, second, third, fourth = Work(), Work(), Work(), Work()
    for lane, work in ((one, first), (one, second), (two, third), (two, fourth)):
        lanes.put(lane, work)
    assert {lanes.take(), lanes.take()} == {first, third}
    assert not lanes.ready()
    assert lanes.take() is None
    lanes.done(third)
    assert lanes.take() is fourth


def test_a_limited_lane_keeps_its_order() -> None:
    lanes = Lanes(8)
    lane = lanes.add("one", 1)
    works = [Work() for _ in range(3)]
    for work in works:
        lanes.put(lane, work)
    for work in works:
        assert lanes.take() is work
        assert lanes.take() is None
        lanes.done(work)
    assert not lanes.running()


def test_own_threads_begin_in_their_turn() -> None:
    lanes = Lanes(1)
    lane = lanes.add("one", 1)
    first, mine, last = Work(), Work(own_thread=True), Work()
    for work in (first, mine, last):
        work.lane = lane
        lanes.put(lane, work)
    assert lanes.take() is first
    assert not mine.begun
    lanes.done(first)
    assert mine.begun
    assert lanes.take() is None
    lanes.done(mine)
    assert lanes.take() is last


def test_abandoned_work_makes_room_up_to_a_limit() -> None:
    lanes = Lanes(1)
    lane = lanes.add("one")
    running = []
    for _ in range(MAX_ABANDONED + 2):
        work = Work()
        lanes.put(lane, work)
        taken = lanes.take()
        if taken is None:
            break
        running.append(taken)
        lanes.abandon(taken)
        lanes.abandon(taken)
    assert len(running) == MAX_ABANDONED + 1
    assert lanes.abandoned == MAX_ABANDONED
    for work in running:
        lanes.done(work)
    assert (lanes.busy, lanes.abandoned, lane.running) == (0, 0, 0)


def test_what_a_running_call_waits_for_needs_no_free_thread() -> None:
    lanes = Lanes(1)
    lane = lanes.add("one")
    first, plain, caused = Work(), Work(), Work(caused=True)
    lanes.put(lane, first)
    assert lanes.take() is first
    lanes.put(lane, caused)
    assert lanes.take() is caused
    lanes.put(lane, plain)
    assert lanes.take() is None


def test_a_lane_is_bounded_by_callers_number_and_cost() -> None:
    lanes = Lanes(1)
    lane = lanes.add("one", 0)
    for _ in range(MAX_CALLS // 2):
        lanes.put(lane, Work(src=1))
    with pytest.raises(Busy, match="10000 of them of context 1"):
        lanes.put(lane, Work(src=1))
    for _ in range(MAX_CALLS // 2):
        lanes.put(lane, Work(src=2))
    with pytest.raises(Busy):
        lanes.put(lane, Work(src=3))
    costly = lanes.add("two", 0)
    lanes.put(costly, Work(src=1, cost=MAX_COST))  # one is always taken
    with pytest.raises(Busy):
        lanes.put(costly, Work(src=1, cost=1))
    with pytest.raises(Busy):
        lanes.put(costly, Work(src=2, cost=1))
    assert len(lanes.drop_waiting()) == MAX_CALLS + 1
    lanes.put(costly, Work(src=2, cost=1))


def test_there_are_only_so_many_lanes() -> None:
    lanes = Lanes(1)
    for number in range(MAX_LANES):
        lanes.add(str(number))
    with pytest.raises(Busy, match="256 services"):
        lanes.add("one more")


@pytest.mark.parametrize("what", ["module.Class", int, object()])
def test_a_stand_in_is_of_a_service_class(what: Any) -> None:
    with pytest.raises(UsageError, match="is no Service class"):
        Proxy(cast("Any", None), what)
