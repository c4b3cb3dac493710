"""The names that ssh_config files give to hosts: for completion at a shell's prompt, not for connecting."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator

from remotesvc.bootstrap.errors import UsageError

from .configfile import DEEPEST, SYSTEM_CONFIG, USER_CONFIG, lines_of, setting

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
            lines = lines_of(path)
        except OSError:
            return
        for line in lines:
            try:
                key, words = setting(line, path) or ("", [])
            except UsageError:  # connecting says what is wrong with it
                continue
            if key == "host":
                yield from (word for word in words if word.isprintable() and not set("*?!") & set(word))
            elif key == "include":
                for word in words:
                    for inner in sorted(glob.glob(os.path.join(base, os.path.expanduser(word)))):
                        yield from read(inner, base, depth + 1)

    for file in files:
        path = os.path.expanduser(file)
        found.update(dict.fromkeys(read(path, os.path.dirname(path), 0)))
    return list(found)
