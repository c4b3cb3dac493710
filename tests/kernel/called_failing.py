"""Functions that tests call on targets and that raise or return what cannot travel, of any Python from 3.6 on."""

import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class OwnError(Exception):
    """An exception class that only its module knows."""


def fail(kind: str, *args: "Any") -> None:
    import builtins

    raise getattr(builtins, kind)(*args)


def fail_own() -> None:
    raise OwnError("mine", 7)


def fail_chained() -> None:
    try:
        dict.fromkeys(["here"])["gone"]
    except KeyError as error:
        raise ValueError("outer") from error


def fail_group() -> None:
    import builtins

    first = ValueError("one")
    first.add_note("a note on one")  # type: ignore[attr-defined,unused-ignore]
    make = builtins.ExceptionGroup  # type: ignore[attr-defined,unused-ignore]
    group = make("several", [first, OSError(2, "No such file", "/nowhere")])
    group.add_note("a note on all")
    raise group


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")

    __repr__ = __str__


def fail_unprintable() -> None:
    raise Unprintable("x")


def fail_with_fields(count: int) -> None:
    from remotesvc import Record
    raise ValueError(Record("some.Thing", {f"f{number}": number for number in range(count)}))


def fail_long(size: int) -> None:
    raise ValueError("x" * size)


def fail_every(name: str) -> None:
    sys.path.insert(0, "")
    from tests.failures.common import builtin_classes, instance_of

    raise instance_of(builtin_classes()[name])


def exception_names() -> "list[str]":
    from tests.failures.common import builtin_classes

    return sorted(builtin_classes())


def lock() -> "Any":
    return {"deep": [0, {"er": (1, threading.Lock())}]}


def give_lambda() -> "Any":
    return lambda: 1
