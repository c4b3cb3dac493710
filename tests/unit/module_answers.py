"""What tests of the module server ask it, and how they read the answers."""

from __future__ import annotations

from typing import Any

from remotesvc.bootstrap.imports.modules import (
    MODULE,
    Entry,
    Request,
    announced,
    unpack,
)
from remotesvc.modules.load import ELSEWHERE
from remotesvc.modules.policy import HERE
from remotesvc.modules.server import ModuleServer


def names(items: list[Any]) -> list[str]:
    """The names of the entries."""
    return [item[0] for item in items if isinstance(item, list)]


def told(items: list[Any]) -> tuple[list[str], list[str]]:
    """What is announced before the entries: what follows, and what nobody has that anybody but Python imports."""
    follow, absent = announced(items[0]) if items and isinstance(items[0], bytes) else ([], [])
    return follow, [name for name in absent if name not in ELSEWHERE]


def ask(server: ModuleServer, name: str, child: int = 1, python: tuple[int, int] = HERE) -> list[Entry]:
    items = server.answer(child, request(MODULE, name, python))["modules"]
    return [unpack(item) for item in items if isinstance(item, list)]


def request(kind: str, name: str, python: tuple[int, int], path: str = "", **more: Any) -> dict[str, Any]:
    return Request(kind, name, python, path, **more).plain()
