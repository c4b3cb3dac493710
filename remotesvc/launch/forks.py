"""Links in a fork of this process: its copies of our descriptors are closed, or whoever is at the other end would not
notice our end as long as the fork lives."""

import os
import weakref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# For the whole process, as forks are; it keeps nothing alive.
_ENDS: "Any" = weakref.WeakSet()


def watch(end: "Any") -> "None":
    """In every fork from now on, call ``end.drop_copies()``: close the descriptors, say nothing to the peer."""
    _ENDS.add(end)


def _drop() -> "None":
    for end in list(_ENDS):
        try:
            end.drop_copies()
        except OSError:
            pass  # closed at this moment


if hasattr(os, "register_at_fork"):  # Python 3.7
    os.register_at_fork(after_in_child=_drop)
