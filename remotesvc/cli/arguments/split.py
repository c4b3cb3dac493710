"""Split the words of `remotesvc run` into our options and the words of the function. Pure.

Up to the target every option is ours. Behind it an option we know is still ours, wherever it stands; any
other `--name` belongs to the function, and so does a negative number. After `--` nothing is ours. Of `remotesvc exec`
nothing is ours from the first word of the command on.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..problems import BadUsage
from .bind import Word

_NUMBER = re.compile(r"-(\d|\.\d|inf\b|nan\b)", re.IGNORECASE)
_OPERANDS = 2
"""HOST and the target come before the function's own words; the second may be the first word of a command."""


class Split(NamedTuple):
    """Our words, those of the function, and the names of options of ours that stood behind the target, where the
    function may have parameters of these names."""

    ours: list[str]
    theirs: list[Word]
    behind: list[str]


def split_words(words: Iterable[str], options: Mapping[str, bool]) -> Split:
    """Whose words these are. `options`: each option string of ours, dashes included, and whether it takes a value."""
    ours: list[str] = []
    theirs: list[Word] = []
    behind: list[str] = []
    operands = 0
    left = list(reversed(list(words)))
    while left:
        word = left.pop()
        if word == "--":
            rest = list(reversed(left))
            ours += rest[: _OPERANDS - operands]
            theirs += [Word(text, literal=True) for text in rest[max(0, _OPERANDS - operands) :]]
            break
        if not word.startswith("-") or word == "-" or word.startswith("-:"):
            if operands < _OPERANDS:
                operands += 1
                ours.append(word)
            else:
                theirs.append(Word(word))
        elif _is_ours(word, options, behind=operands == _OPERANDS):
            ours.append(word)
            if operands == _OPERANDS:
                behind.append(word.partition("=")[0])
            if _wants_next(word, options) and left:
                ours.append(left.pop())
        elif _NUMBER.match(word):
            theirs.append(Word(word, literal=True))
        else:
            theirs.append(Word(word))
    return Split(ours, theirs, behind)


def command_at(words: Sequence[str], options: Mapping[str, bool]) -> int | None:
    """Where the words of a command begin behind PATTERN, if no -- stands ahead of them."""
    operands, at = 0, 0
    while at < len(words):
        word = words[at]
        if word == "--":
            return None
        if not word.startswith("-") or word == "-":
            operands += 1
            if operands == _OPERANDS:
                return at
        elif word.partition("=")[0] in options or not word.startswith("--"):
            at += _wants_next(word, options)
        at += 1
    return None


def _is_ours(word: str, options: Mapping[str, bool], behind: bool) -> bool:
    name = word.partition("=")[0] if word.startswith("--") else word[:2]
    if name in options and not (behind and _NUMBER.match(word)):
        return True
    if behind and (word.startswith("--") or _NUMBER.match(word)):
        return False
    near = difflib.get_close_matches(name, options, n=1) if word.startswith("--") else []
    hint = f"; did you mean {near[0]}?" if near else ""
    after = "; put it after -- to pass it to the function" if behind else ""
    raise BadUsage(f"no such option: {name}{hint}{after}")


def _wants_next(word: str, options: Mapping[str, bool]) -> bool:
    """Whether the option's value is the next word."""
    if word.startswith("--"):
        return "=" not in word and options[word]
    # A cluster such as -vqT 5: the first letter that takes a value takes what is left of the word, or the
    # next one.
    for position, letter in enumerate(word[1:], start=2):
        if options.get(f"-{letter}"):
            return position == len(word)
    return False
