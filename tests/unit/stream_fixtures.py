"""Fixture: the books of one context. A test module takes it with

pytest_plugins = ("tests.unit.stream_fixtures",)
"""

from __future__ import annotations

import pytest

from tests.unit.stream_books import Books


@pytest.fixture
def books() -> Books:
    return Books()
