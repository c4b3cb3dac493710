"""Who may fetch which files: the book of a FileService, and how a path is opened without being led elsewhere."""

import os
import stat
import threading
import time

from ..bootstrap.errors import UsageError
from ..home import expand
from . import directories, regular
from .errors import TransferRefused, located

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, FrozenSet, Iterable, List, Optional, Tuple

# Registrations at once: each request is held against all of them.
MAX_GRANTS = 10000
_LINK = "a link, and none is followed; give the real path"


class Grant(object):
    """One registration. ``contexts`` None: whoever can reach the service. ``until`` an instant of the clock."""

    __slots__ = ("path", "prefix", "contexts", "until", "once")

    def __init__(self, path: "str", prefix: "bool", contexts: "Optional[FrozenSet[int]]", until: "Optional[float]",
                 once: "bool") -> "None":
        self.path = path
        self.prefix = prefix
        self.contexts = contexts
        self.until = until
        self.once = once

    def covers(self, path: "str", context: "int") -> "bool":
        """Does it allow this context this path? Both are without links and dots, so comparing names is enough."""
        if self.contexts is not None and context not in self.contexts:
            return False
        return path == self.path or (self.prefix and path.startswith(self.path.rstrip("/") + "/"))


class Grants(object):
    """All registrations of one service. Thread-safe. ``clock`` gives seconds."""

    def __init__(self, clock: "Callable[[], float]" = time.monotonic) -> "None":
        self._clock = clock
        self._grants: "List[Grant]" = []
        self._lock = threading.Lock()

    def add(self, path: "str", prefix: "bool", contexts: "Optional[Iterable[Any]]", expires: "Optional[float]",
            once: "bool") -> "None":
        """Register a file, or a directory with all below it. Raises TransferRefused, UsageError."""
        if not isinstance(path, str) or not path.startswith(("/", "~")):
            raise UsageError("%r is not a whole path, as text; it begins with / or ~" % (path,))
        if expires is not None and not (type(expires) in (int, float) and 0 < expires < float("inf")):
            raise UsageError("expires=%r is not a number of seconds; None is for ever" % (expires,))
        real = _real(path)
        if os.path.islink(real):
            raise TransferRefused("%s is %s" % (path, _LINK))
        if os.path.isdir(real):
            if not prefix:
                raise TransferRefused("%s is a directory; register_prefix is for those" % path)
        elif prefix:
            raise TransferRefused("%s is no directory; register is for files" % path)
        ids = None if contexts is None else frozenset(int(getattr(each, "id", each)) for each in contexts)
        grant = Grant(real, prefix, ids, None if expires is None else self._clock() + expires, once)
        with self._lock:
            self._expire()
            if len(self._grants) >= MAX_GRANTS:
                raise TransferRefused("%d files are registered, which is the limit" % MAX_GRANTS)
            self._grants.append(grant)

    def remove(self, path: "str") -> "bool":
        """Take back what was registered under a path; False if nothing was."""
        real = _real(path)
        with self._lock:
            before = len(self._grants)
            self._grants = [grant for grant in self._grants if grant.path != real]
            return len(self._grants) < before

    def allow(self, path: "str", context: "int") -> "None":
        """Use a grant. Raises TransferRefused: the same whether the file exists or not."""
        with self._lock:
            self._expire()
            for grant in self._grants:
                if grant.covers(path, context):
                    if grant.once:
                        self._grants.remove(grant)
                    return
        raise TransferRefused("%s is not registered for context %d" % (path, context))

    def _expire(self) -> "None":
        now = self._clock()
        self._grants = [grant for grant in self._grants if grant.until is None or now < grant.until]


def _real(path: "str") -> "str":
    """The directory resolved now, while a parent of ours says so; the name itself is not followed."""
    parts = components(os.path.abspath(expand(path)))
    if not parts:
        return "/"
    real = os.path.realpath("/" + "/".join(parts[:-1]))
    return os.path.join(real, parts[-1])


def components(path: "str") -> "Tuple[str, ...]":
    """The names of an absolute path. Raises TransferRefused for one that is not plain."""
    if not path.startswith("/") or "\0" in path:
        raise TransferRefused("%r is not an absolute path" % path[:200])
    names = tuple(name for name in path.split("/") if name)
    if any(name in (".", "..") for name in names):
        raise TransferRefused("%r is not a plain path" % path[:200])
    return names


def open_plainly(path: "str") -> "int":
    """A descriptor of a regular file, opened from the root name by name: no link on the way is followed, so what was
    compared is what is opened. Raises TransferRefused at once for what is no file, OSError."""
    names = [os.fsencode(name) for name in components(path)]
    if not names:
        raise TransferRefused("/ is not a regular file")
    root = directories.open_directory("/")
    walker = directories.Walker(root)
    try:
        return regular.open_regular(names[-1], walker.go(tuple(names[:-1])), False)
    except TransferRefused:
        raise TransferRefused("%s is not a regular file" % path) from None
    except OSError as error:
        reached = len(walker.path) + 1
        if _is_link(names[reached - 1], walker.fd):
            raise type(error)(error.errno, _LINK, "/" + "/".join(map(os.fsdecode, names[:reached]))) from None
        raise located(error, path) from None
    finally:
        walker.close()
        os.close(root)


def _is_link(name: "bytes", directory: "int") -> "bool":
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except OSError:
        return False
