"""The errors of the command line itself. They are shown as text, never as a traceback."""

from __future__ import annotations


class BadUsage(Exception):
    """The command line cannot be right. Nothing was connected; the exit code is 64."""


class NoSuchFunction(BadUsage):
    """The module is here, and the source settles that it has no function of that name."""


class OurError(Exception):
    """Something on this machine failed that is not the user's call: the exit code is 1."""
