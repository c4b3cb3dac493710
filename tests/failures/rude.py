"""Exceptions that do not behave: their own code raises, recurses, lies or is huge."""

import sys

from remotesvc.bootstrap.failures import describe as limits
from remotesvc.bootstrap.failures.describe import describe
from remotesvc.bootstrap.failures.rebuild import rebuild
from tests.failures.common import raised, round_trip, usable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def case_rude_exceptions() -> None:
    class Raises(Exception):
        def __str__(self) -> str:
            raise SystemExit("from __str__")

        __repr__ = __str__

    class Recurses(Exception):
        def __str__(self) -> str:
            return str(self)

    class NoText(Exception):
        def __str__(self) -> "Any":
            return 42  # noqa: PLE0307

    class Liar(Exception):
        args = property(lambda self: 1 / 0)
        __cause__ = property(lambda self: 1 / 0)
        __context__ = "x"  # type: Any
        __traceback__ = property(lambda self: self)
        __suppress_context__ = property(lambda self: [])
        __notes__ = property(lambda self: 1 / 0)
        __dict__ = property(lambda self: 1 / 0)
        __class__ = property(lambda self: int)
        errno = property(lambda self: sys.exit(3))
        filename = property(lambda self: self.filename)  # type: Any
        exceptions = property(lambda self: 1 / 0)

        def __getattribute__(self, name: str) -> "Any":
            raise KeyboardInterrupt

        def __eq__(self, other: object) -> bool:
            raise KeyboardInterrupt

        __hash__ = None  # type: Any

    class Meta(type):
        __module__ = property(lambda cls: 1 / 0)
        __name__ = property(lambda cls: 1 / 0)
        __mro__ = property(lambda cls: 1 / 0)

        def __getattribute__(cls, name: str) -> "Any":
            raise SystemExit

        def __instancecheck__(cls, other: object) -> bool:
            raise SystemExit

    class Strange(Exception, metaclass=Meta):
        pass

    for cls in (Raises, Recurses, NoText, Liar, Strange):
        exc = raised(cls("x"))
        data = describe(exc)
        assert data["type"].endswith(("Raises", "Recurses", "NoText", "Liar", "Strange"))
        assert data["args"] == ["x"]
        assert [frame[2] for frame in data["frames"]] == ["raised"]
        usable(rebuild(data))
    assert describe(Raises())["message"] == "<str() of the exception raised SystemExit>"
    assert describe(Recurses())["message"] == "<str() of the exception raised RecursionError>"
    assert describe(NoText())["message"] == "<str() of the exception raised TypeError>"
    holder: Any = ValueError("holder")
    holder.__cause__ = Raises()
    holder.__notes__ = [Raises()]
    assert describe(holder)["cause"]["type"].endswith("Raises")


def case_rude_strings() -> None:
    class Text(str):
        def __len__(self) -> int:
            return 0

        def __getitem__(self, key: "Any") -> "Any":
            raise KeyboardInterrupt

        def __str__(self) -> str:
            raise KeyboardInterrupt

        def __eq__(self, other: object) -> bool:
            raise KeyboardInterrupt

        __hash__ = str.__hash__

    class Rude(Exception):
        def __str__(self) -> str:
            return Text("m" * 100000)

    Rude.__module__ = Text("builtins")
    exc = Rude(Text("arg"))
    exc.__dict__[Text("key")] = 1
    data = describe(exc)
    assert type(data["message"]) is str and data["message"].startswith("m" * limits.MESSAGE + "...")
    assert data["args"] == ["arg"] and type(data["args"][0]) is str
    assert data["attrs"] == {}


def case_a_megabyte_of_message() -> None:
    error = round_trip(ValueError("x" * 1000000))
    assert error.message == "x" * 65536 + "... [934464 more characters]"
    assert error.args == ("x" * 4032 + "... [995968 more characters]",)
    surrogates = round_trip(ValueError("\udcff" * 10))
    assert surrogates.message == "\udcff" * 10


def case_the_whole_is_bounded() -> None:
    exc: Any = ValueError("0" * 100000)
    for _ in range(100):
        outer: Any = ValueError("x" * 100000, *["y" * 4000] * 100)
        outer.__cause__ = exc
        outer.__notes__ = ["n" * 100000] * 100
        exc = outer
    assert len(repr(describe(exc))) < limits.TOTAL * 1.2


def case_a_runaway_recursion() -> None:
    def again(number: int) -> int:
        return again(number + 1) + 1

    try:
        again(0)
    except RecursionError as caught:
        error = round_trip(caught)
    assert len(error.frames) == limits.FRAMES + 1
    file, dropped, function, source = error.frames[limits.FRAMES // 2]
    assert (file, function, source) == ("", "", "") and dropped > 500
    assert error.frames[0][2] == "case_a_runaway_recursion" and error.frames[-1][2] == "again"
    text = error.render()
    assert f"  [{dropped} frames are not shown]" in text
    assert "[Previous line repeated 46 more times]" in text
    assert text.count("in again") < 10


def case_described_with_hardly_any_stack() -> None:
    exc = raised(ValueError("x"))
    described = []

    def deep(number: int) -> None:
        try:
            deep(number + 1)
        except RecursionError:
            try:
                described.append(describe(exc))
            except RecursionError:  # raised by the call itself, before there is anything to catch it
                raise

    try:
        deep(0)
    except RecursionError:
        pass
    assert described and all(usable(rebuild(data)) for data in described[:3])
