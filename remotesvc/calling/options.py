"""How a call is to be run, apart from what it does."""

import threading

from ..bootstrap.errors import UsageError
from .known import by_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple

# These belong to a whole process: changing them for one call among others would change them for all.
_OF_PROCESS = ("cwd", "env", "umask", "nice")
# Bytes of output that a detached job is let keep at least: less holds no traceback.
LEAST_OUTPUT = 64 * 1024


class Options(object):
    """The options of a call. Never changed once they are made, so that many handles can share them.

    timeout       seconds until CallTimeout, queueing included; None: no limit
    thread        "any", or "main" for code that insists on the main thread
    isolation     "thread", or "process": a fresh process on the target, killed with all it started when the call is
                  cancelled. ``cwd``, ``env`` (added to the environment), ``umask`` and ``nice`` imply it
    raises        exception classes of yours that the call may raise: they come back as themselves
    returns       dataclasses, namedtuples and Enums of yours that the call may return: they come back as themselves.
                  Both add to what ``Router.register`` was given
    strict_types  refuse what would arrive as another type than it has, instead of Record, dict or list
    idempotent    the call may be run twice: lets a fleet retry it
    jobs_dir      where the target keeps what it knows of detached jobs; an absolute path, or "~/..."; default:
                  $XDG_STATE_HOME/remotesvc/jobs, or below ~/.local/state
    output_limit  bytes of output that are kept of a detached job: of more, the beginning and the end; default: 16 MiB
    """

    __slots__ = ("timeout", "thread", "isolation", "cwd", "env", "umask", "nice", "raises", "returns",
                 "strict_types", "idempotent", "jobs_dir", "output_limit", "classes", "wire")

    def __init__(self) -> "None":
        self.timeout: "Optional[float]" = None
        self.thread = "any"
        self.isolation = "thread"
        self.cwd: "Optional[str]" = None
        self.env: "Optional[Dict[str, str]]" = None
        self.umask: "Optional[int]" = None
        self.nice: "Optional[int]" = None
        self.raises: "Tuple[type, ...]" = ()
        self.returns: "Tuple[type, ...]" = ()
        self.strict_types = False
        self.idempotent = False
        self.jobs_dir: "Optional[str]" = None
        self.output_limit: "Optional[int]" = None
        self.classes: "Dict[str, type]" = {}
        self.wire: "Dict[str, Any]" = {}  # what the target has to know: only what differs from the defaults

    def replace(self, changes: "Dict[str, Any]") -> "Options":
        """A copy with other values. Raises UsageError for names and values that mean nothing."""
        other = Options()
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        for name, value in changes.items():
            if name not in self.__slots__[:-2]:
                raise UsageError("there is no option %r; there are %s" % (name, ", ".join(self.__slots__[:-2])))
            setattr(other, name, value)
        other._check(changes)
        return other

    def _check(self, changes: "Dict[str, Any]") -> "None":
        if self.timeout is not None and (isinstance(self.timeout, bool) or not isinstance(self.timeout, (int, float))
                                         or not 0 <= self.timeout <= threading.TIMEOUT_MAX):
            raise UsageError("timeout=%r is not a number of seconds" % (self.timeout,))
        if self.thread not in ("any", "main"):
            raise UsageError("thread=%r is neither 'any' nor 'main'" % (self.thread,))
        if self.isolation not in ("thread", "process"):
            raise UsageError("isolation=%r is neither 'thread' nor 'process'" % (self.isolation,))
        if any(getattr(self, name) is not None for name in _OF_PROCESS):
            if changes.get("isolation") == "thread":
                raise UsageError("%s belong to a whole process: they need isolation='process'" % ", ".join(_OF_PROCESS))
            self.isolation = "process"
        if self.jobs_dir is not None and not str(self.jobs_dir).startswith(("/", "~")):
            raise UsageError("jobs_dir=%r is no absolute path" % (self.jobs_dir,))
        if self.output_limit is not None and (type(self.output_limit) is not int or self.output_limit < LEAST_OUTPUT):
            raise UsageError("output_limit=%r is no number of bytes from %d on" % (self.output_limit, LEAST_OUTPUT))
        self.raises, self.returns = _many(self.raises), _many(self.returns)
        self.classes = by_name(self.raises, "raises=", values=False)
        self.classes.update(by_name(self.returns, "returns=", errors=False))
        self.wire = self._wire()

    def _wire(self) -> "Dict[str, Any]":
        found: "Dict[str, Any]" = {}
        if self.thread != "any":
            found["thread"] = self.thread
        if self.strict_types:
            found["strict_types"] = True
        if self.isolation != "thread":
            found["isolation"] = self.isolation
            for name in _OF_PROCESS:
                if getattr(self, name) is not None:
                    found[name] = getattr(self, name)
        return found


DEFAULTS = Options()


def _many(classes: "Any") -> "Tuple[type, ...]":
    return tuple(classes) if isinstance(classes, (tuple, list, set, frozenset)) else (classes,)
