"""Call options: what is taken, what is refused before anything is sent, and what travels."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from remotesvc.bootstrap.data.record import type_name
from remotesvc.bootstrap.errors import UsageError
from remotesvc.calling.options import Options

GOOD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"timeout": 5}, {}),
    ({"timeout": 0.0}, {}),
    ({"timeout": None}, {}),
    ({"timeout": threading.TIMEOUT_MAX}, {}),
    ({"thread": "main"}, {"thread": "main"}),
    ({"thread": "any"}, {}),
    ({"strict_types": True}, {"strict_types": True}),
    ({"idempotent": True}, {}),
    ({"raises": (KeyError,)}, {}),
    ({"isolation": "thread"}, {}),
    ({"isolation": "process"}, {"isolation": "process"}),
    ({"cwd": "/"}, {"isolation": "process", "cwd": "/"}),
    ({"env": {"A": "b"}}, {"isolation": "process", "env": {"A": "b"}}),
    ({"env": {}}, {"isolation": "process", "env": {}}),
    ({"umask": 0}, {"isolation": "process", "umask": 0}),
    ({"nice": 0, "isolation": "process"}, {"isolation": "process", "nice": 0}),
]

BAD: list[tuple[dict[str, Any], str]] = [
    ({"timeout": -1}, "seconds"),
    ({"timeout": float("nan")}, "seconds"),
    ({"timeout": float("inf")}, "seconds"),
    ({"timeout": float("-inf")}, "seconds"),
    ({"timeout": 1e300}, "seconds"),
    ({"timeout": True}, "seconds"),
    ({"timeout": "5"}, "seconds"),
    ({"thread": "worker"}, "'main'"),
    ({"thread": None}, "'main'"),
    ({"isolation": "vm"}, "'process'"),
    ({"isolation": True}, "'process'"),
    ({"cwd": "/", "isolation": "thread"}, "process"),
    ({"umask": 0, "isolation": "thread"}, "process"),
    ({"raises": 5}, "exception classes"),
    ({"raises": "KeyError"}, "exception classes"),
    ({"raises": (int,)}, "exception classes"),
    ({"raises": [KeyError("an instance")]}, "exception classes"),
    ({"tiemout": 5}, "there is no option 'tiemout'"),
    ({"classes": {}}, "there is no option"),
    ({"replace": 1}, "there is no option"),
    ({"": 1}, "there is no option"),
]


@pytest.mark.parametrize(("changes", "wire"), GOOD, ids=str)
def test_options_that_are_taken_and_how_they_travel(changes: dict[str, Any], wire: dict[str, Any]) -> None:
    options = Options().replace(changes)
    for name, value in changes.items():
        assert getattr(options, name) == value
    assert options.wire == wire


@pytest.mark.parametrize(("changes", "text"), BAD, ids=str)
def test_options_that_mean_nothing_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Options().replace(changes)


def test_the_options_there_are_get_named() -> None:
    with pytest.raises(UsageError) as caught:
        Options().replace({"retries": 1})
    for name in Options.__slots__:
        assert (name in str(caught.value)) is (name not in ("classes", "wire"))


def test_a_copy_leaves_the_original_alone() -> None:
    first = Options().replace({"timeout": 5, "cwd": "/"})
    second = first.replace({"timeout": 6, "raises": KeyError})
    assert (first.timeout, first.raises, first.classes) == (5, (), {})
    assert (second.timeout, second.cwd, second.isolation) == (6, "/", "process")


def test_a_refused_change_leaves_the_original_alone() -> None:
    first = Options().replace({"timeout": 5})
    with pytest.raises(UsageError):
        first.replace({"thread": "main", "timeout": -1})
    assert (first.timeout, first.thread) == (5, "any")


def test_back_to_a_thread_means_giving_up_what_needs_a_process() -> None:
    process = Options().replace({"cwd": "/"})
    with pytest.raises(UsageError, match="isolation='process'"):
        process.replace({"isolation": "thread"})
    assert process.replace({"isolation": "thread", "cwd": None}).wire == {}


@pytest.mark.parametrize("raises", [KeyError, (KeyError, OSError), [KeyError, OSError], {KeyError, OSError}])
def test_classes_are_found_by_their_names(raises: Any) -> None:
    options = Options().replace({"raises": raises})
    assert set(options.classes.values()) == set(options.raises)
    assert all(name == type_name(cls) for name, cls in options.classes.items())
    assert options.replace({"timeout": 1}).classes == options.classes


def test_a_class_that_is_none_of_builtins() -> None:
    class Own(Exception):
        pass

    (name,) = Options().replace({"raises": Own}).classes
    assert name == f"{__name__}.{Own.__qualname__}"
