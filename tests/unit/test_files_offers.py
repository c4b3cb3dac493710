"""What a receiver says that it has of a tree: packed, looked up, and wrong."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.files.errors import TransferRefused
from remotesvc.files.naming import key_of
from remotesvc.files.offers import ENTRY, MAX_OFFERS, Offers, packed, place_of

NAME = st.binary(min_size=1, max_size=8).filter(lambda name: b"/" not in name)
PATHS = st.lists(NAME, min_size=1, max_size=4).map(b"/".join)


def entry(path: bytes, size: int, digest: bytes) -> bytes:
    directory, _, name = path.rpartition(b"/")
    return ENTRY.pack(place_of(directory, key_of(name)), size, digest)


@given(st.dictionaries(PATHS, st.integers(1, (1 << 64) - 1), max_size=60), st.lists(PATHS, max_size=20))
def test_what_was_packed_is_found_and_nothing_else(files: dict[bytes, int], others: list[bytes]) -> None:
    digests = {path: hashlib.sha256(path).digest() for path in files}
    offers = Offers(packed([entry(path, size, digests[path]) for path, size in files.items()]))
    for path in [*files, *others]:
        assert offers.find(path) == ((files[path], digests[path]) if path in files else (0, b""))


def test_a_name_is_of_its_directory() -> None:
    offers = Offers(packed([entry(b"a/b", 5, bytes(32))]))
    assert offers.find(b"a/b") == (5, bytes(32))
    assert [offers.find(path) for path in (b"b", b"a", b"a/b/c", b"ab", b"a/a/b", b"")] == [(0, b"")] * 6


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_or_searched(raw: bytes) -> None:
    """A receiver may say anything: also what is in no order, or twice the same."""
    if len(raw) % ENTRY.size:
        with pytest.raises(TransferRefused, match="cut short"):
            Offers(raw)
    else:
        size, digest = Offers(raw).find(b"a/b")
        assert len(digest) == (32 if size or digest else 0)


@pytest.mark.parametrize("raw", [None, 5, "text", [b"list"], bytearray(ENTRY.size)])
def test_values_other_than_bytes_are_refused_as_offers(raw: object) -> None:
    with pytest.raises(TransferRefused):
        Offers(raw)


def test_more_offers_than_the_most_are_refused() -> None:
    Offers(bytes(MAX_OFFERS * ENTRY.size))
    with pytest.raises(TransferRefused, match="more than"):
        Offers(bytes((MAX_OFFERS + 1) * ENTRY.size))
