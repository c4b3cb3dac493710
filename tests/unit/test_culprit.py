"""Which argument keeps a call from being pickled."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest

from remotesvc.bootstrap.errors import EncodeError
from remotesvc.calling.culprit import culprit


def refuse(value: Any, place: str) -> None:
    raise EncodeError("no data", place)


@pytest.mark.parametrize("at", [0, 1, 77_777, 99_999])
def test_one_among_many_is_found_by_halves(at: int) -> None:
    tried = 0

    def count(value: Any) -> None:
        nonlocal tried
        tried += 1
        pickle.dumps(value)

    args: list[Any] = [[each] for each in range(100_000)]
    args[at] = {"x": (1, threading.Lock())}
    if at == 1:
        args[50_000] = threading.Lock()  # the first one is named
    found = culprit(args, {"y": 1}, count, refuse)
    assert found is not None and found.where == f"args[{at}]['x'][1]"
    assert tried < 40
    assert culprit([1, [2]], {"y": [3]}, count, refuse) is None
