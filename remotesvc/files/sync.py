"""``Context.sync``: make a directory there what one is here, sending only what differs."""

import hashlib
import os
from functools import partial

from ..bootstrap.errors import UsageError
from .answers import list_untrusted, path_untrusted, removed_untrusted
from .copied import Copied
from .delta import Search, block_size, most_blocks
from .errors import DigestMismatch, SourceChanged, refusing_here
from .filters import Filter
from .listing import Lister, check_count, count_of, list_tree, listing_untrusted
from .options import Options
from .origin import TreeOrigin
from .plan import MAX_NAMED, Plan
from .push import send_tree
from .records import CHUNK, COPY, DATA, FILE, HOLE, NUMBER, RANGE, file_head
from .regular import changed, extents
from .signatures import Signatures
from .source import Sending
from .transfer_job import TransferJob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Container, Iterator, List, Optional, Tuple

# Bytes searched at a time.
SEGMENT = 1 << 21
_THERE = "remotesvc.files.listing:there"
_MIRROR = "remotesvc.files.mirror:"
_LANDING = "remotesvc.files.rehearsed:landing"


class SyncSending(Sending):
    """Sends files of which the other side has parts as what is new in them."""

    def __init__(self, signatures: "Optional[Signatures]", compress: "str", rate: "Callable[[], float]",
                 chunk: "int", pace: "Callable[[], float]") -> "None":
        super().__init__(compress, rate, chunk=chunk, pace=pace)
        self._signatures = signatures

    def whole(self, fd: "int", name: "bytes", path: "str") -> "Iterator[Any]":
        known, raw = self._signatures, os.fsencode(path)
        if known is None or raw not in known or not os.fstat(fd).st_size:
            return super().whole(fd, name, path)
        return self._changed(fd, name, raw, known)

    def _changed(self, fd: "int", name: "bytes", path: "bytes", signatures: "Signatures") -> "Iterator[Any]":
        checksums = None
        for checksums in signatures.of(path):
            if checksums is None:
                yield b""  # a sign of life: that side may have much to read
        if checksums:
            yield from self._delta(fd, name, Search(checksums, signatures.block_of(path)))
        else:
            yield from self.regular(fd, name)

    def _delta(self, fd: "int", name: "bytes", search: "Search") -> "Iterator[Any]":
        before, digest, packer = os.fstat(fd), hashlib.sha256(), self.packer
        packer.add(FILE, file_head(before.st_mode & 0o7777, before.st_mtime_ns, before.st_size, 0), name)
        position = 0
        for begin, end in _areas(fd, before, search.block):
            search.skip(begin - position)
            yield from self.hole(begin - position, digest)
            position, carry = begin, b""
            while True:
                data = os.pread(fd, min(SEGMENT, end - position), position)
                digest.update(data)
                at, piece, carry = position - len(carry), carry + data, b""
                position += len(data)
                for old, first, last in search.instructions(piece):
                    if old >= 0:
                        packer.add(COPY, RANGE.pack(old, last - first))
                    elif data and last == len(piece):
                        # A block may begin here and end in what comes next.
                        carry = piece[max(first, last - search.block + 1):]
                        self._new(fd, before, at + first, piece[first:last - len(carry)])
                    else:
                        self._new(fd, before, at + first, piece[first:last])
                    for message in packer.take():
                        yield message
                if not data:
                    break
                yield b""  # a sign of life: the search may take longer than the other side waits
        # One byte more: it may have grown.
        if position != before.st_size or os.pread(fd, 1, position) or changed(before, os.fstat(fd)):
            raise SourceChanged("it was changed while it was read")
        self.end_file(digest, before.st_size)

    def _new(self, fd: "int", found: "os.stat_result", position: "int", data: "bytes") -> "None":
        """What was read at ``position``, but for the holes in it."""
        stop, at = position + len(data), position
        for start, end in extents(fd, found, position):
            if at < min(start, stop):
                self.packer.add(HOLE, NUMBER.pack(min(start, stop) - at))
                at = min(start, stop)
            if at == stop:
                return
            end = min(end, stop)
            self.read += end - at
            for first in range(at, end, CHUNK):
                self.packer.add(DATA, data[first - position:min(first + CHUNK, end) - position])
            at = end


def _areas(fd: "int", found: "os.stat_result", block: "int") -> "Iterator[Tuple[int, int]]":
    """Where a file has data, in whole blocks: what lies between is nothing but holes. A block with a hole in it may be
    there as it is, and would not be found in parts."""
    begin = stop = 0
    for start, end in extents(fd, found, 0):
        start -= start % block
        if start > stop:
            yield begin, stop
            begin = start
        stop = min(end + -end % block, found.st_size)
    yield begin, stop


class _SyncOrigin(TreeOrigin):
    def __init__(self, path: "str", options: "Options", exclude: "Filter", wanted: "Any") -> "None":
        super().__init__(path, options.symlinks, exclude)
        self.name = b""  # its content becomes what was listed there, however either of them is written
        self._wanted = wanted

    def wanted(self) -> "Any":
        return self._wanted


@refusing_here
def sync(context: "Any", src: "Any", dst: "Any", options: "Options", checksum: "bool", delete: "bool",
         dry_run: "bool", delta: "bool") -> "Copied":
    """See ``Context.sync``."""
    path, dst = os.fsdecode(src), os.fsdecode(dst)
    if not os.path.isdir(path):
        raise UsageError("%s is no directory here; sync is for directories, push copies files" % path)
    options.times = True  # without them nothing could be told to be equal next time
    return _Sync(context, path, dst, options, checksum, delete, dry_run).run(delta)


class _Sync(object):
    def __init__(self, context: "Any", path: "str", dst: "str", options: "Options", checksum: "bool", delete: "bool",
                 dry_run: "bool") -> "None":
        self._job = TransferJob(context, "sync", options)
        self._path = path
        self._dst = dst
        self._rules = options.rules()
        self._filter = Filter(self._rules)
        self._checksum = checksum
        self._delete = delete
        self._dry_run = dry_run

    def run(self, delta: "bool") -> "Copied":
        job, options = self._job, self._job.options
        future = job.submit(_THERE, self._dst, self._rules, self._checksum, options.owner)
        lister = Lister(self._checksum, options.mode, options.special, job.check)
        here = list_tree(self._path, options.symlinks, self._filter, lister)
        check_count(sum(count_of(part)[0] for parts in here.values() for part in parts), options.max_files)
        there = listing_untrusted(list_untrusted(job.result(future), job.context.name), options.max_files)
        plan = Plan(here, there, self._checksum, options.special)
        self._check_room(plan.blocked)
        copied = self._carry_out(plan, delta)
        copied.unchanged = plan.unchanged
        copied.changed_names = [os.fsdecode(path) for path in plan.send[:MAX_NAMED]]
        return copied

    def _check_room(self, directories: "List[bytes]") -> "None":
        """Raises IsADirectoryError, before anything is sent, if one of these will still be there where a file is to be.
        """
        gone: "Container[str]" = ()
        if directories and self._delete:
            count, names = self._remove(directories, True)
            if count > len(names):
                return  # who knows: what makes the file will say so
            gone = set(names)
        for path in directories:
            if os.fsdecode(path) not in gone:
                self._job.result(self._job.submit(_MIRROR + "refuse", self._dst, path, self._delete))

    def _carry_out(self, plan: "Plan", delta: "bool") -> "Copied":
        count, names = self._remove(plan.conflicts, self._dry_run)
        copied = Copied(path=self._dst)
        if not (plan.send or plan.make or plan.top):
            pass
        elif self._dry_run:
            copied = self._rehearse(plan)
        else:
            try:
                copied = self._send(plan, delta and bool(plan.delta))
            except DigestMismatch:
                if not delta:
                    raise
                copied = self._send(plan, False)  # what is there changed meanwhile, or a block was taken for another
        more, others = self._remove(plan.delete, self._dry_run)
        copied.deleted, copied.deleted_names = count + more, (names + others)[:MAX_NAMED]
        return copied

    def _rehearse(self, plan: "Plan") -> "Copied":
        """What would be sent. Raises what sending it would, as far as that can be seen."""
        from .rehearsal import checked
        job = self._job
        request = dict(job.options.finish(), dst=self._dst, kind="tree", name=b"")
        path = path_untrusted(job.result(job.submit(_LANDING, request)), job.context.name)
        return checked(job, Copied(path=path, files=plan.files, bytes=plan.bytes))

    def _remove(self, paths: "List[bytes]", dry_run: "bool") -> "Tuple[int, List[str]]":
        """How many entries were removed, or would be, and which: what is excluded stays, and the directories it is in.
        """
        job = self._job
        if not paths or not self._delete:
            return 0, []
        removed = removed_untrusted(
            job.result(job.submit(_MIRROR + "remove", self._dst, paths, self._rules, dry_run)), job.context.name)
        return removed["count"], [os.fsdecode(path) for path in removed["names"].split(b"\0")[:MAX_NAMED] if path]

    def _send(self, plan: "Plan", delta: "bool") -> "Copied":
        job, wanted = self._job, {os.fsdecode(path) for path in plan.send}
        signatures = Signatures(job, self._dst, self._wanted(plan.delta)) if delta else None
        origin = _SyncOrigin(self._path, job.options, self._filter, wanted.__contains__)
        try:
            again = job.again(1 if signatures is None else 2)
            return send_tree(again, origin, self._dst, partial(SyncSending, signatures))
        finally:
            origin.close()
            if signatures is not None:
                signatures.close()

    def _wanted(self, paths: "List[bytes]") -> "List[Tuple[bytes, int, int]]":
        wanted: "List[Tuple[bytes, int, int]]" = []
        for path in sorted(paths, key=lambda path: os.fsdecode(path).split("/")):  # as a walk comes to them
            try:
                size = os.stat(os.path.join(os.fsencode(self._path), path)).st_size
            except FileNotFoundError:  # gone since it was listed
                continue
            block = block_size(size)
            wanted.append((path, block, most_blocks(size, block)))
        return wanted
