"""Values and errors as JSON and as text."""

from __future__ import annotations

import array
import ast
import base64
import datetime
import decimal
import enum
import fractions
import json
import uuid
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.bootstrap import errors, unreachable
from remotesvc.bootstrap.data.record import Record
from remotesvc.bootstrap.data.secret import Secret
from remotesvc.bootstrap.failures.describe import describe
from remotesvc.bootstrap.failures.rebuild import rebuild
from remotesvc.cli import exitcodes
from remotesvc.cli.show import jsonout, render
from remotesvc.fleet.outcome import Outcome, Status, classify

Point = namedtuple("Point", "x y")
UTC = datetime.timezone.utc


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Disk:
    path: Path
    free: float


def remote_error() -> BaseException:
    try:
        raise FileNotFoundError(2, "No such file or directory", "/x")
    except FileNotFoundError as error:
        return rebuild(describe(error), host="web1", call="m:f")


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (-(2**70), -(2**70)),
        pytest.param(2**20_000, {"$int": hex(2**20_000)}, id="huge int"),
        (1.5, 1.5),
        (float("nan"), {"$float": "nan"}),
        (float("-inf"), {"$float": "-inf"}),
        (1 + 2j, {"$complex": [1.0, 2.0]}),
        ("text", "text"),
        (b"\x00\xff", {"$bytes": "AP8="}),
        (bytearray(b"a"), {"$bytes": "YQ=="}),
        (memoryview(b"a"), {"$bytes": "YQ=="}),
        (array.array("i", [1, 2]), [1, 2]),
        (memoryview(array.array("d", [0.5])), [0.5]),
        ((1, (2,)), [1, [2]]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"a"}), ["a"]),
        (range(1, 9, 2), {"$range": [1, 9, 2]}),
        (decimal.Decimal("1E3000000"), "1E+3000000"),
        (fractions.Fraction(1, 3), "1/3"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("/a/b"), "/a/b"),
        (datetime.datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00+00:00"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.time(1, 2), "01:02:00"),
        (datetime.timedelta(minutes=1.5), 90.0),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Point(1, b"a"), {"x": 1, "y": {"$bytes": "YQ=="}}),
        (Disk(Path("/"), 0.5), {"path": "/", "free": 0.5}),
        (Record("os.stat_result", {"st_mode": 5, "st_size": 6}), {"st_mode": 5, "st_size": 6}),
        (Secret("hunter2"), "***"),
        ({"a": (1,)}, {"a": [1]}),
        ({(1, 2): 3}, {"$dict": [[[1, 2], 3]]}),
        ({1: "a", "1": "b"}, {"$dict": [[1, "a"], ["1", "b"]]}),
        ({"$bytes": "fake"}, {"$dict": [["$bytes", "fake"]]}),
        ({"$bytes": 1, "x": 2}, {"$bytes": 1, "x": 2}),
        ({2: "a", None: "b", False: "c"}, {"2": "a", "null": "b", "false": "c"}),
        ({}, {}),
        ([], []),
    ],
)
def test_values_are_encoded_as_json(value: Any, encoded: Any) -> None:
    assert jsonout.encode(value) == encoded
    assert json.loads(jsonout.dumps(jsonout.encode(value))) == encoded


def test_exceptions_and_strangers_in_values() -> None:
    assert jsonout.encode([ValueError("x")]) == [{"$error": {"type": "ValueError", "message": "x", "frames": []}}]
    assert jsonout.encode(object).keys() == {"$object"}


def test_output_is_ascii_without_controls() -> None:
    text = jsonout.dumps(jsonout.encode("\x1b[2J\x7f\x9b\u202e\udc80é"))
    assert text.isascii() and text.isprintable()
    assert json.loads(text) == "\x1b[2J\x7f\x9b\u202e\udc80é"


def test_depth_of_the_codec_fits() -> None:
    value: Any = 1
    for _ in range(170):
        value = {"a": [(value,)]}
    assert json.loads(jsonout.dumps(jsonout.encode(value)))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text().filter(lambda key: not key.startswith("$")), inner),
)


@given(PLAIN)
def test_what_json_has_is_left_alone(value: Any) -> None:
    assert json.loads(jsonout.dumps(jsonout.encode(value))) == value


@given(st.dictionaries(st.none() | st.booleans() | st.integers() | st.text() | st.binary(), st.integers()))
def test_no_key_is_lost(value: dict[Any, int]) -> None:
    encoded = jsonout.encode(value)
    special = list(encoded) == ["$dict"]
    assert len(encoded["$dict"] if special else encoded) == len(value)


def test_what_is_printed_and_no_text_is_there_byte_for_byte() -> None:
    result = jsonout.result_object(Outcome("web1", Status.OK), stdout=b"\xff\0x", stderr="é".encode())
    assert (result["stdout"], base64.b64decode(result["stdout_base64"])) == ("\ufffd\0x", b"\xff\0x")
    assert result["stderr"] == "é" and "stderr_base64" not in result
    cut = jsonout.result_object(Outcome("web1", Status.OK), stdout="aé".encode()[:2], truncated=True)
    assert cut["stdout"] == "a\ufffd" and "stdout_base64" not in cut


def test_result_object_has_the_contracts_fields() -> None:
    result = jsonout.result_object(Outcome("web1", Status.OK, 5, started=1.5, seconds=0.25, attempts=1), stdout=b"o")
    assert result == {
        "schema": 1, "event": "result", "host": "web1", "status": "ok", "value": 5, "rc": None,
        "stdout": "o", "stderr": "", "attempts": 1, "started": 1.5, "seconds": 0.25,
    }  # fmt: skip
    failed = jsonout.result_object(Outcome("web1", Status.FAILED, error=remote_error()), truncated=True)
    assert "value" not in failed and failed["truncated"]
    error = failed["error"]
    assert error["type"] == "FileNotFoundError" and "/x" in error["message"]
    assert error["frames"][0]["function"] == "remote_error"
    assert jsonout.result_object(Outcome("web1", Status.NOT_RUN))["error"] is None


def test_code_that_was_sent_has_one_name_in_tracebacks_and_in_json() -> None:
    data = describe(remote_error())
    data["frames"] = [["/proc/remotesvc:/tasks.py", 5, "f", ""], ["/usr/lib/x.py", 1, "g", ""]]
    error = rebuild(data, host="h", call="m:f")
    files = [frame["file"] for frame in jsonout.describe_error(error)["frames"]]
    assert files == ["remotesvc:/tasks.py", "/usr/lib/x.py"]
    assert 'File "remotesvc:/tasks.py", line 5' in render.failure_text(Outcome("h", Status.FAILED, error=error))


def test_connection_errors_say_where_and_what_to_do() -> None:
    error = unreachable.HostKeyError("the key is unknown", host="h", stage="kex", hint="ssh-keyscan ...")
    described = jsonout.describe_error(error)
    assert described == {
        "type": "HostKeyError", "message": "the key is unknown", "frames": [], "stage": "kex",
        "hint": "ssh-keyscan ...",
    }  # fmt: skip


def test_attributes_of_a_users_error_that_are_no_texts_say_nothing() -> None:
    error = ValueError("x")
    error.__dict__ = {"message": b"m", "stage": ["s"], "hint": 1, "diagnostics": ["d"], "reason": {}, "frames": [1]}
    assert jsonout.describe_error(error) == {"type": "ValueError", "message": "x", "frames": []}
    for of_many in (False, True):
        assert render.failure_text(Outcome("h", Status.FAILED, error=error), of_many=of_many) == "ValueError: x"


def test_an_encode_error_is_not_taken_for_the_type_it_is_about() -> None:
    error = errors.EncodeError("cannot travel", where="args[0]", type_name="_thread.lock")
    assert jsonout.describe_error(error)["type"] == "EncodeError"
    assert "args[0] (_thread.lock)" in render.failure_text(Outcome("h", Status.FAILED, error=error))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is\n", "as it is\n"),
        (b"a", "b'a'"),
        ([1, "a"], "[1, 'a']"),
        ((1,), "(1,)"),
        ((), "()"),
        (set(), "set()"),
        ({1}, "{1}"),
        (frozenset({1}), "frozenset({1})"),
        ({"a": {}}, "{'a': {}}"),
        (Point(1, 2), "Point(x=1, y=2)"),
        (Record("os.stat_result", {"st_mode": 5}), "os.stat_result(st_mode=5)"),
        (Secret("hunter2"), "Secret(***)"),
        (memoryview(b"a"), "memoryview(b'a')"),
        ([memoryview(array.array("d", [0.5]))], "[memoryview([0.5])]"),
        ([["a" * 60], ["b" * 60]], f"[\n  ['{'a' * 60}'],\n  ['{'b' * 60}'],\n]"),
        pytest.param(2**20_000, hex(2**20_000), id="huge int"),
        pytest.param([-(2**20_000), True], f"[\n  {hex(-(2**20_000))},\n  True,\n]", id="huge int in a list"),
    ],
)
def test_value_text(value: Any, text: str) -> None:
    assert render.whole_text(value) == text


def test_what_is_too_much_is_cut() -> None:
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    assert "[...]" in render.pretty(deep) and len(render.pretty(deep)) < 100
    long = render.pretty(list(range(100_000)))
    assert "... 99,000 more" in long and len(long) < 20_000
    assert len(render.pretty(["x" * 1000] * 900)) < 1.1 * render.MOST_CHARACTERS
    assert render.pretty([b"x" * 10**7]).endswith("more,\n]")
    wide: Any = 1
    for _ in range(12):
        wide = [wide] * 50
    assert len(render.pretty(wide)) < 3 * render.MOST_CHARACTERS
    assert render.shortened([1, "x" * 100_000])[1] and not render.shortened([1, "x"])[1]


@pytest.mark.parametrize("value", [
    list(range(100_000)), {"content": "x" * 100_000}, [b"x" * 10**6], ["x" * 1000] * 900, {i: {i} for i in range(2000)},
], ids=["items", "text", "bytes", "much", "dict"])  # fmt: skip
def test_whole_values_are_whole(value: Any) -> None:
    assert ast.literal_eval(render.whole_text(value)) == value


def test_a_deep_value_is_whole_and_mostly_itself() -> None:
    deep: Any = "x" * 200
    for _ in range(500):
        deep = [deep, 1]
    text = render.whole_text(deep)
    assert "x" * 200 in text and text.count("[") == text.count("]") == 500 and len(text) < 5_000


def test_failure_text_has_the_remote_traceback() -> None:
    text = render.failure_text(Outcome("web1", Status.FAILED, error=remote_error()))
    assert text.startswith("FileNotFoundError: ")
    assert "Remote traceback on web1" in text and "in remote_error" in text


def test_a_traceback_of_nothing_but_our_own_code_is_for_those_who_ask() -> None:
    def text(verbose: int, *files: str) -> str:
        data = describe(remote_error())
        data["frames"] = [[file, 5, "receive", ""] for file in files]
        return render.failure_text(Outcome("h", Status.FAILED, error=rebuild(data, host="h", call="m:f")), verbose)

    ours = "/proc/remotesvc:/remotesvc/files/receive.py"
    assert "traceback" not in text(0, ours, ours)
    assert "Remote traceback" in text(1, ours, ours)
    assert "Remote traceback" in text(0, ours, "/proc/remotesvc:/tasks.py")


def test_failure_text_of_what_never_reached_the_function() -> None:
    def text(status: Status, error: BaseException | None) -> str:
        return render.failure_text(Outcome("web1", status, error=error))

    refused = unreachable.BootstrapError("the kernel died", host="web1", diagnostics="boom\nbang", hint="look there")
    assert text(Status.UNREACHABLE, refused) == (
        "no connection: BootstrapError: the kernel died\nthe target said:\n  boom\n  bang\nlook there"
    )
    config = unreachable.ConnectError("no good", host="web1", stage="config", diagnostics="line 6")
    assert "\nssh said:\n  line 6" in text(Status.UNREACHABLE, config)
    assert text(Status.CANCELLED, errors.Cancelled("cancelled", host="web1")) == "cancelled"
    assert text(Status.TIMEOUT, errors.CallTimeout("no answer in 5 s", host="web1")) == "timed out: no answer in 5 s"
    assert text(Status.NOT_RUN, None) == "not run"


def test_what_a_target_said_at_length_is_shortened() -> None:
    def lines(said: str, verbose: int = 0) -> list[str]:
        error = unreachable.BootstrapError("it died", "web1", "boot", "look there", said)
        return render.failure_text(Outcome("web1", Status.UNREACHABLE, error=error), verbose).splitlines()

    noise = "".join(f"noise {number}\n" for number in range(5000))
    shown = lines(noise)
    assert len(shown) == 3 + 1 + render.SAID_LINES
    assert shown[2] == "  [4,980 lines before these; -v shows them]"
    assert (shown[3], shown[-2], shown[-1]) == ("  noise 4980", "  noise 4999", "look there")
    assert len(lines(noise, verbose=1)) == 3 + 5000
    command = "exec sh -c 'x' sh " + "eNq" * 1000 + " python3"
    (line,) = lines(command)[2:-1]
    assert line.startswith("  exec sh -c 'x' sh eNq") and line.endswith("eNq python3")
    assert " [2,726 characters; -v shows them] " in line and len(line) < render.SAID_WIDTH + 50
    assert f"  {command}" in lines(command, verbose=1)
    dead = errors.Lost("it crashed", host="web1")
    dead.diagnostics = "\n".join(f"line {number}" for number in range(60))
    assert len(render.failure_text(Outcome("web1", Status.LOST, error=dead)).splitlines()) == 2 + 60


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (unreachable.ConnectTimeout("x"), Status.UNREACHABLE, 4),
        (unreachable.HostKeyError("x"), Status.UNREACHABLE, 4),
        (errors.CallTimeout("x"), Status.TIMEOUT, 8),
        (errors.Cancelled("x"), Status.CANCELLED, 8),
        (errors.NotSent("x"), Status.NOT_RUN, 8),
        (errors.Lost("x"), Status.LOST, 4),
        (errors.Busy("x"), Status.FAILED, 2),
        (errors.EncodeError("x"), Status.FAILED, 2),
        (remote_error(), Status.FAILED, 2),
        (RuntimeError("x"), Status.FAILED, 2),
    ],
)
def test_errors_to_status_to_exit_code(error: BaseException, status: Status, code: int) -> None:
    assert classify(error) is status
    assert exitcodes.of_status(status) == code


def test_a_remote_timeout_error_is_a_failed_call() -> None:
    assert classify(rebuild(describe(TimeoutError("there")), host="h", call="m:f")) is Status.FAILED
    assert classify(rebuild(describe(KeyboardInterrupt()), host="h", call="m:f")) is Status.FAILED


def test_exit_codes_are_ored() -> None:
    def combine(*statuses: Status) -> int:
        return exitcodes.combine(Outcome("h", status) for status in statuses)

    assert combine() == combine(Status.OK) == 0
    assert combine(Status.OK, Status.FAILED, Status.UNREACHABLE) == 6
    assert combine(Status.FAILED, Status.FAILED, Status.TIMEOUT) == 10
    assert combine(Status.UNREACHABLE, Status.NOT_RUN) == 12


def test_exec_on_one_host_passes_the_code() -> None:
    assert exitcodes.of_exec(Outcome("h", Status.OK, rc=0)) == 0
    assert exitcodes.of_exec(Outcome("h", Status.FAILED, rc=3)) == 3
    assert exitcodes.of_exec(Outcome("h", Status.UNREACHABLE)) == 255
    assert exitcodes.of_exec(Outcome("h", Status.LOST)) == 255
    assert exitcodes.of_exec(Outcome("h", Status.TIMEOUT)) == 8
