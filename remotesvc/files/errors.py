"""What can go wrong with a transfer besides what a disk or a link says of itself.

    Error
      TransferError: a transfer ended without its file
        SourceChanged   the file changed while it was read; nothing of it was kept
        DigestMismatch  what arrived is not what was sent
        TransferStalled         (a TimeoutError) the other side neither took nor sent anything for the idle timeout
        TransferRefused         a name, an entry or a request that is not allowed here
          TransferBusy          it would be, but for as many transfers under way as there may be: later it is
"""

import functools
import os

from ..bootstrap.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, TypeVar
    Function = TypeVar("Function", bound=Callable[..., Any])


class TransferError(Error):
    """A transfer ended without its file."""


class SourceChanged(TransferError):
    """The source changed while it was read: what was sent so far is thrown away."""


class DigestMismatch(TransferError):
    """What arrived is not what was sent."""


class TransferStalled(TransferError, TimeoutError):
    """The other side did nothing for longer than the idle timeout."""


class TransferRefused(TransferError):
    """Something that one side does not allow: a name that leads elsewhere, a limit, a file that is none.

    Its text begins with the name of the context that refused, or with "here", as ``place`` is then.
    """

    place = ""

    def __str__(self) -> "str":
        text = super().__str__()
        return "%s: %s" % (self.place, text) if self.place else text


class TransferBusy(TransferRefused):
    """As many transfers are under way as that side, or this caller, may have at once."""


def about(error: "TransferError", path: "str") -> "TransferError":
    """An error with the path of its file in front: code that reads a file knows only its descriptor."""
    error.args = ("%s: %s" % (path, error),)
    return error


def located(error: "OSError", path: "str") -> "OSError":
    """An error of the system with a path, where it has none of its own that says more. Ours say it all, though some
    are errors of the system, too."""
    if isinstance(error, Error):
        return error
    name = error.filename
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    if not isinstance(name, str) or "/" not in name:
        return type(error)(error.errno, error.strerror, path)
    return error


def refusing_here(function: "Function") -> "Function":
    """What is refused on this side says so; what the other side refused arrives with its name already.

    For what users call: the code below runs on both sides, and cannot know which of them is "here".
    """
    @functools.wraps(function)
    def told(*args: "Any", **kwargs: "Any") -> "Any":
        try:
            return function(*args, **kwargs)
        except TransferRefused as error:
            if not getattr(error, "remote", False):
                error.place = "here"
            raise
    return told  # type: ignore[return-value]


# What a target may raise so that it arrives as itself.
RAISES = (TransferError, SourceChanged, DigestMismatch, TransferStalled, TransferRefused, TransferBusy)
