"""Python for compiled parts of the standard library that a minimal target lacks, where Python can do the same."""

from __future__ import annotations

from pathlib import Path

STAND_INS = {"_contextvars": "contextvars.py"}
"""Module -> file here. It is sent to targets of the master's minor version that have no such module."""


def stand_in(name: str) -> tuple[bytes, str]:
    """The source of a stand-in and its file."""
    file = Path(__file__).with_name(STAND_INS[name])
    return file.read_bytes(), str(file)
