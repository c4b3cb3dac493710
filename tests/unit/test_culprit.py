"""Which argument keeps a call from being pickled."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest

from remotesvc.bootstrap.errors import EncodeError
from remotesvc.calling.culprit import culprit, culprit_of
from remotesvc.calling.targets import known_as
from remotesvc.pickling.inside import inside
from tests.kernel.notebooks import Notebook


def refuse(value: Any, place: str) -> None:
    raise EncodeError("no data", place)


@pytest.mark.parametrize("at", [0, 1, 77_777, 99_999])
def test_one_among_many_is_found_by_halves(at: int) -> None:
    tried = 0

    def count(value: Any) -> None:
        nonlocal tried
        tried += 1
        pickle.dumps(value)

    args: list[Any] = [[each] for each in range(100_000)]
    args[at] = {"x": (1, threading.Lock())}
    if at == 1:
        args[50_000] = threading.Lock()  # the first one is named
    found = culprit(args, {"y": 1}, count, refuse, inside)
    assert found is not None and found.where == f"args[{at}]['x'][1]"
    assert tried < 40
    assert culprit([1, [2]], {"y": [3]}, count, refuse, inside) is None


USES = """
import threading
lock = threading.Lock()
counters = {"a": {"lock": lock}}
def one(): return two(), other()
def two(): return one(), three()
def three(): return two()
def other(): return [helper(number) for number in range(2)]
def helper(number): return counters["a"]
class Guarded:
    guard = lock
    def __init__(self): self.held = [lock]
    def get(self): return self.guard
    def used(self): return helper(1)
class Says:
    def __init__(self): self.lock = lock
    def __getstate__(self): return lock
def default(by=Guarded): return by
def closure():
    return lambda: counters
made = Guarded()
says = Says()
"""


@pytest.mark.parametrize(
    ("function", "place"),
    [
        ("one", "f -> other -> helper -> counters['a']['lock']"),
        ("three", "f -> two -> one -> other -> helper -> counters['a']['lock']"),
        ("closure()", "f -> counters['a']['lock']"),
        ("made.get", "f -> self.held[0]"),
        ("Guarded.used", "f -> helper -> counters['a']['lock']"),
        ("default", "f -> by.guard"),
        ("says.__getstate__", "f -> self"),
    ],
)
def test_what_a_function_uses_is_named_by_the_way_to_it(function: str, place: str) -> None:
    import cloudpickle

    names = Notebook(USES).names
    found = culprit_of(eval(function, names), "f", cloudpickle.dumps, inside, "")
    assert found is not None
    assert (found.where, found.reason) == (place, "cannot be pickled: TypeError: cannot pickle '_thread.lock' object")


def test_an_object_in_an_argument_is_looked_into() -> None:
    import cloudpickle

    made = Notebook(USES).made
    found = culprit([1, [made]], {}, cloudpickle.dumps, refuse, inside)
    assert found is not None and found.where == "args[1][0].held[0]"


def plainly(function: Any) -> Any:
    return lambda *args: function(*args)


work = plainly(len)
lock = threading.Lock()


class Service:
    def get(self) -> Any:
        return lock


service = Service()


def test_the_name_that_a_module_has_for_a_function_is_told() -> None:
    assert known_as(work) == f"{__name__}:work"
    assert known_as(service.get) == f"{__name__}:service.get"
    unknown: list[Any] = [plainly(len), Service().get, [].append]
    assert [known_as(each) for each in unknown] == ["", "", ""]
    found = culprit_of(work, "work", refuse_all, inside, known_as(work))
    assert found is not None and found.reason.endswith(f'; called by its name, "{__name__}:work", it need not be')


def refuse_all(value: Any) -> None:
    raise TypeError("no")
