"""When a link acknowledges what it has received."""

from __future__ import annotations

from typing import Any

import pytest

from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.credit import ACK_DELAY, ACK_EVERY
from remotesvc.bootstrap.links.link import Link

PIECE = 32704


class Fed:
    """A link whose reader is the test and whose writer never runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        self.frames: list[wire.Frame] = []
        self.link = Link(None, 1, lambda link, frame: self.frames.append(frame), lambda link, reason: None)
        self.link.corked = True

    def feed(self, data: Any) -> list[int]:
        """Totals that were acknowledged because of these bytes."""
        self.link.controls.clear()
        self.link.feed(bytes(data))
        return [wire.Decoder().feed_untrusted(each)[0].handle for each in self.link.controls]


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> Fed:
    return Fed(monkeypatch)


def frame(size: int) -> bytes:
    return wire.Frame(wire.MESSAGE, dst=0, stream=20, payload=bytes(size - wire.SIZE)).pack()


def test_a_long_frame_is_acknowledged_at_its_end(fed: Fed) -> None:
    data, told = frame(4 * PIECE), []
    for _ in range(10):
        for start in range(0, len(data), PIECE):
            told += fed.feed(data[start:start + PIECE])
            fed.now += ACK_DELAY / 20
    # The first piece of all comes after a long silence.
    assert told == [PIECE, *range(4 * PIECE, 41 * PIECE, 4 * PIECE)]
    assert len(fed.frames) == 10


def test_a_long_frame_that_takes_its_time_is_acknowledged_meanwhile(fed: Fed) -> None:
    data = frame(4 * PIECE)
    for start in range(0, len(data), PIECE):
        assert fed.feed(data[start:start + PIECE]) == [start + PIECE]
        fed.now += ACK_DELAY * 1.01


def test_small_frames_are_acknowledged_together(fed: Fed) -> None:
    told: list[int] = []
    for _ in range(100):
        told += fed.feed(frame(1000))
    assert told == [1000 * number for number in range(17, 101, 17)]
    assert ACK_EVERY == 16 * 1024
