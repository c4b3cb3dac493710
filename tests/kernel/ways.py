"""Both ways of a file, as tests take them by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from remotesvc import Context

Way = Callable[..., Any]


def push(context: Context, src: object, dst: object, **options: Any) -> Any:
    return context.push(src, dst, **options)


def pull(context: Context, src: object, dst: object, **options: Any) -> Any:
    return context.pull(src, dst, **options)


BOTH = pytest.mark.parametrize("way", [push, pull])
