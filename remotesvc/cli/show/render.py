"""Values and errors as text for people. Pure; what a terminal must not see is the console's business."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from remotesvc.bootstrap.finder import ROOT
from remotesvc.fleet.outcome import Outcome, Status

from .jsonout import HUGE_BITS, fields_of, is_record

if TYPE_CHECKING:
    from remotesvc.bootstrap.failures.callerror import CallError

WIDTH = 100
DEEPEST = 12
MOST_ITEMS = 1_000
MOST_CHARACTERS = 256 * 1024
"""A terminal is shown a value up to here; files, pipes and --json have all of it."""
_LONGEST_LEAF = 16 * 1024
SAID_LINES, SAID_WIDTH = 20, 300
"""Of what a target said before a failure, so many last lines are shown, and so many characters of each."""
_QUICK = frozenset([str, bytes, float, bool, type(None)])
_BRACKETS: dict[type, Sequence[str]] = {
    list: "[]",
    tuple: "()",
    set: "{}",
    frozenset: ("frozenset({", "})"),
    dict: "{}",
}


def whole_text(value: Any) -> str:
    """How a result is written where programs read it: a str as it is, everything else as a repr that has all of it."""
    return value if isinstance(value, str) else _Printer(WIDTH, whole=True).text(value, 0, DEEPEST)


def shortened(value: Any) -> tuple[str, bool]:
    """How a terminal shows a result, and whether something of it is left out: a str is shown as it is."""
    if isinstance(value, str):
        return value, False
    printer = _Printer(WIDTH)
    return printer.text(value, 0, DEEPEST), printer.cut


def pretty(value: Any) -> str:
    """A repr on one line where it fits into WIDTH, else a line an item; what is too deep or too much is `...`."""
    return _Printer(WIDTH).text(value, 0, DEEPEST)


class _Printer:
    """One value being printed; knows how much of the budget is left. whole: there is no budget."""

    def __init__(self, width: int, whole: bool = False) -> None:
        self._width = width
        self._whole = whole
        self._left = MOST_CHARACTERS
        self.cut = False
        """Something was left out."""

    def text(self, value: Any, indent: int, depth: int) -> str:
        parts = self._parts(value)
        if parts is None:
            self._left -= indent + 2  # the line it may get of its own
            return self._leaf(value)
        opening, closing, items, total = parts
        if not total:
            return opening + closing
        if not self._whole and (depth == 0 or self._left <= 0):
            self.cut = True
            return f"{opening}...{closing}"
        shown: list[str] = []
        size = 0
        for prefix, item in items:
            if not self._whole and (len(shown) == MOST_ITEMS or self._left <= 0):
                self.cut = True
                shown.append(f"... {total - len(shown):,} more")
                break
            quick = self._whole and _is_quick(item)  # of these there may be millions
            shown.append(prefix + (repr(item) if quick else self.text(item, indent + 2, depth - 1)))
            size += len(shown[-1])
        tail = "," if total == 1 and opening == "(" else ""
        # What is very deep stands on one line: a line an item would be mostly indentation.
        if depth <= 0 or (size + indent <= self._width and not any("\n" in item for item in shown)):
            line = opening + ", ".join(shown) + tail + closing
            if depth <= 0 or len(line) + indent <= self._width:
                return line
        pad = " " * (indent + 2)
        return opening + "\n" + "".join(f"{pad}{item},\n" for item in shown) + " " * indent + closing

    def _leaf(self, value: Any) -> str:
        if isinstance(value, memoryview):  # its repr is an address
            return f"memoryview({self._leaf(value.tobytes() if value.format == 'B' else value.tolist())})"
        left_out = 0
        if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > HUGE_BITS:
            text = hex(value)  # Python refuses to write it in decimal
        elif isinstance(value, (str, bytes, bytearray)) and len(value) > _LONGEST_LEAF and not self._whole:
            left_out = len(value) - _LONGEST_LEAF
            text = f"{value[:_LONGEST_LEAF]!r}... {left_out:,} more"
        else:
            text = repr(value)
        if len(text) > 4 * _LONGEST_LEAF and not self._whole:
            left_out = len(text) - _LONGEST_LEAF
            text = f"{text[:_LONGEST_LEAF]}... {left_out:,} more"
        self.cut = self.cut or left_out > 0
        self._left -= len(text)
        return text

    def _parts(self, value: Any) -> tuple[str, str, Any, int] | None:
        """(opening, closing, (prefix, item) pairs, how many) of a container, None for a leaf."""
        fields = fields_of(value)
        if fields is not None:
            name = value.type_name if is_record(value) else type(value).__name__
            return f"{name}(", ")", ((f"{name}=", item) for name, item in fields.items()), len(fields)
        brackets = _BRACKETS.get(type(value))
        if brackets is None or (not value and isinstance(value, (set, frozenset))):
            return None
        if isinstance(value, Mapping):
            return "{", "}", ((f"{self._leaf(key)}: ", item) for key, item in value.items()), len(value)
        return brackets[0], brackets[1], (("", item) for item in value), len(value)


def _is_quick(value: Any) -> bool:
    """Whether its repr is all there is to it."""
    kind = type(value)
    return kind in _QUICK or (kind is int and value.bit_length() <= HUGE_BITS)


_STORY = {
    Status.UNREACHABLE: "no connection",
    Status.TIMEOUT: "timed out",
    Status.CANCELLED: "cancelled",
    Status.LOST: "lost",
    Status.NOT_RUN: "not run",
}


def failure_text(outcome: Outcome, verbose: int = 0, of_many: bool = False, whole: bool = False) -> str:
    """What went wrong on a host: the headline first, then the remote traceback or what helps to mend it.

    A traceback that shows only our own code there tells people nothing, and is left out unless they ask for more.
    of_many: without the host's name, its address and how long it took, so that the same failure is the same text.
    whole: nothing is left out of what it gave before.
    """
    from remotesvc.bootstrap.failures.callerror import CallError

    from .told import Told

    error = outcome.error
    if error is None:
        return "\n".join([_STORY.get(outcome.status, "failed"), *_items_text(outcome, whole)])
    told = Told.of(error)
    headline = _headline(outcome.status, told.type, told.reason if of_many else told.message)
    more = []
    if isinstance(error, CallError) and (verbose or not _is_ours(error)):
        trace = error.render()
        if of_many:
            trace = trace.replace(f"Remote traceback on {error.host}", "Remote traceback")
        # The traceback ends with the headline; without frames it is nothing but that.
        if trace.strip() and trace.strip() != headline.strip():
            more.append(trace)
    more += _items_text(outcome, whole)
    said = told.diagnostics.strip()
    if said:
        # Without a stage it is how a process died, of which each line counts.
        lines = said.splitlines() if verbose else _last_said(said) if told.stage else said[-4000:].splitlines()
        more.append(f"{told.speaker} said:\n" + "\n".join(f"  {line}" for line in lines))
    if told.hint:
        more.append(told.hint)
    return "\n".join([headline, *more])


def _last_said(said: str) -> list[str]:
    """The end of what a target said: a profile may say much, and a shell quotes all that it was to run."""
    lines = said.splitlines()
    cut = max(len(lines) - SAID_LINES, 0)
    first = [f"[{cut:,} lines before these; -v shows them]"] if cut else []
    return first + [_short_line(line) for line in lines[cut:]]


def _short_line(line: str) -> str:
    cut = len(line) - SAID_WIDTH
    if cut <= 0:
        return line
    return f"{line[:SAID_WIDTH * 3 // 4]} [{cut:,} characters; -v shows them] {line[-SAID_WIDTH // 4:]}"


def below(text: str) -> str:
    """A text with all but its first line indented: none of them passes for what another host said."""
    first, newline, rest = text.rstrip("\n").partition("\n")
    return first + newline + "\n".join(f"  {line}" if line else "" for line in rest.split("\n"))


def _items_text(outcome: Outcome, whole: bool) -> list[str]:
    return [f"before that it gave {(whole_text if whole else pretty)(outcome.items)}"] if outcome.items else []


def _is_ours(error: CallError) -> bool:
    """Whether no code of the user's failed: what was called is ours, and it failed there or in the standard library."""
    files = [frame[0] for frame in error.frames]
    sent = [file for file in files if file.startswith(ROOT)]
    return bool(sent) and sent[0] == files[0] and all(file.startswith(ROOT + "remotesvc/") for file in sent)


def _headline(status: Status, kind: str, message: str) -> str:
    if status is Status.FAILED:
        return f"{kind}: {message}" if message else kind
    story = _STORY.get(status, "failed")
    if message == story:
        return story
    return f"{story}: {kind}: {message}" if status is Status.UNREACHABLE else f"{story}: {message or kind}"


def phases_text(outcome: Outcome) -> str:
    """The stages of setting the connection up and the whole, in milliseconds: for -v."""
    stages = ", ".join(f"{stage} {1000 * seconds:.1f}" for stage, seconds in outcome.phases.items())
    return f"{1000 * outcome.seconds:.1f} ms" + (f" (ms by stage: {stages})" if stages else "")
