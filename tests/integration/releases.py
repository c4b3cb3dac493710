"""A service that needs a package which its hosts lack, streams, and waits."""

import os
import threading
from typing import Any, Dict, Iterator, List  # noqa: UP035  # targets may be old

from packaging.version import Version

import remotesvc
from remotesvc.service import Service, expose


class Releases(Service):
    """Sorts version numbers, and makes them up."""

    def __init__(self, router: Any) -> None:
        super().__init__(router)
        self.resting = threading.Event()
        self.ended = threading.Event()

    @expose()
    def newest(self, names: List[str]) -> str:  # noqa: UP006
        return str(max(Version(name) for name in names))

    @expose()
    def who(self) -> Dict[str, Any]:  # noqa: UP006
        return {"uid": os.getuid(), "pid": os.getpid()}

    @expose()
    def stream(self) -> Iterator[str]:
        """Without end; `wait_ended` tells that it was closed."""
        number = 0
        try:
            while True:
                yield str(Version("1.%d" % number))  # noqa: UP031
                number += 1
        finally:
            self.ended.set()

    @expose()
    def wait_ended(self, seconds: float) -> bool:
        return self.ended.wait(seconds)

    @expose()
    def rest(self) -> None:
        """Until it is given up."""
        self.resting.set()
        remotesvc.current().wait(600)

    @expose()
    def wait_resting(self, seconds: float) -> bool:
        return self.resting.wait(seconds)


def lacks(name: str) -> bool:
    """Whether nothing on this host's own path goes by a name: asked of the path, not of what a parent would send."""
    from importlib.machinery import PathFinder

    return PathFinder.find_spec(name) is None


def newest(names: List[str]) -> List[Any]:  # noqa: UP006
    """The same outside a service, with who did it."""
    return [str(max(Version(name) for name in names)), os.getuid(), os.getpid()]
