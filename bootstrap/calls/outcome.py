"""Error replies: ``[kind, detail...]``, and how they are sent."""
from ..errors import Busy, CallTimeout, Cancelled, EncodeError, Error, Lost, VersionSkewError
from ..finder import ROOT
from ..links import wire
from ..unreachable import ConnectError, as_reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from ..links.own_stream import OwnStream

# The kind for what a function raised; the others stand for errors of ours.
RAISED = "raised"
# Characters of the last words of a process that go with the error.
MOST_SAID = 4096
# Where the frames of ours lie, on a child and on the master.
_OURS = tuple(root + part for root in (ROOT + "remotesvc/", __file__[:-len("bootstrap/calls/outcome.py")])
              for part in ("bootstrap/", "service/"))


def fail(executor: "Any", call: "Any", message: "Any", error: "BaseException", skip: "Optional[int]" = None,
         stream: "Optional[OwnStream]" = None) -> "List[Any]":
    """Send the error a call ended with, at the end of its ``stream`` if it has one; ``skip`` frames of ours are left
    out of it, None marks an error of ours."""
    if not message.reply_to:
        from ..output.logs import report_failed_cast
        executor.drain(call.id)
        report_failed_cast(call.name, error)
    return fail_with(executor, call, message, error_reply(error, skip), stream)


def fail_with(executor: "Any", call: "Any", message: "Any", reply: "List[Any]",
              stream: "Optional[OwnStream]" = None) -> "List[Any]":
    """Send an error reply, if somebody waits for one."""
    router = executor.router
    try:
        executor.drain(call.id)
        if message.reply_to and stream is not None:
            stream.send(encoded(router, reply), wire.ERROR | wire.STREAM | wire.END)
        elif message.reply_to:
            router.post(message.src, message.reply_to, encoded(router, reply), flags=wire.ERROR, stream=wire.REPLIES,
                        direct=True)
    except Error:
        pass  # nobody is there to be told
    return reply


def encoded(router: "Any", reply: "List[Any]") -> "Any":
    """An error reply as it is sent: whoever waits is answered, even where it holds what does not travel."""
    try:
        return router.codec.encode(reply, router.bindings)
    except EncodeError as unable:
        return router.codec.encode(refusal(unable), router.bindings)


def error_reply(error: "BaseException", skip: "Optional[int]") -> "List[Any]":
    """The reply for a call that ended with ``error``; ``skip`` frames of ours are left out of it, None marks an error
    of ours rather than of the function. Never raises."""
    kind = type(error)  # and not `isinstance`, which asks the error itself: that is somebody else's code, and may raise
    try:
        if skip is None and getattr(kind, "remote", False):
            return [RAISED, error.as_data()]  # type: ignore[attr-defined]  # from further away: passed on as it is
        if issubclass(kind, Error) and (skip is None or getattr(error, "ours", False)):
            return refusal(error)  # type: ignore[arg-type]
    except Exception:  # a class of somebody's that derives from one of ours
        pass
    from ..failures.describe import describe
    data = describe(error, skip or 0)
    _without_ours(data)
    return [RAISED, data]


def _without_ours(data: "Dict[str, Any]") -> "None":
    """Take the kernel's frames out of a described error and all that hangs on it: how a call was brought to its
    function, or an import to its module, explains nothing to whoever made it."""
    todo = [data]
    while todo:
        one = todo.pop()
        frames = [frame for frame in one["frames"] if not frame[0].startswith(_OURS)]
        if frames and frames[0][2] == "import_module" and len(frames) < len(one["frames"]):
            del frames[0]  # the one by which the called module itself was imported
        one["frames"] = frames
        todo += [each for each in [one["cause"], one["context"]] + list(one["members"]) if each]


def refusal(error: "Error") -> "List[Any]":
    """The reply for an error of ours."""
    if isinstance(error, EncodeError):
        return ["encode", error.where, error.type_name, error.reason]
    if isinstance(error, ConnectError):
        return as_reply(error)
    if isinstance(error, Lost):  # of a process that this one has started
        return ["lost", error.message, error.diagnostics[-MOST_SAID:]]
    for kind, cls in (("timeout", CallTimeout), ("cancelled", Cancelled), ("busy", Busy), ("skew", VersionSkewError)):
        if isinstance(error, cls):
            return [kind, getattr(error, "message", str(error))]
    return ["refused", str(error)]

