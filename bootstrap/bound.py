"""What belongs to the Router of its process, and is nothing without it. Zone K, imports nothing."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Bound(object):
    """It is neither copied nor pickled, which would both make a second one of the same state; our own pickler asks for
    ``__remotesvc_reduce__``, if there is one, for what travels."""

    def __reduce_ex__(self, protocol: "Any") -> "Any":
        raise TypeError("a %s belongs to the Router of this process: it cannot be copied or pickled for another, only "
                        "used here" % type(self).__name__)
