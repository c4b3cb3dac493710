"""What tests of output share: a terminal that is a string, a log record, bare loggers; and the fixture `collector`.

A test module takes it with pytest_plugins = ("tests.unit.outputs",).
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from remotesvc.output import LogEvent, OutputEvent, Outputs


def name_of(context: int) -> str:
    return f"host{context}"


class Collector:
    """An Outputs with callbacks that keep what they get."""

    def __init__(self) -> None:
        self.events: list[OutputEvent] = []
        self.logs: list[LogEvent] = []
        self.outputs = Outputs(name_of, self.events.append, self.logs.append)

    def feed(self, data: bytes, fd: int = 1, call: int = 5, context: int = 1) -> list[str]:
        """The pieces that a record brings."""
        before = len(self.events)
        self.outputs.on_output(context, [fd, call, data])
        return [event.data for event in self.events[before:]]


@pytest.fixture
def collector() -> Collector:
    return Collector()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def output(data: str, context: int = 1, stream: Any = "stdout", call: int = 0) -> OutputEvent:
    return OutputEvent(context, name_of(context), stream, data, call)


def a_record(**changes: object) -> dict[str, Any]:
    return {
        "name": "app.part",
        "levelno": 30,
        "levelname": "WARNING",
        "msg": "100% of %s",
        "created": 1.5,
        "extra": {"job": 7},
        "exc": "",
        "thread": "MainThread",
        "process": 99,
        "funcName": "work",
        "lineno": 12,
        "pathname": "/proc/remotesvc:/app/part.py",
        **changes,
    }


@contextmanager
def bare_logging() -> Iterator[logging.Logger]:
    """The logger above those of all hosts, as in a program that configured nothing.

    No fixture: the test runner gives its handlers to all that do not propagate when it calls the test.
    """
    logger = logging.getLogger("remotesvc.remote")
    logger.propagate = False
    try:
        yield logger
    finally:
        logger.propagate = True
