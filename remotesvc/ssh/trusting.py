"""Learning a host's key without logging in: what `remotesvc trust` does."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from .configuration.options import SSHOptions
from .connect import Effort
from .hostkeys.host_key import ASKED
from .jump_hosts import JumpHosts
from .login.keyring import KeyRing
from .terminal import Questions


@dataclass(frozen=True)
class Learnt:
    """A host whose key is trusted now: its type and fingerprint, what was done about it, and whether it was not known
    before."""

    key_type: str
    fingerprint: str
    notices: tuple[str, ...]
    new: bool


class Nobody:
    """Answers no to every new key: only those that are known already are trusted."""

    def confirm(self, question: str) -> bool:
        """No."""
        return False

    def secret(self, prompt: str) -> str | None:
        """No answer."""
        return None


class Agreeing:
    """Says yes, or asks somebody, when a key is new."""

    def __init__(self, ask: Questions | None) -> None:
        self._ask = ask

    def confirm(self, question: str) -> bool:
        """Whether to trust a new key."""
        question = question.removesuffix(ASKED) + "Remember it?"
        return self._ask is None or self._ask.confirm(question)

    def secret(self, prompt: str) -> str | None:
        """A passphrase for a jump host's key, if there is somebody to ask."""
        return None if self._ask is None else self._ask.secret(prompt)


def learn(options: SSHOptions, called: str, jump_hosts: JumpHosts, keys: KeyRing) -> Learnt:
    """Connect as far as the key of the host that its user has `called` so, and note it if it is new and who answers for
    `keys`, an `Agreeing`, agrees.

    Jump hosts on the way are logged in to, as always, and their keys checked strictly. Raises HostKeyError for a key
    that changed, was revoked or is not wanted, and other ConnectErrors.
    """
    asked = replace(options, host_keys="ask", extra_options=("BatchMode=no", *options.extra_options))
    effort = Effort(time.monotonic() + options.connect_timeout, keys, called, log_in=False)
    peer = jump_hosts.connect(asked, effort)
    try:
        return Learnt(peer.host_key_type, peer.fingerprint, peer.notices, peer.new_key)
    finally:
        peer.close()
