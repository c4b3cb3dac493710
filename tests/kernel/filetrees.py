"""Trees and files for the tests of transfers: made, described by content, compared."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import strategies as st

from remotesvc import Context
from remotesvc.files.records import CHUNK
from tests.kernel import called_files
from tests.kernel.contexts import until

SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7)
"""Where the cutting into messages could go wrong."""

# Odd, and possible: no slash, no NUL, not "." or "..", at most 255 bytes.
NAMES = st.one_of(
    st.sampled_from([b"new\nline", b"\xff\xfe\xfd", b"x" * 255, b" ", b"-rf", "\u00e4".encode(), "a\u0308".encode(),
                     b"CON", b"a\\b", b"...", b"\x1b[2J", b"*"]),
    st.binary(min_size=1, max_size=20).filter(
        lambda raw: b"/" not in raw and b"\0" not in raw and raw not in (b".", b"..")),
)  # fmt: skip
TREES = st.recursive(
    st.one_of(st.binary(max_size=200), st.sampled_from(SIZES).map(lambda size: b"z" * size)),
    lambda inner: st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
).map(lambda node: node if isinstance(node, dict) else {b"file": node})


def content(size: int, seed: int = 7) -> bytes:
    """Bytes that nothing compresses, the same each time; from a cipher, for `random` takes four times as long."""
    key = hashlib.sha256(b"%d" % seed).digest()
    return Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes(size))


def make(node: dict[bytes, object], directory: bytes) -> None:
    """Write a tree of nested dicts of bytes."""
    os.makedirs(directory, exist_ok=True)
    for name, value in node.items():
        path = os.path.join(directory, name)
        if isinstance(value, dict):
            make(value, path)
        else:
            assert isinstance(value, bytes)
            with open(path, "wb") as file:
                file.write(value)


def described(top: Path | str | bytes, times: bool = False) -> dict[bytes, object]:
    """Every entry below a directory: (kind, mode, digest or target, and the time if asked for)."""
    top = os.fsencode(top)
    found: dict[bytes, object] = {}
    for directory, directories, files in os.walk(top):
        for name in directories + files:
            path = os.path.join(directory, name)
            info = os.lstat(path)
            what: object = ""
            if stat.S_ISLNK(info.st_mode):
                what = os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                what = digest(path)
            mode = 0 if stat.S_ISLNK(info.st_mode) else info.st_mode
            time = info.st_mtime_ns if times and not stat.S_ISLNK(info.st_mode) else 0
            found[os.path.relpath(path, top)] = (stat.S_IFMT(info.st_mode), mode, what, time)
    return found


def digest(path: Path | str | bytes) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(
            file.read()).hexdigest()


def leftovers(directory: Path) -> list[str]:
    """Names of ours anywhere below a directory."""
    return [os.path.join(above, name) for above, directories, files in os.walk(directory)
            for name in directories + files if name.startswith(".remotesvc-") and name.endswith(".part")]


def open_files(context: Context) -> int:
    """What is open there once the transfers are over there, too: the last they say comes before they close all."""
    until(lambda: context.call(called_files.transfers_over))
    found: int = context.call(called_files.open_files)
    return found


@contextlib.contextmanager
def meanwhile(step: Callable[[], None]) -> Iterator[None]:
    """Another thread does something to files over and over; where it fails, it begins again."""
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                step()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def swap_for_link(directory: Path, elsewhere: Path) -> None:
    """For a moment a directory is a link that leads out."""
    aside = directory.with_name("e")
    directory.rename(aside)
    directory.symlink_to(elsewhere)
    directory.unlink()
    aside.rename(directory)
