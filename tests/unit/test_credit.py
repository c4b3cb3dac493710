"""Flow control as book-keeping: what may be outstanding, what is granted back, how much may be in flight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.bootstrap.calls.unfold import AHEAD, Ahead
from remotesvc.bootstrap.errors import WireError
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.assembly import Eager
from remotesvc.bootstrap.links.credit import MIN_FLIGHT, WIDE_WINDOW, WINDOW, Flight, ReceiveCredit, SendCredit
from remotesvc.bootstrap.links.gauge import FIRST_FLIGHT, LEAST_FLIGHT, MAX_FLIGHT, Gauge
from remotesvc.bootstrap.links.streams import MESSAGE_COST

MIB = 1 << 20

steps = st.lists(st.tuples(st.sampled_from(["send", "grant"]), st.integers(0, 60)), max_size=60)


@given(st.integers(1, 100), steps)
def test_what_a_sender_has_outstanding_stays_in_its_window(window: int, sequence: list[tuple[str, int]]) -> None:
    credit, booked = SendCredit(window), 0
    for what, size in sequence:
        if what == "send":
            fits = booked + size <= window or not booked
            assert credit.take(size) is fits
            booked += size if fits else 0
        elif size > booked:
            with pytest.raises(WireError, match="granted"):
                credit.granted(size)
        else:
            credit.granted(size)
            booked -= size
        assert credit.outstanding == booked
        # What is larger than the window goes alone.
        assert 0 <= booked <= max(window, 60)


@given(st.integers(8, 100), st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=60))
def test_a_pair_agrees_and_never_stops(window: int, sequence: list[tuple[bool, int]]) -> None:
    """What the receiver owes is what the sender has out; once all is consumed, the sender can go on."""
    sender, receiver = SendCredit(window), ReceiveCredit(window)
    waiting: list[int] = []
    for send, size in sequence:
        if send and sender.take(size):
            receiver.arrived(size)
            waiting.append(size)
        elif not send and waiting:
            grant = receiver.consumed(waiting.pop(0))
            if grant:
                sender.granted(grant)
        owed = receiver._arrived - receiver._granted
        assert sender.outstanding == owed
        assert sum(waiting) <= owed
        assert owed - sum(waiting) < max(window / 8, 1) or waiting
    while waiting:
        grant = receiver.consumed(waiting.pop(0))
        if grant:
            sender.granted(grant)
    assert sender.take(window - window // 8)


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(wire.SIZE + MESSAGE_COST, wire.FRAGMENT)), max_size=60))
def test_a_caller_who_takes_all_that_a_generator_sends_gets_more(sequence: list[tuple[int, int]]) -> None:
    sender, receiver = Ahead(WINDOW), Eager(WINDOW)
    for times, size in sequence:
        for _ in range(times + 1):
            sent = 0
            while sent < 100 and sender.take(size):
                receiver.arrived(size)
                sent += 1
            assert sent
            for _ in range(sent):
                grant = receiver.consumed(size)
                if grant:
                    sender.granted(grant)


def test_a_generator_is_few_small_items_ahead_at_first_and_a_window_later() -> None:
    size = wire.SIZE + MESSAGE_COST + 10
    sender, receiver = Ahead(WINDOW), Eager(WINDOW)

    def fill() -> int:
        while sender.take(size):
            receiver.arrived(size)
        return sender.outstanding // size

    ahead = [fill()]
    assert ahead == [AHEAD]
    while ahead[-1] < WINDOW // size:
        while not (grant := receiver.consumed(size)):
            pass
        sender.granted(grant)
        ahead.append(fill())
    assert len(ahead) <= 5
    large = Ahead(WINDOW)
    assert sum(large.take(wire.FRAGMENT) for _ in range(100)) == WINDOW // wire.FRAGMENT


@given(st.integers(1, 100), st.lists(st.integers(0, 60), max_size=20))
def test_a_sender_that_ignores_its_credit_is_noticed(window: int, sizes: list[int]) -> None:
    credit, held = ReceiveCredit(window), 0
    for size in sizes:
        if held and held + size > window:
            with pytest.raises(WireError, match="over a window"):
                credit.arrived(size)
            return
        credit.arrived(size)
        held += size
        assert held <= max(window, 60)


def test_grants_are_few_while_a_stream_is_busy() -> None:
    credit = ReceiveCredit(WINDOW)
    for _ in range(WINDOW // 1024):
        credit.arrived(1024)
    grants = [credit.consumed(1024) for _ in range(WINDOW // 1024)]
    assert sum(map(bool, grants)) == 8
    assert sum(grants) == WINDOW


def test_a_fragment_fits_into_what_is_left_ungranted() -> None:
    """Less than an eighth of a window may be held back, and the rest must take a frame: else both sides would wait."""
    for window in (WINDOW, WIDE_WINDOW):
        assert window - window // 8 >= wire.FRAGMENT + wire.SIZE


# -- in flight


def test_acknowledgements_are_believed_only_as_far_as_they_can_be_true() -> None:
    flight = Flight()
    flight.send(1000, 0.0, False)
    flight.ack(400, 0.1)
    assert flight.flying == 600
    for lie in (399, 1001, -1, 2**64 - 1):
        with pytest.raises(WireError, match="acknowledged"):
            flight.ack(lie, 0.2)
    assert flight.flying == 600


def gauged() -> Flight:
    flight = Flight()
    flight.gauge = Gauge()
    return flight


def test_a_flight_without_a_gauge_stays_short() -> None:
    flight = Flight()
    for number in range(1000):
        flight.send(MIN_FLIGHT, number * 0.01, True)
        flight.ack(flight.sent, number * 0.01 + 0.009)
    assert flight.limit == MIN_FLIGHT


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10**6), st.floats(0, 10)), max_size=50))
def test_flying_is_what_was_sent_and_not_acknowledged(sequence: list[tuple[bool, int, float]]) -> None:
    flight, now, sent, acked = gauged(), 0.0, 0, 0
    for send, size, seconds in sequence:
        now += seconds
        if send:
            flight.send(size, now, True)
            sent += size
        else:
            acked = min(sent, acked + size)
            flight.ack(acked, now)
        assert flight.flying == sent - acked
        assert LEAST_FLIGHT <= flight.limit <= MAX_FLIGHT


class Line:
    """A line of so many bytes a second with a round trip of so many seconds, always busy, simulated."""

    def __init__(self, rate: float, trip: float) -> None:
        self.rate = rate
        self.trip = trip
        self.flight = gauged()
        self.now = 0.0
        self.free_at = 0.0
        self.acks: list[tuple[float, int]] = []
        self.delays: list[float] = []

    def run(self, seconds: float, batch: int = 64 * 1024) -> Line:
        end = self.now + seconds
        self.delays.clear()
        while self.now < end:
            while self.flight.flying < self.flight.limit:
                self.flight.send(batch, self.now, True)
                # One at a time through the bottleneck, each with its time of travel on top.
                self.free_at = max(self.free_at, self.now) + batch / self.rate
                self.acks.append((self.heard_at(self.free_at + self.trip), self.flight.sent))
                self.delays.append(self.free_at + self.trip - self.now)
            self.now, total = self.acks.pop(0)
            self.flight.ack(total, self.now)
        return self

    def heard_at(self, arrival: float) -> float:
        """When an acknowledgement that arrives then is heard."""
        return arrival

    @property
    def worst(self) -> float:
        """What a ping would have had to wait, at worst, in the last run."""
        return max(self.delays)


@pytest.mark.parametrize("trip", [0.001, 0.02, 0.1])
@pytest.mark.parametrize("rate", [1 * MIB, 10 * MIB, 100 * MIB])
def test_a_busy_line_is_full_and_no_fuller(rate: float, trip: float) -> None:
    """However long it stays busy: enough is in flight to fill the line, and little more waits in it."""
    line = Line(rate, trip).run(20)
    begun = line.flight.acked
    line.run(60)
    assert (line.flight.acked - begun) / 60 > 0.85 * rate
    least = max(trip, MIN_FLIGHT / rate)
    assert line.worst < 5 * least + 0.05


class PausingLine(Line):
    """A line by way of a jump host: of 48 ms nothing is acknowledged for 43, and then all that arrived meanwhile."""

    def heard_at(self, arrival: float) -> float:
        return max(arrival, arrival // 0.048 * 0.048 + 0.043)


@pytest.mark.parametrize("rate", [20 * MIB, 200 * MIB])
def test_a_fast_line_is_full_although_its_acknowledgements_pause(rate: float) -> None:
    line = PausingLine(rate, 0.001).run(20)
    begun = line.flight.acked
    line.run(60)
    assert (line.flight.acked - begun) / 60 > 0.85 * rate
    assert line.worst < 0.3


def test_a_pause_is_forgotten_with_its_line() -> None:
    line = PausingLine(100 * MIB, 0.001).run(20)
    wide = line.flight.limit
    line.__class__ = Line
    assert line.run(20).flight.limit < wide / 5


def test_on_a_slow_line_hardly_anything_waits() -> None:
    """A megabit a second: what is said beside a transfer does not wait for seconds, once the line is known."""
    line = Line(125_000, 0.02).run(20, 16 * 1024)
    assert line.worst < 1.2, "nor before, for much longer than a second"
    begun = line.flight.acked
    line.run(60, 16 * 1024)
    assert (line.flight.acked - begun) / 60 > 0.85 * line.rate
    assert line.worst < 0.6


def test_the_limit_grows_with_the_round_trip() -> None:
    limits = []
    for trip in (0.001, 0.01, 0.05, 0.1):
        line = Line(100 * MIB, trip).run(5)
        limits.append(line.flight.limit)
    assert limits == sorted(limits)
    assert limits[-1] > 8 * limits[0]
    assert limits[-1] >= 100 * MIB * 0.1


def test_the_limit_shrinks_with_the_rate() -> None:
    line = Line(100 * MIB, 0.05).run(5)
    wide = line.flight.limit
    line.rate = 10 * MIB
    line.run(60)
    assert line.flight.limit < wide / 5
    line.rate = 100 * MIB
    line.run(10)
    assert line.flight.limit > wide / 2


def test_the_limit_follows_a_route_that_became_longer_or_shorter() -> None:
    line = Line(50 * MIB, 0.005).run(5)
    short = line.flight.limit
    line.trip = 0.1
    line.run(30)
    long = line.flight.limit
    assert long > 4 * short
    line.trip = 0.005
    line.run(30)
    assert line.flight.limit < long / 2


def test_a_quiet_line_says_nothing_of_the_limit() -> None:
    flight = gauged()
    for number in range(1000):
        flight.send(1000, number * 10.0, False)
        flight.ack(flight.sent, number * 10.0 + 5)
    assert flight.limit == FIRST_FLIGHT
