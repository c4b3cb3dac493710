"""The SerializedInvoker: one call after the other, in the order they came, each with its own answer.

A package manager, on this machine or on a host (`python invoker_serialized.py web1`), takes one transaction at a time.
Twenty are asked for at once; the one that fails fails for its caller alone, and the next begins.
"""

from __future__ import annotations

import sys

import remotesvc
from remotesvc.service import SerializedInvoker, Service, expose


class Packages(Service):
    """Stands for a package manager: it must never run twice at the same time."""

    invoker_class = SerializedInvoker

    def __init__(self, router: object = None) -> None:
        super().__init__(router)
        self._installed: list[str] = []
        self._busy = False

    @expose()
    def install(self, name: str) -> int:
        """Install a package; returns how many there are then."""
        if self._busy:
            raise RuntimeError("two transactions at once")
        self._busy = True
        try:
            remotesvc.current().wait(0.01)
            if name == "broken":
                raise ValueError(f"{name} has unmet dependencies")
            self._installed.append(name)
            return len(self._installed)
        finally:
            self._busy = False

    @expose()
    def installed(self) -> list[str]:
        """The packages, in the order of their installation."""
        return self._installed


if __name__ == "__main__":
    with remotesvc.Router() as router:
        context = router.connect(sys.argv[1] if len(sys.argv) > 1 else "local:")
        names = [f"package{number}" for number in range(20)]
        names[7] = "broken"
        answers = [context.call_service_async(Packages, "install", name=name) for name in names]
        for name, answer in zip(names, answers, strict=True):
            print(name, answer.exception() or f"is number {answer.result()}")
        names.remove("broken")
        print("in order:", context.service(Packages).installed() == names)
