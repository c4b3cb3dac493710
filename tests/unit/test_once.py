"""What one thread opens and others wait for: all of them have what comes of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from remotesvc.bootstrap.unreachable import AuthenticationError
from remotesvc.ssh.once import Once
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
