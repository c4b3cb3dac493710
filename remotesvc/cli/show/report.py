"""Tell the user what became of each host, as it comes: for people, as one JSON list, as JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from remotesvc.fleet.member import Member, check_file_names, shown_host
from remotesvc.fleet.outcome import Outcome

from ..settings import Settings
from .collected import Collected
from .console import Console
from .jsonout import dumps, result_object
from .render import below, failure_text, phases_text, whole_text


class Streamed:
    """The value of a call whose items were printed as they came."""


class Reporter(Protocol):
    """Takes outcomes in the order they arrive, then the end."""

    def outcome(self, outcome: Outcome, kept: Collected) -> None: ...

    def end(self) -> None: ...


Text = Callable[[Outcome], "str | None"]
"""Makes the text of a value, None for none."""


def whole_value(outcome: Outcome) -> str | None:
    """All of a value, for whoever keeps or compares it."""
    return None if isinstance(outcome.value, Streamed) else whole_text(outcome.value)


def value_for(console: Console) -> Text:
    """What makes the text of a value as this console shows it."""
    return lambda outcome: None if isinstance(outcome.value, Streamed) else console.value(outcome.value)


class ForPeople:
    """Values on stdout, with the host in front when there are several; failures on stderr."""

    def __init__(self, console: Console, several: bool, text: Text | None = None) -> None:
        self._console = console
        self._several = several
        self._text = text or value_for(console)

    def outcome(self, outcome: Outcome, kept: Collected) -> None:
        label = shown_host(outcome.host)
        if outcome.ok:
            text = self._text(outcome)
            if text is not None and self._several:
                self._console.labelled_result(label, text)
            elif text is not None:
                self._console.result(text if text.endswith("\n") else text + "\n")
        elif outcome.rc is not None:
            if self._several:
                self._console.error(label, f"exit code {outcome.rc}")
        else:
            text = failure_text(outcome, self._console.verbose)
            self._console.error(label, below(text) if self._several else text)
        if self._console.verbose and outcome.started is not None:
            self._console.note(f"{label}: {outcome.status.value} in {phases_text(outcome)}")

    def end(self) -> None:
        self._console.tell_shortened()


def choose(settings: Settings, console: Console, hosts: Sequence[Member], text: Text | None = None) -> Reporter:
    """The reporter that the output options ask for, of a run over `hosts`. `text` makes the text of a value where that
    is not simply the value."""
    reporter: Reporter
    if settings.json or settings.jsonl:
        reporter = AsJson(console, settings.jsonl)
    elif settings.gathers:
        from .gathered import Gathered, groups_of

        reporter = Gathered(console, settings.diff, text, groups_of(hosts) if settings.regroup else {})
    else:
        filed = settings.outdir is not None or settings.write_result is not None
        shown: Text | None = text if not filed else lambda outcome: None
        reporter = ForPeople(console, len(hosts) > 1 and not settings.no_labels, shown)
    if settings.outdir is None and settings.errdir is None and settings.write_result is None:
        return reporter
    from .filed import Filed, Written

    check_file_names(hosts)

    if settings.write_result is not None:
        reporter = Written(reporter, settings.write_result, text or whole_value)
    if settings.outdir is None and settings.errdir is None:
        return reporter
    return Filed(reporter, settings.outdir, settings.errdir, text or whole_value)


class AsJson:
    """One list on stdout, or one object a line (`lines`), as hosts finish.

    Of the list, the latest result waits for the next, or the end: what is on stdout always ends with a line.
    """

    def __init__(self, console: Console, lines: bool) -> None:
        self._console = console
        self._lines = lines
        self._latest = "["

    def outcome(self, outcome: Outcome, kept: Collected) -> None:
        result = result_object(
            outcome, stdout=kept.raw("stdout"), stderr=kept.raw("stderr"), truncated=kept.truncated
        )
        text = dumps(result)
        if self._lines:
            self._console.result(text + "\n")
        elif self._latest == "[":
            self._latest += text
        else:
            self._console.result(self._latest + ",\n")
            self._latest = " " + text

    def end(self) -> None:
        if not self._lines:
            self._console.result(self._latest + "]\n")
