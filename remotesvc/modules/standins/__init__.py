"""Python for compiled parts of the standard library that a minimal target lacks, where Python can do the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

STAND_INS = {"_contextvars": "contextvars.py"}
"""Module -> file here. It is sent to targets of the master's minor version that have no such module."""


def stand_in(name: str) -> tuple[bytes, str]:
    """The source of a stand-in and its file."""
    file = str(Path(__file__).with_name(STAND_INS[name]))
    here: Any = sys.modules[__name__]
    return here.__spec__.loader.get_data(file), file  # it may lie in a zip archive
