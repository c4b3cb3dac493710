"""Make text from a target harmless where it meets a terminal. Pure.

A target chooses what it prints, what its errors say and what its strings contain. On a terminal a few of those
characters are commands: they retitle windows, write the clipboard, move the cursor over earlier lines, or (the
bidirectional controls) show a line in another order than it has. Each such character becomes a visible escape.
A backslash is left alone, so doing it twice changes nothing. Text that goes to a file or a pipe stays as it is.
"""

from __future__ import annotations

_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
# Line and paragraph separators: some terminals and most log viewers start a new line there.
_SEPARATORS = (0x2028, 0x2029)
# Undecodable bytes of file names, as `surrogateescape` has them, and their like: no terminal stream takes them.
_SURROGATES = range(0xD800, 0xE000)


def _visible(code: int) -> str:
    if code < 0x100:
        return {0x0A: "\\n", 0x0D: "\\r"}.get(code, f"\\x{code:02x}")
    return f"\\u{code:04x}"


_ONE_LINE_TABLE = {
    code: _visible(code)
    for code in (*range(0x20), 0x7F, *range(0x80, 0xA0), *_BIDI, *_SEPARATORS, *_SURROGATES)
    if code != 0x09
}
_TABLE = {code: text for code, text in _ONE_LINE_TABLE.items() if code != 0x0A}


def neutralise(text: str) -> str:
    """`text` with every character that commands a terminal made visible; tab and newline stay. Idempotent.

    A carriage return right before a newline is dropped (it is only another spelling of the newline); any other is
    shown, because it would let a line overwrite the host it is labelled with.
    """
    return text.replace("\r\n", "\n").translate(_TABLE)


def one_line(text: str) -> str:
    """Like `neutralise`, with newlines made visible too: for labels, and records of one line each."""
    return text.translate(_ONE_LINE_TABLE)
