"""Pure: what errors of a login, by either transport, say of what there was to try."""

from __future__ import annotations

NOTHING = "nothing: no agent, no key file and no password"


def empty_agent(path: str) -> str:
    """Of an agent that is there. One that is locked says that it holds nothing."""
    return f"the ssh-agent at {path} holds no key that can be used (empty, locked, or all are for other hosts)"
