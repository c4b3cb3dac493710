"""A target's side of ``push`` and ``pull``: generators that the other side calls, and that outlive no link."""

import os

from ..bootstrap.calls.current import current
from . import disk
from .destination import file_sink, finish_of, tree_sink
from .filters import Filter
from .inflow import Inflow
from .origin import open_path
from .outflow import Outflow
from .records import CHUNK
from .source import Sending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator

# With a limit, a message is so small that there are several a second, and never smaller than this.
LEAST_CHUNK = 4096


def receive(request: "Dict[str, Any]") -> "Iterator[Dict[str, Any]]":
    """Take a file or a tree: yields where to send it and what is here of it already, at last what came."""
    call = current()
    finish = finish_of(request)
    if request["kind"] == "tree":
        sink: "Any" = tree_sink(request["dst"], request["name"], finish, False, request["most"],
                                request.get("basis", False))
    else:
        sink = file_sink(request["dst"], request["name"], request["identity"], finish)
    sink.max_bytes = request["max_bytes"]
    keep = False
    try:
        if "bodies" in request:
            for body in request["bodies"]:
                sink.take(body)
        else:
            inflow = Inflow(call.router, call.caller)
            try:
                keep = True  # whatever interrupts us comes from outside, unless it is told below
                yield {"handle": inflow.handle, "offset": getattr(sink, "offered", 0),
                       "digest": getattr(sink, "offered_digest", b"")}
                for body in inflow.bodies(request["idle"], lambda: call.cancelled):
                    keep = False
                    sink.take(body)
                    keep = True
                keep = False
            finally:
                inflow.close()
        sink.complete()
        yield dict(sink.summary(), path=sink.path)
    except OSError as error:
        raise named(error, sink.where) from None
    finally:
        sink.close(keep)


def send(request: "Dict[str, Any]") -> "Iterator[Dict[str, Any]]":
    """Send a file or a tree to a mailbox of the caller: yields what it is, at last what was sent."""
    call = current()
    path = disk.expand(request["src"])
    origin = open_path(path, request["symlinks"], Filter(request["rules"]))
    try:
        offset, digest = 0, None
        for identity, size, found in request["parts"]:
            if identity == origin.identity:
                agreed = [each for each in origin.agrees(size, found) if each is not None]
                if agreed:
                    offset, digest = size, agreed[-1]
        yield {"kind": origin.kind, "size": origin.size, "identity": origin.identity, "offset": offset}
        outflow = Outflow(call.router, call.caller, request["handle"], request["idle"], request["limit"],
                          lambda: call.cancelled)
        sending = Sending(request["compress"], lambda: outflow.window.rate, chunk=chunk_for(request["limit"]))
        try:
            for message in origin.messages(sending, offset, digest):
                outflow.send(message)
            outflow.finish()
        finally:
            outflow.close()
        yield {"files": sending.files, "bytes": sending.bytes, "read": sending.read}
    except OSError as error:
        raise named(error, path) from None
    finally:
        origin.close()


def chunk_for(limit: "Any") -> "int":
    """The bytes of one message under a limit of so many a second."""
    return CHUNK if limit is None else int(max(LEAST_CHUNK, min(CHUNK, limit / 4)))


def named(error: "OSError", path: "str") -> "OSError":
    """An error of the system with a path, where it has none of its own that says more."""
    name = error.filename
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    if not isinstance(name, str) or "/" not in name:
        return type(error)(error.errno, error.strerror, path)
    return error
