"""The books of a transfer: its window against a simulated line, its throttle, and when it compresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.bootstrap.errors import WireError
from remotesvc.bootstrap.links.credit import WIDE_WINDOW, WINDOW
from remotesvc.files.transfer import Squeeze, Throttle, Window

MESSAGE = 128 * 1024


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def carry(window: Window, clock: Clock, trip: float, rate: float, total: int) -> float:
    """Send `total` bytes over a line of `rate` bytes a second whose grants come back after `trip`; the seconds used."""
    begun, sent, line_free = clock.now, 0, clock.now
    grants: list[tuple[float, int]] = []
    while sent < total or grants:
        while sent < total and window.take(MESSAGE):
            line_free = max(line_free, clock.now) + MESSAGE / rate
            grants.append((line_free + trip, MESSAGE))
            sent += MESSAGE
        clock.now, size = grants.pop(0)
        window.granted(size)
    return clock.now - begun


@pytest.mark.parametrize(("trip", "rate"), [(0.1, 60e6), (0.1, 20e6), (0.02, 300e6), (0.0005, 400e6)])
def test_a_window_grows_to_what_the_line_needs(trip: float, rate: float) -> None:
    clock = Clock()
    window = Window(clock)
    total = 256 * MESSAGE * 8
    assert carry(window, clock, trip, rate, total) <= total / rate / 0.8 + 10 * trip
    assert WINDOW <= window.limit <= WIDE_WINDOW


def test_a_short_line_keeps_the_window_small() -> None:
    clock = Clock()
    window = Window(clock)
    carry(window, clock, 0.0005, 400e6, 512 << 20)
    assert window.limit <= 2 * WINDOW


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3 * WINDOW)), max_size=60))
def test_grants_never_exceed_what_was_sent(steps: list[tuple[bool, int]]) -> None:
    clock = Clock()
    window = Window(clock)
    sent = granted = 0
    for sending, size in steps:
        clock.now += 0.01
        if sending:
            before = window.outstanding
            if window.take(size):
                sent += size
                assert before == 0 or before + size <= WIDE_WINDOW
            else:
                assert before > 0
        elif size > sent - granted:
            with pytest.raises(WireError):
                window.granted(size)
        else:
            window.granted(size)
            granted += size
        assert window.outstanding == sent - granted


SENDS = st.lists(st.tuples(st.integers(1, MESSAGE), st.floats(0, 0.5)), min_size=2, max_size=50)


@given(SENDS, st.integers(1000, 10**7))
def test_a_throttle_holds_over_any_time(sends: list[tuple[int, float]], limit: int) -> None:
    now = 50.0
    throttle = Throttle(limit, now)
    sent = 0
    for size, pause in sends:
        now += pause
        now += throttle.delay(size, now)
        assert sent <= (now - 50.0) * limit + limit * 1e-6 + 1
        sent += size


def blocks(squeeze: Squeeze, rate: float, ratio: float, speed: float, count: int) -> tuple[int, int]:
    """How many of `count` blocks were tried, and how many were sent compressed."""
    tried = compressed = 0
    for _ in range(count):
        if squeeze.wanted(rate):
            tried += 1
            compressed += squeeze.tried(MESSAGE, int(MESSAGE * ratio), MESSAGE / speed, rate)
    return tried, compressed


@pytest.mark.parametrize(
    ("mode", "rate", "ratio", "speed", "most_tried", "least_compressed"),
    [
        ("off", 1e6, 0.1, 100e6, 0, 0),
        ("zlib", 900e6, 0.5, 100e6, 4096, 4096),
        ("auto", 10e6, 0.3, 100e6, 4096, 4096),  # a slow line, and data that shrinks
        ("auto", 10e6, 1.0, 40e6, 7, 0),  # nothing to gain: tried ever more rarely
        ("auto", 300e6, 0.3, 100e6, 0, 0),  # faster than zlib ever is
        ("auto", 110e6, 0.3, 100e6, 7, 0),  # faster than zlib is here
        ("auto", 0.0, 0.3, 100e6, 0, 0),  # not known yet
    ],
)
def test_compression_pays_or_is_left(
    mode: str, rate: float, ratio: float, speed: float, most_tried: int, least_compressed: int
) -> None:
    tried, compressed = blocks(Squeeze(mode), rate, ratio, speed, 4096)
    assert tried <= most_tried
    assert compressed >= least_compressed


def test_what_goes_to_many_is_compressed_on_any_line() -> None:
    assert blocks(Squeeze("auto", eager=True), 0.0, 0.3, 100e6, 100) == (100, 100)
    assert blocks(Squeeze("auto", eager=True), 0.0, 1.0, 100e6, 100)[1] == 0


def test_data_that_stops_shrinking_is_no_longer_compressed() -> None:
    squeeze = Squeeze("auto")
    assert blocks(squeeze, 10e6, 0.3, 100e6, 50)[1] == 50
    assert blocks(squeeze, 10e6, 1.0, 100e6, 1000)[0] <= 5
