"""Questions to another context: send, wait, decode. Needed once something is asked for; most children never do."""
import time

from ..errors import Busy, CallTimeout, Cancelled, DecodeError, EncodeError, Error, Lost, VersionSkewError
from ..links import outbox, wire
from .pending import Pending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def request(router: "Any", dst: "int", handle: "int", value: "Any", timeout: "float" = 30.0,
            stream: "int" = wire.CALLS) -> "Any":
    """Ask a well-known handle of another context and wait for its answer. Raises CallTimeout, NotSent, Lost."""
    pending = Pending(dst, "request %d" % handle)
    pending.handle = router.open(pending)
    try:
        router.post(dst, handle, router.codec.encode(value, router.bindings), pending.handle, stream=stream,
                    direct=True, deadline=time.monotonic() + timeout)
        if not pending.wait(timeout):
            raise CallTimeout("context %d did not answer within %g s" % (dst, timeout))
        router.drop(pending.handle)
    except BaseException:
        router.drop(pending.handle)
        discard(pending)
        raise
    outcome = pending.outcome
    if isinstance(outcome, BaseException):
        raise outcome
    try:
        return outcome.decode()
    finally:
        outcome.release()


def withdraw(router: "Any", dst: "int", stream: "int", tag: "int") -> "bool":
    """Take a message back that has not left this process."""
    link = router.links.get(router.routes.towards(dst))
    size = 0 if link is None else outbox.withdraw(link, (router.id, stream), tag)
    if size:
        router.streams.granted(dst, stream, size)  # whoever never gets it cannot give its credit back
    return size > 0


def discard(pending: "Pending") -> "None":
    """Nobody waits any more: an answer that came just now, or is about to come, gives its room back."""
    if not pending.settle(CallTimeout("nobody waits any more")):
        pending.wait(1.0)  # whoever settled it may not have said how
        outcome = pending.outcome
        if hasattr(outcome, "release"):
            outcome.release()
        elif hasattr(outcome, "close"):  # the first of many
            outcome.close()


def answer(router: "Any", message: "Any", value: "Any", timeout: "float" = 10.0) -> "None":
    """Answer such a question. Raises NotSent, CallTimeout if the one who asked does not take the answer."""
    router.post(message.src, message.reply_to, router.codec.encode(value, router.bindings), stream=wire.REPLIES,
                direct=True, deadline=time.monotonic() + timeout)


def error_untrusted(reply: "Any", host: "str", call: "str", classes: "Any" = None,
                    source_line: "Any" = None) -> "BaseException":
    """The exception that an error reply stands for, whatever the target wrote into it.

    ``classes`` are those the error may become, by name; ``source_line(file, number)`` finds lines of code of ours.
    """
    if not isinstance(reply, list) or not reply or not isinstance(reply[0], str):
        return DecodeError("the error reply of %s on %s is malformed" % (call, host))
    kind, detail = reply[0], reply[1:]
    if kind == "raised" and detail:
        from ..failures.rebuild import rebuild
        try:
            return rebuild(detail[0], host, call, classes, source_line)
        except DecodeError as malformed:
            return malformed
    if kind == "connect":
        from ..unreachable import from_reply_untrusted
        return from_reply_untrusted(reply) or DecodeError("the error reply of %s on %s is malformed" % (call, host))
    # Python refuses to write a number of thousands of digits.
    texts = [str(part)[:4096] for part in detail
             if isinstance(part, str) or (isinstance(part, int) and part.bit_length() <= 64)] + ["", "", ""]
    if kind == "encode":
        return EncodeError(texts[2], where=texts[0], type_name=texts[1])
    kinds: "Any" = {"timeout": CallTimeout, "cancelled": Cancelled, "busy": Busy, "lost": Lost}
    if kind in kinds:
        error: "Any" = kinds[kind](texts[0], host=host, call=call)
        if kind == "lost":
            error.diagnostics = texts[1]
        return error  # type: ignore[no-any-return]
    return VersionSkewError(texts[0]) if kind == "skew" else Error("%s on %s: %s" % (call, host, texts[0]))
