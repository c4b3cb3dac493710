"""Calls that would wait for ever, since what they wait for waits for them: what they are known by.

A call may hold what others wait for (`Call.in_turn`): the only turn of its service, a value for all who ask for it, the
making of a service; or the main thread. What it calls has a token in its lineage, a negative number behind the
context's own; `Call.waits_for` are the tokens of the calls of which it needs one to go on. So a call that waits for its
holder, and has in its lineage the token that the holder waits for, would wait for ever, and so would two that wait for
each other's holders. One that was only submitted, or cast, is waited for by nobody, and may wait.

`remotesvc.calling.invocation` gives out tokens; whoever waits sets `waits_for`. `workers` looks at those who wait for
the main thread, `remotesvc.service.cycle` at those who wait for a service.
"""
import itertools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, List

# Those of this process; they are unique in it, and mean something behind its id only.
TOKENS = itertools.count(1)
# The call, if any, that last called others from the main thread of this process.
_on_main: "List[Any]" = []


def tokens_of(call: "Any", here: "int") -> "List[int]":
    """Of the calls made here that wait for this one."""
    return [-after for each, after in zip(call.lineage, call.lineage[1:]) if each == here and after < 0]


def without_tokens(lineage: "Iterable[int]") -> "List[int]":
    """The contexts alone: the lineage of a call that nobody waits for."""
    return [each for each in lineage if each >= 0]


def way_text(lineage: "Iterable[int]") -> "str":
    """The contexts, as an error tells them."""
    return " -> ".join([str(each) for each in without_tokens(lineage)])


def note_on_main(call: "Any") -> "None":
    """This call has the main thread, and calls others from there."""
    _on_main[:] = [call]


def main_waits_for() -> "Any":
    """The tokens of the calls of which the call on the main thread needs one to go on; empty if it waits for none."""
    return _on_main[0].waits_for if _on_main else ()
