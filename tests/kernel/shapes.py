"""Classes of ours that calls return and raise."""

import collections
import enum
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Point = collections.namedtuple("Point", "x y")


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Trouble(Exception):
    """An error of ours."""


if sys.version_info >= (3, 7):  # noqa: UP036  # targets may be older
    import dataclasses

    @dataclasses.dataclass
    class Disk:
        """A record of ours."""

        name: str
        size: int

        def doubled(self) -> "Disk":
            return dataclasses.replace(self, size=2 * self.size)


def values():  # type: ignore[no-untyped-def]
    """One of each."""
    found = [Point(1, 2), Colour.BLUE]
    if sys.version_info >= (3, 7):  # noqa: UP036
        found.append(Disk("sda", 7))
    return found


def trouble():  # type: ignore[no-untyped-def]
    """Raises ours."""
    raise Trouble("no room")


def stream():  # type: ignore[no-untyped-def]
    """Yields one, then raises ours."""
    yield Colour.RED
    raise Trouble("later")


class Frozen(dict):  # type: ignore[type-arg]
    """A dict that nobody changes. It has an attribute, as what is kept of it."""

    owner = "nobody"

    def _no(self, *args: "Any") -> "Any":
        raise TypeError(self.owner)

    __setitem__ = update = setdefault = _no  # type: ignore[assignment]


class FrozenList(list):  # type: ignore[type-arg]
    """A list that nobody changes."""

    __slots__ = ("owner",)
    owner: str
    append = extend = Frozen._no


class Indexed(dict):  # type: ignore[type-arg]
    """A dict that leaves out of its state what its setter makes again."""

    def __setitem__(self, key: "Any", value: "Any") -> None:
        super().__setitem__(key, value)
        self.owner = key.lower()

    def __getstate__(self) -> "Any":
        return None


class Told(dict):  # type: ignore[type-arg]
    """A dict that says itself how it is pickled."""

    __setitem__ = Frozen._no

    def __reduce__(self) -> "Any":
        return Told, ({"told": 1},)
