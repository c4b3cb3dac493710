"""The checksums of what a target has of files, as they come: those of one file at a time, however many there are."""

from .answers import malformed
from .delta import ENTRY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Optional, Tuple

    from .transfer_job import TransferJob

_SIGNATURES = "remotesvc.files.mirror:signatures"


class Signatures(object):
    """Asks for the checksums of files below ``dst``: ``wanted`` has the path of each, the size of a block, and of how
    many blocks at most.

    The target goes through them in this order, and runs ahead by a window: whoever asks in another order makes it begin
    again. Close it.
    """

    def __init__(self, job: "TransferJob", dst: "str", wanted: "List[Tuple[bytes, int, int]]") -> "None":
        self._job = job
        self._dst = dst
        self._wanted = wanted
        self._places: "Dict[bytes, int]" = {path: number for number, (path, _block, _most) in enumerate(wanted)}
        self._items: "Any" = None
        self._next = 0

    def __contains__(self, path: "bytes") -> "bool":
        return path in self._places

    def block_of(self, path: "bytes") -> "int":
        """The size of a file's blocks."""
        return self._wanted[self._places[path]][1]

    def of(self, path: "bytes") -> "Iterator[Optional[bytes]]":
        """The checksums of one file, at last: None now and then while they are waited for.

        Raises what the target raised, TransferRefused, Lost, CallTimeout, Cancelled.
        """
        job, number = self._job, self._places[path]
        if self._items is None or number < self._next:
            self.close()
            future = job.submit(_SIGNATURES, self._dst, self._wanted[number:])
            self._items, self._next = job.said(job.result(future)), number
        while True:
            while not self._items.wait(job.LOOK):
                job.check()
                yield None
            answer = job.next_of(self._items)
            self._next += 1
            if self._next > number:
                break
        # What is searched takes forty times as much memory as it has on the way.
        if type(answer) is not bytes or len(answer) % ENTRY.size or len(answer) > self._wanted[number][2] * ENTRY.size:
            raise malformed(job.context.name)
        yield answer

    def close(self) -> "None":
        """No more are wanted. Idempotent."""
        items, self._items = self._items, None
        if items is not None:
            items.close()
