"""Pure: what of the program's own module, ``__main__``, others can import, and by which name."""

import os
import sys

from ..bootstrap.imports.modules import MAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main_name() -> "str":
    """The name by which others import ``__main__``: its real one after ``python -m``, else ``__main__``."""
    spec = getattr(sys.modules[MAIN], "__spec__", None)
    return spec.name if spec is not None else MAIN


def has_text() -> "bool":
    """Whether ``__main__`` can be read again: not what came by ``-c``, a pipe, a session or a notebook, nor
    bytecode."""
    module = sys.modules[MAIN]
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or file.endswith(".pyc"):
        return False
    # What is in an archive, or came to a child, has a spec and no file.
    return os.path.isfile(file) or (getattr(module, "__spec__", None) is not None and not os.path.exists(file))


def typed_in(fn: "Any") -> "bool":
    """Whether a function was typed at a prompt, which may follow a script (``python -i``)."""
    return hasattr(sys, "ps1") and getattr(getattr(fn, "__code__", None), "co_filename", "").startswith("<")
