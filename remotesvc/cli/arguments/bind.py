"""Fit the words of the command line to a function: which is which argument, and of what type. Pure.

Words are positional arguments, in order. `--kw name=value` and `--name value` are keyword arguments; a bool
parameter is also set by a bare `--name` and cleared by `--no-name`. A dash in a name stands for an
underscore.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..problems import BadUsage
from .convert import convert, convert_bytes, from_json
from .scalars import FALSE, TRUE, Unconvertible
from .signature import Callee, Parameter
from .typespec import ANY, TypeSpec

_PLAIN: tuple[str, ...] = ("true", "false")
_VALUES = (*TRUE, *FALSE, "none", "null")


@dataclass(frozen=True)
class Word:
    """One word after the target. `literal`: it stood after `--`, so it is an argument whatever it looks like."""

    text: str
    literal: bool = False


def bind(
    callee: Callee,
    words: Sequence[Word],
    keywords: Sequence[str],
    read_stdin: Callable[[], bytes],
    all_json: bool = False,
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of the call. BadUsage, with the signature, when they do not fit.

    `keywords` are the values of --kw. `read_stdin` is called at most once, for arguments that are `-`;
    several such arguments get the same data. `all_json`: every argument is JSON, annotations are ignored.
    """
    return _Binder(callee, read_stdin, all_json).bind(words, keywords)


class _Binder:
    def __init__(self, callee: Callee, read_stdin: Callable[[], bytes], all_json: bool) -> None:
        self._callee = callee
        self._read_stdin = read_stdin
        self._all_json = all_json
        self._stdin: bytes | None = None
        kinds = [item for item in callee.parameters if item.type.kind != "host"]  # that one is not the user's to give
        self._positional = [item for item in kinds if item.kind in ("positional", "either")]
        self._named = {item.name: item for item in kinds if item.kind in ("either", "keyword")}
        self._rest = next((item for item in kinds if item.kind == "args"), None)
        self._others = next((item for item in kinds if item.kind == "kwargs"), None)

    def bind(self, words: Sequence[Word], keywords: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
        texts, named = self._sort(words)
        for item in keywords:
            name, equals, text = item.partition("=")
            if not equals or not name.isidentifier():
                raise BadUsage(f"--kw takes name=value, not {item!r}")
            named.append((name, text))
        self._check(texts, named)
        args = [self._value(word, self._place(index), f"argument {index + 1}") for index, word in enumerate(texts)]
        kwargs = {
            name: self._value(Word(text), self._named.get(name, self._others), name) if isinstance(text, str) else text
            for name, text in named
        }
        return args, kwargs

    def _sort(self, words: Sequence[Word]) -> tuple[list[Word], list[tuple[str, str | bool]]]:
        """Positional words, and (name, text) of the flags."""
        texts: list[Word] = []
        named: list[tuple[str, str | bool]] = []
        left = list(reversed(words))
        while left:
            word = left.pop()
            if word.literal or not word.text.startswith("--"):
                texts.append(word)
                continue
            flag, equals, text = word.text[2:].partition("=")
            name = flag.replace("-", "_")
            if not name.isidentifier():
                raise self._refusal(f"{word.text!r} is no option of ours and names no parameter")
            if equals:
                named.append((name, text))
            elif (switch := self._switch(name)) is not None:
                # One that may be None is no flag to those who write a value behind it: that must not become True.
                refused = _PLAIN if self._named[switch[0]].type.kind == "bool" else _VALUES
                if left and not left[-1].literal and left[-1].text.lower() in refused:
                    raise self._misplaced(flag, switch[0].replace("_", "-"), left[-1].text)
                named.append(switch)
            elif left and not (left[-1].text.startswith("--") and not left[-1].literal):
                named.append((name, left.pop().text))
            elif self._callee.checked and self._others is None and name not in self._named:
                raise self._refusal(self._unknown(name, f", and --{flag} is no option of ours"))
            else:
                raise self._refusal(f"--{flag} needs a value")
        return texts, named

    def _misplaced(self, flag: str, name: str, word: str) -> BadUsage:
        meant = word.lower()
        bare = f" or --{name}" if meant in TRUE else f" or --no-{name}" if meant in FALSE else ""
        return self._refusal(f"{word} behind --{flag} is an argument of its own: write --{name}={word}{bare}; if"
                             f" it is meant as one, have it ahead of --{flag}")

    def _switch(self, name: str) -> tuple[str, bool] | None:
        for candidate, value in ((name, True), (name.removeprefix("no_"), False)):
            parameter = self._named.get(candidate)
            if parameter is not None and (value or candidate != name):
                return (candidate, value) if parameter.type.is_switch else None
        return None

    def _place(self, index: int) -> Parameter | None:
        return self._positional[index] if index < len(self._positional) else self._rest

    def _check(self, texts: list[Word], named: list[tuple[str, str | bool]]) -> None:
        names = [name for name, _ in named]
        for name in names:
            if names.count(name) > 1:
                raise self._refusal(f"{name} is given more than once")
        if not self._callee.checked:
            return
        if len(texts) > len(self._positional) and self._rest is None:
            raise self._refusal(f"takes {self._counted(len(self._positional))}, {len(texts)} given")
        filled = {item.name for item in self._positional[: len(texts)]}
        for name in names:
            if name in filled and name in self._named:
                raise self._refusal(f"{name} is given twice, by position and by name")
            if name not in self._named and self._others is None:
                raise self._refusal(self._unknown(name))
        missing = [
            item.name for item in (*self._positional[len(texts) :], *self._named.values())
            if item.required and item.name not in names and item.name not in filled
        ]  # fmt: skip
        if missing:
            raise self._refusal(f"misses {', '.join(dict.fromkeys(missing))}")

    def _unknown(self, name: str, more: str = "") -> str:
        near = difflib.get_close_matches(name, self._named, n=1)
        return f"has no parameter {name!r}{more}" + (f"; did you mean {near[0]!r}?" if near else "")

    def _counted(self, most: int) -> str:
        least = sum(item.required for item in self._positional)
        amount = str(most) if least == most else f"{least} to {most}"
        return f"{amount} positional argument{'' if most == 1 else 's'}"

    def _value(self, word: Word, parameter: Parameter | None, what: str) -> Any:
        spec = parameter.type if parameter is not None else ANY
        what = parameter.name if parameter is not None and parameter.kind != "kwargs" else what
        try:
            if word.text == "-" and not word.literal:
                return self._from_stdin(spec)
            return from_json(word.text) if self._all_json else convert(word.text, spec)
        except Unconvertible as error:
            raise self._refusal(f"{what}: {error}") from None

    def _from_stdin(self, spec: TypeSpec) -> Any:
        if self._stdin is None:
            self._stdin = self._read_stdin()
        if self._all_json:
            return from_json(self._stdin.decode("utf-8", "replace"))
        return convert_bytes(self._stdin, spec)

    def _refusal(self, problem: str) -> BadUsage:
        shown = f"\nsignature: {self._callee.shown}" if self._callee.shown else ""
        return BadUsage(f"{self._callee.name}: {problem}{shown}")
