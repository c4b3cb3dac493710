"""What the target has installed of its own, for modules that do not come from the parent.

Children start with ``-S``: their ``sys.path`` holds the standard library only, until a module is needed that
only an installed package can be. Then `site.main()` is run, once.
"""

import sys
import threading
from _frozen_importlib_external import PathFinder
from _thread import get_ident

from ..finder import ROOT, Unlocked, from_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _frozen_importlib import ModuleSpec
    from typing import Any, List, Optional, Sequence

    from ..finder import MemoryFinder

SITE_LIMIT = 10.0
"""Seconds that an import waits for another thread's `site.main()`, which may take long: .pth files import things."""


_BETWEEN = ("_find_and_load", "_gcd_import", "_call_with_frames_removed")


class Target(object):
    """Finds modules of the target."""

    def __init__(self, finder: "MemoryFinder") -> "None":
        self._finder = finder
        self._lock = threading.Lock()
        self._site_done: "Optional[threading.Event]" = None
        self._site_thread = 0

    def owns(self, parent: "str", path: "Optional[Sequence[str]]") -> "bool":
        """Whether a module can only be the target's: in a package of its own, or wanted by `site.main()`.

        A package of the standard library does not count: a minimal Python may lack parts of it.
        """
        if self._site_thread == get_ident():
            return True
        return bool(parent) and not from_parent(path) and not any(map(self.standard, path or ()))

    def standard(self, path: "str") -> "bool":
        """Whether a file or directory is of the target's standard library."""
        return "-packages/" not in str(path) and any(str(path).startswith(root + "/")
                                                     for root in self._finder.stdlib_path)

    def find(
        self, fullname: "str", path: "Optional[Sequence[str]]", namespace: "bool"
    ) -> "Optional[ModuleSpec]":
        """What the finders behind ours have: installed packages, and hooks that called code has made.

        `namespace`: the module is sought in a namespace package from the parent, of which the target may have
        a portion too.
        """
        if path is None:
            self.restore_site()
        elif namespace:
            self._add_portions(fullname.rpartition(".")[0])
        where = None if path is None else [entry for entry in path if not str(entry).startswith(ROOT)]
        for finder in list(sys.meta_path):
            if not ours(finder) and hasattr(finder, "find_spec"):
                spec = finder.find_spec(fullname, where)
                if spec is not None:
                    return spec
        return None

    def restore_site(self) -> "None":
        """Run `site.main()` if it has not been run; afterwards ``sys.path`` is as it is without ``-S``."""
        with self._lock:
            done, first = self._site_done or threading.Event(), self._site_done is None
            self._site_done = done
        if not first:
            with Unlocked():
                done.wait(SITE_LIMIT)
            return
        try:
            if sys.flags.no_site:
                self._site_thread = get_ident()
                with Unlocked():
                    import site
                    site.main()
        except Exception as error:
            sys.stderr.write("remotesvc: installed packages of the target may be missing: %s\n" % error)
        finally:
            self._site_thread = 0
            done.set()

    def _add_portions(self, name: "str") -> "None":
        """Give a namespace package from the parent the directories that the target has for it."""
        self.restore_site()
        parent = name.rpartition(".")[0]
        above: "Sequence[str]" = sys.path
        if parent:
            self._add_portions(parent)
            above = sys.modules[parent].__path__
        where = [entry for entry in above if not str(entry).startswith(ROOT)]
        spec = PathFinder.find_spec(name, where)
        if spec is not None and spec.loader is None:
            own = sys.modules[name].__path__
            own.extend(entry for entry in spec.submodule_search_locations or () if entry not in own)


def labels_in(path: "Optional[Sequence[Any]]") -> "List[str]":
    """Those entries of a path that are directories of packages from the parent."""
    return [entry for entry in path or () if isinstance(entry, str) and entry.startswith(ROOT)]


def package_at(label: "str") -> "str":
    """The name that the parent has for the package with such a directory."""
    return label[len(ROOT):].replace("/", ".")


def ours(finder: "Any") -> "bool":
    """Whether a finder is part of the kernel: our own, which has just asked us, or one that would ask it in turn."""
    return type(finder).__module__.startswith(__name__.rpartition(".imports.")[0] + ".")


def statement() -> "str":
    """Who looks for a module: "import" for an import, "from" if it stands after ``from ... import``, else "".

    The last is a question such as ``importlib.util.find_spec``, to which None is the answer.
    """
    frame: "Any" = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "_find_spec":
        frame = frame.f_back
    frame = frame.f_back if frame is not None else None
    if frame is None or frame.f_code.co_name != "_find_and_load_unlocked":
        return ""
    frame = frame.f_back
    while frame is not None and frame.f_code.co_name in _BETWEEN:
        frame = frame.f_back
    return "from" if frame is not None and frame.f_code.co_name == "_handle_fromlist" else "import"


def wanted_for(name: "str") -> "str":
    """The full name of the module whose import looks for a package above it first; the name itself if there is none."""
    prefix, goal = name + ".", name
    frame: "Any" = sys._getframe(1)
    while frame is not None and (frame.f_code.co_filename.startswith("<frozen ") or ROOT in frame.f_code.co_filename):
        if frame.f_code.co_name == "_find_and_load":
            wanted = frame.f_locals["name"]
            if not goal.startswith(wanted) and not wanted.startswith(prefix):
                break
            goal = max(goal, wanted, key=len)
        frame = frame.f_back
    return goal
