"""Whom a child asks for a module of its machine: the finders of others, never its own."""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from remotesvc.bootstrap.finder import MemoryFinder
from remotesvc.bootstrap.imports.loader import DistributionFinder
from remotesvc.bootstrap.imports.target import Target, ours

NOBODY: Any = None


@pytest.fixture
def finder() -> Iterator[MemoryFinder]:
    yield MemoryFinder([])


@pytest.mark.parametrize("name", ["logging", "linecache", "importlib.metadata"])
def test_a_watch_that_asks_our_finder_is_not_asked_by_it(
    finder: MemoryFinder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    target = Target(finder)
    finder.fallback = lambda name, path: target.find(name, ["/nowhere"], False)

    class Theirs:
        asked = 0

        def find_spec(self, *arguments: Any) -> None:
            Theirs.asked += 1

    watches = [DistributionFinder(NOBODY), finder]
    monkeypatch.setattr(sys, "meta_path", [*watches, Theirs()])
    assert finder.find_spec("linecache_of_nobody") is None
    assert Theirs.asked == 1
    assert target.find(name, ["/nowhere"], False) is None
    assert Theirs.asked == 2


def test_only_finders_of_the_kernel_are_ours(finder: MemoryFinder) -> None:
    for each in (finder, DistributionFinder(NOBODY)):
        assert ours(each)
    for other in (importlib.machinery.PathFinder, importlib.machinery.BuiltinImporter, object()):
        assert not ours(other)
