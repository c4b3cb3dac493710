"""How `remotesvc jobs` writes its list."""

from __future__ import annotations

import math
from typing import Any

import pytest

from remotesvc.cli.detached import listing
from remotesvc.jobs.record import JobInfo


def line(**changes: Any) -> str:
    fields: dict[str, Any] = {"id": "3f9ac2d1-7b04", "call": "m:f", "state": "done", "began": 0.0, "ended": None,
                              "took": 1.0, "pid": 7, "reason": ""}  # fmt: skip
    return listing([JobInfo(**{**fields, **changes})])


@pytest.mark.parametrize(
    ("took", "text"),
    [
        (0.04, "0.0 s"), (59.9, "59.9 s"), (60.0, "1:00"), (3599.0, "59:59"), (3600.0, "1:00:00"),
        (360_000.0, "100:00:00"), (None, "?"), (math.nan, "?"), (math.inf, "?"), (-1.0, "?"), (1e300, "?"),
    ],
)  # fmt: skip
def test_the_line_of_a_job_says_how_long_the_job_took(took: float | None, text: str) -> None:
    assert line(took=took).split("  ")[-2].strip() == text


@pytest.mark.parametrize("began", [None, math.nan, math.inf, 1e300, -1e300])
def test_a_time_of_a_job_that_is_none_is_a_question_mark(began: float | None) -> None:
    """Times are a target's, which may say anything."""
    assert line(began=began).split()[2] == "?"


def test_the_line_of_a_lost_job_ends_with_the_reason() -> None:
    assert line(state="lost", reason="it is gone").endswith("m:f (it is gone)")
    assert listing([]) == "no jobs"
