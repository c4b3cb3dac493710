"""What is asked of the outcomes of many hosts."""

from __future__ import annotations

import pytest

from remotesvc import Cancelled, FleetError, NotSent, Outcome, Status
from remotesvc.bootstrap import errors
from remotesvc.fleet.results import Results


def test_only_a_host_that_was_not_run_is_told_as_certainly_not_run() -> None:
    results = Results([
        Outcome("a", Status.CANCELLED, error=Cancelled("given up", "a")), Outcome("b", Status.NOT_RUN),
        Outcome("c", Status.CANCELLED, error=KeyboardInterrupt()), Outcome("d", Status.CANCELLED),
        Outcome("e", Status.FAILED, error=SystemExit("a hook's")),
    ])  # fmt: skip
    with pytest.raises(FleetError) as caught:
        results.raise_for_errors()
    assert [isinstance(error, NotSent) for error in caught.value.exceptions] == [False, True, False, False, False]
    assert all(isinstance(caught.value.exceptions[index], errors.Cancelled) for index in (0, 2, 3))
    assert str(caught.value.exceptions[4]) == "e: a hook's"


def folded(*values: object) -> list[str]:
    """The names that `fold` makes of hosts a, b and so on with these values."""
    hosts = zip("abcd", values, strict=False)
    return [names for names, _ in Results(Outcome(host, Status.OK, value) for host, value in hosts).fold()]


def test_equal_dicts_and_sets_fold_whatever_their_order() -> None:
    assert folded({"a": [1, {0, 8}], "b": 2}, {"b": 2, "a": [1, {8, 0}]}) == ["a,b"]
    assert folded(({8, 0}, frozenset([8, 0])), ({0, 8}, frozenset([0, 8]))) == ["a,b"]
    assert folded([1, 2], [2, 1], (1, 2), {1, 2}) == ["a", "b", "c", "d"]
    assert folded({"a": "1, b"}, {"a": "1", "b": 2}, {"a": 1}, {"a": "1"}) == ["a", "b", "c", "d"]


def test_part_of_an_error_of_all_has_the_results_of_all() -> None:
    bad = {"a": ValueError("a"), "b": OSError("b")}
    results = Results(Outcome(host, Status.FAILED, error=error) for host, error in bad.items())
    with pytest.raises(FleetError) as caught:
        results.raise_for_errors()
    for part in caught.value.split(ValueError):
        assert isinstance(part, FleetError) and part.results is results and len(part.exceptions) == 1
