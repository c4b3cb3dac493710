"""A terminal for a program that asks for a password there and nowhere else. A machine has few of them, so it is there
until the program is done with asking, and no longer.

The kernel closes a terminal by SIGHUP to the leader of its session. Where doas runs us in its own place that is our
Python: it does not listen (``SURVIVE``) until we are through with closing, and write to it (``SURVIVED``).
"""

import os
import sys
import time

from ..bootstrap.unreachable import BootstrapError
from .bundle import BARE, FLAGS
from .times import note_times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

# Bytes of one read: a prompt.
READ = 4096
# The terminal that the leader of a new session opens first becomes the one that controls it.
_ATTACH = BARE + "import os;os.open(sys.argv[1],os.O_RDWR);os.execvp(sys.argv[2],sys.argv[2:])"
SURVIVE = "import _signal,select;hup=_signal.signal(_signal.SIGHUP,_signal.SIG_IGN);"
SURVIVED = "select.select([0],[],[]);_signal.signal(_signal.SIGHUP,hup);"


class Terminal(object):
    """Our end of a pseudo terminal; ``fd`` is what to wait on."""

    def __init__(self, host: "str") -> "None":
        begun = time.monotonic()
        try:
            # Both ends: with nobody at the other, reading here would be an error rather than nothing.
            self.fd, self._other = os.openpty()
        except OSError as error:
            failure = BootstrapError(
                "cannot open a terminal to be asked for a password on: %s" % error, host=host, stage="exec",
                hint="There may be too many there already (kernel.pty.max).")
            note_times(failure, begun)
            raise failure from None
        self.closed = False

    def argv(self, command: "List[str]") -> "List[str]":
        """The command line that runs ``command`` with this as its controlling terminal, if it leads a session."""
        return [sys.executable, FLAGS, _ATTACH, os.ttyname(self._other)] + command

    def read(self) -> "str":
        """What has appeared on it; there must be something."""
        return os.read(self.fd, READ).decode("utf-8", "replace")

    def write(self, text: "str") -> "None":
        """Type a line."""
        os.write(self.fd, text.encode("utf-8"))

    def close(self) -> "None":
        """Hang up. Idempotent; on the thread that reads, or before there is one."""
        if not self.closed:
            self.closed = True
            os.close(self.fd)
            os.close(self._other)
