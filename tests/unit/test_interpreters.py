"""Which Pythons the master's own code is tried with."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import interpreters
from tests.interpreters import Interpreter, masters, masters_missing
from tests.zones import ROOT


@pytest.mark.parametrize(
    ("here", "minors", "chosen", "missing"),
    [
        (11, [6, 9, 10, 11, 12, 13], [10, 13], []),
        (11, [11], [], ["3.10", "3.13"]),
        (11, [9, 11, 12], [12], ["3.10", "3.13"]),
        (10, [8, 10, 11], [11], ["3.13"]),
        (13, [10, 13], [10], []),
        (11, [10, 11, 13, 15], [10, 15], []),
        (12, [], [], ["3.10", "3.13"]),
    ],
)
def test_the_oldest_and_the_newest(here: int, minors: list[int], chosen: list[int], missing: list[str]) -> None:
    known = [Interpreter((3, minor), f"/usr/bin/python3.{minor}") for minor in minors]
    assert masters((3, here), known) == [each for each in known if each.version[1] in chosen]
    assert masters_missing((3, here), known) == missing


def test_what_was_found_is_handed_down_to_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (Interpreter((3, 8), "/a b/python3"), Interpreter((3, 12), "/c"))
    monkeypatch.setattr(interpreters, "found", lambda: found)
    monkeypatch.setenv(interpreters.FOUND_VARIABLE, "")
    interpreters.hand_down()
    ask = [sys.executable, "-c", "from tests import interpreters; print(interpreters.found())"]
    asked = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (asked.stdout, asked.stderr) == (f"{found!r}\n", "")
