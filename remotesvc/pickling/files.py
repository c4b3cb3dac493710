"""What tracebacks there call the files of code that goes as a pickle, and its lines, for whoever reads them here."""

import linecache
import os
import sys
import threading
from collections import OrderedDict

from ..bootstrap.finder import ROOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

MOST = 1000
"""Files remembered, the latest: each cell of a notebook is one."""


class Files(object):
    """Files by the names that they have there: never paths of this machine, nor one name for two files. Thread-safe."""

    def __init__(self) -> "None":
        self._shown: "OrderedDict[str, str]" = OrderedDict()
        self._files: "OrderedDict[str, str]" = OrderedDict()
        self._lock = threading.Lock()

    def shown(self, code: "CodeType") -> "str":
        """The name for the file of a piece of code. What came from a parent keeps the one that it has."""
        file = code.co_filename
        if file.startswith(ROOT):
            return file
        with self._lock:
            if file not in self._shown:
                self._shown[file] = shown = file if file.startswith("<") else self._free(file)
                self._files[shown] = file
                if len(self._files) > MOST:
                    self._files.popitem(last=False)
                    self._shown.popitem(last=False)
            return self._shown[file]

    def _free(self, file: "str") -> "str":
        name = shown = ROOT + os.path.basename(file)
        module = sys.modules.get(os.path.splitext(os.path.basename(file))[0])
        # A module of the top level goes by such a name, too.
        taken = os.path.abspath(getattr(module, "__file__", None) or file) != os.path.abspath(file)
        number = 1
        while taken or shown in self._files:
            number += 1
            taken, shown = False, "%s#%d" % (name, number)
        return shown

    def line(self, shown: "str", number: "int") -> "str":
        """A line of a file by the name that it has there; "" if that is not known."""
        with self._lock:
            file = self._files.get(shown)
        return linecache.getline(file, number).strip() if file else ""
