"""Values of options that click has no type for: durations, batches, origins of packages."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from typing import Any

import click

from remotesvc.bootstrap.errors import UsageError
from remotesvc.fleet.schedule import batch_size


class Seconds(click.types.FloatParamType):
    """A duration: not negative, and no longer than a thread can wait."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            seconds = math.nan
        if not 0 <= seconds <= threading.TIMEOUT_MAX:
            self.fail(f"{value!r} is not a number of seconds (0 is no limit)", param, ctx)
        return seconds


def batches(ctx: click.Context, parameter: click.Parameter, sizes: tuple[str, ...]) -> tuple[str, ...]:
    """Sizes of batches as they are. BadParameter for one that is none."""
    for size in sizes:
        try:
            batch_size(size, 1)
        except UsageError as error:
            raise click.BadParameter(str(error), ctx, parameter) from None
    return sizes


class ImportsOption(click.Option):
    """--imports NAME=ORIGIN: for each package the strongest place that names it counts. Files give it as a table."""

    @staticmethod
    def check_table(value: Any) -> dict[str, str]:
        """The table of a file by packages. UsageError if it is none."""
        from remotesvc.modules.policy import LOCKED, origins

        if value == LOCKED:
            return {"*": LOCKED}
        if not isinstance(value, dict):
            raise UsageError(f'{value!r}: give "locked", or a table of packages')
        origins(value)
        return value

    def process_value(self, ctx: click.Context, value: Any) -> tuple[str, ...]:
        """What was typed, or else stands in the environment, over what files say."""
        typed = packages(super().process_value(ctx, value) or ())
        filed = packages(ctx.lookup_default(self.name or "") or ())
        try:
            self.check_table(typed)
        except UsageError as error:
            raise click.BadParameter(str(error), ctx, self) from None
        return tuple("=".join(pair) for pair in {**filed, **typed}.items())


def packages(values: Iterable[str]) -> dict[str, str]:
    """NAME=ORIGIN, each, as a table; `locked` stands for "*=locked"."""
    pairs = (("*", "=", each) if each == "locked" else each.partition("=") for each in values)
    return {name.strip(): origin.strip() for name, _, origin in pairs}
