"""What a target says about a transfer, checked before anything is made of it: a value of any kind may have come.

Each function returns the answer and raises TransferRefused, which names the host, for one that is malformed.
"""

from .errors import TransferRefused
from .records import DIGEST_SIZE, MAX_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List

# A handle is as large as it is in a frame.
_HANDLES = 1 << 64
# A time in nanoseconds is less, before or after 1970.
_TIMES = 1 << 63


def malformed(host: "str") -> "TransferRefused":
    """The error for an answer that has not the shape it must have."""
    return TransferRefused("the answer of %s is malformed" % host)


def sender_untrusted(answer: "Any", host: "str") -> "Dict[str, Any]":
    """What is going to be sent."""
    if type(answer) is dict:
        answer = dict(answer, top=answer.get("top"))  # that of a single file is not told
    return _checked(answer, host, kind=_kind, size=_number_or_none, identity=_bytes_or_none, top=_top)


def sent_untrusted(answer: "Any", host: "str") -> "Dict[str, Any]":
    """What was sent in the end."""
    return _checked(answer, host, read=_number)


def receiver_untrusted(answer: "Any", host: "str") -> "Dict[str, Any]":
    """Where to send it, and what is there already."""
    return _checked(answer, host, handle=_handle, offset=_number, digest=_bytes, offers=_bytes)


def received_untrusted(answer: "Any", host: "str") -> "Dict[str, Any]":
    """What came in the end."""
    if type(answer) is dict:
        answer = dict({"links": 0, "directories": 0}, **answer)  # those of a single file are not told
    return _checked(answer, host, path=_text, files=_number, bytes=_number, links=_number, directories=_number,
                    skipped=_number, skipped_names=_names, digest=_digest)


def source_untrusted(answer: "Any", host: "str") -> "Dict[str, Any]":
    """What would be sent."""
    return _checked(answer, host, kind=_kind, size=_number_or_none, listing=_list, skipped=_number,
                    skipped_names=_names)


def removed_untrusted(answer: "Any", host: "str") -> "Dict[str, Any]":
    """What a mirror removed, or would."""
    return _checked(answer, host, count=_number, names=_bytes)


def path_untrusted(answer: "Any", host: "str") -> "str":
    """Where it would go to."""
    if not _text(answer):
        raise malformed(host)
    return answer  # type: ignore[no-any-return]


def list_untrusted(answer: "Any", host: "str") -> "List[Any]":
    """Messages of a listing, each of which is still to be checked."""
    if not _list(answer):
        raise malformed(host)
    return answer  # type: ignore[no-any-return]


def _checked(answer: "Any", host: "str", **fits: "Callable[[Any], bool]") -> "Dict[str, Any]":
    if type(answer) is not dict or any(name not in answer or not fit(answer[name]) for name, fit in fits.items()):
        raise malformed(host)
    return answer


def _kind(value: "Any") -> "bool":
    return type(value) is str and value in ("file", "tree")


def _text(value: "Any") -> "bool":
    return type(value) is str


def _number(value: "Any") -> "bool":
    return type(value) is int and 0 <= value <= MAX_SIZE


def _number_or_none(value: "Any") -> "bool":
    return value is None or _number(value)


def _handle(value: "Any") -> "bool":
    return type(value) is int and 0 <= value < _HANDLES


def _top(value: "Any") -> "bool":
    return value is None or (type(value) is tuple and [type(each) for each in value] == [int, int]
                             and 0 <= value[0] <= 0o7777 and abs(value[1]) < _TIMES)


def _bytes(value: "Any") -> "bool":
    return type(value) is bytes


def _bytes_or_none(value: "Any") -> "bool":
    return value is None or _bytes(value)


def _digest(value: "Any") -> "bool":
    return _bytes(value) and len(value) in (0, DIGEST_SIZE)


def _list(value: "Any") -> "bool":
    return type(value) is list


def _names(value: "Any") -> "bool":
    return _list(value) and all(_bytes(name) for name in value)
