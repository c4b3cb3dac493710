"""What one thread opens and others wait for: all of them have what comes of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from remotesvc.bootstrap.unreachable import AuthenticationError
from remotesvc.once import Once, OnceEach
from tests.kernel.contexts import LIMIT


def test_all_have_what_one_has_opened() -> None:
    once, go = Once[str](), threading.Event()
    assert not once.over and not once.wait(0)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(once.open, lambda: "opened" if go.wait(LIMIT) else "late")
        others = [pool.submit(once.came) for _ in range(2)]
        assert not once.over
        go.set()
        assert first.result(LIMIT) == "opened"
        assert [other.result(LIMIT) for other in others] == ["opened"] * 2
    assert once.over and once.wait(0) and once.value == "opened" and once.error is None


def test_each_has_an_error_of_its_own() -> None:
    def fails() -> str:
        raise AuthenticationError("no", host="web1", stage="auth", hint="Try another key.")

    once = Once[str]()
    with pytest.raises(AuthenticationError) as first:
        once.open(fails)
    assert once.over and once.value is None
    for _ in range(2):
        with pytest.raises(AuthenticationError) as other:
            once.came()
        assert other.value is not first.value and str(other.value) == str(first.value)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_ended_in_another_way_is_for_others_to_try(error: type[BaseException]) -> None:
    def fails() -> str:
        raise error

    once = Once[str]()
    with pytest.raises(error):
        once.open(fails)
    assert once.over and once.came() is None


def test_each_key_is_opened_once_and_again_when_it_is_gone() -> None:
    gone: set[str] = set()
    each: OnceEach[str, str] = OnceEach(lambda value: value not in gone)
    assert each.get("web1", lambda: "first") == ("first", True)
    assert each.get("web1", lambda: "second") == ("first", False)
    assert each.get("web2", lambda: "other") == ("other", True)
    gone.add("first")
    assert each.get("web1", lambda: "second") == ("second", True)
    assert (each.peek("web1"), each.peek("web3"), len(each)) == ("second", None, 2)


def test_what_is_forgotten_or_gone_is_not_kept() -> None:
    gone: list[object] = []
    each: OnceEach[str, object] = OnceEach(lambda value: value not in gone)
    one, two, three = (each.get(key, object)[0] for key in ("web1", "web2", "web3"))
    assert not each.forget("web1", two) and each.peek("web1") is one
    assert each.forget("web1", one) and each.peek("web1") is None
    gone.append(two)
    each.sweep()
    assert (each.peek("web2"), each.peek("web3"), len(each)) == (None, three, 1)


def test_who_waited_for_what_ended_in_another_way_tries_it() -> None:
    each, begun, go = OnceEach[str, str](), threading.Event(), threading.Event()

    def interrupted() -> str:
        begun.set()
        go.wait(LIMIT)
        raise ValueError

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(each.get, "web1", interrupted)
        assert begun.wait(LIMIT)
        other = pool.submit(each.get, "web1", lambda: "opened")
        go.set()
        assert other.result(LIMIT) == ("opened", True)
        with pytest.raises(ValueError):
            first.result(LIMIT)
