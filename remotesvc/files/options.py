"""The options of ``push``, ``pull`` and ``sync``, checked before anything is sent."""

from ..bootstrap.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

# Seconds that the other side may neither take nor send anything: longer than a disk that wakes up, or a busy one.
IDLE = 60.0
# Entries of one tree: more than file systems are made with by default; a target that sends more wants to fill ours.
MAX_FILES = 1000000

# Seconds since 1970 of the end of the year 9999: file systems end earlier, datetimes there.
_LATEST = 253402300800


class Options(object):
    """How to transfer.

    mode          permission bits of the files, instead of the source's
    special       keep set-uid, set-gid and sticky bits, which are taken away otherwise
    owner         "user", "user:group" or ":group", names or numbers of the receiving machine
    mtime         modification time, seconds since 1970
    times         take the source's modification times
    symlinks      links inside a tree: "keep" recreates them (a pull only those that stay inside), "follow", or "skip"
    exclude       patterns of .gitignore, or a file's content as lines; what they match is left out
    compress      "auto" tries, "zlib" always compresses, "off" never
    durable       the files survive a crash of the machine once they have their names; False is faster
    resume        go on with what an interrupted transfer of the same file or tree left; False leaves nothing
    limit         bytes a second
    max_files     entries of a tree, at most
    max_bytes     bytes of content in all, holes included, at most: what would be more is refused
    idle_timeout  seconds that the other side may do nothing
    timeout       seconds for the whole
    progress      called as ``progress(done, total)`` with bytes; total is None where it is not known
    stop          an object with ``is_set()``, such as a threading.Event: set, the transfer ends as Cancelled
    """

    mode: "Optional[int]" = None
    special = False
    owner: "Optional[str]" = None
    mtime: "Optional[float]" = None
    times = False
    symlinks = "keep"
    exclude: "Any" = ()
    compress = "auto"
    durable = True
    resume = True
    limit: "Optional[float]" = None
    max_files = MAX_FILES
    max_bytes: "Optional[int]" = None
    idle_timeout = IDLE
    timeout: "Optional[float]" = None
    progress: "Optional[Callable[[int, Optional[int]], Any]]" = None
    stop: "Any" = None

    NAMES = ("mode", "special", "owner", "mtime", "times", "symlinks", "exclude", "compress", "durable", "resume",
             "limit", "max_files", "max_bytes", "idle_timeout", "timeout", "progress", "stop")

    def __init__(self, given: "Dict[str, Any]") -> "None":
        for name, value in given.items():
            if name not in self.NAMES:
                raise UsageError("a transfer has no option %r; there are %s" % (name, ", ".join(self.NAMES)))
            setattr(self, name, value)
        self._check()

    def _check(self) -> "None":
        if self.symlinks not in ("keep", "follow", "skip"):
            raise UsageError("symlinks=%r is neither 'keep', 'follow' nor 'skip'" % (self.symlinks,))
        if self.compress not in ("auto", "off", "zlib"):
            raise UsageError("compress=%r is neither 'auto', 'off' nor 'zlib'" % (self.compress,))
        if self.mode is not None and (type(self.mode) is not int or not 0 <= self.mode <= 0o7777):
            raise UsageError("mode=%r is not a number from 0 to 0o7777" % (self.mode,))
        if self.owner is not None and (not isinstance(self.owner, str) or not self.owner.strip(":")):
            raise UsageError("owner=%r is not \"user\", \"user:group\" or \":group\"" % (self.owner,))
        if self.stop is not None and not callable(getattr(self.stop, "is_set", None)):
            raise UsageError("stop=%r has no is_set(); give a threading.Event" % (self.stop,))
        if self.progress is not None and not callable(self.progress):
            raise UsageError("progress=%r cannot be called" % (self.progress,))
        if type(self.max_files) is not int or self.max_files < 0:
            raise UsageError("max_files=%r is not a number of entries" % (self.max_files,))
        for name in ("mtime", "limit", "max_bytes", "idle_timeout", "timeout"):
            value = getattr(self, name)
            end, words = (_LATEST, "of seconds from 1970 to the year 9999") if name == "mtime" else (
                float("inf"), "from 0 on")
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < end
            if not is_number and (value is not None or name == "idle_timeout"):
                raise UsageError("%s=%r is not a number %s" % (name, value, words))
        if self.limit == 0:
            raise UsageError("limit=0 would send nothing; None is no limit")
        if not isinstance(self.exclude, str):
            if not hasattr(self.exclude, "__iter__"):
                raise UsageError("exclude=%r is neither a text nor a list of patterns" % (self.exclude,))
            self.exclude = list(self.exclude)  # it is gone through more than once
        self.rules()

    def rules(self) -> "List[Tuple[str, bool]]":
        """The exclude patterns as regular expressions."""
        if not self.exclude:
            return []
        from .patterns import rules_of
        return rules_of(self.exclude)

    def finish(self) -> "Dict[str, Any]":
        """What the receiver makes of the files."""
        return {"mode": self.mode, "special": self.special, "owner": self.owner, "times": self.times,
                "mtime": None if self.mtime is None else int(self.mtime * 1e9), "durable": self.durable}

    def idle(self) -> "Optional[float]":
        """Seconds that a sender may say nothing: with a limit it may have to."""
        return None if self.limit is not None else self.idle_timeout
