"""What interrupted transfers left of one destination: opened and hashed once, to be offered and then gone on with."""

import os
import time

from . import directories, disk, leftovers, naming
from .landing import Landing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple


class Parts(object):
    """The parts in ``directory`` of the file that is to be ``final``; nobody else takes them until ``close``.
    ``check()`` raises if the hashing is to end."""

    def __init__(self, directory: "str", final: "bytes", check: "Callable[[], Any]") -> "None":
        self._landings: "Dict[bytes, Landing]" = {}
        try:
            self._fd: "Optional[int]" = directories.open_directory(directory)
        except OSError:  # the transfer will say so
            self._fd = None
            return
        try:
            patient_until = time.monotonic() + disk.PATIENCE  # for all together, however many others hold
            for name in leftovers.parts_of(self._fd, final):
                fd = disk.open_part(self._fd, name, patient_until - time.monotonic())
                if fd is not None:
                    self._add(Landing(self._fd, final, name, fd=fd, check=check), name)
        except BaseException:
            self.close()
            raise

    def _add(self, part: "Landing", name: "bytes") -> "None":
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
