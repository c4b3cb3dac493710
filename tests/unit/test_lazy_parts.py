"""How a child gets its importer while other threads, hooks and finalisers import, too."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from remotesvc.bootstrap import child, lazy_parts
from remotesvc.bootstrap.imports import importer as whole

NAME = whole.__name__


class Made:
    def __init__(self, *_parts: Any) -> None:
        pass


@pytest.fixture
def provisions(monkeypatch: pytest.MonkeyPatch) -> lazy_parts.LazyParts:
    monkeypatch.setattr(whole, "Importer", Made)
    return lazy_parts.LazyParts(SimpleNamespace(finder=None, mailboxes={}))


def test_a_module_that_another_thread_has_half_imported_is_waited_for(
    provisions: lazy_parts.LazyParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, NAME, ModuleType(NAME))  # what Python gives to one of two that wait for each other
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            monkeypatch.setitem(sys.modules, NAME, whole)

    monkeypatch.setattr(child, "time", SimpleNamespace(sleep=sleep))
    assert isinstance(provisions.importer(), Made)
    assert len(waits) == 3


def test_a_half_imported_module_is_not_waited_for_without_end(
    provisions: lazy_parts.LazyParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, NAME, ModuleType(NAME))
    waits: list[float] = []
    monkeypatch.setattr(child, "time", SimpleNamespace(sleep=waits.append))
    with pytest.raises(ImportError, match="Importer"):
        provisions.importer()
    assert sum(waits) == pytest.approx(5)
    monkeypatch.setitem(sys.modules, NAME, whole)
    assert isinstance(provisions.importer(), Made)


def test_an_import_that_making_the_importer_leads_to_fails_at_once(
    provisions: lazy_parts.LazyParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner: list[BaseException] = []

    class Half(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name == "Importer":
                with pytest.raises(ImportError, match="part of making it") as caught:
                    provisions.importer()
                inner.append(caught.value)
                return Made
            raise AttributeError(name)

    monkeypatch.setitem(sys.modules, NAME, Half(NAME))
    assert isinstance(provisions.importer(), Made)
    assert len(inner) == 1


def test_the_lazy_parts_themselves_are_waited_for_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    name = lazy_parts.__name__
    waits: list[float] = []
    monkeypatch.setitem(sys.modules, name, ModuleType(name))

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        monkeypatch.setitem(sys.modules, name, lazy_parts)

    monkeypatch.setattr(child, "time", SimpleNamespace(sleep=sleep))
    assert child.whole(child._provisions) is lazy_parts.LazyParts
    assert len(waits) == 1
