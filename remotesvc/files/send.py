"""A target's side of ``pull``: a generator that the other side calls, and that outlives no link."""

from ..bootstrap.calls.current import current
from . import directories
from .errors import located
from .filters import Filter
from .origin import open_path
from .outflow import Outflow
from .source import Sending, chunk_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator


def send(request: "Dict[str, Any]") -> "Iterator[Dict[str, Any]]":
    """Send a file or a tree to a mailbox of the caller: yields what it is, at last what was sent."""
    call = current()
    path = directories.expand(request["src"])
    origin = open_path(path, request["symlinks"], Filter(request["rules"]))
    try:
        offset, digest = 0, None
        for identity, size, found in request["parts"]:
            if identity == origin.identity:
                for agreed in origin.agrees(size, found):
                    call.check()  # hashing takes long
                    if agreed is not None:
                        offset, digest = size, agreed
        yield {"kind": origin.kind, "size": origin.size, "identity": origin.identity, "offset": offset,
               "top": origin.top}
        outflow = Outflow(call.router, call.caller, request["handle"], request["idle"], request["limit"],
                          lambda: call.cancelled)
        sending = Sending(request["compress"], lambda: outflow.window.rate, chunk=chunk_for(request["limit"]),
                          pace=lambda: outflow.window.pace)
        if request["offers"]:
            from .offers import Offers
            sending.go_on(Offers(request["offers"]))
        try:
            for message in origin.messages(sending, offset, digest):
                outflow.send(message)
            outflow.finish()
        finally:
            outflow.close()
        yield {"files": sending.files, "bytes": sending.bytes, "read": sending.read}
    except OSError as error:
        raise located(error, path) from None
    finally:
        origin.close()
