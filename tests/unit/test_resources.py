"""A data file of sent code that is fetched when something is read of it."""

from __future__ import annotations

import copy
import io
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from remotesvc.bootstrap.imports.resources import Later

CONTENT = b"hello\nworld\n"


def cut(file: io.BytesIO) -> None:
    file.truncate(3)


def overwrite(file: io.BytesIO) -> None:
    file.write(b"HE")


def overwrite_lines(file: io.BytesIO) -> None:
    file.writelines([b"H", b"E"])


@pytest.mark.parametrize("change", [cut, overwrite, overwrite_lines, lambda file: None])
@pytest.mark.parametrize("copied", [lambda file: file, copy.copy, lambda file: pickle.loads(pickle.dumps(file))],
                         ids=["itself", "a copy", "a pickle"])
def test_it_is_what_one_that_is_read_at_once_is(change: Callable[[Any], None], copied: Callable[[Any], Any]) -> None:
    late, plain = Later(lambda: CONTENT), io.BytesIO(CONTENT)
    for file in (late, plain):
        change(file)
    late, plain = copied(late), copied(plain)
    assert (late.tell(), late.read(), late.getvalue()) == (plain.tell(), plain.read(), plain.getvalue())


def test_of_two_threads_that_read_it_one_has_its_content() -> None:
    both = threading.Barrier(2)

    def content() -> bytes:
        both.wait(20)
        return CONTENT

    file, read = Later(content), []
    threads = [threading.Thread(target=lambda: read.append(file.read())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(read) == [b"", CONTENT]
    assert file.getvalue() == CONTENT
