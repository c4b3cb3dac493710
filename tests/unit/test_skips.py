"""The rule on skips under CI: what the list names is accepted, nothing else."""

from __future__ import annotations

from tests.skips import ALLOWED, Skip, not_allowed, read_patterns

LIST = """
# a comment
tests/kernel/test_a.py::test_one  # the reason

tests/faults/*
  tests/integration/test_b.py::test_two[3.?]
"""


def test_patterns_are_read_without_comments_and_blank_lines() -> None:
    assert read_patterns(LIST) == [
        "tests/kernel/test_a.py::test_one",
        "tests/faults/*",
        "tests/integration/test_b.py::test_two[3.?]",
    ]


def test_only_what_is_named_is_allowed() -> None:
    accepted = [
        Skip("tests/kernel/test_a.py::test_one", "why"),
        Skip("tests/faults/test_c.py", "the whole file"),
        Skip("tests/integration/test_b.py::test_two[3.6]", "why"),
    ]
    refused = [
        Skip("tests/kernel/test_a.py::test_one_more", "why"),
        Skip("tests/integration/test_b.py::test_two[3.10]", "why"),
        Skip("tests/integration/test_b.py::test_two3", "the brackets are no character class"),
    ]
    assert not_allowed([*accepted, *refused], read_patterns(LIST)) == refused


def test_every_allowed_skip_says_why() -> None:
    lines = [line for line in ALLOWED.read_text().splitlines() if line.strip() and not line.startswith("#")]
    assert [line for line in lines if not line.partition(" # ")[2].strip()] == []
