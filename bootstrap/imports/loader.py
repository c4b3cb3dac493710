"""What Python's import system is given of ours: the loader of a module from the parent, a finder of distributions."""

import marshal
import sys
import zlib
from _frozen_importlib_external import SourceLoader

from .lines import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

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
        """For `importlib.resources`; None for a module that is not a package."""
        if not self.entry.is_pkg:
            return None
        from .resources import Reader
        return Reader(self.importer, self.entry)

    @property
    def archive(self) -> "Any":
        """What `importlib.resources.files` of Python 3.9 asks a loader for."""
        from .resources import archive
        return archive(self.importer, self.entry)


class DistributionFinder(object):
    """What `importlib.metadata` asks for distributions; finds no modules."""

    def __init__(self, importer: "Importer") -> "None":
        self._importer = importer

    def find_spec(self, name: "str", path: "Any" = None, target: "Any" = None) -> "None":
        """The finders behind it answer."""

    def find_distributions(self, context: "Any") -> "Iterable[Any]":
        from .metadata import find_distributions
        return find_distributions(self._importer, context)
