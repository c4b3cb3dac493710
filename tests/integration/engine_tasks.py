"""Called in containers by tests: what looks as if it were not there."""

import os
import re

_WHERE = "/usr/bin/"
_HIDDEN = "hidden-"


def hide(which: str) -> None:
    """Give the programs whose names match another name."""
    for name in os.listdir(_WHERE):
        if re.match(which, name):
            os.rename(_WHERE + name, _WHERE + _HIDDEN + name)


def core_filter() -> int:
    """Which of its memory a process would leave in a core file."""
    with open("/proc/self/coredump_filter") as file:
        return int(file.read(), 16)


def show() -> None:
    """Give all of them their own names again."""
    for name in os.listdir(_WHERE):
        if name.startswith(_HIDDEN):
            os.rename(_WHERE + name, _WHERE + name[len(_HIDDEN):])
