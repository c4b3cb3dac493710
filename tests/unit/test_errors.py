"""The tree of errors: what derives from what, what travels, and what it says."""

from __future__ import annotations

import copy
import pickle

import pytest

from remotesvc.bootstrap import errors, unreachable
from remotesvc.bootstrap.calls.ask import error_untrusted
from remotesvc.bootstrap.failures.callerror import CallError

ALL = [
    cls
    for module in (errors, unreachable)
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, errors.Error) and cls.__module__ == module.__name__
]
CONNECT = [cls for cls in ALL if issubclass(cls, unreachable.ConnectError)]
OUTCOME = [*(cls for cls in ALL if issubclass(cls, errors.OutcomeError)), CallError]


def test_the_tree() -> None:
    assert {cls.__name__: cls.__mro__[1].__name__ for cls in [*ALL, CallError]} == {
        "Error": "Exception",
        "UsageError": "Error",
        "EncodeError": "Error",
        "DecodeError": "Error",
        "WireError": "Error",
        "RouterClosed": "Error",
        "ForkedError": "Error",
        "VersionSkewError": "Error",
        "ConnectError": "Error",
        "UnknownHost": "ConnectError",
        "HostKeyError": "ConnectError",
        "AuthenticationError": "ConnectError",
        "BecomeError": "ConnectError",
        "ConnectTimeout": "ConnectError",
        "PythonNotFound": "ConnectError",
        "PythonTooOld": "ConnectError",
        "BootstrapError": "ConnectError",
        "OutcomeError": "Error",
        "CallTimeout": "OutcomeError",
        "Cancelled": "OutcomeError",
        "NotSent": "OutcomeError",
        "Lost": "OutcomeError",
        "Busy": "OutcomeError",
        "CallError": "OutcomeError",
    }


def test_every_error_says_what_it_means() -> None:
    assert [cls.__name__ for cls in ALL if not cls.__doc__] == []


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (errors.UsageError, ValueError),
        (errors.EncodeError, TypeError),
        (unreachable.ConnectTimeout, TimeoutError),
        (errors.CallTimeout, TimeoutError),
    ],
)
def test_some_errors_are_builtin_errors_too(cls: type[errors.Error], builtin: type[Exception]) -> None:
    with pytest.raises(builtin, match="because"):
        raise cls("because")


@pytest.mark.parametrize("cls", ALL)
def test_an_error_can_be_made_of_its_message_alone(cls: type[errors.Error]) -> None:
    error = cls("because")
    assert error.args == ("because",)
    assert str(error).endswith("because")


@pytest.mark.parametrize("cls", CONNECT)
def test_connect_errors_travel(cls: type[unreachable.ConnectError]) -> None:
    error = cls(
        "the door is shut", host="web1", stage="tcp", hint="knock", diagnostics="bang\n", exit_status=127
    )
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is cls
        assert vars(again) == vars(error)
        assert str(again) == "web1: the door is shut\nbang\nknock"
        assert again.args == ("the door is shut",)


@pytest.mark.parametrize("cls", OUTCOME)
def test_outcome_errors_travel(cls: type[errors.OutcomeError]) -> None:
    error = cls("it is gone", host="web1", call="pkg.mod:func")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is cls
        assert (again.message, again.host, again.call) == ("it is gone", "web1", "pkg.mod:func")
        assert str(again) == str(error)
        assert str(again).startswith("web1: ") and str(again).endswith("it is gone")
    assert str(errors.Lost("it is gone")) == "it is gone"


def test_encode_error_names_the_place() -> None:
    error = errors.EncodeError("a lock cannot travel", where="args[0]['x'][3]", type_name="_thread.lock")
    assert str(error) == "args[0]['x'][3] (_thread.lock): a lock cannot travel"
    again = pickle.loads(pickle.dumps(error))
    assert (again.where, again.type_name, again.reason) == ("args[0]['x'][3]", "_thread.lock", error.reason)


def test_what_the_target_said_is_shown_harmless_and_short() -> None:
    error = unreachable.BootstrapError("it died", diagnostics="x" * 9000 + "\x1b[2Jred\x07\nnext\tline\x9b")
    assert error.diagnostics.startswith("x" * 9000)
    shown = str(error)
    assert shown.endswith("\\x1b[2Jred\\x07\nnext\tline\\x9b")
    assert len(shown) < unreachable.DIAGNOSTICS_SHOWN + 50


@pytest.mark.parametrize("kind", ["timeout", "cancelled", "busy", "lost", "skew", "refused", "encode"])
def test_a_reply_whose_number_python_refuses_to_write(kind: str) -> None:
    assert len(str(error_untrusted([kind, 1 << 20000, -1 << 20000, 7], "h", "m:f"))) < 100
