"""Importing paramiko without what only its own parser of ssh_config needs, which would take as long again."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_UNUSED = "invoke"
"""With asyncio, unittest.mock and a YAML parser behind it; paramiko runs `Match exec` by it."""


class _Later(ModuleType):
    """Stands for a module until somebody uses it: then it is imported."""

    def __getattr__(self, name: str) -> Any:
        _withdraw(self)
        return getattr(importlib.import_module(self.__name__), name)


def _withdraw(stand_in: ModuleType) -> None:
    if sys.modules.get(stand_in.__name__) is stand_in:
        del sys.modules[stand_in.__name__]


def load_paramiko() -> None:
    """Import paramiko, if it is not there yet. Others notice nothing: what was left out is imported when it is used."""
    if "paramiko" in sys.modules or _UNUSED in sys.modules:
        return
    stand_in = sys.modules.setdefault(_UNUSED, _Later(_UNUSED))
    try:
        importlib.import_module("paramiko")
    finally:
        _withdraw(stand_in)
