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


class LinesWatch(object):
    """Tells `linecache` of the modules that are here when it is imported, which costs 8 ms and is mostly never done."""

    def __init__(self, loader: "type") -> "None":
        self._loader = loader
        self._seen = False

    def find_spec(self, name: "str", path: "Any" = None, target: "Any" = None) -> "Any":
        """For any other name None: the finders behind it answer."""
        if name != "linecache" or self._seen:
            return None
        others = [finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec")]
        spec: "Any" = next(filter(None, (finder.find_spec(name, path) for finder in others)), None)
        if spec is None or not hasattr(spec.loader, "exec_module"):
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: "Any") -> "None":
            execute(module)
            # We stay in sys.meta_path: whoever iterates over it meanwhile would miss the finder behind us.
            self._seen = True
            for each in list(sys.modules.values()):
                if isinstance(getattr(getattr(each, "__spec__", None), "loader", None), self._loader):
                    tell(each)

        spec.loader.exec_module = exec_module
        return spec
