"""How tests are spread over processes: nothing that takes long is left for the end, and no module is torn apart."""

from __future__ import annotations

import os

import pytest

from tests import spread
from tests.zones import ROOT


def test_what_waits_longest_begins_first() -> None:
    first = [f"{module}::x" for module in spread.LONGEST]
    others = [f"{part}test_a.py::x" for part in spread.PARTS]
    assert sorted(["else/test_e.py", *reversed(others + first)], key=spread.rank) == [*first, *others, "else/test_e.py"]


def test_the_modules_and_directories_that_are_named_are_there() -> None:
    for path in (*spread.LONGEST, *spread.PARTS):
        assert (ROOT / path).exists(), path


def test_a_module_stays_together() -> None:
    assert spread.rank("tests/unit/test_a.py::x[1]") == spread.rank("tests/unit/test_a.py::Y::z")


@pytest.mark.parametrize(("processors", "expected"), [(1, 3), (2, 3), (4, 5), (64, 6), (None, 3)])
def test_how_many_processes(processors: int | None, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    assert spread.pytest_xdist_auto_num_workers() == expected


def test_names_are_the_same_in_each_process() -> None:
    assert spread.unstable(f"tests/unit/test_a.py::x[{object()!r}]")
    assert spread.unstable(f"tests/unit/test_a.py::x[{test_a_module_stays_together!r}-1]")
    assert not spread.unstable("tests/unit/test_a.py::x[0x12-at 0x-object]")
