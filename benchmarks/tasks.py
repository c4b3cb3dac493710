"""What the benchmarks call: a module of the user's own, which the target does not have."""

from __future__ import annotations

import importlib


def add(a: int, b: int) -> int:
    return a + b


def load(name: str) -> str:
    """Import a module there; returns the file it came from."""
    return str(importlib.import_module(name).__file__)
