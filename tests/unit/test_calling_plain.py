"""Calls that are marshalled: only those whose values would arrive just so by the closed codec."""

from __future__ import annotations

import array
import enum
import marshal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.bootstrap.data import codec
from remotesvc.bootstrap.data.secret import Secret
from remotesvc.bootstrap.errors import EncodeError
from remotesvc.bootstrap.links.wire import FRAGMENT
from remotesvc.calling.plain import MAX_NODES, marshalled


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    pass


class Numbers(list[int]):
    pass


ADDRESS = "module:function"
# Marshal would make something else of each, or takes what the codec refuses.
NOT_PLAIN: dict[str, Any] = {
    "bytearray": bytearray(b"x"),
    "memoryview": memoryview(b"x"),
    "array": array.array("i", [1]),
    "enum": Colour.RED,
    "str subclass": Text("x"),
    "list subclass": Numbers([1]),
    "code": compile("1", "x", "eval"),
    "ellipsis": ...,
    "complex": 1j,
    "set": {1},
    "object": object(),
    "secret": Secret("x"),
    "huge int": 1 << 100_000,
    "class": int,
}

scalars = st.one_of(st.none(), st.booleans(), st.integers(-(1 << 70), 1 << 70), st.floats(allow_nan=False),
                    st.text(st.characters() | st.just("\udcff")), st.binary())
plain = st.recursive(scalars, lambda inner: st.one_of(
    st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple), st.dictionaries(scalars, inner, max_size=4)))


def _same(one: Any, other: Any) -> bool:
    return repr(one) == repr(other) and one == other


@given(st.lists(plain, max_size=4), st.dictionaries(st.text(), plain, max_size=3))
def test_what_is_marshalled_arrives_as_the_codec_would_carry_it(args: list[Any], kwargs: dict[str, Any]) -> None:
    parts = [ADDRESS, args, kwargs] if kwargs else [ADDRESS, args]
    encoded = marshalled(parts)
    assert encoded is not None
    assert (encoded.tagged, encoded.blobs, encoded.secret) == (False, [], False)
    assert encoded.data[:1] == b"["
    by_codec = codec.encode(parts)
    assert _same(marshal.loads(encoded.data), codec.decode(by_codec.data, by_codec.blobs, by_codec.tagged))


@pytest.mark.parametrize("value", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
@pytest.mark.parametrize("depth", range(3))
def test_what_is_not_plain_is_left_to_the_codec(value: Any, depth: int) -> None:
    for _ in range(depth):
        value = [value]
    assert marshalled([ADDRESS, [value]]) is None
    assert marshalled([ADDRESS, [1], {"name": value}]) is None
    assert marshalled([ADDRESS, [{"key": (value,)}]]) is None


def test_a_list_that_holds_itself_is_left_to_the_codec_which_says_so() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert marshalled([ADDRESS, [endless]]) is None
    with pytest.raises(EncodeError):
        codec.encode([ADDRESS, [endless]])


def test_what_is_deep_or_has_many_containers_is_left_to_the_codec() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert marshalled([ADDRESS, [deep]]) is None
    assert marshalled([ADDRESS, [[[]] * (MAX_NODES + 1)]]) is None


def test_what_needs_more_than_one_frame_is_left_to_the_codec() -> None:
    assert marshalled([ADDRESS, [bytes(FRAGMENT - 200)]]) is not None
    assert marshalled([ADDRESS, [bytes(FRAGMENT)]]) is None


def test_a_key_that_is_not_plain() -> None:
    assert marshalled([ADDRESS, [{Colour.RED: 1}]]) is None
    assert marshalled([ADDRESS, [{(1, bytearray): 1}]]) is None
