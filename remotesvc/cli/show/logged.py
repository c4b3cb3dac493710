"""What this program itself logs, on the console: written past it, it would land in the line about progress, or in an
open question."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from .console import Console


class _Handler(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)  # as where nobody set up logging
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as a line."""
        self._console.remote(f"{self.format(record)}\n")


@contextmanager
def logged_on(console: Console) -> Iterator[None]:
    """While entered, warnings of this program are written by `console`."""
    handler, logger = _Handler(console), logging.getLogger("remotesvc")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
