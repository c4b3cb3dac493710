"""What the messages of a transfer hold, and what a receiver makes of rubbish and of attacks."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.files import records
from remotesvc.files.errors import TransferRefused
from remotesvc.files.filters import Filter
from remotesvc.files.patterns import rules_of
from remotesvc.files.records import (
    CHUNK,
    DATA,
    LARGEST,
    ROOM,
    Packer,
    name_untrusted,
    records_untrusted,
    target_inside,
)

KINDS = st.integers(1, 11)
PAYLOADS = st.one_of(st.binary(max_size=64), st.integers(0, CHUNK).map(lambda size: b"x" * size))


def everything(packer: Packer, compress: bool) -> list[tuple[int, bytes]]:
    packer.flush()
    messages = packer.take()
    assert all(len(message) <= LARGEST for message in messages)
    if compress:
        messages = [b"\x01" + zlib.compress(message[1:], 1) for message in messages]
    return [(kind, bytes(payload)) for message in messages for kind, payload in records_untrusted(bytes(message))]


@given(st.lists(st.tuples(KINDS, PAYLOADS, st.booleans()), max_size=12), st.booleans())
def test_records_come_back_in_their_order(sent: list[tuple[int, bytes, bool]], compress: bool) -> None:
    packer = Packer()
    for kind, payload, whole in sent:
        if whole and kind == DATA:
            packer.whole(bytearray(ROOM) + payload + b"rest", len(payload))
        else:
            packer.add(kind, payload[:3], payload[3:])
    assert everything(packer, compress) == [(kind, payload) for kind, payload, _ in sent]


@given(st.binary(max_size=300))
def test_rubbish_is_refused_and_nothing_else(body: bytes) -> None:
    try:
        found = list(records_untrusted(body))
    except TransferRefused:
        return
    assert sum(len(payload) for _, payload in found) <= LARGEST


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    packed = b"\x01" + zlib.compress(bytes(200 << 20), 9)
    with pytest.raises(TransferRefused, match="more than fits"):
        list(records_untrusted(packed))


@pytest.mark.parametrize(
    "raw", [b"", b".", b"..", b"a/b", b"/etc/passwd", b"../../.profile", b"a\0b", b"x" * 256, b"/"]
)
def test_names_that_lead_elsewhere_are_refused(raw: bytes) -> None:
    with pytest.raises(TransferRefused, match="not the name"):
        name_untrusted(raw)


ODD = (b"a", b"...", b"x" * 255, b"new\nline", b"\xff\xfe", b" ", b"-rf", b"CON", b"\xc3\xa4")


@pytest.mark.parametrize("raw", ODD)
def test_odd_names_are_names(raw: bytes) -> None:
    assert name_untrusted(raw) == raw


@pytest.mark.parametrize(
    ("target", "depth", "inside"),
    [
        (b"a", 0, True), (b"a/b", 0, True), (b"./a", 0, True), (b"..", 0, False), (b"..", 1, True),
        (b"../x", 1, True), (b"../../x", 1, False), (b"/etc", 5, False), (b"a/../b", 0, False),
        (b"x/../../..", 2, False), (b"", 0, False), (b"a\0", 0, False),
    ],
)  # fmt: skip
def test_links_inside_a_tree(target: bytes, depth: int, inside: bool) -> None:
    assert target_inside(target, depth) is inside


PARTS = st.lists(st.sampled_from(["a", "b", "..", ".", "l"]), min_size=1, max_size=4).map("/".join)


@given(first=PARTS, second=PARTS, third=PARTS)
def test_links_that_pass_never_lead_out_together(
    tmp_path_factory: pytest.TempPathFactory, first: str, second: str, third: str
) -> None:
    top = Path(os.path.realpath(tmp_path_factory.mktemp("links")), "top")
    (top / "a" / "b").mkdir(parents=True)
    for path, target in (("l", first), ("a/l", second), ("a/b/l", third)):
        if target_inside(target.encode(), path.count("/")):
            (top / path).symlink_to(target)
    for path in ("l", "a/l", "a/b/l", "a/b/l/l", "l/l"):
        real = Path(os.path.realpath(top / path))
        assert real == top or top in real.parents


def test_excludes_follow_the_rules_of_gitignore() -> None:
    chosen = Filter(rules_of("*.pyc\n!keep.pyc\nbuild/\n/top\n# a comment\n\ndocs/**/draft"))
    excluded = ["a.pyc", "x/y.pyc", "build/", "x/build/", "top", "docs/a/draft", "docs/draft"]
    kept = ["keep.pyc", "x/keep.pyc", "build", "x/top", "a.py", "draft"]
    assert [path for path in excluded + kept if chosen.excludes(path)] == excluded


def test_a_filter_takes_only_rules() -> None:
    with pytest.raises(TransferRefused, match="regular expression"):
        Filter([("(", True)])
    with pytest.raises(TransferRefused, match="patterns"):
        Filter([("a", True)] * 10001)


def test_a_message_is_one_frame() -> None:
    assert ROOM + CHUNK == LARGEST == records.LARGEST
