"""``Context.pull``: files and trees of a context, to this machine or to an object of the user's."""

import os

from ..bootstrap.errors import Error, OutcomeError, UsageError
from ..calling.outcomes import own_error
from . import directories
from .answers import sender_untrusted, sent_untrusted
from .destination import file_sink, finish_of, interrupted_tree, place_of, tree_sink
from .errors import TransferRefused, located, refusing_here
from .inflow import Inflow
from .naming import is_number
from .options import Options
from .parts import Parts
from .sink import Bounds
from .streamsink import StreamSink
from .transfer_job import TransferJob, interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple

    from .copied import Copied
    from .treesink import TreeSink

SEND = "remotesvc.files.send:send"


@refusing_here
def pull(context: "Any", src: "Any", dst: "Any", options: "Options") -> "Copied":
    """See ``Context.pull``."""
    out = dst if hasattr(dst, "write") else None
    if out is None and not isinstance(dst, (str, bytes, os.PathLike)):
        raise UsageError("cannot pull to %s; give a path or an object with write()" % type(dst).__name__)
    return _Pull(context, os.fsdecode(src), None if out is not None else os.fsdecode(dst), out, options).run()


class _Pull(object):
    def __init__(self, context: "Any", src: "str", dst: "Optional[str]", out: "Any", options: "Options") -> "None":
        self._job = TransferJob(context, "pull", options)
        self._src = src
        self._dst = dst
        self._out = out
        self._name = name_of(src)
        self._tail: "Any" = None
        # Receives a tree, if that is what src is.
        self._tree: "Optional[TreeSink]" = None
        self._parts: "Optional[Parts]" = None
        self._finish = finish_of(options.finish())
        self._bounds = Bounds(options.max_bytes, options.max_files, self._job.check)
        if dst is not None:
            directories.expand(dst)

    def run(self) -> "Copied":
        job, options = self._job, self._job.options
        inflow = Inflow(job.router, job.context.id)
        sink, keep = None, False
        try:
            if self._dst is not None and interrupted_tree(self._dst, name_of_tree(self._src)):
                self._tree = self._tree_sink(self._dst)
            if self._dst is not None and options.resume and not directories.is_content(self._src):
                self._parts = self._parts_at(self._dst)
            head = sender_untrusted(job.ask(SEND, {
                "src": self._src, "handle": inflow.handle, "idle": options.idle_timeout, "limit": options.limit,
                "compress": options.compress, "symlinks": options.symlinks, "rules": options.rules(),
                "parts": self._parts.offered() if self._parts else [],
                "offers": b"" if self._tree is None else self._tree.offers()}), job.context.name)
            sink = self._sink(head)
            # What says that it is empty may be a file of /proc, whose size nobody knows.
            total = head["size"] or None
            for body in inflow.bodies(options.idle(), job.over, self._look):
                sink.take(body)
                job.told(sink.bytes, total)
            tail = sent_untrusted(job.next() if self._tail is None else self._tail, job.context.name)
            sink.complete()
            return job.copied(sink.summary(), path=sink.path, sent=tail["read"], wire=inflow.received,
                              resumed=sink.resumed)
        except BaseException as error:
            keep = interrupted(error)
            if isinstance(error, OutcomeError) and error.host is None:
                raise own_error(job.context, error, job.name) from None
            # One of ours: what the target raised is an Error, too. A disk that is full names no file.
            if isinstance(error, OSError) and not isinstance(error, Error) and sink is not None and sink.where:
                raise located(error, sink.where) from None
            raise
        finally:
            inflow.close()
            if sink is not None:
                sink.close(keep)
            if self._tree is not None:
                self._tree.close(True)  # there is no tree any more at the source: it may come back
            if self._parts is not None:
                self._parts.close()
            job.close()

    def _parts_at(self, dst: "str") -> "Optional[Parts]":
        """What is here of a file, if it is one: that is not known yet, so nothing is made or refused for it."""
        try:
            place = place_of(dst, self._name)
        except TransferRefused:
            return None
        return Parts(*place, self._job.check)

    def _look(self) -> "None":
        """Only while nothing is here: of a sender that is lost, what came before is worth keeping."""
        if self._tail is None and not self._job.waiting():
            self._tail = self._job.next()  # raises what the sender raised

    def _sink(self, head: "Dict[str, Any]") -> "Any":
        job, kind, identity = self._job, head["kind"], head["identity"]
        if kind == "tree":
            dst = tree_destination(self._src, self._dst, self._tree is not None and self._tree.made_top)
            if self._tree is None:
                return self._tree_sink(dst, head["top"])
            self._tree.top_becomes(head["top"])
            return self._tree
        if self._dst is None:
            return StreamSink(self._out, self._bounds)
        named = identity if job.options.resume and identity and is_number(identity) else None
        return file_sink(self._dst, self._name, named, self._finish, self._bounds, self._parts)

    def _tree_sink(self, dst: "str", top: "Optional[Tuple[int, int]]" = None) -> "TreeSink":
        return tree_sink(dst, name_of_tree(self._src), self._finish, True, self._bounds, self._job.options.resume,
                         attributes=top)


def name_of(src: "str") -> "bytes":
    """The name of what is pulled: it comes from the user's own path, never from the target."""
    return os.fsencode(os.path.basename(src.rstrip("/")))


def name_of_tree(src: "str") -> "bytes":
    """The name of a tree that is pulled: none, if its content is wanted and not itself."""
    return b"" if directories.is_content(src) else name_of(src)


def tree_destination(src: "str", dst: "Optional[str]", made: "bool" = False) -> "str":
    """Where a tree goes to, as the user wrote it. Raises UsageError, TransferRefused.

    Only the target says that it is a tree. It must not choose names in a directory of ours that was meant to take a
    single file; one that an interrupted transfer ``made`` for a tree was not.
    """
    if dst is None:
        raise UsageError("%s is a directory there; give a path to pull it to" % src)
    said = made or directories.is_content(src) or dst.endswith("/")
    if not said and os.path.isdir(directories.expand(dst)):
        raise TransferRefused("%s is a directory there, and %s is one here; write %s/ to have its content in it, "
                              "or %s/ to have it below" % (src, dst, src, dst))
    return dst
