"""Exceptions there and back again, in the Python of the tests; in others: tests/kernel/test_failures.py."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from remotesvc.bootstrap.failures.describe import describe
from remotesvc.bootstrap.failures.rebuild import CallError, format_remote, rebuild
from tests.failures.run import CASES


@pytest.mark.parametrize("case", [pytest.param(case, id=name[5:]) for name, case in CASES.items()])
def test_each_case_of_failures_in_this_python(case: Callable[[], None]) -> None:
    case()


def test_a_description_is_plain_data() -> None:
    try:
        raise ValueError("x") from OSError(2, "no", "/f")
    except ValueError as error:
        data = describe(error)
    assert json.loads(json.dumps(data)) == data
    assert set(data) == {
        "type", "mro", "message", "args", "attrs", "frames", "notes",
        "cause", "context", "suppress_context", "members",
    }  # fmt: skip
    assert rebuild(data).as_data() == {**data, "mro": list(data["mro"])}


def test_an_error_made_by_hand() -> None:
    error = CallError("no such function", host="web1", call="m:f", type_name="AttributeError")
    assert str(error) == "web1: AttributeError: no such function"
    assert str(CallError("x")) == "Exception: x"
    assert format_remote(error) == error.render() == "AttributeError: no such function"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is CallError
    assert (str(again), again.call, again.args) == (str(error), "m:f", ("no such function",))


def test_notes_of_ones_own_survive_pickling() -> None:
    error: Any = rebuild(describe(KeyError("k")), "web1")
    error.__notes__ = ["tried twice"]
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["tried twice"]


def test_a_rebuilt_failure_reads_as_a_traceback_does() -> None:
    data = describe(ValueError("bad value"))
    sent, theirs = ["/proc/remotesvc:/app.py", 3, "main", "run()"], ["/usr/lib/x.py", 9, "run", ""]
    data["frames"] = [sent, ["", 7, "", ""], theirs]
    data["notes"] = ["a note"]
    data["cause"] = describe(KeyError("k"))
    assert rebuild(data, "web1", "app:main").render() == (
        "KeyError: 'k'\n"
        "\n"
        "The above exception was the direct cause of the following exception:\n"
        "\n"
        "Remote traceback on web1, calling app:main (most recent call last):\n"
        '  File "remotesvc:/app.py", line 3, in main\n'
        "    run()\n"
        "  [7 frames are not shown]\n"
        '  File "/usr/lib/x.py", line 9, in run\n'
        "ValueError: bad value\n"
        "a note"
    )
