"""The errors this package raises on purpose, one tree below `Error`: docs/errors.md. Imports nothing.

All take a message first and keep everything else as plain attributes, so they pickle. Messages do not repeat the host:
`str()` puts it in front. No message or attribute ever holds a password.
"""
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional


class Error(Exception):
    """Base of all errors of this package."""


class UsageError(Error, ValueError):
    """Our API was misused; nothing was sent."""


class EncodeError(Error, TypeError):
    """A value cannot travel. `where` is its place ("args[0]['x'][3]"), `type_name` its type, `reason` why."""

    def __init__(self, reason: "str", where: "str" = "value", type_name: "str" = "") -> "None":
        super().__init__(reason)
        self.reason = reason
        self.where = where
        self.type_name = type_name

    def __str__(self) -> "str":
        kind = f" ({self.type_name})" if self.type_name else ""
        return f"{self.where}{kind}: {self.reason}"


class DecodeError(Error):
    """Bytes or data from a peer are not what the codec allows."""


class WireError(Error):
    """A peer broke the frame protocol; the link to it is closed."""


class RouterClosed(Error):
    """The router was closed, here and on purpose."""


class ForkedError(Error):
    """The router was made by another process, of which this one is a fork."""


class VersionSkewError(Error):
    """The two Pythons differ so that this function cannot travel by value; the message says what to do."""


class OutcomeError(Error):
    """A call to `host` did not return a value. `call` is its "module:func" text; either may be None."""

    def __init__(self, message: "str" = "", host: "Optional[str]" = None, call: "Optional[str]" = None) -> "None":
        super().__init__(message)
        self.message = message
        self.host = host
        self.call = call

    def __str__(self) -> "str":
        return f"{self.host}: {self.message}" if self.host else self.message


class CallTimeout(OutcomeError, TimeoutError):
    """No answer within the timeout of the call; the target was told to give up."""


class Cancelled(OutcomeError):
    """The call was cancelled from here. On the master it is a `concurrent.futures.CancelledError` too."""


class NotSent(OutcomeError):
    """The call never left this process whole, or was refused before it began: certainly not run."""


class Lost(OutcomeError):
    """The link or the process went away with the call: it may have run; no answer will come."""

    diagnostics = ""

    def __str__(self) -> "str":
        from .unreachable import with_diagnostics
        return with_diagnostics(OutcomeError.__str__(self), self.diagnostics)


class Busy(OutcomeError):
    """A limit is reached: the message says which. The call was not run."""
