"""Services on real processes of this machine: activation, methods, arguments, values, errors, time, output."""

from __future__ import annotations

import copy
import os
import threading
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from remotesvc.service import (
    ArgumentError,
    NoSuchMethod,
    ServiceForbidden,
    ServiceInactive,
    ServiceRefused,
)
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called, served
from tests.kernel.contexts import LIMIT, Heard, appears, runs_out, until

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_every_kind_of_method_in_every_python(router: Router, heard: Heard, interpreter: Interpreter) -> None:
    """Check 45 of the reference, and the values, errors and streams of methods."""
    context = router.local(interpreter.path)
    plain = context.service(served.Plain)
    pid, identity, version = plain.where()
    assert pid != os.getpid()
    assert tuple(version) == interpreter.version
    assert plain.where() == (pid, identity, version)  # the same instance
    assert (plain.add(1), plain.add(1, 5), plain.add(b=1, a=1)) == (3, 6, 2)
    assert plain.echo({"a": (1, {2})}) == {"a": (1, {2})}
    assert plain.echo("x" * 300000) == "x" * 300000
    assert context.call_service(served.Plain, "slowly", 4) == 8
    assert list(plain.items(5)) == [0, 1, 2, 3, 4]
    assert list(context.call_service(served.Plain, "ticks", 3)) == [0, 1, 2]
    assert plain.later(3) == 4
    with pytest.raises(FileNotFoundError, match="gone") as caught:
        plain.fail("gone")
    assert caught.value.filename == "/nowhere"
    assert isinstance(caught.value, remotesvc.CallError)
    assert [Path(frame[0]).name for frame in caught.value.frames] == ["served.py"]
    assert plain.say("grün") == "grün"
    assert heard.text() == "grün\n"
    assert context.call_service("tests.kernel.served.Plain", "add", 1) == 3
    assert context.call_service("tests.kernel.served:Plain", "where") == (pid, identity, version)
    assert context.call_service_async(served.Plain, "add", a=1, b=4).result(LIMIT) == 5


def test_a_service_call_may_be_the_first_word(router: Router) -> None:
    assert router.local().call_service(served.Plain, "add", 1, 2) == 3


def test_what_is_hidden_is_refused_in_the_words_for_what_is_not_there(context: Context) -> None:
    """Check 46."""
    texts = set()
    for name in ("hidden", "_private", "__init__", "__class__", "attribute", "prop", "calls", "nothing", "router",
                 "on_shutdown", "a b", "x" * 100):
        with pytest.raises(NoSuchMethod) as caught:
            context.call_service(served.Plain, name)
        texts.add(caught.value.message.replace(repr(name), "?"))
        assert caught.value.host == "local"
    assert len(texts) == 1
    assert "until_cancelled" in texts.pop()  # a parent is told what there is
    with pytest.raises(NoSuchMethod):
        context.call_service(served.Overriding, "add", 1)
    with pytest.raises(AttributeError, match="no exposed method 'hidden'; there are: about"):
        context.service(served.Plain).hidden()
    assert "add" in dir(context.service(served.Plain))


@pytest.mark.parametrize(
    ("method", "args", "kwargs", "words"),
    [
        ("spec", [], {}, "argument 'path' is missing"),
        ("spec", [1], {}, "argument 'path' must be str, not int"),
        ("spec", [], {"path": "x", "depth": "y"}, "argument 'depth' must be int or None, not str"),
        ("spec", ["x"], {"path": "y"}, "argument 'path' was given twice"),
        ("spec", ["x", 1, 2], {}, "at most 2 positional arguments, 3 were given"),
        ("text", ["x"], {"retio": 1.0}, "has no argument 'retio'; it takes path, ratio, names"),
        ("text", ["x"], {"ratio": True}, "argument 'ratio' must be float, not bool"),
        ("text", [b"x"], {}, "argument 'path' must be str, not bytes"),
        ("text", ["x"], {"names": {}}, "argument 'names' must be list"),
        ("keywords", [1], {}, "argument 'second' is missing"),
        ("keywords", [1, 2], {}, "at most 1 positional"),
    ],
)
def test_arguments_that_do_not_fit(
    context: Context, method: str, args: list[Any], kwargs: dict[str, Any], words: str
) -> None:
    """Check 47."""
    with pytest.raises(ArgumentError, match=words) as caught:
        context.call_service(served.Strict, method, *args, **kwargs)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ServiceRefused)
    assert isinstance(caught.value, remotesvc.NotSent)
    assert f"Strict:{method}" in str(caught.value)


def test_arguments_that_fit(context: Context) -> None:
    strict = context.service(served.Strict)
    assert strict.spec("x") == ["x", None]
    assert strict.spec("x", depth=None) == ["x", None]
    assert strict.text("x", 1) == ["x", 1, []]
    assert strict.text(path="x", names=["a"]) == ["x", 0.5, ["a"]]
    assert strict.keywords(1, second=2, third=3) == [1, 2, {"third": 3}]


def test_a_caller_is_known_by_an_annotation_only(context: Context) -> None:
    """Check 49: a local variable, or a parameter of that name, means nothing."""
    opened = context.service(served.Open)
    assert context.call_service(served.Open, "who") == (0, 0, True)
    assert opened.local_of_that_name() == ["caller", "message", "msg", "self"]
    assert opened.plain(msg=4) == 4
    with pytest.raises(ArgumentError, match="no argument 'caller'"):
        context.call_service(served.Open, "who", caller=3)


def test_policies_must_all_agree(context: Context) -> None:
    opened = context.service(served.Open)
    assert opened.both() == "both policies agreed"
    assert opened.either() == "either"
    with pytest.raises(ServiceForbidden, match=r"context 0 may not call tests.kernel.served.Open:nobody"):
        opened.nobody()


def test_a_policy_that_fails_lets_nobody_in(context: Context, heard: Heard) -> None:
    with pytest.raises(ServiceForbidden):
        context.service(served.Strict).guarded()
    heard.wait_until(lambda: "a policy that fails" in heard.text("stderr"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tests.kernel.served.Nothing", "there is no class tests.kernel.served.Nothing"),
        ("tests.kernel.served.Impostor", "not a subclass"),
        ("tests.kernel.served_invokers.Log", "not a subclass"),
        ("tests.kernel.served_above.ask", "not a subclass"),
        ("os.path", "not a subclass"),
        ("os", "names no module"),
        ("two words.X", "not the name of a service"),
        ("..", "not the name of a service"),
    ],
)
def test_names_that_lead_to_no_service(context: Context, name: str, words: str) -> None:
    """Checks 50 and H13: nothing is constructed, nothing kept; a good name works afterwards."""
    with pytest.raises(ServiceInactive, match=words):
        context.call_service(name, "method")
    assert context.call(served.Impostor.count) == 0
    assert context.call_service(served.Plain, "add", 1) == 3


def test_a_module_that_is_not_there(context: Context) -> None:
    for name in ("nosuchmodule.X", "tests.kernel.nosuchmodule.X", "tests.nosuch.X.Y"):
        with pytest.raises(ModuleNotFoundError, match="nosuch"):
            context.call_service(name, "x")


def test_misuse_is_told_at_once(context: Context) -> None:
    for arguments in ((), (served.Plain,), (served.Plain, ""), (3, "x"), (called.Thing, "method"), (object(), "add")):
        with pytest.raises(remotesvc.UsageError):
            context.call_service(*arguments)
    with pytest.raises(remotesvc.UsageError, match="lives in its context"):
        context.options(isolation="process").call_service(served.Plain, "add", 1)
    with pytest.raises(remotesvc.EncodeError, match=r"args\[0\]"):
        context.call_service(served.Plain, "echo", threading.Lock())


def test_a_constructor_that_raises_is_tried_again(context: Context, tmp_path: Path) -> None:
    """Check 48."""
    flag = tmp_path / "now"
    context.call(served.set_variable, "SERVED_FLAG", str(flag))
    with pytest.raises(RuntimeError, match="not yet"):
        context.call_service(served.Picky, "hello")
    with pytest.raises(RuntimeError, match="not yet"):
        context.call_service(served.Picky, "hello")
    flag.touch()
    assert context.call_service(served.Picky, "hello") == "hello"


def test_a_method_without_reply(context: Context, heard: Heard) -> None:
    """Check 52: nothing comes back, also when it raises; that is logged."""
    plain = context.service(served.Plain)
    assert plain.note("one") is None
    assert plain.note("bad") is None
    # Whoever does not know the class and waits is told that the call was accepted, and no more.
    assert context.call_service("tests.kernel.served.Plain", "note", "two") is None
    assert context.call_service("tests.kernel.served.Plain", "note", "bad") is None
    until(lambda: sorted(plain.seen()) == ["bad", "bad", "one", "two"])
    heard.wait_until(lambda: len(heard.logs) == 2)
    assert all("nobody hears this" in (event.exc) for event in heard.logs)


def test_a_cast_that_fails_is_logged(context: Context, heard: Heard) -> None:
    context.cast_service(served.Plain, "fail", "text")
    heard.wait_until(lambda: bool(heard.logs))
    assert "FileNotFoundError" in (heard.logs[0].exc)


def test_a_stand_in_is_copied_and_given_away(context: Context) -> None:
    plain = context.service(served.Plain)
    assert copy.copy(plain).add(1) == copy.deepcopy(plain).add(1) == 3
    assert context.call(repr, plain) == f"<tests.kernel.served.Plain in <Context {context.id} local>>"
    with pytest.raises(AttributeError, match="_nothing"):
        _ = plain._nothing  # type: ignore[attr-defined]


def test_only_an_exception_is_an_error(context: Context) -> None:
    assert "not str" in context.service(served.Plain).fails_with_a_text()


def test_a_context_that_calls_itself_is_told_so(context: Context) -> None:
    plain = context.service(served.Plain)
    with pytest.raises(remotesvc.CallError, match=r"the calling context itself: .* by remotesvc\.service\.call"):
        plain.asks_itself()
    with pytest.raises(remotesvc.CallError, match="the calling context itself: call the function itself"):
        plain.calls_itself()


def test_what_does_not_end_a_service(context: Context) -> None:
    plain = context.service(served.Plain)
    with pytest.raises(remotesvc.CallError, match="SystemExit"):
        plain.leave()
    with pytest.raises(remotesvc.EncodeError, match=r"return value\[1\]"):
        plain.unencodable()
    with pytest.raises(remotesvc.Lost, match="forgot"):
        plain.forgets()
    assert plain.add(1) == 3


def test_deadline_and_cancel_reach_the_method(context: Context, tmp_path: Path) -> None:
    plain = context.service(served.Plain)
    assert plain.about() == (None, False, "tests.kernel.served.Plain:about")
    remaining, _, _ = context.options(timeout=50).service(served.Plain).about()
    assert remaining is not None
    assert 0 < remaining <= 50
    path = str(tmp_path / "one")
    future = context.call_service_async(served.Plain, "until_cancelled", path)
    appears(path)
    assert future.cancel()
    appears(path + ".cancelled")
    path = str(tmp_path / "two")

    def briefly(seconds: float) -> None:
        with pytest.raises(remotesvc.CallTimeout):
            context.options(timeout=seconds).call_service(served.Plain, "until_cancelled", path)

    runs_out(briefly, Path(path), 0.5)
    appears(path + ".cancelled")
    path = str(tmp_path / "three")
    future = context.call_service_async(served.Plain, "endless", path)
    appears(path)
    assert future.cancel()
    appears(path + ".cancelled")


def test_a_generator_returns_a_value(context: Context) -> None:
    items = context.service(served.Plain).items(2)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(StopIteration) as ended:
        next(items)
    assert ended.value.value == 2


def test_closing_an_iterator_closes_the_generator(context: Context) -> None:
    plain = context.service(served.Plain)
    with plain.items(1000000) as items:  # type: ignore[attr-defined]
        assert next(items) == 0
    until(lambda: plain.seen()[-1] == context.service(served.Plain).seen()[-1])
    assert len(plain.seen()) < 900000


def test_output_comes_before_its_result(context: Context, heard: Heard) -> None:
    plain = context.service(served.Plain)
    for number in range(50):
        assert plain.say(str(number)) == str(number)
        assert heard.text().split() == [str(each) for each in range(number + 1)]
