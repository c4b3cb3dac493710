"""The escaper: what reaches a terminal cannot command it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.escape import neutralise, one_line

HOSTILE = st.text(st.sampled_from("a\\\x00\x07\x1b\r\n\t\x7f\x9b\x85\u202e\u2066\u2028\u061c[]0;\u00e9"), max_size=40)
ANYTHING = HOSTILE | st.text(st.characters()) | st.text()
BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, \u00e4\u20ac\U0001f600\ttab\n", "plain, \u00e4\u20ac\U0001f600\ttab\n"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("10%\r20%\r\n", "10%\\r20%\n"),
        ("\r\r\n", "\\r\n"),
        ("\x9b31m\x7f\x00", "\\x9b31m\\x7f\\x00"),
        ("a\u202eb\u2066c\u200f", "a\\u202eb\\u2066c\\u200f"),
        ("two\u2028lines\u2029", "two\\u2028lines\\u2029"),
        ("name \udcff", "name \\udcff"),
        ("back\\slash \\x1b", "back\\slash \\x1b"),
        ("plain text, \u00e9, \u65e5\u672c, \U0001f600", "plain text, \u00e9, \u65e5\u672c, \U0001f600"),
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("\x1b]52;c;cm0gLXJm\x1b\\", "\\x1b]52;c;cm0gLXJm\\x1b\\"),
        ("\x9b2J", "\\x9b2J"),
        ("\x00\x7f", "\\x00\\x7f"),
        ("dos\r\nline", "dos\nline"),
        ("over\rwritten", "over\\rwritten"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("\u2066\u2069\u200e\u061c", "\\u2066\\u2069\\u200e\\u061c"),
        ("a\u2028b", "a\\u2028b"),
    ],
)
def test_neutralise(text: str, shown: str) -> None:
    assert neutralise(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb\r\nc\td\x1b", "a\\nb\\r\\nc\td\\x1b"), ("a\nINFO forged\r\n", "a\\nINFO forged\\r\\n")],
)
def test_text_made_one_line_has_no_line_break(text: str, shown: str) -> None:
    assert one_line(text) == shown


@given(ANYTHING)
def test_nothing_that_commands_is_left(text: str) -> None:
    for shown, kept in ((neutralise(text), "\t\n"), (one_line(text), "\t")):
        for char in shown:
            assert char in kept or unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp")
            assert unicodedata.bidirectional(char) not in BIDI_CONTROLS


@given(ANYTHING)
def test_text_that_is_escaped_twice_is_as_if_escaped_once(text: str) -> None:
    assert neutralise(neutralise(text)) == neutralise(text)
    assert one_line(one_line(text)) == one_line(text)
    assert one_line(neutralise(text)) == one_line(text.replace("\r\n", "\n"))


@given(st.text(st.characters(exclude_categories=("C", "Z"))))
def test_harmless_text_stays(text: str) -> None:
    assert neutralise(text) == one_line(text) == text
