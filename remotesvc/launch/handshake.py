"""Pure: from the first bytes of a target to its first frame, or to the reason why there is none."""

import re

from ..bootstrap.errors import Lost
from ..bootstrap.unreachable import BootstrapError, ConnectError, PythonNotFound, PythonTooOld
from .bundle import EXIT_READER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Type, Union

# What a target may say before its kernel does, kept for the error message: banners are short, tracebacks long.
MAX_NOISE = 64 * 1024

_SIGN = re.compile(rb"<remotesvc:([a-z]+) ?([^>\n]*)>")


# What helps where a machine has no more threads or processes.
PROCESSES = ("Raise the limit of processes and threads there (ulimit -u, or the pids limit of a container): a kernel "
             "takes six. Or an old container engine's seccomp profile does not know how new systems start threads "
             "(clone3): update the engine.")
# What helps where an account is not meant for programs.
NO_PROGRAMS = "The account may not run programs: look at its shell, ForceCommand and authorized_keys."
# What a Python or a shell says that cannot go on, what that is (if its own words do not say it), and what helps. The
# first that fits counts.
CAUSES = tuple((re.compile(words, re.M), what, remedy) for words, what, remedy in (
    (r"can't start new thread|[Cc]annot fork|fork: (?:retry|Resource)", "", PROCESSES),
    (r"Too many open files", "", "Raise the limit of open files there (ulimit -n): a kernel takes 15."),
    (r"MemoryError", "", "There is not enough memory: a kernel takes 15 MiB."),
    (r"\b[01]: [Bb]ad file (?:descriptor|unit)|\[Errno 9\] Bad file", "stdin or stdout is closed there",
     "Look at the profile, or whatever else runs before our command: `exec 0<&-` does that."),
    (r"\bsh: (?:not found|No such file|[Cc]ommand not found)", "there is no sh on the PATH",
     "Look at what the profile makes of PATH."),
    # The last one is a login shell that is a Python, or the like, and shows the line that it does not understand.
    (r"account is (?:currently )?not available|exec: restricted|sftp connections only|^ +exec sh -c", "", NO_PROGRAMS),
))

# What helps where a program reads our bytes that is no kernel.
READER = ("A shell there reads what we send instead of running our command: look at ForceCommand, command= in "
          "authorized_keys, and an `exec SHELL` in the profile.")


class Handshake(object):
    """Takes bytes until the marker has come; what stood before it is noise."""

    def __init__(self, marker: "bytes") -> "None":
        self._marker = marker
        self._buffer = bytearray()
        self._cut = False
        self.done = False

    def feed_untrusted(self, data: "bytes") -> "Optional[bytes]":
        """The bytes behind the marker once it has come, else None."""
        start = max(0, len(self._buffer) - len(self._marker))
        self._buffer += data
        found = self._buffer.find(self._marker, start)
        if found >= 0:
            self.done = True
            rest = bytes(self._buffer[found + len(self._marker):])
            del self._buffer[found:]
            return rest
        if len(self._buffer) > 2 * MAX_NOISE:
            del self._buffer[:len(self._buffer) - MAX_NOISE]
            self._cut = True
        return None

    @property
    def noise(self) -> "str":
        """What came before the marker."""
        return bytes(self._buffer[-MAX_NOISE:]).decode("utf-8", "replace")

    @property
    def told(self) -> "bool":
        """Whether what we start there has said why it cannot."""
        return _SIGN.search(bytes(self._buffer)) is not None

    def failure(self, host: "str", reason: "str", exit_status: "Optional[int]",
                stderr: "str") -> "Union[ConnectError, Lost]":
        """Why there is no kernel: from what stage 0 said, the exit status and stderr."""
        said = (_SIGN.sub(b"", bytes(self._buffer)).decode("utf-8", "replace").strip() + "\n" + stderr).strip()
        signs = [(sign.group(1).decode(), sign.group(2).decode("utf-8", "replace"))
                 for sign in _SIGN.finditer(bytes(self._buffer))]
        kind: "Type[ConnectError]"
        what, detail = signs[-1] if signs else ("", "")
        olds = [text for sign, text in signs if sign == "old"]
        name_one = "name one with python=PATH (--python PATH)."
        if olds:
            kind, text = PythonTooOld, "needs Python 3.6 or newer: %s" % "; ".join(olds)
            hint = "Install one, or " + name_one
        elif what == "nopython":
            kind, text = PythonNotFound, "no Python 3 was found; tried: %s" % detail
            hint = "Install Python 3.6 or newer there, or " + name_one
        elif what == "damaged":
            kind, text = BootstrapError, "the kernel arrived damaged %s" % detail
            hint = "Something there reads or changes stdin before we do, such as a shell profile."
        elif exit_status is None and not said and not what:
            return Lost("the link was lost while the target was starting: %s" % reason, host=host)
        else:
            kind, text, hint = BootstrapError, "the target ended before its kernel was ready: %s" % reason, ""
            if exit_status in (126, 127):
                hint = "The Python there cannot be run; " + name_one
            elif exit_status == 0:
                hint = "Whatever was started there is no Python, or something else runs in place of commands."
            elif exit_status == EXIT_READER:
                hint = READER
            elif not said and not what:  # as /bin/false
                hint = "Nothing was said. " + NO_PROGRAMS
            for words, cause, remedy in CAUSES:
                if words.search(said):
                    text, hint = "%s: %s" % (cause, reason) if cause else text, remedy
                    break
        return kind(text, host, "boot", hint, said, exit_status)
