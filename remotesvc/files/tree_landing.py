"""A tree on its way: all its files and links under other names, then renamed at once, or taken back."""

import os
import stat

from . import directories, disk
from .flusher import Flusher
from .landing import Finish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional, Set, Tuple

    from .kept import Kept

    Path = Tuple[bytes, ...]


class TreeLanding(object):
    """A tree while it is written below ``top``, a descriptor that is closed at the end. ``place`` it; ``discard`` it in
    any case.

    ``path`` is where it goes, for people. ``made`` says whether the top would not be there without this transfer; it
    gets these ``attributes`` then: mode and time. ``kept`` knows what an interrupted transfer left, and has the names
    of what this one may leave; None: it will leave nothing. ``name`` is the file or link that is being worked on, where
    the ``walker`` is.
    """

    def __init__(self, top: "int", path: "str", made: "bool", finish: "Finish", kept: "Optional[Kept]",
                 attributes: "Optional[Tuple[int, int]]") -> "None":
        self.path = path
        self.name = b""
        self.kept = kept
        self.attributes = attributes
        self.finish = finish
        self.walker = directories.Walker(top)
        self.flusher = Flusher(finish.durable)
        self._top = top
        self._made_top = made if kept is None else kept.made
        # Where it is, its name on the way, and its final one.
        self._files: "List[Tuple[Path, bytes, bytes]]" = []
        self._links: "List[Tuple[Path, bytes, bytes]]" = []
        # Other directories that would not be there without this transfer.
        self._made: "List[Path]" = []
        # Directories that get or lose names.
        self._changed: "Set[Path]" = set()
        # Of directories: mode, time, and whether they get both.
        self._attributes: "List[Tuple[Path, int, Optional[int], bool]]" = []

    @property
    def where(self) -> "str":
        """Where it is just at work, for people."""
        return os.path.join(self.path, *map(os.fsdecode, self.walker.path + (self.name,) * bool(self.name)))

    def entered(self, made: "bool", mode: "int", mtime: "int", mirror: "bool") -> "None":
        """The walker has gone into a directory, and has ``made`` it. In a ``mirror`` one that was there gets the mode
        of the source, too."""
        path = self.walker.path
        if made:
            self._changed.update((path, path[:-1]))
        if self.kept is not None:
            made = self.kept.enter(path, made)
        if made:
            self._made.append(path)
        self._attributes.append((path, mode, self.finish.mtime_of(mtime), made or mirror))

    def add_file(self, temporary: "bytes", final: "bytes") -> "None":
        """A file where the walker is, under the name that it has on its way; whoever writes it flushes it."""
        self._files.append((self.walker.path, temporary, final))

    def add_link(self, temporary: "bytes", final: "bytes") -> "None":
        """The same of a link."""
        self._links.append((self.walker.path, temporary, final))

    def place(self) -> "None":
        """All has come: give everything its name, and directories their attributes. Raises OSError."""
        self.name = b""
        self.flusher.wait()
        if self.kept is not None:
            self.kept.leave()
        self._rename()
        if self.kept is not None:
            self.kept.purge()
        self._finish_directories()
        made_top, self._made_top, self._made = self._made_top, False, []
        self._close_kept(False)
        if made_top and self.attributes is not None:  # after the last name has gone that changes its time
            self._apply(self._top, self.attributes[0], self.finish.mtime_of(self.attributes[1]))
            if self.finish.durable:
                os.fsync(self._top)

    def _rename(self) -> "None":
        for entries in (self._files, self._links):
            here: "Any" = None
            while entries:
                path, temporary, self.name = entries[-1]
                if path is not here:
                    here, fd = path, self.walker.go(path)
                    self._changed.add(path)
                os.rename(temporary, self.name, src_dir_fd=fd, dst_dir_fd=fd)
                entries.pop()
        self.name = b""

    def _finish_directories(self) -> "None":
        durable = self.finish.durable
        # Last and innermost first: names that come and go change a directory's time, and its mode may lock us out.
        for path, mode, mtime, whole in reversed(self._attributes):
            fd = self.walker.go(path)
            before = _attributes_of(fd) if durable else ()
            if whole:
                self._apply(fd, mode, mtime)
            else:
                self.finish.apply_time(fd, mtime)
            if durable and (path in self._changed or _attributes_of(fd) != before):
                self.flusher.put(os.dup(fd))
            self.walker.go(path[:-1])
        if durable and () in self._changed:
            self.flusher.put(os.dup(self._top))
        self.flusher.wait()

    def _apply(self, directory: "int", mode: "int", mtime: "Optional[int]") -> "None":
        special = self.finish.special
        finish = Finish(special=special, owner=self.finish.owner)
        # A new directory inherits set-gid: that is of the one above, and of its group, not of the source.
        own = 0 if special else os.fstat(directory).st_mode & stat.S_ISGID
        finish.apply(directory, finish.mode_of(mode) | own, mtime)

    def worth_keeping(self, begun: "bool") -> "bool":
        """May another transfer go on with what is here, and is there anything? ``begun``: a file is."""
        kept = self.kept
        return kept is not None and kept.resume and bool(self._files or begun or kept.resumed)

    def discard(self, keep: "bool") -> "None":
        """Leave nothing behind but what has its final name; with ``keep`` also the files on their way. Once."""
        self.flusher.close()
        for path, temporary, _final in self._links if keep else self._files + self._links:
            try:
                disk.remove(self.walker.go(path), temporary)
            except OSError:
                pass  # its directory is gone, or no longer one
        if self.kept is not None and not keep:
            self.kept.leave()
        self._close_kept(keep)
        if not keep:
            self._remove_made()
        self.walker.close()
        os.close(self._top)

    def _remove_made(self) -> "None":
        """Remove the directories that were made for nothing, if nobody has put anything into them."""
        for path in reversed(self._made):
            try:
                os.rmdir(path[-1], dir_fd=self.walker.go(path[:-1]))
            except OSError:
                pass
        try:
            if self._made_top and os.path.samestat(os.stat(self.path, follow_symlinks=False), os.fstat(self._top)):
                os.rmdir(self.path)
        except OSError:
            pass

    def _close_kept(self, keep: "bool") -> "None":
        kept, self.kept = self.kept, None
        if kept is not None:
            kept.close(keep)


def _attributes_of(fd: "int") -> "Tuple[int, ...]":
    found = os.fstat(fd)
    return found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns
