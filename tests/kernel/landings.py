"""Transfers without a network: what a sender packs goes straight to what receives it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from remotesvc.files.destination import file_sink, finish_of, tree_sink
from remotesvc.files.filters import Filter
from remotesvc.files.origin import FileOrigin, TreeOrigin
from remotesvc.files.records import CHUNK
from remotesvc.files.sink import Bounds
from remotesvc.files.source import Sending

NOTHING = Filter()


def tree_into(
    source: Path | bytes, target: Path | str, symlinks: str = "keep", inside: bool = False, basis: bool = False,
    **finish: Any,
) -> Any:
    """Copy a tree through the engine; returns the sink."""
    origin = TreeOrigin(os.fsdecode(source), symlinks, NOTHING)
    sink = tree_sink(os.fspath(target), b"", finish_of(finish), inside, Bounds(max_files=10**6), basis=basis)
    try:
        for message in origin.messages(Sending()):
            sink.take(bytes(message))
        sink.complete()
    finally:
        sink.close(False)
        origin.close()
    return sink


def file_into(source: Path, target: Path, chunk: int = CHUNK, **finish: Any) -> Any:
    with contextlib.closing(FileOrigin(str(source))) as origin:
        sink = file_sink(str(target), b"", None, finish_of(finish), Bounds())
        try:
            for message in origin.messages(Sending(chunk=chunk)):
                sink.take(bytes(message))
            sink.complete()
        finally:
            sink.close(False)
    return sink
