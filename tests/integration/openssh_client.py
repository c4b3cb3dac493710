"""Connecting by the `ssh` program, for tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from tests.integration import connecting
from tests.integration.ssh_servers import OpenSSHServer

Connect = Callable[..., Context]


def connect_to(router: Router, server: OpenSSHServer, **changes: Any) -> Context:
    """The same as of `connecting`, by the ssh program."""
    return connecting.connect_to(router, server, **{"transport": "openssh", **changes})


def fingerprint(path: Path) -> str:
    done = subprocess.run(["ssh-keygen", "-lf", str(path)], capture_output=True, text=True, check=True)
    return done.stdout.split()[1]


def refused(connect: Connect, kind: type[remotesvc.ConnectError], stage: str, **changes: Any) -> remotesvc.ConnectError:
    with pytest.raises(remotesvc.ConnectError) as caught:
        connect(**changes)
    error = caught.value
    assert type(error) is kind, error
    assert error.stage == stage
    assert f"(stage {stage}, after " in error.message
    assert stage in error.phases
    return error


def ssh_of(context: Context) -> int:
    """The id of a context's ssh process."""
    return int(context.tree.ledger.start_of(context.id).path.pid)


def config_of(path: Path, servers: dict[str, OpenSSHServer], more: str = "") -> Path:
    text = "".join(
        f"Host {name}\n HostName 127.0.0.1\n Port {server.port}\n User {server.user}\n IdentityFile {server.key_file}\n"
        f" IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile {server.known_hosts_file}\n"
        f" GlobalKnownHostsFile none\n{more}"
        for name, server in servers.items()
    )
    path.write_text(text)
    return path
