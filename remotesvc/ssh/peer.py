"""An authenticated connection: what connecting gives, and what paths and tunnels are made of."""

from __future__ import annotations

from dataclasses import dataclass

import paramiko

from .configuration.resolved import ResolvedHost
from .paths.socket import Stream


@dataclass(frozen=True)
class Peer:
    """An authenticated connection and who is at its other end."""

    host: ResolvedHost
    transport: paramiko.Transport
    socket: Stream
    host_key_type: str
    fingerprint: str
    """Of the host key, "SHA256:...": what facts about the target may be remembered under."""
    version: str
    """The server's greeting, for example "SSH-2.0-OpenSSH_9.2"; harmless to a terminal."""
    notices: tuple[str, ...]
    """What the user should hear of, for example a host key that was noted."""
    new_key: bool = False
    """The host key was not on file."""

    def close(self) -> None:
        """Cut the connection."""
        self.socket.close()
        self.transport.close()
