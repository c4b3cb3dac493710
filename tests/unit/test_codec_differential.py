"""The two codecs against each other and against themselves, over random values and random bytes."""

from __future__ import annotations

import datetime
import decimal
import fractions
import math
import pathlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from remotesvc import fastcodec
from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.data.record import Record
from remotesvc.bootstrap.data.secret import Secret
from remotesvc.bootstrap.errors import DecodeError, EncodeError

RELAXED = settings(derandomize=True)
MANY = settings(RELAXED, max_examples=400)

_zones = st.integers(-1439, 1439).map(lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes)))
_plain = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.integers(), st.floats(allow_nan=False),
    st.text(st.characters()), st.text(st.characters(categories=["Cs"]), max_size=3), st.binary(),
)
_hashable = st.one_of(
    _plain, st.complex_numbers(allow_nan=False), st.dates(), st.times(), st.timedeltas(), _zones, st.uuids(),
    st.datetimes(timezones=st.one_of(st.none(), _zones)),
    st.decimals(allow_nan=False, min_value=-(10**20), max_value=10**20), st.fractions(max_denominator=10**9),
    st.builds(range, st.integers(-9, 9), st.integers(), st.integers(1, 9)),
    st.text("ab/.c", max_size=9).map(pathlib.PurePosixPath), st.text("ab:c", max_size=9).map(pathlib.PureWindowsPath),
)
_keys = st.recursive(_hashable, lambda inner: st.one_of(
    st.lists(inner, max_size=4).map(tuple), st.frozensets(inner, max_size=4)), max_leaves=6)
_names = st.text("abc", min_size=1, max_size=3)
_values = st.recursive(
    st.one_of(_keys, st.binary().map(bytearray), st.sets(_keys, max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=4), inner, max_size=4), st.dictionaries(_keys, inner, max_size=4),
        inner.map(Secret), st.builds(Record, _names, st.dictionaries(_names, inner, max_size=3)),
    ),
    max_leaves=20,
)
_simple = st.recursive(_plain, lambda inner: st.one_of(
    st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=4), inner, max_size=4)), max_leaves=20)


def _same(one: Any, other: Any) -> bool:
    """Equal, of the same types in depth, NaN included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        same_sign = math.copysign(1, one) == math.copysign(1, other)
        return (math.isnan(one) and math.isnan(other)) or (one == other and same_sign)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return all(map(_same, one, other)) and len(one) == len(other) and all(
            map(_same, one.values(), other.values()))
    if isinstance(one, Secret):
        return _same(one.reveal(), other.reveal())
    if isinstance(one, Record):
        return one.type_name == other.type_name and _same(one.fields, other.fields)
    if isinstance(one, (complex, decimal.Decimal, fractions.Fraction, set, frozenset, slice)):
        return repr(one) == repr(other) or bool(one == other)
    return bool(one == other)


def _outcome(implementation: Any, data: bytes, blobs: list[bytes], tagged: bool) -> Any:
    try:
        return implementation.decode(data, blobs, tagged)
    except DecodeError:
        return DecodeError


def _agree(data: bytes, blobs: list[bytes], tagged: bool) -> Any:
    pure, fast = _outcome(codec, data, blobs, tagged), _outcome(fastcodec, data, blobs, tagged)
    assert _same(pure, fast), (data, pure, fast)
    return pure


@MANY
@given(st.one_of(_values, _simple), st.booleans())
def test_values_come_back_and_both_codecs_write_the_same(value: Any, strict: bool) -> None:
    pure, fast = codec.encode(value, None, strict), fastcodec.encode(value, None, strict)
    assert (pure.data, pure.blobs, pure.tagged, pure.secret) == (fast.data, fast.blobs, fast.tagged, fast.secret)
    assert _same(_agree(pure.data, pure.blobs, pure.tagged), value)
    if pure.tagged:
        assert _agree(pure.data, pure.blobs, False) is DecodeError


@MANY
@given(_values, st.data())
def test_mutated_messages(value: Any, data: st.DataObject) -> None:
    message = bytearray(codec.encode(value).data)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(message)))
        kind = data.draw(st.sampled_from(["change", "insert", "cut", "double"]))
        if kind == "insert":
            message[place:place] = data.draw(st.binary(min_size=1, max_size=4))
        elif kind == "cut":
            del message[place : place + data.draw(st.integers(1, 4))]
        elif kind == "double":
            message[place:place] = message[place : place + 8]
        elif place < len(message):
            message[place] = data.draw(st.integers(0, 255))
    _agree(bytes(message), [], True)
    _agree(bytes(message), [], False)


_tokens = st.one_of(
    st.binary(min_size=1, max_size=3), st.integers(0, 255).map(lambda byte: bytes([byte])),
    st.integers(0, 50).map(lambda code: b"\xc7\x00%c" % code),
    st.integers(1, 6).map(lambda count: bytes([0x90 | count])),
    st.builds(lambda code, raw: b"\xc7%c%c%s" % (len(raw), code, raw), st.integers(0, 50), st.binary(max_size=20)),
    _plain.map(lambda value: codec.encode(value).data),
)


@settings(RELAXED, max_examples=1500)
@given(st.lists(_tokens, max_size=20).map(b"".join), st.lists(st.binary(max_size=3), max_size=2))
def test_made_up_messages(message: bytes, blobs: list[bytes]) -> None:
    _agree(message, blobs, True)
    _agree(message, blobs, False)


@RELAXED
@given(st.recursive(st.one_of(_plain, st.builds(object), st.just(print), st.binary().map(lambda raw: memoryview(raw))),
                    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(max_size=2), inner),
                                            inner.map(Secret),
                                            st.lists(inner).map(tuple)), max_leaves=12))
def test_refusals_are_the_same(value: Any) -> None:
    outcomes = []
    for implementation in (codec, fastcodec):
        try:
            encoded = implementation.encode(value, None, False, "args")
            outcomes.append((encoded.data, encoded.blobs, encoded.tagged))
        except EncodeError as error:
            outcomes.append((error.where, error.type_name, error.reason))
    assert outcomes[0] == outcomes[1]
