"""Values to bytes and back: closed and data only. `remotesvc.fastcodec` is its version in C.

The wire is MessagePack with the extensions of `tags`. What a peer sends can make the values listed in the user's
documentation and nothing else: no name in it is looked up but in the tables the receiver gave, and no method of a
user's class runs. The parts: `pack` and `values`/`classes` one way; `unpack`, `resolve` (tags) and `guard` (keys) back.
All but `pack` is imported when first met: a value without tags needs no more than `unpack`, and the first call mostly
not even that, for what it says is marshalled.
"""
from ..errors import DecodeError
from .limits import MAX_MESSAGE, MAX_STRUCTURED
from .pack import Encoded, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Sequence


class Bindings(object):
    """What the codec needs from its surroundings; all of it may be missing.

    classes:      type name (see `record.type_name`) -> dataclass, namedtuple, Enum or exception class that values may
                  become here. The peer chooses the contents, unchecked: register mere data.
    make_context: (id, name) -> the object a Context becomes; without it, a Record
    make_sender:  (context id, handle) -> the object a Sender becomes; without it, a Record
    home:         the router whose Contexts and Senders alone travel
    """

    home: "Any" = None

    def __init__(self, classes: "Optional[Dict[str, type]]" = None,
                 make_context: "Optional[Callable[[int, str], Any]]" = None,
                 make_sender: "Optional[Callable[[int, int], Any]]" = None) -> "None":
        self.classes = {} if classes is None else classes
        self.make_context = make_context
        self.make_sender = make_sender


NO_BINDINGS = Bindings()


def encode(value: "Any", bindings: "Optional[Bindings]" = None, strict_types: "bool" = False,
           where: "str" = "value") -> "Encoded":
    """Return `value` encoded; ``where`` begins the place in an error. Raises EncodeError.

    Mutable buffers are copied, so the value may change afterwards.
    """
    encoded = Encoded(b"", bindings or NO_BINDINGS, strict_types)
    pack(value, encoded, where)
    if encoded.blobs:
        total = sum(map(len, encoded.blobs), len(encoded.data))
        if total > MAX_MESSAGE:
            from .places import oversized
            raise oversized(total, where)
    return encoded


def decode(data: "Any", blobs: "Sequence[Any]" = (), tagged: "bool" = True,
           bindings: "Optional[Bindings]" = None) -> "Any":
    """Return the value in `data` and `blobs` (bytes-like). Raises DecodeError and nothing else."""
    from .unpack import unpack_untrusted
    check_size(data, blobs)
    if type(data) is not bytes:
        data = bytes(data)
    try:
        if not tagged and not blobs:
            return unpack_untrusted(data, _refuse)
        from .resolve import Unpacking
        state = Unpacking(blobs, bindings or NO_BINDINGS)
        return state.finish(unpack_untrusted(data, state.extension if tagged else _refuse))
    except DecodeError:
        raise
    except Exception as error:
        raise DecodeError("malformed value: %s" % type(error).__name__) from None


def check_size(data: "Any", blobs: "Sequence[Any]") -> "None":
    """Raise DecodeError where a message is larger than it may be."""
    if len(data) > MAX_STRUCTURED or len(data) + sum(map(len, blobs)) > MAX_MESSAGE:
        raise DecodeError("a message larger than allowed (%d bytes and %d blobs)" % (len(data), len(blobs)))


def _refuse(code: "int", payload: "bytes") -> "Any":
    raise DecodeError("extension %d in a value that claims to have none" % code)
