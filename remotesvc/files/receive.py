"""A target's side of ``push``: a generator that the other side calls, and that outlives no link."""

from ..bootstrap.calls.current import current
from ..bootstrap.errors import Cancelled
from .destination import file_sink, finish_of, tree_sink
from .errors import located
from .inflow import Inflow
from .sink import Bounds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator


def receive(request: "Dict[str, Any]") -> "Iterator[Dict[str, Any]]":
    """Take a file or a tree: yields where to send it and what is here of it already, at last what came."""
    call = current()
    finish, bounds = finish_of(request), Bounds(request["max_bytes"], request["most"], call.check)
    if request["kind"] == "tree":
        sink: "Any" = tree_sink(request["dst"], request["name"], finish, False, bounds,
                                request["resume"], request["basis"], request["top"])
    else:
        sink = file_sink(request["dst"], request["name"], request["identity"], finish, bounds)
    keep = False
    try:
        if "bodies" in request:
            for body in request["bodies"]:
                sink.take(body)
        else:
            inflow = Inflow(call.router, call.caller)
            call.on_cancel(inflow.look)  # the next transfer may wait for what this one has locked
            try:
                keep = True  # whatever interrupts us comes from outside, unless it is told below
                yield {"handle": inflow.handle, "offset": getattr(sink, "offered", 0),
                       "digest": getattr(sink, "offered_digest", b""), "offers": sink.offers()}
                for body in inflow.bodies(request["idle"], lambda: call.cancelled):
                    keep = False
                    sink.take(body)
                    keep = True
                keep = False
            finally:
                inflow.close()
        sink.complete()
        yield dict(sink.summary(), path=sink.path)
    except Cancelled:  # in the middle of a message, too
        keep = "bodies" not in request
        raise
    except OSError as error:
        raise located(error, sink.where) from None
    finally:
        sink.close(keep)
