"""Contexts on the SSH servers of tests."""

from __future__ import annotations

import sys

from remotesvc import Context, Router
from remotesvc.testing.sshd import EmbeddedServer
from tests.integration.ssh_servers import OpenSSHServer


def connect_to(router: Router, server: EmbeddedServer | OpenSSHServer, **changes: object) -> Context:
    """A context on a server, no configuration of this machine's user involved."""
    settings: dict[str, object] = {
        "user": server.user,
        "port": server.port,
        "key_filename": server.key_file,
        "known_hosts": server.known_hosts_file,
        "ssh_config": "none",
        "extra_options": ("IdentityAgent=none",),
        "python": sys.executable,
    }
    return router.ssh(server.host, **{**settings, **changes})  # type: ignore[arg-type]
