"""What became of many hosts: a mapping of outcomes, and what people ask of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from remotesvc.bootstrap.errors import Cancelled, Error, NotSent, OutcomeError

from .outcome import Outcome, Status

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

_KINDS = {Status.NOT_RUN: NotSent, Status.CANCELLED: Cancelled}
"""What stands for a host that has no error which a group may hold."""

_NAMED = 20
"""Hosts that the text of a FleetError names; `exceptions` has them all."""


class FleetError(Error, ExceptionGroup[Exception]):
    """Hosts that were not fine. `results` are the outcomes of all, `exceptions` an error for each that was not."""

    results: Results

    def derive(self, excs: Sequence[Any], /) -> Any:
        """Part of it, as `split` and `except*` take; its `results` are still those of all."""
        part = FleetError(self.message, excs)
        if hasattr(self, "results"):
            part.results = self.results
        return part


class Results(Mapping[str, Outcome]):
    """The outcome of each host by its name, in the order of the fleet. Not to be changed."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self._outcomes = {outcome.host: outcome for outcome in outcomes}

    def __getitem__(self, host: str) -> Outcome:
        return self._outcomes[host]

    def __iter__(self) -> Iterator[str]:
        return iter(self._outcomes)

    def __len__(self) -> int:
        return len(self._outcomes)

    def __repr__(self) -> str:
        counts = {status: sum(outcome.status is status for outcome in self.values()) for status in Status}
        said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        return f"<Results {said or 'of no host'}>"

    def _only(self, wanted: Callable[[Outcome], bool]) -> Results:
        return Results(outcome for outcome in self.values() if wanted(outcome))

    @property
    def ok(self) -> Results:
        """The hosts that have a value."""
        return self._only(lambda outcome: outcome.ok)

    @property
    def unreachable(self) -> Results:
        """The hosts nothing could be run on."""
        return self._only(lambda outcome: outcome.status is Status.UNREACHABLE)

    @property
    def failed(self) -> Results:
        """The others without a value: raised, timed out, cancelled, lost, never begun."""
        return self._only(lambda outcome: not outcome.ok and outcome.status is not Status.UNREACHABLE)

    def by_host(self) -> dict[str, Any]:
        """The values of the hosts that have one, by host."""
        return {host: outcome.value for host, outcome in self.items() if outcome.ok}

    def fold(self) -> list[tuple[str, Outcome]]:
        """Equal answers as one: (names such as "web[01-18,20]", one of their outcomes), the most frequent first."""
        groups: dict[str, list[Outcome]] = {}
        for outcome in self.values():
            groups.setdefault(_answer(outcome), []).append(outcome)
        folded = sorted(groups.values(), key=len, reverse=True)
        return [(fold_names(outcome.host for outcome in group), group[0]) for group in folded]

    def raise_for_errors(self) -> Results:
        """Return these results if every host is fine; raise a FleetError that names those that are not."""
        bad = [outcome for outcome in self.values() if not outcome.ok]
        if not bad:
            return self
        parts = []
        for status in Status:
            names = [outcome.host for outcome in bad if outcome.status is status]
            if names:
                more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
                parts.append(f"{status.value.replace('_', ' ')}: {fold_names(names[:_NAMED])}{more}")
        error = FleetError(f"{len(bad)} of {len(self)} hosts: {'; '.join(parts)}", [_error(each) for each in bad])
        error.results = self
        raise error


def _error(outcome: Outcome) -> Exception:
    if isinstance(outcome.error, Exception):
        return outcome.error
    kind = _KINDS.get(outcome.status, OutcomeError)
    return kind(str(outcome.error or outcome.status.value.replace("_", " ")), host=outcome.host)


def _answer(outcome: Outcome) -> str:
    """Outcomes with the same text are the same answer; hosts, times and objects' addresses are no part of it."""
    if outcome.error is not None:
        kind = getattr(outcome.error, "type_name", None) or type(outcome.error).__name__
        said = getattr(outcome.error, "reason", None) or getattr(outcome.error, "message", outcome.error)
        return f"{outcome.status}\0{kind}\0{said}"
    return f"{outcome.status}\0{outcome.rc}\0{in_order(outcome.value)!r}"


def in_order(value: Any) -> Any:
    """A value of which equal ones have the same text: what is in its dicts and sets is sorted by its own text."""
    try:
        return _in_order(value)
    except RecursionError:  # so deep that only its text can be had
        return value


def _in_order(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {key: _in_order(value[key]) for key in sorted(value, key=repr)}
    if kind in (set, frozenset):
        return kind, sorted(map(_in_order, value), key=repr)
    return kind(map(_in_order, value)) if kind in (list, tuple) else value


def fold_names(names: Iterable[str]) -> str:
    """Host names in ClusterShell's short form: `web[01-18,20],db1`. Those it has no form for are joined by commas."""
    from ClusterShell.NodeSet import NodeSet, NodeSetException

    plain: list[str] = []
    odd: list[str] = []
    for name in names:
        (plain if all(character not in name for character in "@:,[]!&^") else odd).append(name)
    try:
        short = str(NodeSet.fromlist(plain)) if plain else ""
    except NodeSetException:
        short = ",".join(plain)
    return ",".join(part for part in (short, *odd) if part)
