"""What a job's process has in the place of a router and of a message: it has no connection."""

import sys
import threading

from ..bootstrap.data import codec
from ..bootstrap.data.codec import Bindings
from ..bootstrap.errors import DecodeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List


class AtOnce(object):
    """What stands for the timers of a router: a call has them run what is to be done when it is given up."""

    def after(self, _delay: "float", run: "Callable[[], Any]") -> "None":
        """Run it now. What fails is told and ends nothing else."""
        try:
            run()
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)


def _no_context(*_what: "Any") -> "Any":
    raise DecodeError("contexts and senders do not go with a detached job: it has no connection to use them by")


BINDINGS = Bindings({}, _no_context, _no_context)


class Alone(object):
    """What stands for the router of a context in a process that is none."""

    def __init__(self, importer: "Any") -> "None":
        self.id = 0
        self.importing = threading.RLock()
        self.timers = AtOnce()
        self.bindings = BINDINGS
        self._importer = importer

    def importer(self) -> "Any":
        """What finds modules."""
        return self._importer

    def tree(self) -> "Any":
        """A context has others below it; a job has not."""
        return self._lacks()

    def _lacks(self) -> "Any":
        raise UsageError("a detached job has no connection: it starts and calls no contexts, and has no services and no"
                         " receivers")

    # Services and receivers look for these first.
    kernel = routes = property(_lacks)


class Said(object):
    """A call that came in the parcel, as ``parts`` takes it."""

    commands = True

    def __init__(self, data: "bytes", blobs: "List[bytes]", tagged: "bool") -> "None":
        self.payload = data
        self._rest = blobs, tagged

    def decode(self, bindings: "Any" = None) -> "Any":
        """The value it carries. Raises DecodeError."""
        return codec.decode(self.payload, self._rest[0], self._rest[1], bindings or BINDINGS)
