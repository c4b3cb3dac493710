"""What people are told while transfers run."""

from __future__ import annotations

import io

import pytest

from remotesvc.cli.show.console import Console
from remotesvc.cli.show.meter import EVERY, Meter, Totals, size_text, time_text
from remotesvc.cli.show.stream import Stream
from remotesvc.cli.transfers import Moves, mode, rate
from remotesvc.files.copied import Copied


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_500_000, "1.5 MB"), (2.5e9, "2.5 GB"), (7e12, "7.0 TB")],
)
def test_sizes_are_written_for_people(size: float, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (67.9, "1:07"), (3723, "1:02:03")])
def test_times_are_written_for_people(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def test_totals_of_transfers_add_up_over_hosts() -> None:
    clock = Clock()
    totals = Totals(clock)
    clock.now = 10.0
    totals.told("a", 30_000_000, 100_000_000)
    totals.told("b", 20_000_000, 100_000_000)
    assert totals.text() == "50.0 MB, 25 %, 5.0 MB/s, 0:30 left"
    totals.told("a", 100_000_000, 100_000_000)
    totals.ended("a")
    totals.told("b", 20_000_000, None)
    assert totals.text() == "120.0 MB, 12.0 MB/s"
    assert totals.done == 120_000_000


def test_lines_where_there_is_no_terminal() -> None:
    clock, err = Clock(), io.StringIO()
    meter = Meter(Console(Stream(io.StringIO(), False), Stream(err, False)), False, False, clock)
    told = meter.progress("web1")
    with meter:
        for second in range(25):
            clock.now = float(second)
            told(second * 1_000_000, 100_000_000)
    assert EVERY == 10.0
    assert err.getvalue() == ("under way: 10.0 MB, 10 %, 1.0 MB/s, 1:30 left\n"
                              "under way: 20.0 MB, 20 %, 1.0 MB/s, 1:20 left\n")


def test_an_outcome_in_one_line() -> None:
    moves = Moves([Copied(files=1, bytes=5_000_000, sent=4_000_000, resumed=1_000_000, seconds=1.0),
                   Copied(files=2, bytes=0, skipped=5, skipped_names=["dev/a\n", "b", "c", "d"], seconds=1.0,
                          changed_names=["a\n\x1b[2J"])])
    assert moves.text() == (
        "3 files, 5.0 MB, 1.0 MB of it resumed, 5 skipped (dev/a\\n, b, c, and 2 more) in 2.00 s (2.0 MB/s)"
    )
    assert Moves([Copied(skipped=1, skipped_names=["x"])]).text(planned="fetch").endswith(", 1 skipped (x)")
    assert moves.text(names=True).splitlines()[0].startswith("send a")
    assert "\x1b" not in moves.text(names=True)
    assert moves.as_data()["files"] == 3


def test_rates_and_modes() -> None:
    assert [rate(text) for text in ("500k", "10M", "1.5G", "7", "10MB/s")] == [5e5, 1e7, 1.5e9, 7.0, 1e7]
    assert [mode(text) for text in ("0644", "755", "4755")] == [0o644, 0o755, 0o4755]
    for function, text in ((rate, "fast"), (rate, "0"), (mode, "8"), (mode, "u+x"), (mode, "77777")):
        with pytest.raises(Exception, match="is no"):
            function(text)
