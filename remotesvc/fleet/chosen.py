"""Which hosts a fleet has: its inventory read, its patterns matched."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence

from remotesvc.bootstrap.errors import UsageError

from .inventory import load
from .matcher import Matcher, cluster_group
from .member import Member, members_of

_LOG = logging.getLogger("remotesvc")

Source = str | os.PathLike[str]
"""A file, a directory or a script of an inventory, or "h1,h2,"."""


def choose(
    hosts: str | Iterable[str], inventory: Source | Sequence[Source], limit: str | Sequence[str],
    exclude: str | Sequence[str],
) -> tuple[Matcher, tuple[Member, ...]]:
    """What understands patterns of these hosts, and the hosts meant, in the pattern's order; parameters as of `Fleet`.

    Raises UsageError for a pattern without a match and for an inventory that cannot be read.
    """
    sources = [inventory] if isinstance(inventory, (str, os.PathLike)) else list(inventory)
    known = load(sources)
    matcher = Matcher(known, bool(sources), _read, cluster_group, os.path.exists, _LOG.warning)
    if not isinstance(hosts, str):
        hosts = list(hosts) if isinstance(hosts, Iterable) else [hosts]
        if not all(isinstance(host, str) for host in hosts):
            raise UsageError(f"hosts are a pattern or names, not {hosts!r}")
    pattern = hosts if isinstance(hosts, str) else ",".join(hosts)
    entries = matcher.hosts(pattern, _many(limit), _many(exclude))
    return matcher, tuple(members_of(entries, known))


def _many(patterns: str | Sequence[str]) -> Sequence[str]:
    return [patterns] if isinstance(patterns, str) else patterns


def _read(name: str) -> str:
    """The patterns in a file."""
    if name == "-":
        raise UsageError("a program reads standard input itself; give the hosts as a list")
    with open(os.path.expanduser(name), encoding="utf-8-sig") as file:
        return file.read()
