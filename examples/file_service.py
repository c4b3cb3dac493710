"""A file service of our own: a function on the target downloads several files from the master through it.

    python file_service.py                       a process on this machine downloads two files
    python file_service.py web1 /etc/motd        one on web1 does

The service is all in this script: what it serves is what was registered, piece by piece under credit, so a slow target
holds up nothing. (For files as such there are ``ctx.push`` and ``ctx.pull``; this is how a service is written.)
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator

import remotesvc
from remotesvc.service import AllowAny, Pool, Service, expose, master

PIECE = 64 * 1024


class Downloads(Service):
    """Serves the files that were registered, and no others."""

    def __init__(self, router: object = None) -> None:
        super().__init__(router)
        self._registered: set[str] = set()

    def register(self, path: str) -> None:
        """Not exposed: only this process says what may be had."""
        self._registered.add(path)

    @expose(policy=AllowAny())
    def fetch(self, path: str) -> Iterator[bytes]:
        """The content of a registered file, in pieces."""
        if path not in self._registered:
            raise PermissionError(f"{path} is not registered")
        with open(path, "rb") as file:
            while piece := file.read(PIECE):
                yield piece


def download(paths: list[str], directory: str | None = None) -> tuple[str, dict[str, str]]:
    """On the target: fetch each file from the master, into a new directory that only this user may enter unless one is
    named; returns where that is, and what arrived, as SHA-256 of each."""
    directory = directory or tempfile.mkdtemp(prefix="downloads-")
    files = master().service(Downloads)
    digests = {}
    for path in paths:
        digest = hashlib.sha256()
        with open(os.path.join(directory, os.path.basename(path)), "wb") as file:
            for piece in files.fetch(path=path):
                file.write(piece)
                digest.update(piece)
        digests[path] = digest.hexdigest()
    return directory, digests


def main(host: str, paths: list[str], directory: str | None = None) -> None:
    service = Downloads()
    with remotesvc.Router() as router, Pool(router, services=[service]):
        for path in paths:
            service.register(path)
        context = router.connect(host)
        directory, digests = context.call(download, paths, directory)
        print(f"into {directory}")
        for path, digest in digests.items():
            with open(path, "rb") as file:
                same = hashlib.sha256(file.read()).hexdigest() == digest
            print(f"{os.path.basename(path)}: {'the same there' if same else 'DIFFERENT'}")
        try:
            context.call(download, ["/etc/shadow"], directory)
        except PermissionError as error:
            print(f"refused: {error}")


if __name__ == "__main__":
    if len(sys.argv) == 2:
        sys.exit("usage: file_service.py [HOST FILE...]")
    with tempfile.TemporaryDirectory() as scratch:
        if len(sys.argv) > 2:
            main(sys.argv[1], sys.argv[2:])
        else:
            made = [os.path.join(scratch, name) for name in ("a.bin", "b.bin")]
            for number, name in enumerate(made):
                with open(name, "wb") as out:
                    out.write(os.urandom(300_000 * number + 10))
            main("local:", made, tempfile.mkdtemp(dir=scratch))
