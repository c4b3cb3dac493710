"""Arguments that are objects of the user's classes, which are not imported here: the target makes them."""

from __future__ import annotations

from typing import Any

from remotesvc.bootstrap.data.record import Record
from remotesvc.calling.construct import RECORD, make


class Made:
    """Stands for such an object here. It is pickled with a function's arguments, and unpickled it is the object."""

    __slots__ = ("address", "kind", "value")

    def __init__(self, address: str, kind: str, value: Any) -> None:
        self.address = address
        self.kind = kind
        self.value = value

    def __reduce__(self) -> tuple[Any, ...]:
        return make, (self.address, self.kind, self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Made) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash((self.address, self.kind, repr(self.value)))

    def __repr__(self) -> str:
        return f"{self.address}:{self.value!r}"


def as_records(value: Any) -> Any:
    """The value with a Record for each Made: services take nothing pickled, and make the objects of Records."""
    if isinstance(value, Made):
        fields = as_records(value.value) if value.kind == RECORD else {"name": value.value, "value": None}
        return Record(value.address.replace(":", "."), fields)
    if isinstance(value, dict):
        return {as_records(key): as_records(item) for key, item in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(as_records(item) for item in value)
    return value
