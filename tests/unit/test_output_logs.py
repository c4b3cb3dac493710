"""Log records of targets on the master: what is believed of one, and which logger it goes to."""

from __future__ import annotations

import io
import logging
import pickle
from typing import Any

import pytest

from remotesvc.bootstrap.errors import WireError
from remotesvc.bootstrap.output.logs import TEXT
from remotesvc.output import Console, LogEvent, Outputs, log_record
from remotesvc.output.events import MOST_ITEMS, log_event_untrusted
from tests.unit.outputs import Collector, Terminal, a_record, bare_logging, name_of, output

pytest_plugins = ("tests.unit.outputs",)


def test_a_log_record_becomes_an_event(collector: Collector) -> None:
    collector.outputs.on_log(4, a_record())
    (event,) = collector.logs
    assert (event.context, event.host, event.name, event.msg) == (4, "host4", "app.part", "100% of %s")
    assert (event.levelno, event.created, event.extra, event.lineno) == (30, 1.5, {"job": 7}, 12)
    assert pickle.loads(pickle.dumps(event)) == event


class Text(str):
    pass


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {},
        {**a_record(), "more": 1},
        {key: value for key, value in a_record().items() if key != "exc"},
        a_record(name=None),
        a_record(name=b"x"),
        a_record(name=Text("x")),
        a_record(msg="x" * (TEXT + 1000)),
        a_record(exc="x" * (TEXT + 1000)),
        a_record(levelno="30"),
        a_record(levelno=True),
        a_record(levelno=1 << 70),
        a_record(lineno=1.0),
        a_record(process=None),
        a_record(created=float("nan")),
        a_record(created=float("inf")),
        a_record(created="now"),
        a_record(extra=None),
        a_record(extra=[("a", 1)]),
        a_record(extra={1: 2}),
        a_record(extra={"x" * 1000: 2}),
        a_record(extra={f"k{i}": i for i in range(65)}),
        a_record(extra={"x": object()}),
        a_record(extra={"x": [{"y": {object()}}]}),
        a_record(extra={"x": {(1, Text("y")): 1}}),
        a_record(extra={"x": "y" * (MOST_ITEMS + 1)}),
        a_record(extra={"x": [b"y" * 1000] * (MOST_ITEMS // 900)}),
    ],
)
def test_a_hostile_log_record_is_refused(collector: Collector, record: object) -> None:
    with pytest.raises(WireError):
        collector.outputs.on_log(1, record)
    assert collector.logs == []


def test_nesting_costs_no_recursion(collector: Collector) -> None:
    collector.outputs.on_log(1, a_record(extra={"x": nested(100_000)}))
    assert len(collector.logs) == 1


def event_of(**changes: object) -> LogEvent:
    return log_event_untrusted(2, "web1", a_record(**changes))


def test_the_record_is_a_real_one() -> None:
    record = log_record(event_of(exc="Traceback\nKeyError: 1"))
    assert record.getMessage() == "100% of %s"
    assert record.name == "remotesvc.remote.web1.app.part"
    assert (record.levelno, record.levelname, record.lineno, record.funcName) == (30, "WARNING", 12, "work")
    assert (record.pathname, record.filename) == ("/proc/remotesvc:/app/part.py", "part.py")
    text = logging.Formatter("%(host)s %(context)d %(remote_name)s %(job)s %(message)s").format(record)
    assert text == "web1 2 app.part 7 100% of %s\nTraceback\nKeyError: 1"
    assert vars(record)["remote_created"] == 1.5
    assert vars(record)["remote_process"] == 99
    assert vars(record)["remote_thread"] == "MainThread"
    assert vars(record)["remote_extra"] == {"job": 7}
    assert logging.Filter("remotesvc.remote.web1").filter(record)


def test_levels_of_the_targets_own_keep_their_name() -> None:
    assert log_record(event_of(levelno=33, levelname="NOTICE")).levelname == "NOTICE"
    assert log_record(event_of(levelno=30, levelname="\x1b[31m")).levelname == "WARNING"


def test_extras_overwrite_nothing() -> None:
    extra = {
        "getMessage": 1,
        "msg": "forged",
        "args": [1],
        "exc_info": [1],
        "message": "forged",
        "asctime": "never",
        "__class__": "x",
        "__dict__": {},
        "host": "forged",
        "context": 0,
        "remote_name": "forged",
        "remote_extra": "forged",
        "harmless": 1,
    }
    record = log_record(event_of(extra=extra))
    text = logging.Formatter("%(asctime)s %(host)s %(context)s %(remote_name)s %(harmless)s %(message)s").format(record)
    assert text.endswith("web1 2 app.part 1 100% of %s") and not text.startswith("never")
    assert vars(record)["remote_extra"] == extra


def test_logs_go_to_the_logger_of_their_host() -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign, assignment]
    stream = io.StringIO()
    with bare_logging() as logger:
        logger.addHandler(handler)
        Outputs(name_of).on_log(1, a_record())
        Console(stream).log(event_of(levelno=10, levelname="DEBUG"))  # below the level of the master's loggers
        Console(stream).log(event_of())
        logger.removeHandler(handler)
    assert [record.name for record in records] == ["remotesvc.remote.host1.app.part", "remotesvc.remote.web1.app.part"]
    assert stream.getvalue() == ""


def test_a_target_cannot_make_loggers_here() -> None:
    with bare_logging():
        Console(io.StringIO()).log(event_of(name="made.up"))
    assert not any("made" in name for name in logging.Logger.manager.loggerDict)


def test_logs_go_to_the_console_without_any_handler() -> None:
    stream = Terminal()
    console = Console(stream)
    console.output(output("half a line"))
    with bare_logging():
        console.log(event_of(msg="bad\x1b[2J", exc="Traceback\nKeyError: 1"))
        console.log(event_of(levelno=20))
    assert stream.getvalue() == (
        "[host1] half a line\n[web1] WARNING app.part: bad\\x1b[2J\n[web1] Traceback\n[web1] KeyError: 1\n"
    )


def test_logs_stay_off_the_console_if_the_program_wants_nothing_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "lastResort", None)
    stream = io.StringIO()
    with bare_logging():
        Console(stream).log(event_of())
    assert stream.getvalue() == ""
