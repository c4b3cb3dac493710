"""docs/performance.md against the benchmarks: its tables have a command for each, and no command for none."""

from __future__ import annotations

import re

from tests.zones import ROOT

PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
CHOSEN = set(re.findall(r"`tox -e bench -- -k (\w+)`", PAGE))
BENCHMARKS = {
    name
    for path in (ROOT / "benchmarks").glob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
}


def test_each_row_of_the_page_about_performance_has_a_command() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| promise |")]
    assert rows
    assert [row for row in rows if not re.search(r"\| `tox -e bench -- -k \w+` \|$", row)] == []


def test_each_command_on_the_page_about_performance_chooses_a_benchmark() -> None:
    assert {part for part in CHOSEN if not any(part in name for name in BENCHMARKS)} == set()


def test_each_benchmark_is_chosen_by_a_command_on_the_page_about_performance() -> None:
    assert {name for name in BENCHMARKS if not any(part in name for part in CHOSEN)} == set()
