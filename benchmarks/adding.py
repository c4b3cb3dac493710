"""The service that the benchmarks call."""

from __future__ import annotations

from remotesvc.service import SerializedInvoker, Service, expose


class Adder(Service):
    """As small as a service can be."""

    @expose()
    def add(self, a: int, b: int) -> int:
        return a + b


class InOrder(Service):
    """Keeps what it is given, one call at a time."""

    invoker_class = SerializedInvoker

    def __init__(self, router: object = None) -> None:
        super().__init__(router)
        self._noted: list[int] = []

    @expose()
    def note(self, number: int) -> int:
        self._noted.append(number)
        return len(self._noted)

    @expose()
    def disorder(self) -> int:
        """How many came before one that was sent earlier."""
        return sum(after < before for before, after in zip(self._noted, self._noted[1:], strict=False))
