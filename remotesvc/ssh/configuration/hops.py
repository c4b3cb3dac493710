"""Which host is in front of another: from the user's list of jump hosts, or ssh_config's ProxyJump. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from remotesvc.bootstrap.errors import UsageError

from . import hostspec
from .options import CONNECT_TIMEOUT, SSHOptions

NO_FORWARDING = "AllowTcpForwarding and PermitOpen there decide that, and what its key may."
"""The hint of errors about a jump host that does not let us through."""


def last_hop(options: SSHOptions, proxy_jump: str) -> SSHOptions | None:
    """The host in front of this one, which knows of those in front of it; None if we go there directly.

    `proxy_jump` is what ssh_config says. As with ssh, flags for keys and -o are the last host's alone: a hop is
    looked up in ssh_config by its own name, and the first of several there also by its own ProxyJump. Raises
    UsageError for what is no host.
    """
    hops = options.jump if options.jump is not None else tuple(filter(None, proxy_jump.split(",")))
    if not hops:
        return None
    last, before = hops[-1], tuple(hops[:-1])
    if isinstance(last, SSHOptions):
        return replace(last, jump=before) if before else last
    # ssh -G also puts IPv4 addresses into brackets.
    spec = hostspec.parse(re.sub(r"\[([0-9.]+)\]", r"\1", last.strip()))
    if spec.kind != "ssh":
        raise UsageError(f"{last} is not a host to jump through")
    return SSHOptions(
        host=spec.host,
        user=spec.user,
        port=spec.port,
        jump=before or None,
        known_hosts=options.known_hosts,
        host_keys=options.host_keys,
        ssh_config=options.ssh_config,
        connect_timeout=CONNECT_TIMEOUT,
    )
