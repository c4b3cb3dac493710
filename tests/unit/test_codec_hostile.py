"""What a hostile peer may send: depth, bombs, colliding hashes, false lengths. Nothing but DecodeError comes of it."""

from __future__ import annotations

import decimal
import enum
import fractions
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from remotesvc import fastcodec
from remotesvc.bootstrap.data import classes, codec, guard, limits, tags
from remotesvc.bootstrap.data.codec import Bindings
from remotesvc.bootstrap.data.record import type_name
from remotesvc.bootstrap.errors import DecodeError, EncodeError

both = pytest.mark.parametrize("implementation", [codec, fastcodec], ids=["pure", "c"])
DEEP = 100_000
TAGS = range(tags.TUPLE, tags.ARRAY + 1)


def _on_small_stack(work: Callable[[], Any]) -> Any:
    """The outcome of `work` in a thread with a stack of 512 KiB: its value or its error."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:
            outcome.append(error)

    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    return outcome[0]


@both
@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("levels", [DEEP, 200])
def test_every_tag_nested(implementation: ModuleType, tag: int, levels: int) -> None:
    once = b"\x92\xc7\x00%c" % tag
    outcome = _on_small_stack(lambda: implementation.decode(once * levels + b"\xc0"))
    if levels == 200 and tag in (tags.TUPLE, tags.FROZENSET, tags.SECRET):
        assert not isinstance(outcome, Exception)
    else:
        assert isinstance(outcome, DecodeError)


@both
@pytest.mark.parametrize("once", [b"\x91", b"\x81\xa0", b"\x93\xc7\x00\x04\x01", b"\x95\xc7\x00\x06\x00\xa1a\x00"])
def test_plain_nesting(implementation: ModuleType, once: bytes) -> None:
    assert isinstance(_on_small_stack(lambda: implementation.decode(once * DEEP + b"\xc0")), DecodeError)


@both
@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: {"a": x}, lambda x: (x,), lambda x: {2**70: x}],
                         ids=["list", "dict", "tuple", "tagged dict"])
def test_depth_limit_is_the_same_both_ways(implementation: ModuleType, wrap: Callable[[Any], Any]) -> None:
    value: Any = []
    for _ in range(limits.MAX_DEPTH - 1):
        value = wrap(value)
    encoded = implementation.encode(value)
    assert _on_small_stack(lambda: implementation.decode(encoded.data, (), encoded.tagged)) == value
    with pytest.raises(EncodeError, match="levels deep"):
        implementation.encode(wrap(value))
    head = {"list": b"\x91", "dict": b"\x81\xa1a", "tuple": b"\x92\xc7\x00\x01"}[type(value).__name__]
    if type(value) is dict and 2**70 in value:
        head = b"\x93" + codec.encode({2**70: None}).data[1:-1]
    with pytest.raises(DecodeError):
        implementation.decode(head + encoded.data, (), encoded.tagged)


@both
def test_deep_list_is_refused_with_its_place(implementation: ModuleType) -> None:
    value: list[Any] = []
    for _ in range(DEEP):
        value = [value]
    outcome = _on_small_stack(lambda: implementation.encode(["x", value]))
    assert isinstance(outcome, EncodeError)
    assert outcome.where.startswith("value[1][0][0]")
    assert len(outcome.where) < 300
    while value:  # one level at a time: freeing it at once would need the stack again
        value = value[0]


@both
def test_cycle_is_refused(implementation: ModuleType) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(EncodeError, match="levels deep"):
        implementation.encode(value)


def _chain(count: int, bits: int) -> list[int]:
    """Integers for which a table of 2**bits slots walks further with every one of them."""
    slot, keys = 7, []
    for _ in range(count // 2):
        keys.append(slot)
        slot = (slot * 5 + 1) & ((1 << bits) - 1)
    return keys + [7 + (number << bits) for number in range(1, count // 2)]


P = sys.hash_info.modulus
ATTACKS: dict[str, list[Any]] = {
    "equal big ints": [number * P for number in range(200)],
    "equal tuples": [(number * P,) for number in range(200)],
    "chain": _chain(20_000, 15), "longer chain": _chain(20_000, 16),
    "chain, then harmless ones": _chain(20_000, 15) + list(range(10**7, 10**7 + 20_000)),
    "nested": [frozenset(range(P * 64 * n, P * 64 * (n + 1), P)) for n in range(60)],
}


@both
@pytest.mark.parametrize("name", ATTACKS)
def test_colliding_keys_and_elements(implementation: ModuleType, name: str) -> None:
    keys = ATTACKS[name]
    packed = [codec.encode(key).data for key in keys]
    flat = b"".join(key + b"\xc0" for key in packed)
    count = len(keys)
    messages = [b"\xdd%s\xc7\x00\x04" % (count * 2 + 1).to_bytes(4, "big") + flat]
    if name != "equal tuples" and name != "nested":
        messages.append(b"\xdf" + count.to_bytes(4, "big") + flat)
    for tag in (tags.SET, tags.FROZENSET):
        messages.append(b"\xdd%s\xc7\x00%c" % ((count + 1).to_bytes(4, "big"), tag) + b"".join(packed))
    for message in messages:
        started = time.thread_time()
        with pytest.raises(DecodeError, match="hash"):
            implementation.decode(message)
        assert time.thread_time() - started < 5


@both
def test_sets_of_sets_with_equal_hashes_are_not_compared(implementation: ModuleType) -> None:
    # Built as bytes: Python itself takes half a minute over the values.
    level = [codec.encode(P * number).data for number in range(12)]
    for _ in range(4):  # each comparison would meet eleven of the level below, and each of those eleven
        level = [b"\x9c\xc7\x00\x03" + b"".join(level[:number] + level[number + 1 :]) for number in range(12)]
    message = b"\x9d\xc7\x00\x02" + b"".join(level)
    assert len(message) < limits.MAX_STRUCTURED
    started = time.thread_time()
    with pytest.raises(DecodeError, match="too large to compare"):
        implementation.decode(message)
    assert time.thread_time() - started < 10


@both
@pytest.mark.parametrize("keys", [
    range(100_000), range(0, 10**9, 4096 * 1024), [n << 32 for n in range(3000)], [-n for n in range(5000)],
    [n / 7 for n in range(5000)], [-(2**63) + n for n in range(3000)],
    [(a, b, c) for a in range(-3, 3) for b in range(-3, 3) for c in range(-3, 40)],
    [frozenset([-1]), frozenset([-2]), (-1, -2), (-2, -1), -1, -2, -1.5],
    [n * 2**61 for n in range(3)] + [2**61 - 1, 0.5],
], ids=range(9))
def test_honest_keys_and_elements_pass(implementation: ModuleType, keys: Any) -> None:
    for value in (dict.fromkeys(keys, 1), set(keys), frozenset(keys), [{key: None} for key in keys][:50]):
        encoded = implementation.encode(value)
        assert implementation.decode(encoded.data, (), encoded.tagged) == value


def test_hashes_are_not_made_for_nothing() -> None:
    class Untouchable(str):
        def __hash__(self) -> int:
            raise AssertionError("hashed")

    guard.check_hashes(["a", b"b"], False)
    with pytest.raises(AssertionError):
        guard.check_hashes([Untouchable("a"), Untouchable("b")], False)


BOMBS = {
    "empty lists": b"\xdd\x00\x7f\xff\x00" + b"\x90" * 0x7FFF00,
    "four MiB of them": b"\xdd\x00\x3f\xff\x00" + b"\x90" * 0x3FFF00,
    "claims in claims": (b"\xdd\x00\x7f\x00\x00" * 500 + b"\xc0" * (8 << 20))[: 8 << 20],
    "small dicts": b"\xdd\x00\x0b\xff\x00" + b"\x81\xa0\xc0" * 0x0BFF00,
    "dicts and numbers": b"\xdd\x00\x33\x00\x00" + b"\x81\xa0\xc0" * 0x0BFF00 + b"\xd0\x80" * (0x330000 - 0x0BFF00),
    "empty sets": b"\xdd\x00\x05\xff\x00" + b"\x91\xc7\x00\x02" * 0x05FF00,
    "short texts": b"\xdd\x00\x1f\xff\x00" + b"\xa3\xe2\x82\xac" * 0x1FFF00,
}
MEASURE = """
import resource, sys
from importlib import import_module
from remotesvc.bootstrap.errors import DecodeError
codec = import_module(sys.argv[1])
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    value = codec.decode(data)
except DecodeError:
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("module", ["remotesvc.bootstrap.data.codec", "remotesvc.fastcodec"])
def test_memory_of_a_bomb(module: str, name: str) -> None:
    answer = subprocess.run([sys.executable, "-c", MEASURE, module], input=BOMBS[name], capture_output=True,
                            timeout=100, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(answer.stdout) * unit < 400 << 20


@both
def test_lists_by_the_million_are_refused(implementation: ModuleType) -> None:
    with pytest.raises(DecodeError, match="containers"):
        implementation.decode(BOMBS["four MiB of them"], (), False)
    with pytest.raises(EncodeError, match="containers"):
        implementation.encode([[] for _ in range(limits.MAX_NODES)])
    value: list[Any] = [[] for _ in range(limits.MAX_NODES - 1)]
    assert implementation.decode(implementation.encode(value).data, (), False) == value


def test_bytes_that_look_like_containers_are_not_counted() -> None:
    value = [b"\x90" * 60_000] * 20
    assert fastcodec.decode(fastcodec.encode(value).data, (), False) == value


@both
def test_message_sizes(implementation: ModuleType) -> None:
    with pytest.raises(EncodeError, match=r"^value(\[\d+\] \(str\))?: .*8 MiB"):  # no type of ours, if it is the whole
        implementation.encode(["x" * 60_000] * 150)
    with pytest.raises(EncodeError, match="128 MiB"):
        implementation.encode([bytes(1 << 26)] * 2, None, False, "args")
    with pytest.raises(DecodeError, match="larger"):
        implementation.decode(bytes((8 << 20) + 1))
    block = bytes(1 << 26)
    with pytest.raises(DecodeError, match="larger"):
        implementation.decode(b"\xc0", [block, block])


@both
def test_blobs_are_each_used_once_and_in_order(implementation: ModuleType) -> None:
    refer = [b"\xc7\x05\x20%c\x00\x00\x00%c" % (kind, index) for kind, index in ((0, 0), (0, 1), (1, 0), (9, 0))]
    blobs = [b"one", memoryview(b"two")]
    assert implementation.decode(b"\x92" + refer[0] + refer[1], blobs) == [b"one", b"two"]
    for data, given in ((b"\x92" + refer[0] * 2, blobs[:1]), (b"\x92" + refer[1] + refer[0], blobs),
                        (refer[0], blobs), (refer[0], []), (b"\xc0", blobs), (refer[3], blobs[:1]),
                        (refer[2], [b"\xff"])):
        with pytest.raises(DecodeError):
            implementation.decode(data, given)
    with pytest.raises(DecodeError):
        implementation.decode(refer[0], blobs[:1], False)


@both
@pytest.mark.parametrize("value", ["\udc80" * 40_000, "x" * 65_536, b"y" * 70_000, bytearray(65_536), ("é" * 40_000,),
                                   {"a": [b"z" * 65_536, "w" * 65_536]}, {"k" * 70_000: {b"k" * 70_000: 1}}])
def test_large_parts_travel_beside(implementation: ModuleType, value: Any) -> None:
    encoded = implementation.encode(value)
    assert len(encoded.data) < 200
    assert encoded.blobs
    arrived = implementation.decode(encoded.data, [memoryview(blob) for blob in encoded.blobs], encoded.tagged)
    assert arrived == value
    assert type(arrived) is type(value)


@both
def test_buffers_are_copied_when_they_are_encoded(implementation: ModuleType) -> None:
    buffer = bytearray(100_000)
    encoded = implementation.encode([buffer])
    buffer[0] = 1
    buffer.extend(b"more")
    assert implementation.decode(encoded.data, encoded.blobs) == [bytearray(100_000)]


@both
def test_numbers_out_of_bounds(implementation: ModuleType) -> None:
    assert implementation.decode(implementation.encode(2**65535).data) == 2**65535
    with pytest.raises(EncodeError, match="bits") as caught:
        implementation.encode({"a": [2**1_000_000]}, None, False, "args[0]")
    assert caught.value.where == "args[0]['a'][0]"
    for text in ("1E3000000", "1E-3000000", "1" * 5000):
        with pytest.raises(EncodeError, match="digits"):
            implementation.encode(decimal.Decimal(text))
        with pytest.raises(DecodeError):
            raw = text.encode()[:250]
            implementation.decode(b"\xc8" + len(text).to_bytes(2, "big") + b"\x29" + text.encode()
                                  if len(text) > 255 else b"\xc7%c\x29%s" % (len(raw), raw))
    with pytest.raises(EncodeError):
        implementation.encode(fractions.Fraction(1, 2**5000))


class Bits(enum.IntFlag):
    A = 1
    B = 2


@both
def test_combinations_of_flags_are_not_kept_without_bound(
    implementation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classes, "_MAX_FLAGS", 64)
    bindings = Bindings({type_name(Bits): Bits})

    def member(value: int) -> Any:
        data = codec.encode([None, 2, type_name(Bits), 0, "name", None, "value", value]).data
        return implementation.decode(data.replace(b"\xc0", b"\xc7\x00\x06", 1), (), True, bindings)

    assert member(3) is Bits.A | Bits.B
    with pytest.raises(DecodeError, match="combinations of flags"):
        for value in range(1000):
            member(value << 8)
    assert len(Bits._value2member_map_) < 64 + 70  # some Pythons make one for each bit
    assert member(3) is Bits.A | Bits.B


@both
def test_a_long_claim_reserves_nothing(implementation: ModuleType) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for head in (b"\xdd\xff\xff\xff\xff", b"\xdf\x7f\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
                 b"\xc9\xff\xff\xff\xff\x01"):
        with pytest.raises(DecodeError):
            implementation.decode(head + b"\xc0" * 100)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096
