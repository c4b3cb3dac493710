"""Files and directories here that a run is to write to: whether that can be, and writing one in a single step."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress

from .problems import BadUsage, OurError
from .settings import Settings


def check(settings: Settings) -> None:
    """Raise BadUsage or OurError for what cannot be written, before anything has been done whose outcome it is to hold.
    """
    places = {"--write-result": settings.write_result, "--failed-to": settings.failed_to,
              "--outdir": settings.outdir, "--errdir": settings.errdir}  # fmt: skip
    for option, path in places.items():
        if path == "-":
            raise BadUsage(f"{option} is never standard output: - would be a name here; write ./- if you mean it")
    for path in (settings.write_result, settings.failed_to):
        if path is not None:
            _check_writable(path)


def _check_writable(path: str) -> None:
    directory = os.path.dirname(path) or "."
    if os.path.isdir(path):
        code = errno.EISDIR
    elif os.path.lexists(path):
        code = 0 if os.access(path, os.W_OK) else errno.EACCES
    elif not os.path.isdir(directory):
        code = errno.ENOENT
    else:
        code = 0 if os.access(directory, os.W_OK | os.X_OK) else errno.EACCES
    if code:
        raise OurError(f"cannot write {path}: {os.strerror(code)}")


def is_special(path: str) -> bool:
    """Whether it is there and no plain file: a pipe, /dev/null."""
    return os.path.exists(path) and not os.path.isfile(path)


def replace(path: str, text: str) -> None:
    """Write a file in one step: however this process ends, there is no part of it. Raises OSError.

    What is no plain file, may not have another beside it, or is another user's, who would lose it, is written to as it
    is.
    """
    place = os.path.realpath(path)
    there = os.path.exists(place)
    if is_special(path) or not os.access(os.path.dirname(place), os.W_OK | os.X_OK) or (
            there and os.stat(place).st_uid != os.geteuid()):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return
    # Nobody knows the name before it is ours, and could plant a link there.
    beside = f"{place}.{os.urandom(8).hex()}"
    try:
        with open(beside, "x", encoding="utf-8") as file:
            file.write(text)
        if there:
            shutil.copymode(place, beside)
        os.replace(beside, place)
    except BaseException:  # Ctrl-C, too: nobody else knows of that file
        with suppress(OSError):
            os.unlink(beside)
        raise
