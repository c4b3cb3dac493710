"""The code that this process sent as bytecode, whose source it alone can tell: for contexts below that send it on to
another Python.

A definition is asked for by a digest of its code: whoever can ask for one has the code, and is told no more of it than
it would have been sent as source.
"""

import functools
import hashlib
import threading
from collections import OrderedDict
from types import CodeType, FunctionType

from ..bootstrap.calls.bysource import SOURCES
from .codes import inner
from .source import NoSource, piece_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional

DIGEST = 64
"""Characters of a digest."""

MOST = 1000
"""Functions remembered, the latest: a program may make up any number, and what one occupies is its code."""


class Sent(object):
    """Functions that went as bytecode. Thread-safe."""

    def __init__(self) -> "None":
        self._sent: "OrderedDict[CodeType, List[Any]]" = OrderedDict()
        self._lock = threading.Lock()

    def note(self, function: "FunctionType") -> "None":
        """It is being sent."""
        code = function.__code__
        with self._lock:
            self._sent.pop(code, None)  # an equal one may be of a cell that ran before, or of a file as it was
            self._sent[code] = function.__globals__.get(SOURCES, [])
            if len(self._sent) > MOST:
                self._sent.popitem(last=False)

    def definition(self, digest: "str") -> "Optional[List[Any]]":
        """What ``text_of`` takes of the definition of code that was sent; None if it was not, or has no source here."""
        with self._lock:
            sent = list(self._sent.items())
        for outer, sources in reversed(sent):
            for code in [outer] + list(inner(outer)):
                if digest_of(code) == digest:
                    try:
                        return piece_of(code, {SOURCES: sources})
                    except NoSource:
                        return None
        return None


@functools.lru_cache(maxsize=4 * MOST)  # of all that was sent for each question, otherwise
def digest_of(code: "CodeType") -> "str":
    """What stands for a piece of code; the same in every process of a Python."""
    said = [code.co_name, code.co_firstlineno, code.co_code, code.co_names, code.co_varnames, code.co_freevars]
    said += [digest_of(each) if isinstance(each, CodeType) else
             # Its order differs between processes.
             sorted(map(repr, each)) if isinstance(each, frozenset) else each for each in code.co_consts]
    return hashlib.sha256(repr(said).encode("utf-8", "backslashreplace")).hexdigest()
