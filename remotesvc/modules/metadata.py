"""The metadata of distributions, as far as children may have them: version, requirements, entry points."""

from __future__ import annotations

import re
from typing import Any

from .distributions import Distribution
from .policy import Ruling

SERVED = ("METADATA", "PKG-INFO", "entry_points.txt", "top_level.txt", "WHEEL", "INSTALLER")
"""Not the list of files, which is long, nor where it was installed from, which may hold a password."""

_HEADERS = re.compile(r"^(Name|Version):\s*(.*?)\s*$", re.M)


def brief(distribution: Distribution, ruling: Ruling) -> dict[str, Any]:
    """What whoever goes through all distributions looks at, mostly for entry points: all else can be asked for."""
    said = dict(_HEADERS.findall(distribution.headers))
    points = distribution.text("entry_points.txt")
    return {
        "files": {} if points is None else {"entry_points.txt": points},
        "prefer_target": ruling.verdict == "prefer-target",
        "name": said.get("Name", distribution.name),
        "version": said.get("Version", distribution.version),
    }


def metadata(distribution: Distribution, ruling: Ruling) -> dict[str, Any]:
    """The reply that gives a child the metadata of a distribution, or says why not."""
    if not ruling.served:
        return {"reason": ruling.reason}
    files = {name: text for name in SERVED if (text := distribution.text(name)) is not None}
    return {"files": files, "prefer_target": ruling.verdict == "prefer-target"}
