"""Equal answers of many hosts shown as one, at the end: `--gather`, `--regroup`, and what differs: `--diff`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from remotesvc.fleet import printed as limits
from remotesvc.fleet.member import Member, shown_host
from remotesvc.fleet.outcome import Outcome
from remotesvc.fleet.results import fold_names, in_order

from .collected import Collected
from .console import Console
from .render import below, failure_text
from .report import Text, value_for, whole_value

NO_GROUPS: Mapping[str, frozenset[str]] = {}
MOST_DIFFERENCES = 200
"""Lines of one difference that a terminal is shown."""


@dataclass
class _Answer:
    """What the first host of some answered, and all hosts that answered the same."""

    first: Outcome
    printed: str
    cut: bool
    hosts: list[str] = field(default_factory=list)


class Gathered:
    """Keeps what hosts answer, and prints each answer once with the names of those that gave it.

    The most frequent answer comes first. Answers are the same if all of them is, however much of it is shown. diff: the
    others are shown by how they differ from it. `text` makes the text of a value where that is not simply the value;
    what a host printed to stdout belongs to its answer. groups: a group's name stands for its hosts where an answer has
    them all.
    """

    def __init__(self, console: Console, diff: bool, text: Text | None = None,
                 groups: Mapping[str, frozenset[str]] = NO_GROUPS) -> None:
        self._console = console
        self._diff = diff
        self._whole = text or whole_value
        self._same = text or _text_in_order
        self._shown = text or value_for(console)
        self._groups = groups
        # By digest: all texts, of a thousand hosts, may be more than there is room for.
        self._answers: dict[bytes, _Answer] = {}
        self._failures: dict[bytes, _Answer] = {}
        self._failed_output: dict[bytes, _Answer] = {}
        """What commands that failed printed to stdout: it goes to ours, as it does without this."""
        self._errors: dict[bytes, _Answer] = {}
        """What hosts that are fine printed to stderr: equal answers are equal whatever warnings there were."""

    def outcome(self, outcome: Outcome, kept: Collected) -> None:
        printed, errors = _lines(kept, "stdout"), _lines(kept, "stderr")
        beyond, errors_beyond = kept.beyond("stdout"), kept.beyond("stderr")
        if not outcome.ok:
            if outcome.rc is None:
                errors, errors_beyond = printed + errors, beyond + errors_beyond
            elif printed:
                self._add(self._failed_output, printed, beyond, outcome, printed)
            failure = self._failure(outcome, whole=True)
            self._add(self._failures, errors + failure, errors_beyond, outcome, errors)
            return
        self._add(self._answers, printed + (self._same(outcome) or ""), beyond, outcome, printed)
        if errors:
            self._add(self._errors, errors, errors_beyond, outcome, errors)

    def _add(self, kind: dict[bytes, _Answer], text: str, beyond: bytes, outcome: Outcome, printed: str) -> None:
        digest = sha256(text.encode("utf-8", "surrogatepass") + beyond).digest()
        kind.setdefault(digest, _Answer(outcome, printed, bool(beyond))).hosts.append(outcome.host)

    def end(self) -> None:
        common, common_cut = "", False
        for index, answer in enumerate(_by_frequency(self._answers.values())):
            if self._diff:
                whole = answer.printed + (self._whole(answer.first) or "")
                if index:
                    difference = self._difference(common, whole, common_cut or answer.cut)
                    self._console.labelled_result(self._names(answer.hosts), difference)
                    continue
                common, common_cut = whole, answer.cut
            self._console.labelled_result(self._names(answer.hosts), answer.printed + (self._shown(answer.first) or ""))
        for answer in _by_frequency(self._failed_output.values()):
            self._console.labelled_result(self._names(answer.hosts), answer.printed)
        for answer in _by_frequency(self._errors.values()):
            self._console.labelled_output(self._names(answer.hosts), answer.printed)
        for answer in _by_frequency(self._failures.values()):
            text = f"{self._failure(answer.first)}\n{answer.printed}"
            self._console.error(self._names(answer.hosts), below(text))
        self._console.tell_shortened()

    def _failure(self, outcome: Outcome, whole: bool = False) -> str:
        if outcome.rc is not None:
            return f"exit code {outcome.rc}"
        return failure_text(outcome, self._console.verbose, of_many=True, whole=whole)

    def _names(self, hosts: list[str]) -> str:
        groups, others = regrouped(hosts, self._groups)
        names = ",".join([*(f"@{group}" for group in groups), *filter(None, [fold_names(map(shown_host, others))])])
        return f"{names} ({len(hosts)})" if len(hosts) > 1 else names

    def _difference(self, common: str, other: str, cut: bool) -> str:
        lines = list(
            difflib.unified_diff(common.splitlines(), other.splitlines(), "most hosts", "these", lineterm="", n=1)
        )
        if len(lines) > MOST_DIFFERENCES and self._console.out.is_terminal:
            lines[MOST_DIFFERENCES:] = [f"... {len(lines) - MOST_DIFFERENCES} more lines"]
        if cut:
            behind = "" if lines else "; they differ behind"
            lines.append(f"... only the first {_kept_size()} of each are compared by line{behind}")
        return "\n".join(lines or ["the same lines, which end differently"]) + "\n"


def _text_in_order(outcome: Outcome) -> str | None:
    return whole_value(replace(outcome, value=in_order(outcome.value)))


def _lines(kept: Collected, stream: str) -> str:
    """What a host printed, as whole lines, and a word where that is not all."""
    text = kept.text(stream)
    if text and not text.endswith("\n"):
        text += "\n"
    return text + f"... cut after {_kept_size()}\n" if kept.beyond(stream) else text


def _kept_size() -> str:
    return f"{limits.KEPT >> 20} MiB"


def _by_frequency(answers: Iterable[_Answer]) -> list[_Answer]:
    return sorted(answers, key=lambda answer: (-len(answer.hosts), answer.hosts[0]))


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
