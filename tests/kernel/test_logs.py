"""The forwarding of logging records as it travels, in every interpreter found."""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from remotesvc.output.events import log_event_untrusted
from tests import interpreters
from tests.interpreters import Interpreter
from tests.zones import ROOT

DRIVER = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
from remotesvc.bootstrap.output import logs
assert "logging" not in sys.modules
import logging
records = []
handler = logs.install(records.append, logging.INFO)
exec(compile(sys.argv[2], "<test>", "exec"), globals())
import json
json.dump(records, sys.stdout, default=repr)
"""

Run = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(params=interpreters.found(), ids=str)
def run(request: pytest.FixtureRequest) -> Run:
    interpreter: Interpreter = request.param

    def run(body: str) -> list[dict[str, Any]]:
        command = [interpreter.path, "-I", "-S", "-B", "-c", DRIVER, str(ROOT), textwrap.dedent(body)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        records: list[dict[str, Any]] = json.loads(done.stdout)
        for record in records:
            log_event_untrusted(1, "host", record)  # the master takes whatever the child sends
        return records

    return run


def test_what_a_record_says(run: Run) -> None:
    (record,) = run("""
        def work():
            try:
                {}["key"]
            except KeyError:
                logging.getLogger("app.part").exception("no %s in %d", "key", 3, extra={"job": 7, "who": ("a", None)})
        before = time.time()
        thread = threading.Thread(target=work, name="worker")
        thread.start()
        thread.join()
        assert before - 1 < records[0]["created"] < time.time() + 1
        assert records[0]["extra"]["who"] == ("a", None)
        import os
        assert records[0]["process"] == os.getpid()
    """)
    assert record["exc"].startswith("Traceback") and record["exc"].endswith("KeyError: 'key'")
    del record["exc"], record["created"], record["process"]
    assert record == {
        "name": "app.part",
        "levelno": 40,
        "levelname": "ERROR",
        "msg": "no key in 3",
        "extra": {"job": 7, "who": ["a", None]},
        "thread": "worker",
        "funcName": "work",
        "lineno": 6,
        "pathname": "<test>",
    }


def test_records_below_the_level_are_not_even_made(run: Run) -> None:
    records = run("""
        log = logging.getLogger("a")
        class Loud:
            def __str__(self):
                raise SystemExit("formatted")
        log.debug("%s", Loud())
        assert not log.isEnabledFor(logging.DEBUG)
        log.info("one")
        handler.set_level(logging.DEBUG)
        log.debug("two")
        handler.set_level(logging.ERROR)
        log.warning("three")
        log.setLevel(logging.DEBUG)  # its own level makes no difference: the handler has one too
        log.warning("four")
        log.error("five")
    """)
    assert [record["msg"] for record in records] == ["one", "two", "five"]


def test_no_record_arrives_twice(run: Run) -> None:
    records = run("""
        second = logs.install(records.append, logging.INFO)
        assert second in logging.getLogger().handlers and handler not in logging.getLogger().handlers
        logging.basicConfig(level=logging.DEBUG)  # has no effect where there is a handler, ours
        logging.getLogger("a.b.c").warning("once")
    """)
    assert [record["msg"] for record in records] == ["once"]


def test_nothing_in_a_record_makes_it_raise(run: Run) -> None:
    records = run(r"""
        class Bad:
            def __repr__(self):
                raise ValueError("no repr")
            __str__ = __repr__
        log = logging.getLogger("bad")
        log.error("%d %d", "one")
        log.error(Bad())
        log.error("%s", Bad())
        log.error("extras", extra={"bad": Bad(), "big": 1 << 1000000, "self": log, "x" * 1000: 1})
        log.error("surrogate \udc80 and \x1b[31m")
        class Text(Exception):
            def __str__(self):
                raise RuntimeError
        try:
            raise Text
        except Text:
            log.exception("odd")
        log.error("not there", exc_info=True)
        log.error("with the stack", stack_info=True)
        record = logging.makeLogRecord({"msg": "made", "levelno": 30, "process": None})
        log.handle(record)
        assert handler.dropped == 0
    """)
    texts = [record["msg"] for record in records]
    assert texts[0].startswith("'%d %d'  (arguments ('one',): TypeError")
    assert texts[1].startswith("<Bad that has no repr>") and texts[2].startswith("'%s'")
    assert set(records[3]["extra"]) == {"bad", "big", "self"}
    assert records[3]["extra"]["bad"] == "<Bad that has no repr>"
    assert records[3]["extra"]["self"].startswith("<Logger bad")
    assert texts[4] == "surrogate \udc80 and \x1b[31m"
    assert "Text" in records[5]["exc"]
    assert "test" in records[7]["exc"]
    assert texts[8] == "made"


def test_sizes_are_bounded(run: Run) -> None:
    records = run("""
        many = list(range(100000))
        nested = []
        for _ in range(1000):
            nested = [nested]
        loop = {}
        loop["loop"] = loop
        class Wordy:
            def __repr__(self):
                return "w" * 100000
        extras = [
            {"text": "x" * 1000000}, {"bytes": b"x" * 1000000}, {"many": many}, {"nested": nested}, {"loop": loop},
            {"strings": ["y" * 1000] * 60000}, {"objects": [Wordy()] * 60000},
            {"keys": {"k" * 1000 + str(i): i for i in range(1000)}},
            {"lists": [[[1] * 10] * 100] * 100}, dict(("k%d" % i, i) for i in range(1000)), {"tuple keys": {(1, 2): 3}},
            {"big keys": dict(((i, i), i) for i in range(100000))},
        ]
        for extra in extras:
            logging.error("m" * 1000000, extra=extra)
        try:
            raise ValueError("v" * 1000000)
        except ValueError:
            logging.getLogger("n" * 100000).exception("!")
        assert len(records) == len(extras) + 1
    """)
    for record in records:
        assert len(json.dumps(record)) < 800_000
    assert [record["msg"][-30:] for record in records[:-1]] == ["m" * 30] * (len(records) - 1)
    assert "934464 characters left out" in records[0]["msg"]
    assert records[2]["extra"]["many"] == "<list of length 100000>"
    assert records[10]["extra"]["tuple keys"] == "{(1, 2): 3}"
    assert records[-1]["exc"].startswith("Traceback") and records[-1]["exc"].endswith("v" * 1000)


def test_a_record_made_while_one_is_sent_is_dropped_and_counted(run: Run) -> None:
    records = run("""
        def emit(record):
            logging.error("from inside")
            records.append(record)
        handler = logs.install(emit, logging.INFO)
        logging.error("outer")
        logging.error("outer again")
        assert handler.dropped == 2
    """)
    assert [record["msg"] for record in records] == ["outer", "outer again"]


def test_a_broken_link_makes_nobody_fail(run: Run) -> None:
    run("""
        handler = logs.install(lambda record: 1 / 0, logging.INFO)
        logging.error("lost")
        assert handler.dropped == 1
    """)


def test_a_blocked_emit_does_not_stop_other_threads(run: Run) -> None:
    """It holds no lock: who brings the credit may log."""
    records = run("""
        credit, waiting = threading.Event(), threading.Event()
        def emit(record):
            if record["msg"] == "blocks":
                waiting.set()
                assert credit.wait(30)
            records.append(record)
        handler = logs.install(emit, logging.INFO)
        thread = threading.Thread(target=logging.error, args=("blocks",))
        thread.start()
        assert waiting.wait(30)
        logging.error("passes")
        handler.set_level(logging.INFO)
        credit.set()
        thread.join()
    """)
    assert [record["msg"] for record in records] == ["passes", "blocks"]


def test_a_fork_does_not_send_through_its_parents_link(run: Run) -> None:
    run("""
        import os, warnings
        warnings.simplefilter("ignore")
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.dup2(writing, 2)
            logging.info("too low for stderr")
            logging.error("said by the fork")
            os._exit(len(records))
        os.close(writing)
        assert os.read(reading, 1000) == b"said by the fork\\n"
        assert os.waitpid(child, 0)[1] == 0
    """)


def test_shutdown_and_configuration_leave_log_forwarding_working(run: Run) -> None:
    records = run("""
        import logging.config
        logging.config.dictConfig({"version": 1})
        logging.shutdown()
        logging.warning("still here")
    """)
    assert [record["msg"] for record in records] == ["still here"]


def test_a_failed_cast_is_a_record_with_its_traceback(run: Run) -> None:
    (record,) = run("""
        def work():
            raise OSError("disk")
        logging.getLogger("remotesvc").disabled = True
        try:
            work()
        except OSError as error:
            logs.report_failed_cast("tasks:work", error)
    """)
    assert (record["name"], record["levelname"]) == ("remotesvc", "ERROR")
    assert record["msg"] == "cast of tasks:work failed"
    assert "in work" in record["exc"] and record["exc"].endswith("OSError: disk")
