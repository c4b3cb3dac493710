"""The plain Invoker: calls of one service run side by side, on as many threads as the pool has.

A service that answers for directories of this machine, or of a host (`python invoker_concurrent.py web1`), asked by
eight threads at once. The one instance is shared, so what it counts is guarded by a lock.
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import remotesvc
from remotesvc.service import Service, expose


class DiskUsage(Service):
    """What directories hold. ``invoker_class`` is Invoker, which is the default."""

    def __init__(self, router: object = None) -> None:
        super().__init__(router)
        self._lock = threading.Lock()
        self._running = self._most = 0

    @expose()
    def usage(self, path: str) -> tuple[int, int]:
        """Number of files and bytes in a directory; waits a moment, as a slow disk would."""
        with self._lock:
            self._running += 1
            self._most = max(self._most, self._running)
        try:
            remotesvc.current().wait(0.2)
            files = [os.path.join(path, name) for name in os.listdir(path)]
            return len(files), sum(os.lstat(name).st_size for name in files)
        finally:
            with self._lock:
                self._running -= 1

    @expose()
    def most_at_once(self) -> int:
        """How many calls have been running at the same time."""
        return self._most


if __name__ == "__main__":
    with remotesvc.Router() as router:
        context = router.connect(sys.argv[1] if len(sys.argv) > 1 else "local:")
        disk = context.service(DiskUsage)
        with ThreadPoolExecutor(8) as threads:
            for count, size in threads.map(lambda path: disk.usage(path=path), ["/", "/usr", "/etc", "/bin"] * 2):
                print(f"{count} files, {size} bytes")
        print("side by side:", disk.most_at_once() > 1)
