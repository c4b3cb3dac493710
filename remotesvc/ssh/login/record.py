"""What has been tried to log in, and the error that tells of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from remotesvc.bootstrap.unreachable import AuthenticationError, ConnectTimeout

from ..configuration.resolved import OTHER_TRANSPORT, ResolvedHost
from .dialogue import Answer
from .tried import NOTHING

PASSWORD_METHODS = ("password", "keyboard-interactive")


@dataclass
class Record:
    """One login. `tried` has an entry for each attempt, and for what was left out."""

    tried: list[str] = field(default_factory=list)
    offered: tuple[str, ...] | None = None
    """The methods the server named; None as long as it named none."""
    failures: int = 0
    """What servers count."""
    late: bool = False
    """A server did not answer in time."""
    question: str = ""
    """What the server asked that nobody here can answer."""

    def take(self, answer: Answer, what: str = "", question: str = "", early: bool = False) -> bool:
        """Note the answer to `what`, which left the server's `question` open; True if we are in. `early`: the server
        did not look at it."""
        if answer.kind == "in":
            return True
        if answer.methods:
            self.offered = answer.methods
        elif answer.kind in ("no", "partial"):
            self.offered = ()
        self.late = answer.kind == "late"
        if not what:
            return False
        outcome = {
            "no": "not looked at, for the server takes " + ", ".join(answer.methods) if early else "rejected",
            "partial": "accepted, but the server asks for more: " + ", ".join(answer.methods),
            "expired": "right, but it has expired and must be changed; log in with ssh once",
            "closed": "the server closed the connection",
            "late": "no answer in time",
        }[answer.kind]
        if answer.kind in ("no", "closed"):
            self.failures += 1
        if question:
            outcome += f" (the server asked {question}, which the password does not answer)"
        self.tried.append(f"{what}: {outcome}")
        return False

    def timeout(self, host: ResolvedHost, said: str) -> ConnectTimeout:
        """The error when the time is over. `said` are the server's own words, in both errors."""
        return ConnectTimeout(
            f"the time to connect ran out while logging in as {host.user}; tried {self._all(host)}",
            host=host.name,
            stage="auth",
            diagnostics=said,
        )

    def failure(self, host: ResolvedHost, said: str, connected: bool, methods: list[str]) -> AuthenticationError:
        """The error when there is nothing left to try: what was tried, what the server takes, what to do.

        `connected`: the server has not closed the connection. `methods` are those that we have something for.
        """
        message = f"login as {host.user} failed; tried {self._all(host)}"
        if self.offered:
            message += f"; the server takes {', '.join(self.offered)}"
        hint = "Name a key, load one into ssh-agent, or give a password."
        if not connected:
            message += f"; the server closed the connection after {self.failures} attempt(s)"
            hint = "Name the right key and set IdentitiesOnly=yes, so that fewer are tried."
        elif self.question or self._only_openssh():
            hint = OTHER_TRANSPORT
        elif self.offered and "publickey" not in self.offered:
            if host.options.password is None:
                hint = "Give a password: -k asks for one (password=)."
            elif not {*PASSWORD_METHODS}.intersection(methods):
                hint = "ssh_config forbids to use the password: PasswordAuthentication, PreferredAuthentications."
        return AuthenticationError(message, host=host.name, stage="auth", hint=hint, diagnostics=said)

    def _all(self, host: ResolvedHost) -> str:
        tried = list(self.tried)
        said = any(entry.startswith("password") for entry in tried)
        if (host.options.password is not None and self.offered and not said
                and not {*PASSWORD_METHODS}.intersection(self.offered)):
            tried.append("password: the server does not take one")
        return "; ".join(tried) or NOTHING

    def _only_openssh(self) -> bool:
        """Whether the server takes nothing that we could have."""
        return bool(self.offered) and not {"publickey", *PASSWORD_METHODS}.intersection(self.offered or ())
