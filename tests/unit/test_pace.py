"""What a child may say that no credit bounds, and what of it is a sign of life: the books alone."""

from __future__ import annotations

from remotesvc.bootstrap.links.pace import BURST, LEAST, RATE, SHARE, Allowance, Trickle
from remotesvc.bootstrap.links.patience import PAUSE


def test_a_burst_waits_for_nothing_and_more_waits_as_long_as_it_is_too_early() -> None:
    allowance = Allowance(100.0)
    assert allowance.spend(BURST, 0, 100.0) == 0
    assert allowance.spend(50, 0, 100.0) == 50 / RATE
    assert allowance.spend(50, 0, 100.0) == 100 / RATE, "what was not waited for is still due"


def test_at_the_rate_nobody_waits_however_long_it_goes_on() -> None:
    allowance = Allowance(0.0)
    assert allowance.spend(BURST, 0, 0.0) == 0
    for second in range(1, 1000):
        assert allowance.spend(int(RATE), 0, float(second)) == 0


def test_silence_earns_one_burst_and_no_more() -> None:
    allowance = Allowance(0.0)
    assert allowance.spend(BURST, 0, 86400.0) == 0
    assert allowance.spend(1, 0, 86400.0) > 0


def test_what_we_sent_is_a_cause() -> None:
    allowance = Allowance(0.0)
    assert allowance.spend(BURST, 0, 0.0) == 0
    assert allowance.spend(100, 100 * SHARE, 0.0) == 0
    assert allowance.spend(1, 100 * SHARE, 0.0) > 0, "each byte counts once"


def heard(trickle: Trickle, received: int, pending: int, now: float) -> float:
    """As if the last byte had come just now."""
    return trickle.heard(now, received, pending, now)


def test_bytes_of_a_frame_that_does_not_come_are_no_sign_of_life() -> None:
    trickle = Trickle()
    assert heard(trickle, 40, 0, 1.0) == 1.0
    assert heard(trickle, 50, 10, 2.0) == 2.0
    for second in range(3, 60):
        assert heard(trickle, 50 + second, 10 + second, float(second)) == 2.0
    assert heard(trickle, 200, 0, 60.0) == 60.0, "it has come"


def test_a_slow_line_is_a_sign_of_life() -> None:
    trickle, received = Trickle(), 0
    for second in range(1, 100):
        received += LEAST
        assert heard(trickle, received, received, float(second)) == second


def test_whole_frames_are_signs_of_life_whatever_begins_behind_them() -> None:
    trickle = Trickle()
    for second in range(1, 100):
        assert heard(trickle, 50 * second, 10, float(second)) == second


def test_silence_is_not_made_shorter() -> None:
    trickle = Trickle()
    for second in range(1, 30):
        assert trickle.heard(1.0, 50, 10, float(second)) == 1.0


def test_the_time_for_which_we_were_stopped_does_not_count() -> None:
    trickle = Trickle()
    assert heard(trickle, 50, 10, 1.0) == 1.0
    assert heard(trickle, 51, 11, 2.0) == 1.0
    assert heard(trickle, 52, 12, 2.0 + PAUSE + 1) == 2.0 + PAUSE + 1
