"""A tree on its way: every file under another name, durable once, then all renamed."""

import hashlib
import os
import stat

from . import directories, disk, naming, regular
from .errors import DigestMismatch, SourceChanged, TransferRefused
from .flusher import Flusher
from .landing import Finish, Landing, land
from .records import (
    COPY,
    DIRECTORY,
    DIRECTORY_HEAD,
    LINK,
    LINK_HEAD,
    RANGE,
    SMALL,
    SMALL_HEAD,
    UP,
    fields_untrusted,
    name_untrusted,
    target_inside,
)
from .sink import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Set, Tuple

    from .kept import Kept


class TreeSink(Sink):
    """A tree below ``top``, whose descriptor is closed at the end.

    All files are written under other names and made durable first; then all get their names. ``inside`` refuses links
    that lead out of the tree, ``most`` bounds the entries. ``kept`` knows what an interrupted transfer left, and has
    the names of what this one may leave; None: it will leave nothing. ``basis``: it is to become the same as the
    source, so parts of what is there may be used again, and directories that are there get the source's mode.
    """

    def __init__(self, top: "int", finish: "Finish", inside: "bool", most: "int", kept: "Optional[Kept]" = None,
                 basis: "bool" = False) -> "None":
        super().__init__()
        self.links = 0
        self.directories = 0
        self._top = top
        self._settings = finish
        self._inside = inside
        self._most = most
        self._kept = kept
        self._entries = 0
        self._serial = 0
        self._random = naming.temporary_name(naming.TREE)[:-len(b".part")]
        self._walker = directories.Walker(top)
        self._flusher = Flusher(finish.durable)
        self._files: "List[Tuple[Tuple[bytes, ...], bytes, bytes]]" = []
        self._links: "List[Tuple[Tuple[bytes, ...], bytes, bytes]]" = []
        # Directories that get or lose names.
        self._changed: "Set[Tuple[bytes, ...]]" = set()
        self._attributes: "List[Tuple[Tuple[bytes, ...], int, Optional[int], bool]]" = []
        # Directories that would not be there without this transfer; ``made`` says whether the top one would, which gets
        # these ``attributes`` then: mode and time.
        self._made: "List[Tuple[bytes, ...]]" = []
        self.made = False
        self.attributes: "Optional[Tuple[int, int]]" = None
        self._closed = False
        self._name = b""  # of the file or link that is being worked on
        self._handlers.update({DIRECTORY: self._on_directory, UP: self._on_up, LINK: self._on_link,
                               SMALL: self._on_small})
        if basis:
            self._handlers[COPY] = self._on_copy
        self._mirror = basis
        self._basis: "Optional[int]" = None

    @property
    def made_top(self) -> "bool":
        """Is the top one that an interrupted transfer of a tree made, which this one goes on with?"""
        return self._kept is not None and self._kept.made

    @property
    def where(self) -> "str":
        return os.path.join(self.path, *map(os.fsdecode, self._walker.path + (self._name,) * bool(self._name)))

    def _count(self) -> "None":
        self._entries += 1
        if self._entries > self._most:
            raise TransferRefused("more than %d entries; max_files says how many are allowed" % self._most)

    def _between_files(self) -> "None":
        if self._landing is not None:
            raise TransferRefused("an entry inside of a file")
        self._name = b""
        self._count()

    def offers(self, check: "Callable[[], Any]") -> "bytes":
        return b"" if self._kept is None else self._kept.offers(check)

    def _temporary(self, final: "bytes") -> "bytes":
        """A name that is free, for a file or link on its way to a final name where we are."""
        self._name = final
        if self._kept is not None:
            return self._kept.fresh(self._walker.fd, final)
        self._serial += 1
        return b"%s-%016x.part" % (self._random, self._serial)

    def _on_directory(self, payload: "memoryview") -> "None":
        self._between_files()
        mode, mtime = fields_untrusted(DIRECTORY_HEAD, payload, "a directory")
        # A file of the user's gives way to a directory only in a mirror: what arrives may not come to its end.
        self._name = _final_untrusted(payload[DIRECTORY_HEAD.size:])
        made = self._walker.down(self._name, mode, self._mirror)
        if made:
            self._changed.update((self._walker.path, self._walker.path[:-1]))
        self._name = b""
        if self._kept is not None:
            made = self._kept.enter(self._walker.path, made)
        if made:
            self._made.append(self._walker.path)
        self._attributes.append((self._walker.path, mode, self._settings.mtime_of(mtime), made or self._mirror))
        self.directories += 1

    def _on_up(self, payload: "memoryview") -> "None":
        if self._landing is not None or not self._walker.path:
            raise TransferRefused("the end of a directory that did not begin")
        self._walker.up()

    def _on_link(self, payload: "memoryview") -> "None":
        self._between_files()
        (length,) = fields_untrusted(LINK_HEAD, payload, "a link")
        name = _final_untrusted(payload[LINK_HEAD.size:LINK_HEAD.size + length])
        target = bytes(payload[LINK_HEAD.size + length:])
        path = self._walker.path
        if self._inside and not target_inside(target, len(path)):
            self._on_skipped(memoryview(b"/".join(path + (name,)) + b" -> " + target))
            return
        temporary = self._temporary(name)
        os.symlink(target, temporary, dir_fd=self._walker.fd)
        self._links.append((path, temporary, name))
        if self._settings.owner is not None:
            os.chown(temporary, *self._settings.owner, dir_fd=self._walker.fd, follow_symlinks=False)
        self.links += 1

    def _begin(self, name: "bytes", offset: "int") -> "Landing":
        self._count()
        final, here = _final_untrusted(name), self._walker.fd
        if not offset or self._kept is None:
            return Landing(here, final, temporary=self._temporary(final))
        fd = self._kept.open(here, self._kept.name(final))
        if fd is None:
            raise DigestMismatch("what was here of %s is no longer there" % os.fsdecode(final))
        return Landing(here, final, temporary=self._kept.name(final), fd=fd,
                       hashed=self._kept.hash_of(self._walker.path, final, fd))

    def _on_small(self, payload: "memoryview") -> "None":
        self._between_files()
        mode, mtime, digest, length = fields_untrusted(SMALL_HEAD, payload, "a small file")
        name = _final_untrusted(payload[SMALL_HEAD.size:SMALL_HEAD.size + length])
        content = payload[SMALL_HEAD.size + length:]
        self._check_room(len(content))
        if hashlib.sha256(content).digest() != digest:
            raise DigestMismatch("what arrived is not what was sent")
        temporary = self._temporary(name)
        self._files.append((self._walker.path, temporary, name))
        self._flusher.put(land(self._walker.fd, temporary, content, self._settings, mode, mtime))
        self.bytes += len(content)
        self.files += 1
        self.digest = digest

    def _on_copy(self, payload: "memoryview") -> "None":
        offset, size = fields_untrusted(RANGE, payload, "a range")
        landing = self._current(size)
        if self._basis is None:
            self._basis = regular.open_regular(landing.final, self._walker.fd, False)
        os.lseek(self._basis, offset, os.SEEK_SET)
        while size:
            self.check()
            block = os.read(self._basis, min(size, regular.BLOCK))
            if not block:
                raise DigestMismatch("what was to be used again is no longer there")
            landing.write(memoryview(block))
            size -= len(block)

    def _close_basis(self) -> "None":
        basis, self._basis = self._basis, None
        if basis is not None:
            os.close(basis)

    def _finish(self, landing: "Landing", size: "int", digest: "bytes", mode: "int", mtime: "int") -> "None":
        self._close_basis()
        self._files.append((self._walker.path, landing.name, landing.final))
        landing.finish(size, digest, self._settings, mode, mtime, self._flusher.put)

    def _on_done(self, payload: "memoryview") -> "None":
        if self._walker.path:
            raise SourceChanged("the tree ends inside of a directory")
        super()._on_done(payload)

    def complete(self) -> "None":
        super().complete()
        self._name = b""
        self._flusher.wait()
        if self._kept is not None:
            self._kept.leave()
        for entries in (self._files, self._links):
            here: "Any" = None
            while entries:
                path, temporary, self._name = entries[-1]
                if path is not here:
                    here, fd = path, self._walker.go(path)
                    self._changed.add(path)
                os.rename(temporary, self._name, src_dir_fd=fd, dst_dir_fd=fd)
                entries.pop()
        self._name = b""
        if self._kept is not None:
            self._kept.purge()
        # Last and innermost first: names that come and go change a directory's time, and its mode may lock us out.
        for path, mode, mtime, made in reversed(self._attributes):
            fd = self._walker.go(path)
            before = _attributes_of(fd) if self._settings.durable else ()
            if made:
                self._apply(fd, mode, mtime)
            else:
                self._settings.apply_time(fd, mtime)
            if self._settings.durable and (path in self._changed or _attributes_of(fd) != before):
                self._flusher.put(os.dup(fd))
            self._walker.go(path[:-1])
        if self._settings.durable and () in self._changed:
            self._flusher.put(os.dup(self._top))
        self._flusher.wait()
        made, self.made, self._made = self.made, False, []
        self._close_kept(False)
        if made and self.attributes is not None:  # after the last name has gone that changes its time
            self._apply(self._top, self.attributes[0], self._settings.mtime_of(self.attributes[1]))
            if self._settings.durable:
                os.fsync(self._top)

    def _apply(self, directory: "int", mode: "int", mtime: "Optional[int]") -> "None":
        special = self._settings.special
        finish = Finish(special=special, owner=self._settings.owner)
        # A new directory inherits set-gid: that is of the one above, and of its group, not of the source.
        own = 0 if special else os.fstat(directory).st_mode & stat.S_ISGID
        finish.apply(directory, finish.mode_of(mode) | own, mtime)

    def close(self, keep: "bool") -> "None":
        if self._closed:
            return
        self._closed = True
        keep = keep and self._kept is not None and self._kept.resume and bool(
            self._files or self._landing or self._kept.resumed)
        if self._landing is not None:
            self._landing.discard(keep)
        self._close_basis()
        self._flusher.close()
        for path, temporary, _name in self._links if keep else self._files + self._links:
            try:
                disk.remove(self._walker.go(path), temporary)
            except OSError:
                pass  # its directory is gone, or no longer one
        if self._kept is not None and not keep:
            self._kept.leave()
        self._close_kept(keep)
        if not keep:
            self._remove_made()
        self._walker.close()
        os.close(self._top)

    def _remove_made(self) -> "None":
        """Remove the directories that were made for nothing, if nobody has put anything into them."""
        for path in reversed(self._made):
            try:
                os.rmdir(path[-1], dir_fd=self._walker.go(path[:-1]))
            except OSError:
                pass
        try:
            if self.made and os.path.samestat(os.stat(self.path, follow_symlinks=False), os.fstat(self._top)):
                os.rmdir(self.path)
        except OSError:
            pass

    def _close_kept(self, keep: "bool") -> "None":
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close(keep)

    def summary(self) -> "Dict[str, Any]":
        return dict(super().summary(), links=self.links, directories=self.directories, digest=b"")


def _final_untrusted(raw: "Any") -> "bytes":
    """A name that is none of ours: what it names would be taken for what an interrupted transfer left."""
    name = name_untrusted(raw)
    if name.startswith(naming.PREFIX) and naming.ours(os.fsdecode(name)):
        raise TransferRefused("%r is a name of files on their way" % name)
    return name


def _attributes_of(fd: "int") -> "Tuple[int, ...]":
    found = os.fstat(fd)
    return found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns
