"""Classes of the user's, allowed or not, and errors that a child passes on."""

from remotesvc.bootstrap.failures.describe import describe
from remotesvc.bootstrap.failures.rebuild import CallError, rebuild
from tests.failures.common import Group, raised, round_trip, usable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Refused(ConnectionError):
    """One whose own code must not run when it is rebuilt."""

    status = 0

    def __init__(self, one: "Any", two: "Any") -> None:
        super().__init__(one, two)
        self.status = two
        self.ran = []  # type: Any

    def __setattr__(self, name: str, value: "Any") -> None:
        if getattr(self, "remote", False):
            raise AssertionError("ran")
        super().__setattr__(name, value)

    def __str__(self) -> str:
        return f"refused with {self.status}"

    @property
    def trap(self) -> int:
        return 1

    @trap.setter
    def trap(self, value: int) -> None:
        raise AssertionError("ran")

    def method(self) -> str:
        return f"status {self.status}"


class Narrower(Refused):
    pass


def case_classes_of_the_user() -> None:
    name = describe(Refused(1, 2))["type"]
    assert name == "tests.failures.users.Refused"
    error = round_trip(Refused(1, 503), classes={name: Refused})
    assert isinstance(error, Refused) and isinstance(error, ConnectionError)
    assert error.status == 503 and error.method() == "status 503"
    assert str(error) == f"web1: {name}: refused with 503"
    assert isinstance(round_trip(Narrower(1, 2), classes={name: Refused}), Refused)
    unknown = round_trip(Refused(1, 2))
    assert isinstance(unknown, ConnectionError) and not isinstance(unknown, Refused)
    data = describe(Refused(1, 2))
    data["attrs"] = {"trap": 7, "method": "x", "status": 9, "with_traceback": 1, "render": 2, "derive": 3}
    again: Any = rebuild(data, classes={name: Refused})
    assert again.method() == "status 9" and again.trap == 1 and callable(again.render)
    for odd in (int, SystemExit, "text", None, StopIteration):
        rebuild(data, classes={name: odd})  # type: ignore[dict-item]
    if Group is not None:
        several = type("Several", (Group,), {})
        assert not isinstance(rebuild(data, classes={name: several}), Group)
        data["members"] = [describe(KeyError())]
        assert isinstance(rebuild(data, classes={name: several}), several)


def case_same_class_each_time() -> None:
    assert type(round_trip(ValueError("a"))) is type(round_trip(ValueError("b")))
    assert type(round_trip(Exception("a"))) is CallError


def case_relayed_by_a_child() -> None:
    inner = raised(round_trip(raised(FileNotFoundError(2, "no", "/f"))))
    outer = usable(rebuild(describe(inner), "bastion", "n:g"))
    assert isinstance(outer, FileNotFoundError) and outer.filename == "/f"
    assert outer.host == "bastion" and outer.attrs["host"] == "web1"
    assert "web1: FileNotFoundError: " in str(outer)
    assert outer.render().count("Remote traceback on web1") == 1
    assert outer.cause is None
