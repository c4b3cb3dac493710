"""Either side of a rehearsal: what a transfer would find here. Nothing is made or read but names."""

import errno
import os

from . import directories, listing
from .destination import NO_DIRECTORY, finish_of, place_of, tree_top
from .errors import located
from .filters import Filter
from .origin import open_path
from .sink import MAX_NAMED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict


def landing(request: "Dict[str, Any]") -> "str":
    """Where it would go to: the path of the file, or of the directory that a tree becomes.

    Raises what the transfer would: OSError, TransferRefused.
    """
    finish_of(request)
    dst, name = request["dst"], request["name"]
    if request["kind"] == "tree":
        path = tree_top(dst, name)
        _check_directory(path, True)
        return path
    directory, final = place_of(dst, name)
    path = os.path.join(directory, os.fsdecode(final))
    _check_directory(directory, dst.endswith("/"))
    if os.path.isdir(path) and not os.path.islink(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    return path


def _check_directory(path: "str", makes: "bool") -> "None":
    """Raises OSError where files cannot be put into a directory, or where it is not there and cannot be made."""
    there = path.rstrip("/") or "/"
    while not os.path.isdir(there):
        if os.path.lexists(there):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), there)
        if not makes:
            raise FileNotFoundError(errno.ENOENT, NO_DIRECTORY, there)
        there = os.path.dirname(there) or "."
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), there)


def source(request: "Dict[str, Any]") -> "Dict[str, Any]":
    """What a pull would be sent: its kind, its size if it is a file, the messages that list a tree, what it skips."""
    path = directories.expand(request["src"])
    try:
        origin = open_path(path, request["symlinks"], Filter(request["rules"]))
    except OSError as error:
        raise located(error, path) from None
    try:
        lister = origin.listed()
        found, skipped = (lister.found, lister.skipped) if lister is not None else ({}, [])
        return {"kind": origin.kind, "size": origin.size, "listing": listing.messages(found),
                "skipped": len(skipped), "skipped_names": skipped[:MAX_NAMED]}
    finally:
        origin.close()
