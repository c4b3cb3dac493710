"""Under CI a skip that tests/allowed_skips.txt does not name is a failure: what never runs helps nobody."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest

ALLOWED = Path(__file__).with_name("allowed_skips.txt")


class Skip(NamedTuple):
    """A test, or a whole file of them, that was skipped, and why."""

    nodeid: str
    reason: str


def read_patterns(text: str) -> list[str]:
    """The patterns of the list: a node id with `*` and `?` a line; blank lines and comments are left out."""
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def not_allowed(skips: Iterable[Skip], patterns: Iterable[str]) -> list[Skip]:
    """The skips that no pattern names. A `[` stands for itself: node ids have parameters in brackets."""
    literal = [pattern.replace("[", "[[]") for pattern in patterns]
    return [skip for skip in skips if not any(fnmatchcase(skip.nodeid, pattern) for pattern in literal)]


class SkipRule:
    """The pytest plugin: collects what is skipped, and fails a CI run for a skip that is not on the list."""

    def __init__(self) -> None:
        self._skips: list[Skip] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not hasattr(report, "wasxfail"):  # an expected failure is reported as a skip too
            self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped:
            longrepr = report.longrepr
            reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
            self._skips.append(Skip(report.nodeid, reason.removeprefix("Skipped: ")))

    def _offending(self) -> list[Skip]:
        if os.environ.get("CI", "").lower() not in ("true", "1", "yes"):
            return []
        return not_allowed(self._skips, read_patterns(ALLOWED.read_text(encoding="utf-8")))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._offending() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        offending = self._offending()
        if offending:
            terminalreporter.section("skips that CI does not allow", red=True, bold=True)
            for skip in offending:
                terminalreporter.line(f"{skip.nodeid}: {skip.reason}", red=True)
            terminalreporter.line(f"Make them run, or name them in {ALLOWED.name} with the reason.", red=True)
