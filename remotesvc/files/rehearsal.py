"""What a push or a pull would do: both sides are asked what they would be, and nothing is made, sent or replaced."""

import os
import stat
import time

from .answers import path_untrusted, source_untrusted
from .copied import Copied
from .errors import TransferRefused, refusing_here
from .listing import check_count, entries_untrusted, listing_untrusted
from .plan import MAX_NAMED
from .records import target_inside
from .rehearsed import landing
from .sink import MAX_NAMED as SKIPPED_NAMED
from .transfer_job import TransferJob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional

    from .listing import Listing
    from .options import Options

_THERE = "remotesvc.files.rehearsed:"


@refusing_here
def push(context: "Any", src: "Any", dst: "Any", options: "Options") -> "Copied":
    """See ``Context.push``, with ``dry_run``."""
    from .push import open_source
    job, origin = TransferJob(context, "push", options), open_source(src, options)
    try:
        request = dict(options.finish(), dst=os.fsdecode(dst), kind=origin.kind, name=origin.name)
        path = path_untrusted(job.result(job.submit(_THERE + "landing", request)), context.name)
        lister = origin.listed()
        if lister is None:
            return _file(job, path, origin.size, os.fsdecode(origin.name))
        return _tree(job, path, lister.found, False, len(lister.skipped), lister.skipped)
    finally:
        origin.close()


@refusing_here
def pull(context: "Any", src: "Any", dst: "Any", options: "Options") -> "Copied":
    """See ``Context.pull``, with ``dry_run``."""
    from .pull import name_of, name_of_tree, tree_destination
    job, src = TransferJob(context, "pull", options), os.fsdecode(src)
    dst = None if hasattr(dst, "write") else os.fsdecode(dst)
    asked = job.submit(_THERE + "source", {"src": src, "symlinks": options.symlinks, "rules": options.rules()})
    there = source_untrusted(job.result(asked), context.name)
    request = dict(options.finish(), kind=there["kind"], dst=dst, name=name_of(src))
    if there["kind"] != "tree":
        path = "" if dst is None else landing(request)
        return _file(job, path, there["size"], os.fsdecode(name_of(src)))
    path = landing(dict(request, name=name_of_tree(src), dst=tree_destination(src, dst)))
    return _tree(job, path, listing_untrusted(there["listing"], options.max_files), True, there["skipped"],
                 there["skipped_names"])


def _file(job: "TransferJob", path: "str", size: "Optional[int]", name: "str") -> "Copied":
    copied = Copied(path=path, files=1, bytes=size or 0, changed_names=[name] if name else [])
    return checked(job, copied)


def _tree(job: "TransferJob", path: "str", listing: "Listing", inside: "bool", skipped: "int",
          names: "List[bytes]") -> "Copied":
    """``inside``: links that lead out of the tree are skipped, besides what is ``skipped``, with these ``names``."""
    copied = Copied(path=path, skipped=skipped, skipped_names=[os.fsdecode(name) for name in names[:SKIPPED_NAMED]])
    for directory, parts in listing.items():
        above = directory + b"/" if directory else b""
        for name, entry in entries_untrusted(parts, False).items():
            if stat.S_ISDIR(entry.mode):
                copied.directories += 1
                continue
            if inside and stat.S_ISLNK(entry.mode) and not target_inside(entry.what, above.count(b"/")):
                copied.skipped += 1
                if len(copied.skipped_names) < SKIPPED_NAMED:
                    copied.skipped_names.append(os.fsdecode(above + name + b" -> " + entry.what))
                continue
            if stat.S_ISREG(entry.mode):
                copied.files += 1
                copied.bytes += entry.size
            else:
                copied.links += 1
            if len(copied.changed_names) < MAX_NAMED:
                copied.changed_names.append(os.fsdecode(above + name))
    check_count(copied.files + copied.links + copied.directories, job.options.max_files)
    return checked(job, copied)


def checked(job: "TransferJob", copied: "Copied") -> "Copied":
    """What would be copied, with its time. Raises TransferRefused if it is more than ``max_bytes``."""
    most = job.options.max_bytes
    if most is not None and copied.bytes > most:
        raise TransferRefused("more than %d bytes; max_bytes says how many are allowed" % most)
    copied.seconds = time.monotonic() - job.begun
    return copied
