"""How many hosts may be worked on at a time, as far as this process may have files open."""

from __future__ import annotations

import contextlib

PER_HOST = 10
"""Descriptors that a host takes at most: the pipes of a program, one to wake its reader, those of its start."""

OWN = 30
"""What this process has open besides: streams, modules that are read, a question to a resolver."""


def forks_that_fit(forks: int) -> tuple[int, int]:
    """(as many of `forks` as there are descriptors for, how many files may be open).

    The soft limit is raised if it is in the way and the hard one permits: it is this process's own, and programs that
    it starts can do with more.
    """
    try:
        import resource
    except ImportError:  # no Unix: nobody says
        return forks, 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = OWN + PER_HOST * forks
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS has another limit behind this one
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft == resource.RLIM_INFINITY:
        return forks, 0
    return max(1, min(forks, (soft - OWN) // PER_HOST)), soft
