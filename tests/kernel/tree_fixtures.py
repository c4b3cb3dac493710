"""Fixtures: trees of routers in this process, and a hostile child of one. A test module takes them with

pytest_plugins = ("tests.kernel.tree_fixtures",)
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from remotesvc.testing.tree import MemoryTree
from tests.kernel.rawpeer import RawPeer


@pytest.fixture
def tree() -> Iterator[MemoryTree]:
    with MemoryTree() as tree:
        yield tree


@pytest.fixture
def open_tree() -> Iterator[MemoryTree]:
    """One whose siblings may talk."""
    with MemoryTree(siblings=True) as tree:
        yield tree


@pytest.fixture
def raw(tree: MemoryTree) -> Iterator[RawPeer]:
    """A hostile child of the root."""
    peer = RawPeer(tree.root)
    yield peer
    peer.close()
