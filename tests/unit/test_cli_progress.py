"""The line that says who is waited for."""

from __future__ import annotations

import pytest

from remotesvc.cli.show.progress import Waiting


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def waiting(*hosts: str) -> tuple[Waiting, Clock]:
    clock = Clock()
    return Waiting(hosts, clock), clock


def test_hosts_are_named_longest_first_with_their_time() -> None:
    books, clock = waiting("a", "local:", "c", "d")
    assert books.text(80) == "0/4 done, waiting for 4"
    books.began("c")
    clock.now = 103.0
    books.began("local:")
    books.began("c")  # another try
    clock.now = 165.0
    assert books.text(80) == "0/4 done, waiting for c (1:05), local (1:02) and 2 more"
    books.ended("c", fine=False)
    books.ended("a", fine=True)
    assert books.text(80) == "2/4 done, 1 failed, waiting for local (1:02) and 1 more"
    assert books.hosts == ["local:", "d"]
    books.ended("d", fine=True)
    assert books.text(80) == "3/4 done, 1 failed, waiting for local (1:02)"
    books.ended("local:", fine=True)
    assert books.text(80) == "" and books.hosts == []


@pytest.mark.parametrize(("width", "text"), [
    (80, "0/3 done, waiting for host1 (0:00), host2 (0:00), host3 (0:00)"),
    (62, "0/3 done, waiting for host1 (0:00), host2 (0:00), host3 (0:00)"),
    (61, "0/3 done, waiting for host1 (0:00), host2 (0:00) and 1 more"),
    (58, "0/3 done, waiting for host1 (0:00), host2 (0:00) +1"),
    (46, "0/3 done, waiting for host1 (0:00) and 2 more"),
    (37, "0/3 done, waiting for host1 (0:00) +2"),
    (36, "0/3 done, waiting for 3"),
    (3, "0/3 done, waiting for 3"),
])  # fmt: skip
def test_the_line_of_progress_has_as_many_names_as_fit(width: int, text: str) -> None:
    books, _ = waiting("host1", "host2", "host3")
    for host in books.hosts:
        books.began(host)
    assert books.text(width) == text


def test_a_name_is_one_harmless_line() -> None:
    books, _ = waiting("a\x1b[2J\n", "b")
    books.began("a\x1b[2J\n")
    assert books.text(80) == "0/2 done, waiting for a\\x1b[2J\\n (0:00) and 1 more"
