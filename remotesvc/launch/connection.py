"""What a transport hands over when it has reached a target: the byte path, and what is known of the way to it."""

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Tuple

    from .byte_path import BytePath


class Connection(object):
    """A target that has been reached, and runs no kernel yet.

    path      the byte path to its interpreter
    host      what it is called in output and errors
    budget    seconds for connecting, all stages together
    phases    seconds that each stage took so far
    begun     when they began (monotonic), by default now
    alive     seconds of silence after which it is asked for a sign of life, and after which it is lost, where that is
              sooner than usual
    remember  called with its HELLO, on the reader
    magic     the magic number of its Python, as far as that can be foretold
    """

    __slots__ = ("path", "host", "budget", "phases", "begun", "alive", "remember", "magic")

    def __init__(self, path: "BytePath", host: "str", budget: "float", phases: "Optional[Dict[str, float]]" = None,
                 begun: "Optional[float]" = None, alive: "Optional[Tuple[float, float]]" = None,
                 remember: "Optional[Callable[[Dict[str, Any]], None]]" = None, magic: "bytes" = b"") -> "None":
        self.path = path
        self.host = host
        self.budget = budget
        self.phases: "Dict[str, float]" = {} if phases is None else phases
        self.begun = time.monotonic() if begun is None else begun
        self.alive = alive
        self.remember = remember
        self.magic = magic
