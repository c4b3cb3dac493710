"""Which Python a distribution is for, as its metadata say: on an older one it fails with errors that do not tell."""

from __future__ import annotations

import re

from .distributions import Distribution

_REQUIRES = re.compile(r"^Requires-Python:(.*)$", re.M | re.I)
_LEAST = re.compile(r"(?:>=|~=|==)\s*3\.(\d+)")


def least_python(distribution: Distribution) -> tuple[int, int] | None:
    """The oldest minor version of Python 3 that a distribution is for; None if it does not say."""
    said = _REQUIRES.search(distribution.headers)
    minors = [int(minor) for minor in _LEAST.findall(said[1])] if said else []
    return (3, max(minors)) if minors else None
