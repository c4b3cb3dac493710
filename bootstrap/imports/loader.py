"""What Python's import system is given of ours: the loader of a module from the parent, a finder of distributions."""

import marshal
import sys
import zlib
from _frozen_importlib_external import SourceLoader

from .lines import tell
from .target import package_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Optional

    from .importer import Importer
    from .modules import Entry


class ModuleLoader(SourceLoader):
    """Loader of one module that came from the parent."""

    def __init__(self, importer: "Importer", entry: "Entry") -> "None":
        self.importer = importer
        self.entry = entry

    def get_filename(self, fullname: "str") -> "str":
        return self.entry.label

    def get_code(self, fullname: "str") -> "Any":
        """Its code object. Unmarshalling is safe: this came from our parent, which may run what it likes here."""
        tell(sys.modules.get(fullname))
        data = zlib.decompress(self.entry.data)
        if self.entry.magic is None:
            return self.source_to_code(data, self.entry.label)
        return marshal.loads(data)

    def get_data(self, path: "str") -> "bytes":
        """The module's own source, or a data file under ``dirname(__file__)``; OSError if there is none."""
        if path == self.entry.label:
            if self.entry.magic is not None:
                return self.importer.text(self.entry)
            return zlib.decompress(self.entry.data)
        from .resources import data
        return data(self.importer, path)

    def get_resource_reader(self, fullname: "str") -> "Any":
        """For `importlib.resources`: of a module the files beside it, in its package; None if it is in none."""
        package: "Optional[Entry]" = self.entry
        if not self.entry.is_pkg:
            package = self.importer.entries.get(package_at(self.entry.label.rpartition("/")[0]))
        if package is None:
            return None
        from .resources import Reader
        return Reader(self.importer, package)

    @property
    def archive(self) -> "Any":
        """What `importlib.resources.files` of Python 3.9 asks a loader for."""
        from .resources import archive
        return archive(self.importer, self.entry)


class NamespaceLoader(object):
    """Loader of a package without code from the parent: Python's own takes its directories for the target's."""

    def __init__(self, importer: "Importer", entry: "Entry") -> "None":
        self._importer = importer
        self._entry = entry

    def create_module(self, spec: "Any") -> "None":
        """An ordinary one."""

    def exec_module(self, module: "Any") -> "None":
        """There is no code."""

    def is_package(self, fullname: "str") -> "bool":
        return True

    def get_source(self, fullname: "str") -> "str":
        return ""

    def get_code(self, fullname: "str") -> "Any":
        return compile("", "<string>", "exec", dont_inherit=True)

    def get_resource_reader(self, fullname: "str") -> "Any":
        from .resources import Reader
        return Reader(self._importer, self._entry)


class DistributionFinder(object):
    """What `importlib.metadata` asks for distributions, and `importlib` to look again; finds no modules."""

    def __init__(self, importer: "Importer") -> "None":
        self._importer = importer

    def find_spec(self, name: "str", path: "Any" = None, target: "Any" = None) -> "None":
        """The finders behind it answer."""

    def invalidate_caches(self) -> "None":
        """What ``importlib.invalidate_caches`` calls."""
        self._importer.forget_absences()

    def find_distributions(self, context: "Any") -> "Iterable[Any]":
        from .metadata import find_distributions
        return find_distributions(self._importer, context)
