"""Frames and messages as bytes: the table, every way of cutting them, and what no peer may say."""

from __future__ import annotations

import itertools
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.bootstrap.data.limits import BESIDE
from remotesvc.bootstrap.errors import DecodeError, WireError
from remotesvc.bootstrap.links import fragments, wire
from remotesvc.bootstrap.links.assembly import Assembly
from remotesvc.bootstrap.links.wire import Frame

FIELDS = ("kind", "flags", "stream", "dst", "src", "auth", "handle", "reply_to", "payload")

# A value and its bytes: what old and new masters and children have to agree on.
TABLE = [
    (
        Frame(wire.MESSAGE, wire.TAGGED | wire.ERROR, 2, 0, 7, 7, wire.RANDOM | 5, 0, b"\x90"),
        "5256 01 18 00000002 00000000 00000007 00000007 8000000000000005 0000000000000000 00000001 90",
    ),
    (
        Frame(wire.MESSAGE, wire.MORE | wire.FIRST, 17, 3, 0, 0, wire.CALL, wire.RANDOM | 1, b"\x00\x02\x00\x00ab"),
        "5256 01 03 00000011 00000003 00000000 00000000 0000000000000001 8000000000000001 00000006 000200006162",
    ),
    (Frame(wire.PING), "5256 02 00 00000000 ffffffff 00000000 00000000 0000000000000000 0000000000000000 00000000"),
    (
        Frame(wire.ACK, handle=1 << 40),
        "5256 04 00 00000000 ffffffff 00000000 00000000 0000010000000000 0000000000000000 00000000",
    ),
    (
        Frame(wire.GRANT, stream=1, dst=4, src=2, auth=2, handle=1048576),
        "5256 05 00 00000001 00000004 00000002 00000002 0000000000100000 0000000000000000 00000000",
    ),
    (
        Frame(wire.ROUTE_DROP, handle=9, payload=b"gone"),
        "5256 09 00 00000000 ffffffff 00000000 00000000 0000000000000009 0000000000000000 00000004 676f6e65",
    ),
    (
        Frame(wire.BYE, payload="é".encode()),
        "5256 0c 00 00000000 ffffffff 00000000 00000000 0000000000000000 0000000000000000 00000002 c3a9",
    ),
]

uint32 = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1)
frames = st.builds(
    Frame,
    st.integers(1, wire.KERNEL),
    st.integers(0, 255),
    uint32,
    uint32,
    uint32,
    uint32,
    uint64,
    uint64,
    st.binary(max_size=200),
)


def fields(frame: Frame) -> list[object]:
    return [getattr(frame, name) for name in FIELDS]


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """The bytes cut at these places, wherever those lie."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in zip(places, places[1:], strict=False)]


def decode(pieces: list[bytes]) -> list[list[object]]:
    decoder = wire.Decoder()
    found = [fields(frame) for piece in pieces for frame in decoder.feed_untrusted(piece)]
    assert decoder.pending == 0
    return found


# -- frames


@pytest.mark.parametrize(
    ("frame", "text"), TABLE, ids=lambda value: f"kind{value.kind}" if isinstance(value, Frame) else ""
)
def test_frames_are_packed_as_the_table_says(frame: Frame, text: str) -> None:
    data = bytes.fromhex(text)
    assert frame.pack() == data
    assert decode([data]) == [fields(frame)]


def test_kinds_and_flags_keep_their_numbers() -> None:
    kinds = ["MESSAGE", "PING", "PONG", "ACK", "GRANT", "CANCEL", "DEAD", "ROUTE_ADD", "ROUTE_DROP"]
    kinds += ["HELLO", "CONFIG", "BYE", "KERNEL"]
    assert [getattr(wire, name) for name in kinds] == list(range(1, 14))
    flags = [wire.MORE, wire.FIRST, wire.BLOBS, wire.TAGGED, wire.ERROR, wire.STREAM, wire.END, wire.ABORT]
    assert flags == [1 << bit for bit in range(8)]


@given(st.lists(frames, max_size=6), st.lists(st.integers(0, 10**6), max_size=12))
def test_every_cut_gives_the_same_frames(sent: list[Frame], cuts: list[int]) -> None:
    data = b"".join(frame.pack() for frame in sent)
    assert decode(pieces_of(data, cuts)) == [fields(frame) for frame in sent]


def test_bytes_one_at_a_time() -> None:
    data = b"".join(frame.pack() for frame, _ in TABLE)
    assert decode([data[place : place + 1] for place in range(len(data))]) == [fields(frame) for frame, _ in TABLE]


@given(frames, st.data())
def test_a_frame_comes_out_with_its_last_byte(frame: Frame, data: st.DataObject) -> None:
    packed = frame.pack()
    cut = data.draw(st.integers(0, len(packed) - 1))
    decoder = wire.Decoder()
    assert decoder.feed_untrusted(packed[:cut]) == []
    assert decoder.pending == cut
    assert [fields(found) for found in decoder.feed_untrusted(packed[cut:])] == [fields(frame)]


@pytest.mark.parametrize("size", [0, 1, wire.FRAGMENT, wire.MAX_PAYLOAD])
def test_payload_sizes(size: int) -> None:
    data = Frame(wire.MESSAGE, payload=bytes(size)).pack()
    assert [len(frame.payload) for frame in wire.Decoder().feed_untrusted(data * 2)] == [size, size]


def broken(place: int, value: int, width: int = 1) -> bytes:
    data = bytearray(Frame(wire.PING).pack())
    data[place : place + width] = value.to_bytes(width, "big")
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        broken(0, 0x53),
        broken(1, 0x57),
        broken(2, 0),
        broken(2, wire.KERNEL + 1),
        broken(2, 255),
        broken(wire.SIZE - 4, wire.MAX_PAYLOAD + 1, 4),
        broken(wire.SIZE - 4, 2**32 - 1, 4),
        b"Traceback (most recent call last):\n  somebody printed where frames are expected\n",
        b"\n",
    ],
)
@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_what_is_no_frame_is_refused_and_quoted(data: bytes, before: int, step: int) -> None:
    data = Frame(wire.PING).pack() * before + data
    decoder, found = wire.Decoder(), 0
    with pytest.raises(WireError, match="not a frame"):
        for place in range(0, len(data), step):
            found += len(decoder.feed_untrusted(data[place : place + step]))
    assert found <= before


def test_a_foreign_first_byte_is_noticed_at_once() -> None:
    with pytest.raises(WireError, match="bash: warning"):
        wire.Decoder().feed_untrusted(b"bash: warning")
    with pytest.raises(WireError):
        wire.Decoder().feed_untrusted(b"RX")
    assert wire.Decoder().feed_untrusted(b"R") == []


def test_four_gigabytes_are_refused_before_anything_is_allocated() -> None:
    header = Frame(wire.MESSAGE).header(2**32 - 1)
    decoder = wire.Decoder()
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            decoder.feed_untrusted(header)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_large_payload_is_put_together_once() -> None:
    """Read in the pieces that SSH brings, it is copied once, and whoever keeps it keeps little else."""
    frame = Frame(wire.MESSAGE, payload=bytes(range(256)) * 511)
    data, decoder = frame.pack(), wire.Decoder()
    cuts = [*range(0, len(data), 32704), len(data)]
    (found,) = [found for begin, end in itertools.pairwise(cuts) for found in decoder.feed_untrusted(data[begin:end])]
    assert isinstance(found.payload, memoryview)
    assert found.payload == frame.payload
    assert len(found.payload.obj) < 2 * len(frame.payload)


def test_a_small_payload_does_not_keep_what_came_with_it() -> None:
    sent = [Frame(wire.MESSAGE, payload=bytes(size)) for size in (20_000, 60_000, 10, 20_000)]
    found = wire.Decoder().feed_untrusted(b"".join(frame.pack() for frame in sent))
    assert [type(frame.payload) for frame in found] == [bytes, memoryview, bytes, bytes]


def test_tiny_pieces_of_a_frame_are_not_kept_one_by_one() -> None:
    data, decoder = Frame(wire.MESSAGE, payload=bytes(wire.MAX_PAYLOAD)).pack(), wire.Decoder()
    tracemalloc.start()
    try:
        for begin in range(0, len(data) - 3, 3):
            assert decoder.feed_untrusted(data[begin:begin + 3]) == []
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 1.2 * len(data)


def test_frames_of_many_reads_cost_what_they_hold() -> None:
    """Memory: a decoder holds one frame under way, however slowly it comes."""
    decoder = wire.Decoder()
    data = Frame(wire.MESSAGE, payload=bytes(wire.MAX_PAYLOAD)).pack()
    for _ in range(20):
        for place in range(0, len(data), 4096):
            decoder.feed_untrusted(data[place : place + 4096])
            assert decoder.pending <= wire.SIZE + wire.MAX_PAYLOAD


# -- bodies and blobs


@given(st.binary(max_size=50), st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_parts_undo_a_body(data: bytes, ends: list[bytes]) -> None:
    blobs = [bytes(BESIDE - 1) + end for end in ends]
    flags, buffers = fragments.body(data, blobs)
    assert bool(flags) == bool(blobs)
    found, parts = fragments.parts_untrusted(flags, b"".join(buffers))
    assert bytes(found) == data
    assert [bytes(part) for part in parts] == blobs


def test_blobs_of_any_format_travel_as_bytes() -> None:
    import array

    numbers = array.array("d", [1.5, 2.5] * BESIDE)
    flags, buffers = fragments.body(b"x", [numbers, bytearray(b"a" * BESIDE), memoryview(b"b" * BESIDE)])
    _, parts = fragments.parts_untrusted(flags, b"".join(buffers))
    assert [bytes(part) for part in parts] == [numbers.tobytes(), b"a" * BESIDE, b"b" * BESIDE]


def test_more_blobs_than_a_message_has_room_for_take_no_memory() -> None:
    """A message of zeros, which is a list of that many lengths, took 50 times its size."""
    count = 1 << 20
    payload = struct.pack(">I", count) + bytes(4 * count)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="claims 1048576 blobs"):
            fragments.parts_untrusted(wire.BLOBS, payload)
        assert tracemalloc.get_traced_memory()[1] < 1 << 16
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0\0\0",
        struct.pack(">I", 1),
        struct.pack(">II", 1, 1),
        struct.pack(">III", 2, 1, 2**32 - 1) + b"abc",
        struct.pack(">I", 2**32 - 1) + bytes(100),
    ],
)
def test_lengths_that_do_not_add_up(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        fragments.parts_untrusted(wire.BLOBS, payload)


@given(st.integers(0, 255), st.binary(max_size=100))
def test_parts_of_anything(flags: int, payload: bytes) -> None:
    try:
        data, blobs = fragments.parts_untrusted(flags, payload)
    except DecodeError:
        assert flags & wire.BLOBS
    else:
        assert len(data) + sum(map(len, blobs)) <= len(payload)


# -- fragments and their assembly

SIZES = [0, 1, wire.FRAGMENT - 1, wire.FRAGMENT, wire.FRAGMENT + 1, 2 * wire.FRAGMENT - 4, 2 * wire.FRAGMENT - 3, 10**6]
# Sizes near the borders matter; those between do not.
sizes = st.sampled_from(SIZES) | st.integers(0, 3 * wire.FRAGMENT)


def cut(buffers: list[bytes]) -> list[Frame]:
    total = sum(map(len, buffers))
    found = []
    for flags, length, payload in fragments.fragments(buffers, total):
        assert length == sum(map(len, payload)) <= wire.FRAGMENT
        found.append(Frame(wire.MESSAGE, flags, 20, payload=b"".join(payload)))
    return found


def joined(parts: list[Frame]) -> bytes:
    """What a receiver makes of it."""
    if not parts[0].flags & wire.FIRST:
        assert len(parts) == 1
        return parts[0].payload
    assembly = Assembly(parts[0])
    for part in parts[:-1]:
        assert not assembly.add(part)
    assert assembly.add(parts[-1])
    return bytes(assembly.body)


@given(st.lists(sizes, min_size=1, max_size=4))
def test_fragments_join_to_what_was_cut(lengths: list[int]) -> None:
    buffers = [bytes([65 + index]) * length for index, length in enumerate(lengths)]
    parts = cut(buffers)
    assert joined(parts) == b"".join(buffers)
    assert all(len(part.payload) == wire.FRAGMENT for part in parts[:-1])
    assert [bool(part.flags & wire.MORE) for part in parts] == [True] * (len(parts) - 1) + [False]
    assert [bool(part.flags & wire.FIRST) for part in parts] == [len(parts) > 1] + [False] * (len(parts) - 1)


def test_a_fragment_is_a_whole_number_of_ssh_packets() -> None:
    assert (wire.FRAGMENT + wire.SIZE) % 32704 == 0
    assert wire.FRAGMENT <= wire.MAX_PAYLOAD


def test_fragments_copy_nothing() -> None:
    data = bytes(4 * wire.FRAGMENT)
    for _flags, _length, payload in fragments.fragments([data], len(data)):
        assert all(isinstance(part, memoryview) and part.obj is data for part in payload if len(part) != 4)


def first(total: int, payload: bytes = b"", flags: int = wire.FIRST | wire.MORE) -> Frame:
    return Frame(wire.MESSAGE, flags, 20, payload=struct.pack(">I", total) + payload)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(wire.MESSAGE, wire.FIRST, payload=b""),
        Frame(wire.MESSAGE, wire.FIRST | wire.MORE, payload=b"\0\0\0"),
        first(wire.MAX_MESSAGE + 1),
        first(2**32 - 1),
        first(3, b"abcd"),
    ],
)
def test_beginnings_that_are_refused(frame: Frame) -> None:
    with pytest.raises(WireError):
        Assembly(frame)


def test_an_announced_length_allocates_nothing() -> None:
    tracemalloc.start()
    try:
        assembly = Assembly(first(wire.MAX_MESSAGE, b"a"))
        assembly.add(first(wire.MAX_MESSAGE, b"a"))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@given(st.integers(0, 40), st.lists(st.tuples(st.booleans(), st.binary(max_size=12)), min_size=1, max_size=6))
def test_an_assembly_takes_what_was_announced_and_no_more(total: int, rest: list[tuple[bool, bytes]]) -> None:
    begin = first(total)
    assembly, done = Assembly(begin), False
    assert assembly.add(begin) is False
    for more, payload in rest:
        brought = len(assembly.body) + len(payload)
        frame = Frame(wire.MESSAGE, wire.MORE if more else 0, 20, payload=payload)
        if brought > total or (not more and brought != total):
            with pytest.raises(WireError, match="fragmented"):
                assembly.add(frame)
            return
        done = assembly.add(frame)
        assert done is not more
        assert len(assembly.body) <= total
        if done:
            assert len(assembly.body) == total
            return
    assert not done
