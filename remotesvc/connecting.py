"""From a host, as the command line takes it, to the method of a Router that reaches it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from .bootstrap.errors import UsageError
from .ssh.configuration import hostspec

if TYPE_CHECKING:
    from .bootstrap.data.secret import Secret
    from .calling.context import Context
    from .ssh.configuration.options import Jump

    Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class Arguments(TypedDict, total=False):
    """What ``Router.connect`` takes besides the host. None says nothing."""

    # any host
    python: str | None
    name: str | None
    connect_timeout: float | None
    concurrency: int | None
    # this machine, and containers
    via: Context | None
    # containers
    options: Mapping[str, str] | None
    # containers, and hosts over SSH
    user: str | None
    # hosts over SSH
    port: int | None
    key_filename: Paths | None
    password: str | Secret | None
    passphrase: str | Secret | None
    certificate: Paths | None
    known_hosts: str | os.PathLike[str] | None
    host_keys: str | None
    ssh_config: str | os.PathLike[str] | None
    extra_options: Iterable[str] | None
    jump: Jump
    transport: str | None
    fresh: bool | None


_REMEDIES = {
    ("local", "user"): "Nobody logs in there: see Router.sudo for working as another user",
    ("ssh", "via"): "A host to go through is jump=",
}
_PLACE = {"host", "container", "engine"}
"""Parameters that the host's text stands for."""


def connect(router: Any, host: str, arguments: Mapping[str, Any]) -> Context:
    """See ``Router.connect``."""
    spec = hostspec.parse(host)
    given = {name: value for name, value in arguments.items() if value is not None}
    method, place = router.ssh, [host]
    if spec.kind == "local":
        method, place = router.local, []
    elif spec.kind != "ssh":
        method, place = router.container, [spec.host, spec.kind]
        given.setdefault("name", host)
    takes = set(inspect.signature(method).parameters) - _PLACE
    for name in arguments:
        # None is what a program hands on that was told nothing; but a name that no host takes is a slip.
        if name not in takes and (name in given or name not in Arguments.__annotations__):
            remedy = _REMEDIES.get((spec.kind, name), f"There are {', '.join(sorted(takes))}")
            raise UsageError(f"no argument {name} for {host}. {remedy}")
    context: Context = method(*place, **given)
    return context
