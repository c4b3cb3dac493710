"""Host ranges of inventories: `web[01:20].example.com`, `db-[a:f]`, `n[0:100:2]`, `web[01-20,25]`. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from itertools import product
from string import ascii_lowercase, ascii_uppercase

MOST_HOSTS = 100_000
"""Hosts that one pattern may stand for: a slipped digit must not fill the memory."""

LOCAL = "local:"
"""This machine, the one host whose name ends in a colon."""

_ADDRESS = re.compile(r"([^\s\[\]]+@)?\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9_.-]+)?)\](?::([0-9]{1,5}))?\Z")
_BRACKETS = re.compile(r"\[([^\[\]]+)\]")
_RANGE = re.compile(r"([A-Za-z0-9]+)\s*[:-]\s*([A-Za-z0-9]+)(?:\s*[:/]\s*([0-9]+))?\Z")


def in_brackets(text: str) -> tuple[str, str | None] | None:
    """Of `[2001:db8::1]:22` and `user@[::1]` the name without brackets, and the port; None for anything else."""
    found = _ADDRESS.match(text)
    if found is None:
        return None
    try:
        ipaddress.IPv6Address(found.group(2).partition("%")[0])
    except ValueError:
        return None  # a range: [1:10:2]
    return (found.group(1) or "") + found.group(2), found.group(3)


def expand(text: str) -> list[str]:
    """The names a pattern stands for, in order; just itself without brackets. ValueError for a range that is none."""
    if "[" not in text or in_brackets(text) is not None:
        return [text]
    pieces = _BRACKETS.split(text)
    if len(pieces) == 1:
        raise ValueError(f"the brackets of {text!r} do not close")
    choices = [[piece] if index % 2 == 0 else list(_numbers(piece, text)) for index, piece in enumerate(pieces)]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MOST_HOSTS:
        raise ValueError(f"{text!r} stands for {count:,} hosts; {MOST_HOSTS:,} are the limit")
    return ["".join(parts) for parts in product(*choices)]


def _numbers(inner: str, text: str) -> Iterator[str]:
    for part in (each.strip() for each in inner.split(",")):
        found = _RANGE.match(part)
        if found is None:
            if not part.isalnum():
                raise ValueError(f"[{inner}] in {text!r} is not a range: write [01:20], [a:f], or [1-9,12]")
            yield part
            continue
        first, last, step = found.group(1), found.group(2), int(found.group(3) or 1)
        if step < 1:
            raise ValueError(f"a range of {text!r} has a step of 0")
        yield from _between(first, last, step, text)


def _between(first: str, last: str, step: int, text: str) -> Iterator[str]:
    if first.isdigit() and last.isdigit():
        # A leading zero fixes the width, as in 01:20; both ends must agree on it.
        width = len(first) if first.startswith("0") and len(first) > 1 else 0
        if width and len(last) < width:
            raise ValueError(f"[{first}:{last}] in {text!r} begins with {width} digits and ends with {len(last)}")
        begin, end = int(first), int(last)
        if end < begin:
            raise ValueError(f"[{first}:{last}] in {text!r} runs backwards")
        if (end - begin) // step >= MOST_HOSTS:
            raise ValueError(f"[{first}:{last}] in {text!r} has more than {MOST_HOSTS:,} hosts")
        for number in range(begin, end + 1, step):
            yield f"{number:0{width}d}"
        return
    for letters in (ascii_lowercase, ascii_uppercase):
        if len(first) == len(last) == 1 and first in letters and last in letters:
            if last < first:
                raise ValueError(f"[{first}:{last}] in {text!r} runs backwards")
            yield from letters[letters.index(first) : letters.index(last) + 1 : step]
            return
    raise ValueError(f"[{first}:{last}] in {text!r} is neither numbers nor single letters")
