"""The errors of connecting: part of the tree in `errors`, kept apart because a child seldom needs them.

    ConnectError
      UnknownHost, HostKeyError, AuthenticationError, BecomeError, ConnectTimeout (also TimeoutError),
      PythonNotFound, PythonTooOld, BootstrapError
"""
from .errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

# Of ConnectErrors, and of Lost, where it is what a child of ours said last.
DIAGNOSTICS_SHOWN = 2000
"""How many characters of what the target said `str()` of an error shows; the attribute keeps all of it."""


def headline(error: "Any") -> "str":
    """The text of an error that has a host, without what it quotes and advises."""
    return f"{error.host}: {error.message}" if error.host else error.message


def with_diagnostics(headline: "str", said: "str", hint: "str" = "") -> "str":
    """The text of an error that quotes the target. Much of it is by an unknown program: no escape sequence of it
    reaches a terminal by way of us."""
    lines = [headline, said.strip()[-DIAGNOSTICS_SHOWN:], hint]
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in "\n".join(filter(None, lines)))


class ConnectError(Error):
    """No connection to `host`. `stage` is how far it came ("tcp", "auth", "boot"...), `hint` what to do about
    it, `diagnostics` what the target said (unescaped), `exit_status` that of the program started there, `phases` the
    seconds that the stages took, the last one included. `reason` is the message without these: the same for hosts that
    fail alike. `may_have_run`: calls were sent with the kernel, of which nothing was heard in time.
    """

    def __init__(self, message: "str", host: "Optional[str]" = None, stage: "str" = "", hint: "str" = "",
                 diagnostics: "str" = "", exit_status: "Optional[int]" = None) -> "None":
        super().__init__(message)
        self.message = self.reason = message
        self.host = host
        self.stage = stage
        self.hint = hint
        self.diagnostics = diagnostics
        self.exit_status = exit_status
        self.phases: "Dict[str, float]" = {}
        self.may_have_run = False

    def again(self) -> "ConnectError":
        """A copy of this error, for another who waits for the same connection."""
        own = type(self)(self.message, self.host, self.stage, self.hint, self.diagnostics, self.exit_status)
        own.reason = self.reason
        own.phases = dict(self.phases)
        own.may_have_run = self.may_have_run
        return own

    def __str__(self) -> "str":
        return with_diagnostics(headline(self), self.diagnostics, self.hint)


class UnknownHost(ConnectError):
    """The name does not resolve."""


class HostKeyError(ConnectError):
    """The host's key is unknown, changed or revoked."""


class AuthenticationError(ConnectError):
    """The host accepted none of our credentials."""


class ConnectTimeout(ConnectError, TimeoutError):
    """The budget for connecting ran out; `stage` says where."""


class BecomeError(ConnectError):
    """We may not become another user there; the message says why."""


class PythonNotFound(ConnectError):
    """No Python among those tried on the target."""


class PythonTooOld(ConnectError):
    """The target's Python is older than 3.6."""


class BootstrapError(ConnectError):
    """The kernel did not come up on the target; `diagnostics` has its traceback."""


_CLASSES = {cls.__name__: cls for cls in (ConnectError, UnknownHost, HostKeyError, AuthenticationError, BecomeError,
                                          ConnectTimeout, PythonNotFound, PythonTooOld, BootstrapError)}
REPLY = "connect"
MOST = 65536  # characters of each text in a reply
MOST_PHASES = 16  # there are ten stages


def as_reply(error: "ConnectError") -> "List[Any]":
    """The error reply of a context that could not start one of its own."""
    name = next(cls.__name__ for cls in type(error).__mro__ if cls.__name__ in _CLASSES)
    texts = [error.message, error.host or "", error.stage, error.hint, error.diagnostics, error.reason]
    return [REPLY, name] + [text[-MOST:] for text in texts] + [error.exit_status, error.phases]


def from_reply_untrusted(reply: "List[Any]") -> "Optional[ConnectError]":
    """The error that such a reply stands for; None if it is malformed."""
    if len(reply) != 10 or not all(type(each) is str for each in reply[1:8]) or reply[1] not in _CLASSES:
        return None
    message, host, stage, hint, diagnostics, reason = [text[-MOST:] for text in reply[2:8]]
    status = reply[8] if type(reply[8]) is int else None
    error = _CLASSES[reply[1]](message, host or None, stage, hint, diagnostics, status)
    error.reason = reason
    if type(reply[9]) is dict and len(reply[9]) <= MOST_PHASES:
        error.phases = {name: spent for name, spent in reply[9].items() if type(name) is str and type(spent) is float}
    return error
