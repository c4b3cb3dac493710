"""``Context.sync``: make a directory there what one is here, sending only what differs."""

import hashlib
import os

from ..bootstrap.errors import UsageError
from .copied import Copied
from .delta import DELTA_FROM, Search, block_size
from .disk import changed
from .errors import DigestMismatch, SourceChanged, refusing_here
from .filters import Filter
from .job import Job
from .listing import Entry, entries_untrusted, list_tree
from .options import Options
from .origin import TreeOrigin
from .push import send_tree
from .records import CHUNK, COPY, DATA, DIRECTORY, FILE, RANGE, file_head
from .serve import chunk_for
from .source import Sending
from .tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Set, Tuple

# Bytes searched at a time.
SEGMENT = 1 << 21
# Names that the outcome lists.
MAX_NAMED = 10000
_MIRROR = "remotesvc.files.mirror:"


class Plan(object):
    """What differs between the two sides (pure).

    ``send`` files and links, ``make`` directories, ``delete`` entries that are only there, ``conflicts`` those that
    are something else there, ``delta`` files of which parts can be used again.
    """

    def __init__(self, here: "Dict[bytes, Entry]", there: "Dict[bytes, Entry]", checksum: "bool") -> "None":
        self.send: "List[bytes]" = []
        self.make: "List[bytes]" = []
        self.conflicts: "List[bytes]" = []
        self.delta: "List[bytes]" = []
        self.unchanged = 0
        for path, entry in here.items():
            old = there.get(path)
            if old is not None and (old.kind == DIRECTORY) != (entry.kind == DIRECTORY):
                self.conflicts.append(path)
                old = None
            if entry.kind == DIRECTORY:
                if old is None or old.mode != entry.mode:
                    self.make.append(path)
            elif old is not None and _equal(entry, old, checksum):
                self.unchanged += entry.kind == FILE
            else:
                self.send.append(path)
                if old is not None and old.kind == entry.kind == FILE and min(old.size, entry.size) >= DELTA_FROM:
                    self.delta.append(path)
        replaced = {path for path in self.conflicts if there[path].kind == DIRECTORY}  # with all they hold
        self.delete = _topmost(path for path in there if path not in here and not _below(path, replaced))


def _equal(here: "Entry", there: "Entry", checksum: "bool") -> "bool":
    if here.kind != there.kind or here.mode != there.mode or here.size != there.size:
        return False
    return here.what == there.what if checksum or here.kind != FILE else _same_time(here.mtime, there.mtime)


def _same_time(here: "int", there: "int") -> "bool":
    """As exactly as the file system there keeps times: nanoseconds, microseconds or seconds."""
    return any(there % unit == 0 and here // unit == there // unit for unit in (1, 1000, 10**9))


def _below(path: "bytes", tops: "Set[bytes]") -> "bool":
    while tops and path:
        path = path.rpartition(b"/")[0]
        if path in tops:
            return True
    return False


def _topmost(paths: "Any") -> "List[bytes]":
    """Without what lies below another of them."""
    found: "List[bytes]" = []
    for path in sorted(paths, key=lambda path: path.split(b"/")):
        if not found or not path.startswith(found[-1] + b"/"):
            found.append(path)
    return found


class SyncSending(Sending):
    """Sends files of which the other side has parts as what is new in them."""

    def __init__(self, options: "Options", signatures: "Dict[str, Tuple[int, bytes]]") -> "None":
        super().__init__(options.compress, chunk=chunk_for(options.limit))
        self._signatures = signatures

    def file(self, fd: "int", name: "bytes", path: "str") -> "Iterator[Any]":
        known = self._signatures.get(path)
        if known is None or not known[1] or not os.fstat(fd).st_size:
            return self.regular(fd, name)
        return self._delta(fd, name, Search(known[1], known[0]))

    def _delta(self, fd: "int", name: "bytes", search: "Search") -> "Iterator[Any]":
        before, digest, packer = os.fstat(fd), hashlib.sha256(), self.packer
        packer.add(FILE, file_head(before.st_mode & 0o7777, before.st_mtime_ns, before.st_size, 0), name)
        carry, taken = b"", 0
        while True:
            data = os.read(fd, SEGMENT)
            digest.update(data)
            taken += len(data)
            piece, carry = carry + data, b""
            for old, start, end in search.instructions(piece):
                if old >= 0:
                    packer.add(COPY, RANGE.pack(old, end - start))
                elif data and end == len(piece):
                    # A block may begin here and end in what comes next.
                    carry = piece[max(start, end - search.block + 1):]
                    self._new(piece[start:end - len(carry)])
                else:
                    self._new(piece[start:end])
                for message in packer.take():
                    yield message
            if not data:
                break
            yield b""  # a sign of life: the search may take longer than the other side waits
        if taken != before.st_size or changed(before, os.fstat(fd)):
            raise SourceChanged("it was changed while it was read")
        self.end_file(digest, before.st_size)

    def _new(self, data: "bytes") -> "None":
        self.read += len(data)
        for start in range(0, len(data), CHUNK):
            self.packer.add(DATA, data[start:start + CHUNK])


class _SyncOrigin(TreeOrigin):
    def __init__(self, path: "str", options: "Options", exclude: "Filter", wanted: "Any") -> "None":
        super().__init__(path, options.symlinks, exclude)
        self._wanted = wanted

    def walk(self, sending: "Sending") -> "Tree":
        return Tree(sending, self._symlinks, self._exclude, self._wanted)


@refusing_here
def sync(context: "Any", src: "Any", dst: "Any", options: "Options", checksum: "bool", delete: "bool",
         dry_run: "bool", delta: "bool") -> "Copied":
    """See ``Context.sync``."""
    path, dst = os.fspath(src), os.fspath(dst)
    if not os.path.isdir(path):
        raise UsageError("%s is no directory here; sync is for directories, push copies files" % path)
    options.times = True  # without them nothing could be told to be equal next time
    return _Sync(context, path, dst, options, checksum, delete, dry_run).run(delta)


class _Sync(object):
    def __init__(self, context: "Any", path: "str", dst: "str", options: "Options", checksum: "bool", delete: "bool",
                 dry_run: "bool") -> "None":
        self._job = Job(context, "sync", options)
        self._path = path
        self._dst = dst
        self._rules = options.rules()
        self._filter = Filter(self._rules)
        self._checksum = checksum
        self._delete = delete
        self._dry_run = dry_run

    def run(self, delta: "bool") -> "Copied":
        job, options = self._job, self._job.options
        future = job.submit(_MIRROR + "listing", self._dst, self._rules, self._checksum)
        here = entries_untrusted(list_tree(self._path, options.symlinks, self._filter, self._checksum),
                                 options.max_files)
        there = entries_untrusted(job.result(future), options.max_files)
        if options.mode is not None:
            here = {path: entry._replace(mode=options.mode) if entry.kind == FILE else entry
                    for path, entry in here.items()}
        elif not options.special:
            here = {path: entry._replace(mode=entry.mode & 0o777) for path, entry in here.items()}
        plan = Plan(here, there, self._checksum)
        copied = Copied(path=self._dst)
        if not self._dry_run:
            copied = self._carry_out(plan, delta)
        else:
            copied.files = sum(here[path].kind == FILE for path in plan.send)
            copied.bytes = sum(here[path].size for path in plan.send)
        copied.unchanged = plan.unchanged
        copied.changed_names = [os.fsdecode(path) for path in plan.send[:MAX_NAMED]]
        if self._delete:
            copied.deleted_names = [os.fsdecode(path) for path in plan.delete[:MAX_NAMED]]
            copied.deleted = len(plan.delete)
        return copied

    def _carry_out(self, plan: "Plan", delta: "bool") -> "Copied":
        job = self._job
        if plan.conflicts and self._delete:
            job.result(job.submit(_MIRROR + "remove", self._dst, plan.conflicts))
        copied = Copied(path=self._dst)
        if plan.send or plan.make:
            try:
                copied = self._send(plan, delta and bool(plan.delta))
            except DigestMismatch:
                if not delta:
                    raise
                copied = self._send(plan, False)  # what was there changed meanwhile, or two blocks looked alike
        if plan.delete and self._delete:
            job.result(job.submit(_MIRROR + "remove", self._dst, plan.delete))
        return copied

    def _send(self, plan: "Plan", delta: "bool") -> "Copied":
        job, wanted = self._job, {os.fsdecode(path) for path in plan.send}
        signatures = self._signatures(plan.delta) if delta else {}
        origin = _SyncOrigin(self._path, job.options, self._filter, wanted.__contains__)
        try:
            return send_tree(job.again(), origin, self._dst, SyncSending(job.options, signatures))
        finally:
            origin.close()

    def _signatures(self, paths: "List[bytes]") -> "Dict[str, Tuple[int, bytes]]":
        wanted = [(path, block_size(os.stat(os.path.join(os.fsencode(self._path), path)).st_size)) for path in paths]
        found: "Dict[str, Tuple[int, bytes]]" = {}
        items = self._job.result(self._job.submit(_MIRROR + "signatures", self._dst, wanted))
        for (path, block), checksums in zip(wanted, items):
            if isinstance(checksums, bytes):
                found[os.fsdecode(path)] = block, checksums
        items.close()
        return found
