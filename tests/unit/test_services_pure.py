"""The pure parts of services: signatures, marks, policies, refusals, stand-ins."""

from __future__ import annotations

import ast
import functools
import pathlib
from types import SimpleNamespace
from typing import Annotated, Any, Literal, Optional, cast

import pytest

import remotesvc
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
from remotesvc.bootstrap.errors import UsageError
from remotesvc.calling.services import Proxy

from remotesvc.bootstrap.errors import NotSent  # isort: skip
from remotesvc.service import (
    CALLER,
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


def test_the_public_names_are_where_they_are_said_to_be() -> None:
    """What a type checker sees, and what is looked up at run time."""
    assert service_package.__file__ is not None
    tree = ast.parse(pathlib.Path(service_package.__file__).read_text())
    seen = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    public = set(service_package.__all__)  # type: ignore[attr-defined]
    assert public == seen - {"export"}
    assert public <= set(dir(service_package))
    assert all(getattr(service_package, name).__name__ == name for name in public - {"CALLER"})
    with pytest.raises(ImportError):
        from remotesvc.service import nothing  # type: ignore[attr-defined]  # noqa: F401


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


def test_who_asks_for_the_message_gets_it_however_that_is_written() -> None:
    def optional(self: Any, who: Optional[Message] = None) -> Any: ...  # noqa: UP045

    def union(self: Any, who: Message | None = None) -> Any: ...

    def annotated(self: Any, who: Annotated[Message, "who"]) -> Any: ...

    def by_default(self: Any, who: Nowhere = CALLER) -> Any: ...  # type: ignore[name-defined]  # noqa: F821

    def bare(self: Any, who=CALLER) -> Any: ...  # type: ignore[no-untyped-def]

    for method in (optional, union, annotated, by_default, bare):
        taken = signature(method)
        assert taken.message == "who"
        with pytest.raises(ArgumentError, match="no argument 'who'"):
            taken.bind([], {"who": None}, "m")


@pytest.mark.parametrize("text", ["Nowhere.Message", "Message[Nowhere]", "'Message' | Nowhere"])
def test_what_may_ask_for_the_message_and_cannot_be_told_is_refused(text: str) -> None:
    """A caller could make it up."""

    def method(self: Any, who: Any = None) -> Any: ...

    method.__annotations__["who"] = text
    with pytest.raises(ArgumentError, match="annotation .* of 'who' cannot be evaluated"):
        signature(method)


def test_a_message_of_a_receiver_is_not_taken_for_the_caller() -> None:
    def method(self: Any, who: remotesvc.Message = CALLER) -> Any: ...

    with pytest.raises(ArgumentError, match=r"'who' is remotesvc\.Message, .* a remotesvc\.service\.Message"):
        signature(method)

    def twice(self: Any, who: Message, other: Message) -> Any: ...

    with pytest.raises(ArgumentError, match="twice: who, other"):
        signature(twice)


def test_what_is_left_out_of_positional_only_parameters_keeps_its_default() -> None:
    def method(self: Any, a: int, b: int = 1, c: int = 2, /, d: int = 3) -> Any:
        return a, b, c, d

    def first(self: Any, who: Message, x: int, y: int = 2, z: int = 3, /) -> Any:
        return who, x, y, z

    taken, asking = signature(method), signature(first)
    call, ask = functools.partial(method, None), functools.partial(first, None)
    assert taken.call(call, taken.bind([5], {"c": 9}, "m"), None) == (5, 1, 9, 3)
    assert taken.call(call, taken.bind([5], {}, "m"), None) == (5, 1, 2, 3)
    assert asking.call(ask, asking.bind([7], {"z": 9}, "m"), "msg") == ("msg", 7, 2, 9)


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
def test_a_reply_that_is_no_refusal_is_not_taken_for_one(reply: Any) -> None:
    assert from_reply_untrusted(reply, "h", "c") is None


def test_a_refusal_of_an_unknown_kind_is_one_all_the_same() -> None:
    for code in ("new", ["list"], 5, None):
        assert type(from_reply_untrusted([REFUSED, code, "x"], "h", "c")) is ServiceRefused


def test_where_nobody_listens_the_service_is_inactive() -> None:
    assert type(without_pool(NotSent("nobody listens at handle 6 of context 0"), "h", "c")) is ServiceInactive
    other = NotSent("no route to context 5")
    assert without_pool(other, "h", "c") is other


@pytest.mark.parametrize("what", ["module.Class", int, object()])
def test_a_stand_in_is_of_a_service_class(what: Any) -> None:
    with pytest.raises(UsageError, match="is no Service class"):
        Proxy(cast("Any", None), what)


@pytest.mark.parametrize("wrap", [staticmethod, classmethod])
def test_what_is_no_method_is_not_exposed_in_silence(wrap: Any) -> None:
    with pytest.raises(UsageError, match=f"only methods can be called from elsewhere; Wrong.give is a {wrap.__name__}"):
        type("Wrong", (Service,), {"give": wrap(expose()(lambda self: 1))})


def test_one_of_certain_values_is_told_which_it_is_not() -> None:
    def method(self: Any, mode: Literal["fast", "safe"]) -> None:
        """One parameter."""

    with pytest.raises(ArgumentError, match=r"must be Literal\['fast', 'safe'\], not 'quick'"):
        signature(method).bind(["quick"], {}, "m")
