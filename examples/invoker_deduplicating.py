"""The DeduplicatingInvoker: equal calls run once, everyone gets that answer, and it is kept for a while.

Many hosts (`python invoker_deduplicating.py web1 web2`, or four processes on this machine) ask the master for the same
release at the same moment; it is fetched once. Who waits holds no thread.
"""

from __future__ import annotations

import sys
import threading
import time

import remotesvc
from remotesvc.service import AllowAny, DeduplicatingInvoker, Pool, Service, expose, master


class OnceAMinute(DeduplicatingInvoker):
    """Keeps answers for a minute, 100 of them at most."""

    ttl = 60.0
    max_entries = 100


class Releases(Service):
    """Stands for a slow server of releases."""

    invoker_class = OnceAMinute

    def __init__(self, router: object = None) -> None:
        super().__init__(router)
        self.fetched: list[str] = []
        self._lock = threading.Lock()

    @expose(policy=AllowAny())
    def archive(self, product: str, version: str) -> bytes:
        """The content of a release."""
        with self._lock:
            self.fetched.append(f"{product} {version}")
        time.sleep(0.3)
        return f"{product}-{version}".encode() * 1000


def deploy(version: str) -> int:
    """On a host: have the release from the master; returns its size."""
    return len(master().service(Releases).archive(product="shop", version=version))


if __name__ == "__main__":
    releases = Releases()
    with remotesvc.Router() as router, Pool(router, services=[releases]):
        names = sys.argv[1:] or ["local:"] * 4
        hosts = [router.connect(name) for name in names]
        futures = [host.submit(deploy, version) for host in hosts for version in ("1.0", "1.0", "2.0")]
        print("sizes:", sorted({future.result() for future in futures}), "calls:", len(futures))
        print("fetched:", sorted(releases.fetched))
        releases.invoker.invalidate("archive", product="shop", version="2.0")
        hosts[0].call(deploy, "2.0")
        print("fetched after a word that 2.0 has changed:", sorted(releases.fetched))
