"""The reading of imports, on which the layering test stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.imports import imports_of

TEXT = """
import os.path, sys
from . import wire
from .errors import Error, Lost
from ..launch import plan
if TYPE_CHECKING:
    import typing
else:
    import types
try:
    import zlib
except ImportError:
    pass
class Class:
    import struct
    def method(self):
        import pickle
        import_module("json.decoder")
async def function():
    return lambda: __import__("logging")
"""


@pytest.mark.parametrize(("name", "package"), [("part.py", "a.b"), ("part/__init__.py", "a.b.part")])
def test_every_kind_of_import_is_read(name: str, package: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(TEXT)
    found = imports_of("a.b.part", path)
    above = package.rpartition(".")[0]
    assert [(one.target, one.names) for one in found if one.relative] == [
        (package, ("wire",)),
        (f"{package}.errors", ("Error", "Lost")),
        (f"{above}.launch", ("plan",)),
    ]
    absolute = [one for one in found if not one.relative]
    at_top = ["os.path", "sys", "typing", "types", "zlib", "struct"]
    assert [one.target for one in absolute if one.at_top] == at_top
    assert [one.target for one in absolute if not one.at_top] == ["pickle", "json.decoder", "logging"]
    assert [one.target for one in found if one.typing_only] == ["typing"]
    assert [one.line for one in found[:3]] == [2, 2, 3]
