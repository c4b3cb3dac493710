"""Causes, contexts, notes and groups."""

import copy

from remotesvc.bootstrap.failures import describe as limits
from remotesvc.bootstrap.failures.describe import describe
from remotesvc.bootstrap.failures.rebuild import CallError, rebuild
from tests.failures.common import BaseGroup, Group, printed, raised, round_trip, usable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def case_causes_and_contexts() -> None:
    def chained() -> None:
        try:
            try:
                raise KeyError("first")
            except KeyError:
                raise ValueError("second")  # noqa: B904
        except ValueError as exc:
            raise OSError(5, "third") from exc

    try:
        chained()
    except OSError as caught:
        error = round_trip(caught)
    second: Any = error.cause
    assert error.__cause__ is second and error.context is None
    assert second.__context__ is second.context
    assert isinstance(second.context, KeyError) and isinstance(second, ValueError)
    text = error.render()
    assert text.index("KeyError: 'first'") < text.index("During handling") < text.index("ValueError: second")
    assert text.index("ValueError: second") < text.index("direct cause") < text.index("OSError: [Errno 5]")
    shown = printed(raised(error))
    assert shown.count("in chained") == 3
    for line in ("raise KeyError(", "raise ValueError(", "raise OSError(", "Remote traceback on web1"):
        assert line in shown, line


def case_a_suppressed_context_stays_away() -> None:
    try:
        try:
            raise KeyError("hidden")
        except KeyError:
            raise ValueError("shown") from None
    except ValueError as caught:
        data = describe(caught)
    assert data["cause"] is data["context"] is None
    assert data["suppress_context"] is True
    assert "hidden" not in repr(data)


def case_passed_on_as_it_was_told() -> None:
    """Also where Python is too old for notes, and shows the remote traceback as a cause."""
    def alone() -> None:
        raise ValueError("alone")

    def without_context() -> None:
        raise ValueError("without context") from None

    def caused() -> None:
        raise ValueError("caused") from OSError(2, "no", "/f")

    for function in (alone, without_context, caused):
        try:
            function()
        except ValueError as caught:
            data = describe(caught)
        error = usable(rebuild(data, "web1"))
        assert error.as_data() == data
        assert "Remote traceback on web1" in printed(raised(error))


def case_cycles() -> None:
    one, two = ValueError("one"), KeyError("two")
    one.__context__, two.__context__ = two, one
    data = describe(one)
    assert data["context"]["type"] == "KeyError" and data["context"]["context"] is None
    one.__cause__ = one
    assert describe(one)["cause"] is None
    round_trip(one)


def case_long_chain() -> None:
    exc = ValueError("0")
    for number in range(1, 1000):
        outer = ValueError(str(number))
        outer.__cause__ = exc
        exc = outer
    error = round_trip(exc)
    depth = 0
    while error.cause:
        error, depth = error.cause, depth + 1
    assert depth == limits.DEPTH
    assert error.notes == ["[what came before is not shown]"]


def case_notes() -> None:
    class Rude:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    exc: Any = ValueError("x")
    exc.__notes__ = ["first", "second\nline", Rude(), 7]
    error = round_trip(exc)
    assert error.notes == ["first", "second\nline", "<str() of a note failed>", "7"]
    assert error.__notes__[:2] == ["first", "second\nline"]
    assert "second\nline" in error.render()
    for bad in ("text", 7, {"a": 1}, Rude(), None):
        exc.__notes__ = bad
        assert describe(exc)["notes"] == []
    exc.__notes__ = ["n"] * 10000
    assert len(describe(exc)["notes"]) == limits.ITEMS


def case_groups() -> None:
    if Group is None:
        return
    inner = Group("inner", [raised(KeyError("k")), raised(OSError(2, "no", "/f"))])
    inner.add_note("note inside")
    group = Group("outer", [raised(ValueError("v")), raised(inner)])
    group.add_note("note outside")
    error = round_trip(raised(group))
    assert isinstance(error, Group)
    assert error.message == "outer (2 sub-exceptions)"
    assert error.exceptions == tuple(error.members)
    assert error.members[1].notes == ["note inside"]
    assert error.members[1].members[1].filename == "/f"
    text = error.render()
    for part in ("note inside", "note outside", "  |   | KeyError: 'k'", "ValueError: v"):
        assert part in text, (part, text)
    shown = printed(raised(error))
    assert "note inside" in shown and "KeyError: 'k'" in shown
    matched, rest = error.split(OSError)
    assert issubclass(type(matched), CallError) and issubclass(type(rest), CallError)
    assert matched.host == "web1" and str(matched) == "web1: ExceptionGroup: outer (1 sub-exception)"
    assert matched.members[0].members[0].errno == 2
    assert str(rest) == "web1: ExceptionGroup: outer (2 sub-exceptions)"
    assert [type(part) for part in usable(copy.copy(matched)).members] == [type(matched.members[0])]


def case_except_star() -> None:
    if Group is None:
        return
    caught: dict[str, Any] = {}
    code = "\n".join((
        "def run(exc):",
        "    try:",
        "        raise exc",
        "    except* ValueError as group:",
        "        caught['value'] = group",
        "    except* OSError as group:",
        "        caught['os'] = group",
    ))
    names: dict[str, Any] = {"caught": caught}
    exec(code, names)
    inner = Group("h", [ValueError()])
    names["run"](round_trip(Group("g", [ValueError("v"), FileNotFoundError(2, "no"), inner])))
    assert caught["os"].exceptions[0].errno == 2 and caught["os"].host == "web1"
    assert len(caught["value"].exceptions) == 2
    names["run"](round_trip(ValueError("alone")))
    assert caught["value"].exceptions[0].host == "web1"
    try:
        names["run"](round_trip(Group("g", [ValueError("v"), KeyError("left")])))
    except CallError as error:
        assert [member.type_name for member in error.members] == ["KeyError"]
    else:
        raise AssertionError("the KeyError got lost")


def case_group_with_an_exit_inside() -> None:
    if Group is None:
        return
    error = round_trip(BaseGroup("g", [KeyboardInterrupt("stop"), ValueError("v")]))
    assert error.type_name == "BaseExceptionGroup"
    assert isinstance(error, Group)
    assert [member.type_name for member in error.members] == ["KeyboardInterrupt", "ValueError"]
    assert type(error.members[0]) is CallError


def case_huge_and_deep_groups() -> None:
    if Group is None:
        return
    error = round_trip(Group("wide", [ValueError(str(number)) for number in range(1000)]))
    assert len(error.members) == limits.MEMBERS
    assert error.notes == ["[936 members are not shown]"]
    deep = Group("0", [ValueError("deepest")])
    for number in range(1, 100):
        deep = Group(str(number), [deep, deep])
    error = round_trip(deep)
    depth = 0
    while error.members:
        error, depth = error.members[0], depth + 1
    assert depth == limits.GROUPS
    assert error.notes == ["[2 members are not shown]"]


def case_members_where_python_has_no_groups() -> None:
    data = describe(ValueError("v"))
    outer = dict(describe(RuntimeError("g")), type="ExceptionGroup", mro=["ExceptionGroup", "Exception"],
                 members=[data, data])
    error = usable(rebuild(outer, "web1"))
    assert [type(member).__name__ for member in error.members] == ["CallError[ValueError]"] * 2
    assert (type(error) is CallError) == (Group is None)
    assert error.render().count("ValueError: v") == 2
