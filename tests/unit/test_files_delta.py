"""Which parts of a file are sent: the search for known blocks, and the plan of a sync."""

from __future__ import annotations

import hashlib
import io
import os
import random
import zlib
from stat import S_IFDIR, S_IFLNK, S_IFREG
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.files import delta
from remotesvc.files.delta import LEAST_BLOCK, Search, block_size, most_blocks, signature
from remotesvc.files.listing import Entry, part_of
from remotesvc.files.plan import Plan


def rebuilt(old: bytes, new: bytes, block: int, piece: int | None = None) -> tuple[bytes, int]:
    """What the instructions make of the old content, and how many bytes of it are new."""
    search = Search(signature(io.BytesIO(old).read, block, len(old)), block)
    made, literal = bytearray(), 0
    for begin in range(0, max(len(new), 1), piece or max(len(new), 1)):
        part = new[begin:begin + (piece or len(new))]
        position = 0
        for offset, start, end in search.instructions(part):
            assert start == position < end
            position = end
            if offset < 0:
                made += part[start:end]
                literal += end - start
            else:
                made += old[offset:offset + end - start]
        assert position == len(part)
    return bytes(made), literal


EDITS = st.lists(
    st.tuples(st.sampled_from(["insert", "delete", "change"]), st.floats(0, 1), st.integers(1, 3000)), max_size=6)


@given(st.integers(0, 60000), EDITS, st.integers(0, 5), st.sampled_from([64, 512, 2048]))
def test_whatever_was_edited_comes_out(size: int, edits: list[tuple[str, float, int]], seed: int, block: int) -> None:
    old = random.Random(seed).randbytes(size)
    new = bytearray(old)
    for kind, where, length in edits:
        at = int(where * len(new))
        if kind == "insert":
            new[at:at] = random.Random(length).randbytes(length)
        elif kind == "delete":
            del new[at:at + length]
        else:
            new[at:at + length] = bytes(length)
    made, literal = rebuilt(old, bytes(new), block)
    assert made == new
    touched = sum(length for _, _, length in edits)
    assert literal <= touched + (2 * len(edits) + 2) * block


@given(st.binary(max_size=3000), st.binary(max_size=3000), st.integers(1, 700))
def test_anything_from_anything(old: bytes, new: bytes, piece: int) -> None:
    assert rebuilt(old, new, 16)[0] == new
    assert rebuilt(old, new, 16, piece)[0] == new


def test_a_shift_costs_a_block_and_repetition_nothing() -> None:
    old = random.Random(1).randbytes(1 << 20)
    assert rebuilt(old, b"x" + old, 1024)[1] <= 1024 + 1
    assert rebuilt(bytes(1 << 20), bytes((1 << 20) + 5), 1024)[1] <= 1024
    assert rebuilt(old, random.Random(2).randbytes(1 << 20), 1024)[1] == 1 << 20


def test_the_last_block_is_found_wherever_it_moved() -> None:
    old = random.Random(1).randbytes(10 << 10)
    assert rebuilt(old, b"x" * 100 + old[-1024:], 1024)[1] == 100


def test_a_weak_checksum_that_is_everywhere_costs_no_more_than_others(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed, block = [0], 2048
    monkeypatch.setattr(delta, "MAX_ROLLED", 1 << 16)

    def counted(data: bytes) -> object:
        hashed[0] += 1
        return hashlib.sha256(data)

    monkeypatch.setattr(delta, "hashlib", SimpleNamespace(sha256=counted))
    search = Search(delta.ENTRY.pack(zlib.adler32(b"A" * block), b"wrong"), block)
    assert list(search.instructions(b"A" * (1 << 20))) == [(-1, 0, 1 << 20)]
    assert hashed[0] < 2 * (1 << 20) // block + (1 << 16) // 40


def test_a_file_that_is_much_larger_there_is_looked_at_as_far_as_it_is_of_use() -> None:
    assert len(signature(io.BytesIO(bytes(1 << 20)).read, 1024, most_blocks(10000, 1024))) == 40 * delta.ENTRY.size


def test_blocks_grow_with_the_file() -> None:
    assert block_size(0) == LEAST_BLOCK
    assert block_size(256 << 20) == 16384
    assert block_size(1 << 50) == 1 << 17


def entry(kind: int = S_IFREG, size: int = 1, mtime: int = 5, what: bytes = b"", mode: int = 0o644) -> Entry:
    return Entry(kind | mode, len(what) if kind == S_IFLNK else size, mtime, what)


def part(entries: dict[bytes, Entry]) -> list[bytes]:
    """A directory as a listing has it."""
    found = list(entries.values())
    return [part_of([os.fsdecode(name) for name in entries], [each.mode for each in found],
                    [each.size for each in found], [each.mtime for each in found], [each.what for each in found])]


def test_a_plan_names_what_differs() -> None:
    here = {
        b"same": entry(), b"new": entry(), b"size": entry(size=2), b"time": entry(mtime=7), b"mode": entry(mode=0o755),
        b"large": entry(size=1 << 20, mtime=7), b"link": entry(S_IFLNK, what=b"to"), b"d": entry(S_IFDIR),
        b"open": entry(S_IFDIR, mode=0o777), b"kept": entry(S_IFDIR),
        b"was-file": entry(S_IFDIR), b"was-dir": entry(), b"was-link": entry(size=1 << 20),
    }  # fmt: skip
    there = {
        b"same": entry(), b"size": entry(), b"time": entry(), b"mode": entry(), b"large": entry(size=1 << 20),
        b"link": entry(S_IFLNK, what=b"elsewhere"), b"was-file": entry(), b"was-dir": entry(S_IFDIR),
        b"was-link": entry(S_IFLNK, what=b"x"), b"old": entry(),
        b"open": entry(S_IFDIR), b"kept": entry(S_IFDIR), b"gone": entry(S_IFDIR), b"gone-too": entry(),
    }  # fmt: skip
    plan = Plan({b"": part(here), b"d": [], b"kept": part({b"same": entry(), b"new": entry()}), b"open": []},
                {b"": part(there), b"gone": part({b"below": entry()}), b"was-dir": part({b"below": entry()}),
                 b"kept": part({b"same": entry(), b"new": entry()}), b"open": part({b"old": entry()})}, False)
    assert set(plan.send) == {b"new", b"size", b"time", b"mode", b"large", b"link", b"was-dir", b"was-link"}
    assert (plan.files, plan.bytes) == (7, 2 * (1 << 20) + 6)
    assert plan.make == [b"d", b"open", b"was-file"]
    assert plan.conflicts == [b"was-file", b"was-dir"]
    assert plan.delta == [b"large"]
    assert plan.unchanged == 3
    assert sorted(plan.delete) == [b"gone", b"gone-too", b"old", b"open/old"]


def plan_of(here: Entry, there: Entry, checksum: bool) -> Plan:
    return Plan({b"": part({b"f": here})}, {b"": part({b"f": there})}, checksum)


def test_times_are_compared_as_exactly_as_they_are_kept() -> None:
    for kept, equal in ((1234567890123456789, True), (1234567890123456000, True), (1234567890000000000, True),
                        (1234567890123456788, False), (1234567891000000000, False)):
        plan = plan_of(entry(mtime=1234567890123456789), entry(mtime=kept), False)
        assert (plan.unchanged == 1) is equal


def test_with_digests_times_mean_nothing() -> None:
    one, other = b"1" * 32, b"2" * 32
    assert plan_of(entry(what=one, mtime=5), entry(what=one, mtime=6), True).send == []
    assert plan_of(entry(what=other, mtime=6), entry(what=one, mtime=6), True).send == [b"f"]
