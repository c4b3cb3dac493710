"""The names that ssh_config files give to hosts: for completion at a shell's prompt, not for connecting."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator

from .configfile import SYSTEM_CONFIG, USER_CONFIG

_LINE = re.compile(r"\s*(host|include)(?:\s+|\s*=\s*)(.*)", re.IGNORECASE)
DEEPEST = 16
MOST_FILES = 1000


def aliases(files: tuple[str, ...] = (USER_CONFIG, SYSTEM_CONFIG)) -> list[str]:
    """The names after `Host` that stand for one host, in their order, each once; an unreadable file has none."""
    left = MOST_FILES
    found: dict[str, None] = {}

    def read(path: str, base: str, depth: int) -> Iterator[str]:
        nonlocal left
        left -= 1
        if depth > DEEPEST or left < 0:
            return
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = file.readlines()
        except OSError:
            return
        for match in filter(None, map(_LINE.match, lines)):
            words = match.group(2).split("#")[0].replace('"', " ").split()
            if match.group(1).lower() == "host":
                yield from (word for word in words if not set("*?!") & set(word))
                continue
            for word in words:
                for inner in sorted(glob.glob(os.path.join(base, os.path.expanduser(word)))):
                    yield from read(inner, base, depth + 1)

    for file in files:
        path = os.path.expanduser(file)
        found.update(dict.fromkeys(read(path, os.path.dirname(path), 0)))
    return list(found)
