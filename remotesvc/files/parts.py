"""What interrupted transfers left of one destination: opened and hashed once, to be offered and then gone on with."""

import os

from . import directories, leftovers, naming
from .landing import Landing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Tuple


class Parts(object):
    """The parts in ``directory`` of the file that is to be ``final``; nobody else takes them until ``close``."""

    def __init__(self, directory: "str", final: "bytes") -> "None":
        self._landings: "Dict[bytes, Landing]" = {}
        try:
            self._fd: "Optional[int]" = directories.open_directory(directory)
        except OSError:  # the transfer will say so
            self._fd = None
            return
        try:
            for name in leftovers.parts_of(self._fd, final):
                self._open(Landing(self._fd, final, name), name)
        except BaseException:
            self.close()
            raise

    def _open(self, part: "Landing", name: "bytes") -> "None":
        if part.name == name and part.offered:
            self._landings[name] = part
        else:
            part.discard(True)

    def offered(self) -> "List[Tuple[bytes, int, bytes]]":
        """(identity of the source, size, digest) of each."""
        return [(naming.identity_in(name), part.offered, part.hash.digest()) for name, part in self._landings.items()]

    def take(self, name: "Optional[bytes]") -> "Optional[Landing]":
        """The part with this name, if there is one: from now on the caller's. The others are given back."""
        found = None if name is None else self._landings.pop(name, None)
        self.close()
        return found

    def close(self) -> "None":
        """Give back what nobody took. Idempotent."""
        landings, self._landings = self._landings, {}
        for part in landings.values():
            part.discard(True)
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
