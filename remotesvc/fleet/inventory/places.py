"""Where in the files of an inventory a variable is written: for errors, whose reader wants to go there.

Values come from many files, and are looked at only when a host is used. Remembering for each where it came from would
cost every run; so the files are searched when there is an error to explain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .toml_file import CONNECTION

MOST = 3
"""Places that are named."""


def places(files: Iterable[str], variable: str, value: str = "") -> str:
    """"hosts, line 3; group_vars/web.yml, line 1": the lines that name a variable, those with `value` in them rather
    than others. Empty if there is none; what cannot be read any more is passed over."""
    found: list[tuple[str, str]] = []
    for file in dict.fromkeys(files):
        try:
            with open(file, encoding="utf-8-sig") as text:
                found += [(f"{file}, line {number}", line) for number, line in enumerate(text, 1)
                          if _names(file, variable).search(line)]
        except (OSError, UnicodeDecodeError):
            continue
    exact = [place for place, line in found if value and value in line]
    near = exact or [place for place, _ in found]
    more = f" and {len(near) - MOST} more" if len(near) > MOST else ""
    return "; ".join(near[:MOST]) + more


def _names(file: str, variable: str) -> re.Pattern[str]:
    """What says the variable in a file of that kind, comments aside."""
    words = [variable]
    if file.endswith(".toml"):
        words += [word for word, meant in CONNECTION.items() if meant == variable]
    return re.compile(rf"^[^#]*(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])")
