"""Commands that are imported when they are used: a start pays for the one command it runs, `--help` for none."""

from __future__ import annotations

import importlib
from collections.abc import ItemsView, Mapping, ValuesView
from typing import Any

import click

Places = Mapping[str, tuple[str, str]]
"""Name of a command -> "module:name" of it, and the sentence that `--help` shows."""


class Commands(dict[str, click.Command]):
    """What click looks commands up in; the keys are there at once, each value when it is asked for."""

    def __init__(self, places: Places) -> None:
        super().__init__()
        self._places = places
        for name in places:
            self[name] = _NOT_YET

    def __getitem__(self, name: str) -> click.Command:
        command = super().__getitem__(name)
        if command is _NOT_YET:
            module, _, attribute = self._places[name][0].partition(":")
            command = self[name] = getattr(importlib.import_module(module), attribute)
        return command

    def get(self, name: str, default: Any = None) -> Any:
        """The command, imported by now; `default` if there is none of that name."""
        try:
            return self[name]
        except KeyError:
            return default

    def items(self) -> ItemsView[str, click.Command]:  # type: ignore[override]
        """All of them, imported."""
        return {name: self[name] for name in self}.items()

    def values(self) -> ValuesView[click.Command]:  # type: ignore[override]
        """All of them, imported."""
        return {name: self[name] for name in self}.values()


_NOT_YET = click.Command("not imported yet")


class LazyGroup(click.Group):
    """A group that imports a command when it runs. `places` says where they are."""

    def __init__(self, *arguments: Any, places: Places, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._places = places
        self.commands = Commands(places)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, without importing what it lists."""
        rows = [(name, self._places[name][1]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
