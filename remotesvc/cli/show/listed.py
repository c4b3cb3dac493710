"""Hosts as JSON, for whoever asked which ones a pattern means."""

from __future__ import annotations

from collections.abc import Sequence

from remotesvc.fleet.member import Member

from .jsonout import SCHEMA, dumps, encode


def hosts_as_json(members: Sequence[Member], lines: bool) -> str:
    """One list, or one object a line if `lines`: each host's name, groups and variables, without passwords."""
    objects = [
        dumps({
            "schema": SCHEMA, "event": "host", "host": member.text, "groups": list(member.entry.groups),
            "variables": encode(member.facts().fields["variables"]),
        })
        for member in members
    ]  # fmt: skip
    if lines:
        return "\n".join(objects)
    body = ",\n ".join(objects)
    return f"[{body}]"
