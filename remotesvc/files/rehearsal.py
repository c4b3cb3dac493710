"""What a push or a pull would do: both sides are asked what they would be, and nothing is made, sent or replaced."""

import os
import stat
import time

from .copied import Copied
from .errors import TransferRefused, refusing_here
from .job import Job
from .listing import check_count, entries_untrusted, listing_untrusted
from .plan import MAX_NAMED
from .rehearsed import landing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .listing import Listing
    from .options import Options

_THERE = "remotesvc.files.rehearsed:"


@refusing_here
def push(context: "Any", src: "Any", dst: "Any", options: "Options") -> "Copied":
    """See ``Context.push``, with ``dry_run``."""
    from .push import open_source
    job, origin = Job(context, "push", options), open_source(src, options)
    try:
        request = dict(options.finish(), dst=os.fspath(dst), kind=origin.kind, name=origin.name)
        path = job.result(job.submit(_THERE + "landing", request))
        return _told(job, path, origin.kind, origin.size, os.fsdecode(origin.name), origin.listing())
    finally:
        origin.close()


@refusing_here
def pull(context: "Any", src: "Any", dst: "Any", options: "Options") -> "Copied":
    """See ``Context.pull``, with ``dry_run``."""
    from .pull import name_of, name_of_tree, tree_destination
    job, src = Job(context, "pull", options), os.fspath(src)
    request = {"src": src, "symlinks": options.symlinks, "rules": options.rules()}
    found = job.result(job.submit(_THERE + "source", request))
    is_tree = found["kind"] == "tree"
    listing = listing_untrusted(found["listing"], options.max_files) if is_tree else {}
    path = ""
    if is_tree or not hasattr(dst, "write"):
        dst = None if hasattr(dst, "write") else os.fspath(dst)
        path = landing(dict(options.finish(), kind=found["kind"], name=name_of_tree(src) if is_tree else name_of(src),
                            dst=tree_destination(src, dst) if is_tree else dst))
    size = found["size"] if type(found["size"]) is int else None
    return _told(job, path, "tree" if is_tree else "file", size, os.fsdecode(name_of(src)), listing)


def _told(job, path, kind, size, name, listing):
    # type: (Job, str, str, Any, str, Listing) -> Copied
    options = job.options
    copied = Copied(path=path, seconds=time.monotonic() - job.begun)
    if kind == "tree":
        _count(copied, listing)
        check_count(copied.files + copied.links + copied.directories, options.max_files)
    else:
        copied.files, copied.bytes = 1, size or 0
        copied.changed_names = [name] if name else []
    if options.max_bytes is not None and copied.bytes > options.max_bytes:
        raise TransferRefused("more than %d bytes; max_bytes says how many are allowed" % options.max_bytes)
    return copied


def _count(copied: "Copied", listing: "Listing") -> "None":
    for path, parts in listing.items():
        above = path + b"/" if path else b""
        for name, entry in entries_untrusted(parts, False).items():
            if stat.S_ISDIR(entry.mode):
                copied.directories += 1
                continue
            if stat.S_ISREG(entry.mode):
                copied.files += 1
                copied.bytes += entry.size
            else:
                copied.links += 1
            if len(copied.changed_names) < MAX_NAMED:
                copied.changed_names.append(os.fsdecode(above + name))
