"""``Context.push``: files, trees, bytes and file objects of this process, to a context."""

import os
from functools import partial

from ..bootstrap.errors import Error, NotSent, UsageError
from .answers import received_untrusted, receiver_untrusted
from .errors import refusing_here
from .filters import Filter
from .options import Options
from .origin import Origin, StreamOrigin, open_path
from .outflow import Outflow
from .records import ABANDONED
from .source import Sending, chunk_for
from .transfer_job import TransferJob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, List, Optional

    from .copied import Copied

RECEIVE = "remotesvc.files.receive:receive"
# Bytes: less goes along with the call that announces it, which saves a round trip.
WITH_CALL = 48 * 1024


@refusing_here
def push(context: "Any", src: "Any", dst: "Any", options: "Options") -> "Copied":
    """See ``Context.push``."""
    origin = open_source(src, options)
    try:
        job = TransferJob(context, "push", options)
        try:
            return _Push(job, origin, os.fsdecode(dst)).run()
        finally:
            job.close()
    finally:
        origin.close()


def open_source(src: "Any", options: "Options") -> "Origin":
    """What a user wants to send. Raises OSError, TransferRefused, UsageError."""
    if isinstance(src, Origin):
        src.check_open()
        return src
    if isinstance(src, (bytes, bytearray, memoryview)) or hasattr(src, "read"):
        return StreamOrigin(src)
    if not isinstance(src, (str, os.PathLike)):
        raise UsageError("%s cannot be pushed; give a path, bytes, or an object with read()" % type(src).__name__)
    return open_path(os.fsdecode(src), options.symlinks, Filter(options.rules()))


def send_tree(job: "TransferJob", origin: "Origin", dst: "str", make_sending: "Callable[..., Sending]") -> "Copied":
    """Send a tree to make another the same: with another kind of ``Sending``, which may refer to what is there."""
    try:
        return _Push(job, origin, dst, make_sending, basis=True).run()
    finally:
        job.close()


class _Push(object):
    def __init__(self, job: "TransferJob", origin: "Origin", dst: "str",
                 make_sending: "Callable[..., Sending]" = Sending, basis: "bool" = False) -> "None":
        """``basis``: the receiver may use parts of what it has."""
        self._job = job
        self._origin = origin
        self._outflow: "Optional[Outflow]" = None
        options = job.options
        self._sending = make_sending(options.compress, self.rate, chunk=chunk_for(options.limit), pace=self.pace)
        self._request: "Dict[str, Any]" = dict(
            options.finish(), dst=dst, kind="tree" if origin.kind == "tree" else "file", name=origin.name,
            identity=origin.identity if options.resume else None, resume=options.resume, most=options.max_files,
            max_bytes=options.max_bytes, top=origin.top, basis=basis,
            idle=options.idle() if origin.kind != "stream" else None)

    def rate(self) -> "float":
        """Bytes a second that the line carries; 0 while that is not known."""
        return 0.0 if self._outflow is None else self._outflow.window.rate

    def pace(self) -> "float":
        """Bytes a second that the line carries, as far as is known already; 0 while nothing is."""
        return 0.0 if self._outflow is None else self._outflow.window.pace

    def run(self) -> "Copied":
        job, origin = self._job, self._origin
        if origin.size is not None and origin.size <= WITH_CALL and job.options.limit is None:
            bodies: "List[bytes]" = [bytes(each) for each in origin.messages(self._sending)]
            job.told(0, origin.size)
            answer, wire = job.ask(RECEIVE, dict(self._request, bodies=bodies)), sum(map(len, bodies))
            job.told(origin.size, origin.size)
        else:
            tree = origin.kind == "tree"
            head = job.ask(RECEIVE, self._request, partial(origin.read_ahead, self._sending) if tree else None)
            self._send(receiver_untrusted(head, job.context.name))
            answer, wire = job.next(), 0 if self._outflow is None else self._outflow.sent
        summary = received_untrusted(answer, job.context.name)
        return job.copied(summary, path=summary["path"], sent=self._sending.read, wire=wire,
                          resumed=self._sending.resumed)

    def _send(self, head: "Dict[str, Any]") -> "None":
        job, options = self._job, self._job.options
        outflow = self._outflow = Outflow(job.router, job.context.id, head["handle"], options.idle_timeout,
                                          options.limit, self._over)
        try:
            if head["offers"] and self._origin.kind == "tree":
                self._go_on_with_tree(head["offers"])
            else:
                offset, digest = 0, None
                if head["offset"]:
                    for found in self._origin.agrees(head["offset"], head["digest"]):
                        self._post(b"")  # a sign of life: hashing may take longer than the other side waits
                        if found is not None:
                            offset, digest = head["offset"], found
                self._sending.resumed = offset
                self._post_all(self._origin.messages(self._sending, offset, digest))
            outflow.finish()
        except NotSent:
            # It says why: the receiver failed, or is gone, or we were to stop.
            job.check()
            job.next()
            raise
        except Exception:  # of the source, whatever reads it: the receiver is told, it is not handled
            if not self._over():
                self._abandon(outflow)
            raise
        finally:
            outflow.close()

    def _go_on_with_tree(self, offers: "Any") -> "None":
        """Send what the receiver does not have; what was read ahead before it said that is dropped."""
        from .offers import Offers
        self._sending.go_on(Offers(offers))
        origin = self._origin.apart()
        try:
            self._post_all(origin.messages(self._sending))
        finally:
            origin.close()

    def _post_all(self, messages: "Iterator[Any]") -> "None":
        for message in messages:
            self._post(message)
            self._job.told(self._sending.read, self._origin.size)

    def _post(self, message: "Any") -> "None":
        assert self._outflow is not None
        if self._over():
            raise NotSent("the receiver ended the transfer")
        self._outflow.send(message)

    def _over(self) -> "bool":
        job = self._job
        if not job.waiting():
            return True
        try:
            job.check()
        except Error:
            return True
        return False

    def _abandon(self, outflow: "Outflow") -> "None":
        """Tell the receiver to drop what we could not read to its end, so that nothing goes on with it, and wait until
        it has: that the call is given up, or the link closed, overtakes what is told."""
        try:
            outflow.finish(ABANDONED)
            self._job.settle()
        except Error:  # it was to end
            pass
