"""What a receiver does with the records of a tree."""

import hashlib
import os

from . import naming, regular
from .errors import DigestMismatch, SourceChanged, TransferRefused
from .landing import Landing, land
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
    from typing import Any, Dict, Optional, Tuple

    from .sink import Bounds
    from .tree_landing import TreeLanding


_GONE = "what was to be used again is no longer there"


class TreeSink(Sink):
    """A tree, which lands in ``tree``.

    ``inside`` refuses links that lead out of it. ``basis``: it is to become the same as the source, so parts of what is
    there may be used again, and directories that are there get the source's mode.
    """

    def __init__(self, tree: "TreeLanding", bounds: "Bounds", inside: "bool", basis: "bool" = False) -> "None":
        super().__init__(bounds, tree.path)
        self.links = 0
        self.directories = 0
        self._tree = tree
        self._walker = tree.walker
        self._inside = inside
        self._entries = 0
        self._serial = 0
        self._random = naming.temporary_name(naming.TREE)[:-len(b".part")]
        self._closed = False
        self._handlers.update({DIRECTORY: self._on_directory, UP: self._on_up, LINK: self._on_link,
                               SMALL: self._on_small})
        if basis:
            self._handlers[COPY] = self._on_copy
        self._mirror = basis
        self._basis: "Optional[int]" = None

    @property
    def made_top(self) -> "bool":
        """Is the top one that an interrupted transfer of a tree made, which this one goes on with?"""
        return self._tree.kept is not None and self._tree.kept.made

    def top_becomes(self, attributes: "Tuple[int, int]") -> "None":
        """Mode and time of the top, where they are known only now."""
        self._tree.attributes = attributes

    @property
    def where(self) -> "str":
        return self._tree.where

    def _count(self) -> "None":
        self._entries += 1
        most = self._bounds.max_files
        if most is not None and self._entries > most:
            raise TransferRefused("more than %d entries; max_files says how many are allowed" % most)

    def _between_files(self) -> "None":
        if self._landing is not None:
            raise TransferRefused("an entry inside of a file")
        self._tree.name = b""
        self._count()

    def offers(self) -> "bytes":
        kept = self._tree.kept
        return b"" if kept is None else kept.offers(self._bounds.check)

    def _temporary(self, final: "bytes") -> "bytes":
        """A name that is free, for a file or link on its way to a final name where we are."""
        self._tree.name = final
        if self._tree.kept is not None:
            return self._tree.kept.fresh(self._walker.fd, final)
        self._serial += 1
        return b"%s-%016x.part" % (self._random, self._serial)

    def _on_directory(self, payload: "memoryview") -> "None":
        self._between_files()
        mode, mtime = fields_untrusted(DIRECTORY_HEAD, payload, "a directory")
        # A file of the user's gives way to a directory only in a mirror: what arrives may not come to its end.
        self._tree.name = _final_untrusted(payload[DIRECTORY_HEAD.size:])
        made = self._walker.down(self._tree.name, mode, self._mirror)
        self._tree.name = b""
        self._tree.entered(made, mode, mtime, self._mirror)
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
        self._tree.add_link(temporary, name)
        owner = self._tree.finish.owner
        if owner is not None:
            os.chown(temporary, *owner, dir_fd=self._walker.fd, follow_symlinks=False)
        self.links += 1

    def _begin(self, name: "bytes", offset: "int") -> "Landing":
        self._count()
        final, here, kept = _final_untrusted(name), self._walker.fd, self._tree.kept
        if not offset or kept is None:
            return Landing(here, final, temporary=self._temporary(final))
        fd = kept.open(here, kept.name(final))
        if fd is None:
            raise DigestMismatch("what was here of %s is no longer there" % os.fsdecode(final))
        return Landing(here, final, temporary=kept.name(final), fd=fd,
                       hashed=kept.hash_of(self._walker.path, final, fd))

    def _on_small(self, payload: "memoryview") -> "None":
        self._between_files()
        mode, mtime, digest, length = fields_untrusted(SMALL_HEAD, payload, "a small file")
        name = _final_untrusted(payload[SMALL_HEAD.size:SMALL_HEAD.size + length])
        content = payload[SMALL_HEAD.size + length:]
        self._check_room(len(content))
        if hashlib.sha256(content).digest() != digest:
            raise DigestMismatch("what arrived is not what was sent")
        temporary = self._temporary(name)
        self._tree.add_file(temporary, name)
        self._tree.flusher.put(land(self._walker.fd, temporary, content, self._tree.finish, mode, mtime))
        self.bytes += len(content)
        self.files += 1
        self.digest = digest

    def _on_copy(self, payload: "memoryview") -> "None":
        offset, size = fields_untrusted(RANGE, payload, "a range")
        landing = self._current(size)
        if self._basis is None:
            self._basis = regular.open_regular(landing.final, self._walker.fd, False)
        basis, stop = self._basis, offset + size
        for start, end in regular.extents(basis, os.fstat(basis), offset):
            start, end = min(start, stop), min(end, stop)
            self._hole(landing, start - offset)
            offset = max(offset, start)
            while offset < end:
                self._bounds.check()
                block = os.pread(basis, min(regular.BLOCK, end - offset), offset)
                if not block:
                    raise DigestMismatch(_GONE)
                landing.write(memoryview(block))
                offset += len(block)
        if offset < stop:
            raise DigestMismatch(_GONE)

    def _close_basis(self) -> "None":
        basis, self._basis = self._basis, None
        if basis is not None:
            os.close(basis)

    def _finish(self, landing: "Landing", size: "int", digest: "bytes", mode: "int", mtime: "int") -> "None":
        self._close_basis()
        self._tree.add_file(landing.name, landing.final)
        landing.finish(size, digest, self._tree.finish, mode, mtime, self._tree.flusher.put)

    def _on_done(self, payload: "memoryview") -> "None":
        if self._walker.path:
            raise SourceChanged("the tree ends inside of a directory")
        super()._on_done(payload)

    def complete(self) -> "None":
        super().complete()
        self._tree.place()

    def close(self, keep: "bool") -> "None":
        if self._closed:
            return
        self._closed = True
        keep = keep and self._tree.worth_keeping(self._landing is not None)
        if self._landing is not None:
            self._landing.discard(keep)
        self._close_basis()
        self._tree.discard(keep)

    def summary(self) -> "Dict[str, Any]":
        return dict(super().summary(), links=self.links, directories=self.directories, digest=b"")


def _final_untrusted(raw: "Any") -> "bytes":
    """A name that is none of ours: what it names would be taken for what an interrupted transfer left."""
    name = name_untrusted(raw)
    if name.startswith(naming.PREFIX) and naming.ours(os.fsdecode(name)):
        raise TransferRefused("%r is a name of files on their way" % name)
    return name
