"""What a transport has to make: the byte path to a target's interpreter."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Optional, Union

    from ..bootstrap.errors import Lost
    from ..bootstrap.unreachable import ConnectError


class BytePath(object):
    """Bytes to and from a program that becomes a kernel: the base of every transport's own.

    A link uses ``start``, ``write``, ``close`` and ``noted`` of it, the rest is for who starts and ends the kernel at
    its other end. A child's own end is ``bootstrap.links.stdio.FdPath``, with what a link uses and no base: it is sent
    before anything else.

    noted  bytes that each step of a write has taken, entered while it goes on: a link sets a new list before each
           ``write``, and sends again what a signal's handler has kept from being written
    """

    noted: "List[int]"

    # -- what a link uses

    def start(self, feed: "Callable[[bytes], Any]", ended: "Callable[[str], Any]") -> "None":
        """Deliver what arrives, and what came before, with ``feed``: by one thread at a time, in order. It neither
        sends nor waits, but to read more slowly what floods. ``ended`` is called once, after the last ``feed``, with
        the reason, for people, on a thread that may wait. Called once; RuntimeError if there can be no thread."""
        raise NotImplementedError

    def write(self, buffers: "List[Any]") -> "None":
        """Write every byte of them, however long that takes; one thread at a time, never the one that feeds. Raises
        PathEnded when the path is over, and nothing else of its own."""
        raise NotImplementedError

    def close(self) -> "None":
        """End both directions: a ``write`` under way raises, ``ended`` follows. From any thread, again and again."""
        raise NotImplementedError

    # -- what the start and the end of a kernel use

    @property
    def round_trip(self) -> "Optional[float]":
        """Seconds of the shortest round trip to the target; None if nobody tells."""
        return None

    @property
    def stage(self) -> "str":
        """How far it has come, for an error that says where the time for connecting ended."""
        return "boot"

    def settled(self) -> "None":
        """The kernel at its other end is up. Called by the thread that feeds."""

    def exit_status(self) -> "Optional[int]":
        """The program's status, negative for a signal; None as long as it is not known."""
        raise NotImplementedError

    def diagnostics(self) -> "str":
        """What the program has written to its stderr, within limits; not escaped."""
        raise NotImplementedError

    def explain(self, host: "str", noise: "str") -> "Union[ConnectError, Lost, None]":
        """Why there is no kernel, if what lies between us and it is the reason and says so; None: it is the target
        itself. ``noise`` came on the path before the kernel spoke."""
        return None

    def abandon(self) -> "None":
        """End it now, whatever it is doing; for who cannot hand it on to a link."""
        self.close()

    def join(self, timeout: "float") -> "None":
        """Wait, after ``close``, until the thread that feeds has ended."""
        raise NotImplementedError
