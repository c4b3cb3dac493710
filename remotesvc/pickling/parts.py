"""What travels for a function that has no name, and its arguments: which forms of it, for which target."""

import sys
from _frozen_importlib_external import MAGIC_NUMBER

from ..bootstrap.errors import UsageError, VersionSkewError
from ..bootstrap.imports.modules import Request
from . import DEFINITION
from .bysource import portable
from .bytecode import NoBytecode, pickled
from .inside import inside
from .sent import DIGEST, Sent, digest_of
from .source import NoSource, Sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, Callable, Dict, List, Set, Tuple

TWICE = 64 * 1024
"""Bytes of a pickle that goes in both forms rather than wait for the target's version: more would take longer."""


class Pickles(object):
    """What one process sends, and what it knows of what it has sent.

    ``ask``: sends a request for a module to our parent and returns the reply; the master's returns an empty one.
    ``own``: called with each Context and Sender that goes; raises UsageError for those of another Router.
    """

    def __init__(self, ask: "Callable[[Request], Dict[str, Any]]", own: "Callable[[Any], Any]") -> "None":
        self._ask = ask
        self._own = own
        self._sent = Sent()
        self._sources = Sources(self._definition)

    def parts(self, value: "Any", start: "Any") -> "Tuple[List[Any], List[str]]":
        """What travels for a value, as `remotesvc.bootstrap.calls.pickled` takes it, and the modules that it may
        import.

        ``start``: of the target, if this process started it. Raises VersionSkewError where only bytecode could go and
        is of no use, and what pickling raises where no Python could be sent it.
        """
        info = start.wait() if start is not None and start.ready else {}
        pickles, names = self._parts(value, info)
        if start is not None and not info and len(pickles[1]) > TWICE:
            return self._parts(value, start.wait())
        return pickles, names

    def answer(self, wanted: "Dict[str, Any]") -> "Dict[str, Any]":
        """The reply to a child's request for a definition: what we sent we may have had from above ourselves."""
        digest = wanted.get("name")
        if type(digest) is not str or len(digest) > DIGEST:
            return {"reason": "no digest of code"}
        piece = self._sent.definition(digest)
        return self._above(digest) if piece is None else {"piece": piece}

    def inside(self, value: "Any") -> "Dict[str, Any]":
        """What goes along with a function, class or object that goes by value, by what follows its place."""
        return inside(value)

    def source_line(self, label: "str", number: "int") -> "str":
        """A line, for tracebacks, of a file as it is called there; "" if nothing of it was sent."""
        return self._sources.files.line(label, number)

    def _definition(self, code: "CodeType") -> "Any":
        return self._above(digest_of(code)).get("piece")

    def _above(self, digest: "str") -> "Dict[str, Any]":
        return self._ask(Request(DEFINITION, digest, sys.version_info[:2]))

    def _parts(self, value: "Any", info: "Dict[str, Any]") -> "Tuple[List[Any], List[str]]":
        """``parts`` of a value for a target; ``info`` is its HELLO. Where that has not come, it is empty, and both
        forms go."""
        theirs = info.get("magic", b"")
        version = "%d.%d" % sys.version_info[:2]
        made_by, data, unable = b"", b"", ""
        names: "Set[str]" = set()
        failed: "Any" = None
        if theirs in (b"", MAGIC_NUMBER):
            try:
                data, names = pickled(value, self._sent.note, self._own, self._sources.files.shown)
                made_by = MAGIC_NUMBER
            except NoBytecode as error:
                unable = str(error)
            except UsageError:
                raise
            except Exception as error:  # source brings less: not what a class statement makes there, a lock say
                failed = error
            if data and theirs:
                return [made_by, data, version], sorted(names)
        else:
            unable = "this is Python %s, and there is %s" % (version, ".".join(map(str, info.get("version", ())[:2])))
        source, reason = b"", ""
        try:
            source, more = portable(value, self._sources, self._own)
            names |= more
        except UsageError:
            raise
        except Exception as error:  # pickle fails with whatever the object raises
            reason = str(error) or type(error).__name__
            if failed is not None:
                raise failed from None
            if not data:
                if not isinstance(error, NoSource):
                    _check(value, error)
                remedy = "; put it into a module, so that it is imported instead" if isinstance(error, NoSource) else ""
                raise VersionSkewError("it cannot travel as bytecode (%s), nor as source: %s%s"
                                       % (unable, reason, remedy)) from None
        return [made_by, data, version, source, reason], sorted(names)


def _check(value: "Any", error: "Exception") -> "None":
    """``error`` kept a value from going as source: raise the reason if it could not go to our own version either.

    A lock, say. To name versions then would send its owner looking for another Python.
    """
    try:
        pickled(value, lambda function: None, lambda handle: None, lambda code: "")
    except NoBytecode:  # we cannot try, and source is all that there is
        raise error from None
