"""Source lines of modules from the master for `linecache`, whoever asks: `warnings` asks by file name alone."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def tell(module: "Any") -> "None":
    """Let `linecache`, if anything has imported it, know where the lines of a module are; none are fetched."""
    linecache: "Any" = sys.modules.get("linecache")
    if module is not None and hasattr(linecache, "lazycache"):
        linecache.lazycache(module.__spec__.origin, vars(module))


def tell_all(loader: "type") -> "None":
    """Let `linecache` know where the lines of all modules from such a loader are. Called when it is imported, which
    costs 8 ms and is mostly never done."""
    for module in list(sys.modules.values()):
        if isinstance(getattr(getattr(module, "__spec__", None), "loader", None), loader):
            tell(module)
