"""The files of a tree on their way, and what an interrupted transfer of a tree to the same top left of them.

A file lies beside its final name, under the number of its transfer and a key of that name; the marker leads to it. A
transfer holds the lock of the marker; another one to the same top at the same time, and any where there are no locks,
does without and keeps nothing.

Nothing says which files are complete, or of what source: their sizes and digests do, which the sender compares. So a
file that somebody else wrote to does no harm: no link is followed, and a file has to be ours alone.
"""

import hashlib
import os
import time

from . import directories, disk, leftovers, naming, regular
from .errors import TransferRefused
from .marker import MARKER, Marker, components_untrusted
from .offers import ENTRY, MAX_OFFERS, packed, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

    Path = Tuple[bytes, ...]

# Bytes of a file whose hash is remembered from the offer until the sender goes on with it: to hash it a second time
# might keep the sender waiting for too long. Smaller files are hashed again, as there may be very many to remember.
_REMEMBER = 1 << 26


def take(top: "int", made: "bool", resume: "bool", owner: "int" = -1) -> "Optional[Kept]":
    """What is kept below a top, locked; None if another transfer works there, or it cannot be locked.

    ``made``: this transfer made the top. Without ``resume`` what was kept is removed, and nothing will be.
    ``owner`` is whom files are given to besides us.
    """
    fd = disk.open_part(top, MARKER, disk.PATIENCE)
    new = fd is None
    if fd is None:
        try:
            fd = disk.create_and_lock(top, MARKER)
        except OSError:  # the top takes no files; directories in it may
            return None
    if fd is None:
        return None
    kept = None
    try:
        # Without a lock two transfers would write to the same files.
        if disk.lock(fd) is True:
            kept = Kept(top, fd, made, resume, owner)
        return kept
    finally:
        if kept is None:
            if new:
                disk.remove(top, MARKER)
            os.close(fd)


def sweep(directory: "int", now: "float") -> "None":
    """Remove what an interrupted transfer of a tree left below a directory, if it is too old to be gone on with."""
    fd = disk.open_part(directory, MARKER)
    if fd is None:
        return
    kept = None
    try:
        if disk.lock(fd) is True and now - os.fstat(fd).st_ctime > leftovers.KEEP_PART:
            kept = Kept(directory, fd, False, False)
    except OSError:  # tidying up is no occasion to report a bad disk
        pass
    finally:
        if kept is None:
            os.close(fd)
        else:
            kept.close(False)


class Kept(object):
    """What one transfer keeps below its top; see ``take``. ``made``: it, or the one it goes on with, made the top;
    ``resume``: what there is may be kept for another."""

    def __init__(self, top: "int", fd: "int", made: "bool", resume: "bool", owner: "int" = -1) -> "None":
        self._top = top
        self._fd = fd
        self._owners = (os.geteuid(), owner)
        self.resume = resume
        stale = time.time() - os.fstat(fd).st_ctime > leftovers.KEEP_PART
        self._marker = Marker(fd)
        # Directories that an earlier transfer went into, and whether it made them; those of them this one went into.
        self._left = self._marker.left
        self._entered: "Set[bytes]" = {b""}
        self._hashes: "Dict[bytes, Tuple[os.stat_result, Any]]" = {}
        self.made = self._left.get(b"", False) or made
        if stale or not resume:
            self.purge()
        if not self._left:
            self._marker.begin()
            self.enter((), self.made)

    @property
    def resumed(self) -> "bool":
        """Is there something of an earlier transfer?"""
        return bool(self._left)

    def enter(self, path: "Path", made: "bool") -> "bool":
        """The transfer goes into a directory; returns whether that was made by it, or by the one it goes on with."""
        joined = b"/".join(path)
        if joined in self._left:
            self._entered.add(joined)
            return made or self._left[joined]
        self._marker.note(joined, made)
        return made

    def name(self, final: "bytes") -> "bytes":
        """The name of a file on its way to a final name in the same directory."""
        return self._marker.name(final)

    def fresh(self, directory: "int", final: "bytes") -> "bytes":
        """The name of a file on its way, free to be used: what has it is removed."""
        name = self.name(final)
        if self._left:
            disk.remove(directory, name)
        return name

    def open(self, directory: "int", name: "bytes") -> "Optional[int]":
        """A file that was kept; None if there is none, or none of ours."""
        return disk.open_kept(directory, name, self._owners)

    def hash_of(self, path: "Path", final: "bytes", fd: "int") -> "Any":
        """What ``offers`` has hashed of a large file, if it has not changed since."""
        found, hashed = self._hashes.pop(place_of(b"/".join(path), naming.key_of(final)), (None, None))
        return hashed if found is not None and regular.same(found, os.fstat(fd)) else None

    def offers(self, check: "Callable[[], Any]") -> "bytes":
        """What there is of an earlier transfer, for the sender; see ``Offers``. ``check()`` raises if it is to end."""
        entries: "List[bytes]" = []
        for directory, path, name in self._files(list(self._left)):
            if len(entries) < MAX_OFFERS:
                fd = self.open(directory, name)
                if fd is not None:
                    try:
                        entries += self._offer(fd, place_of(path, name[len(self._marker.prefix):-len(b".part")]), check)
                    finally:
                        os.close(fd)
        return packed(entries)

    def _offer(self, fd: "int", place: "bytes", check: "Callable[[], Any]") -> "List[bytes]":
        found, hashed, size = os.fstat(fd), hashlib.sha256(), 0
        try:
            for block in iter(lambda: os.read(fd, regular.BLOCK), b""):
                check()
                hashed.update(block)
                size += len(block)
        except OSError:  # a disk that cannot give it back: it is sent again
            return []
        if size >= _REMEMBER:
            self._hashes[place] = found, hashed
        return [ENTRY.pack(place, size, hashed.digest())] if size else []

    def _files(self, paths: "List[bytes]") -> "Iterator[Tuple[int, bytes, bytes]]":
        """Files on their way in some directories: the directory, its path, and the name there."""
        walker = directories.Walker(self._top)
        try:
            for path in paths:
                try:
                    directory = walker.go(components_untrusted(path))
                    names = [os.fsencode(name) for name in os.listdir(directory)]
                except (OSError, TransferRefused):  # no longer a directory
                    continue
                for name in names:
                    if name.startswith(self._marker.prefix) and naming.ours(os.fsdecode(name)):
                        yield directory, path, name
        finally:
            walker.close()

    def leave(self) -> "None":
        """All has come. Where this transfer did not go, remove what the earlier one left, and the directories that it
        made, if nothing else is in them: a file may be about to take the name of one."""
        paths = [path for path in self._left if path not in self._entered]
        self._remove(paths)
        walker = directories.Walker(self._top)
        try:
            for path in reversed(paths):
                if self._left[path]:
                    try:
                        parts = components_untrusted(path)
                        os.rmdir(parts[-1], dir_fd=walker.go(parts[:-1]))
                    except (OSError, TransferRefused):
                        pass  # something is in it, or it is gone
        finally:
            walker.close()

    def purge(self) -> "None":
        """Remove all that is left of an earlier transfer."""
        self._remove(list(self._left))
        self._left = {}

    def _remove(self, paths: "List[bytes]") -> "None":
        for directory, _path, name in self._files(paths):
            disk.remove(directory, name)

    def close(self, keep: "bool") -> "None":
        """The transfer is over. With ``keep`` what there is stays for another one, for as long as parts are kept."""
        try:
            if keep:
                os.utime(self._fd)
            else:
                self.purge()
                disk.remove(self._top, MARKER)
        finally:
            os.close(self._fd)
