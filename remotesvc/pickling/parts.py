"""What travels for a function that has no name, and its arguments: which forms of it, for which target."""

import sys
from _frozen_importlib_external import MAGIC_NUMBER

from ..bootstrap.errors import VersionSkewError
from .bysource import portable
from .bytecode import NoBytecode, pickled
from .source import NoSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Set, Tuple

TWICE = 64 * 1024
"""Bytes of a pickle that goes in both forms rather than wait for the target's version: more would take longer."""


def parts(value: "Any", start: "Any") -> "Tuple[List[Any], List[str]]":
    """What travels for a value, as `remotesvc.bootstrap.calls.pickled` takes it, and the modules that it may import.

    ``start``: of the target, if this process started it. Raises VersionSkewError where only bytecode could go and is of
    no use, and what pickling raises.
    """
    info = start.wait() if start is not None and start.ready else {}
    pickles, names = parts_for(value, info)
    if start is not None and not info and len(pickles[1]) > TWICE:
        return parts_for(value, start.wait())
    return pickles, names


def parts_for(value: "Any", info: "Dict[str, Any]") -> "Tuple[List[Any], List[str]]":
    """The same for a target's HELLO; empty if it is not known yet, then both forms go."""
    theirs = info.get("magic", b"")
    version = "%d.%d" % sys.version_info[:2]
    made_by, data, unable = b"", b"", ""
    names: "Set[str]" = set()
    if theirs in (b"", MAGIC_NUMBER):
        try:
            data, names = pickled(value)
            made_by = MAGIC_NUMBER
        except NoBytecode as error:
            unable = str(error)
        if data and theirs:
            return [made_by, data, version], sorted(names)
    else:
        unable = "this is Python %s, and there is %s" % (version, ".".join(map(str, info.get("version", ())[:2])))
    source, reason = b"", ""
    try:
        source, more = portable(value)
        names |= more
    except Exception as error:  # pickle fails with whatever the object raises
        reason = str(error) or type(error).__name__
        if not data:
            remedy = "; put it into a module, so that it is imported instead" if isinstance(error, NoSource) else ""
            raise VersionSkewError("it cannot travel as bytecode (%s), nor as source: %s%s"
                                   % (unable, reason, remedy)) from None
    return [made_by, data, version, source, reason], sorted(names)
