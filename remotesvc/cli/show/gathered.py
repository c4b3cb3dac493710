"""Equal answers of many hosts shown as one, at the end: `--gather`, `--regroup`, and what differs: `--diff`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence

from remotesvc.cli.show.console import Console
from remotesvc.cli.show.render import below, failure_text
from remotesvc.fleet.member import Member, shown_host
from remotesvc.fleet.outcome import Outcome
from remotesvc.fleet.printed import Kept
from remotesvc.fleet.results import fold_names

NO_GROUPS: Mapping[str, frozenset[str]] = {}
MOST_DIFFERENCES = 200
"""Lines of one difference that are shown."""


class Gathered:
    """Keeps what hosts answer, and prints each answer once with the names of those that gave it.

    The most frequent answer comes first. diff: the others are shown by how they differ from it. `text` makes the text
    of a value; what a host printed belongs to its answer. groups: a group's name stands for its hosts where an answer
    has them all.
    """

    def __init__(self, console: Console, diff: bool, text: Callable[[Outcome], str | None],
                 groups: Mapping[str, frozenset[str]] = NO_GROUPS) -> None:
        self._console = console
        self._diff = diff
        self._text = text
        self._groups = groups
        self._answers: dict[str, list[str]] = {}
        self._failures: dict[str, list[str]] = {}

    def outcome(self, outcome: Outcome, kept: Kept) -> None:
        printed = kept.text("stdout") + kept.text("stderr")
        if printed and not printed.endswith("\n"):
            printed += "\n"
        if outcome.ok:
            self._answers.setdefault(printed + (self._text(outcome) or ""), []).append(outcome.host)
        elif outcome.rc is not None:
            self._failures.setdefault(f"exit code {outcome.rc}\n{printed}", []).append(outcome.host)
        else:
            text = failure_text(outcome, self._console.verbose, of_many=True)
            self._failures.setdefault(f"{text}\n{printed}", []).append(outcome.host)

    def end(self) -> None:
        answers = _by_frequency(self._answers)
        for index, (answer, hosts) in enumerate(answers):
            if index and self._diff:
                answer = _difference(answers[0][0], answer)
            self._console.labelled_result(self._names(hosts), answer)
        for failure, hosts in _by_frequency(self._failures):
            self._console.error(self._names(hosts), below(failure))

    def _names(self, hosts: list[str]) -> str:
        groups, others = regrouped(hosts, self._groups)
        names = ",".join([*(f"@{group}" for group in groups), *filter(None, [fold_names(map(shown_host, others))])])
        return f"{names} ({len(hosts)})" if len(hosts) > 1 else names


def _by_frequency(answers: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    return sorted(answers.items(), key=lambda item: (-len(item[1]), item[1][0]))


def groups_of(hosts: Sequence[Member]) -> dict[str, frozenset[str]]:
    """The groups of these hosts that have more than one of them, each with those."""
    found: dict[str, set[str]] = {}
    for host in hosts:
        for group in host.entry.groups:
            found.setdefault(group, set()).add(host.text)
    return {group: frozenset(members) for group, members in found.items() if len(members) > 1}


def regrouped(hosts: Sequence[str], groups: Mapping[str, frozenset[str]]) -> tuple[list[str], list[str]]:
    """(groups whose hosts are all among `hosts`, the hosts that are in none of them). The largest group is taken first,
    then those of the hosts that are left."""
    left, named = set(hosts), []
    for group, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        if members <= left:
            named.append(group)
            left -= members
    return named, [host for host in hosts if host in left]


def _difference(common: str, other: str) -> str:
    lines = list(difflib.unified_diff(common.splitlines(), other.splitlines(), "most hosts", "these", lineterm="", n=1))
    if len(lines) > MOST_DIFFERENCES:
        lines[MOST_DIFFERENCES:] = [f"... {len(lines) - MOST_DIFFERENCES} more lines"]
    return "\n".join(lines) + "\n"
