"""Functions that are given values of classes."""

import collections
import os
import sys

from tests.kernel.shapes import Colour, Point

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Name(str):
    """A text of ours."""

    def loud(self) -> str:
        return self.upper() + "!"


def own(value: "Any") -> "Any":
    """What only one of that class can do."""
    if isinstance(value, list):
        return [own(each) for each in value]
    if isinstance(value, dict) and type(value) is dict:
        return {own(key): own(each) for key, each in value.items()}
    if isinstance(value, Colour):
        return "red" if value is Colour.RED else "another"
    if isinstance(value, Point):
        return value._replace(x=0).y
    if isinstance(value, Name):
        return value.loud()
    if isinstance(value, collections.Counter):
        return value.most_common(1)
    if isinstance(value, collections.deque):
        value.appendleft(0)
        return list(value)
    if isinstance(value, collections.OrderedDict):
        value.move_to_end("a")
        return list(value)
    if isinstance(value, collections.defaultdict):
        return value["none"]
    if isinstance(value, os.stat_result):
        return value.st_size
    return f"{type(value).__name__} of {type(value).__module__}"


def field(disk: "Any") -> "Any":
    """A method of a dataclass."""
    return disk.doubled().size


def parts(*values: "Any") -> "Any":
    """What can be told of values without their classes."""
    return [[type(each).__name__, each.tolist() if isinstance(each, memoryview) else each.copy(),
             getattr(each, "owner", None)] for each in values]


def below(value: "Any") -> "Any":
    """The same, called from here in a child of this process."""
    import remotesvc

    child = remotesvc.current().router.tree().local()
    try:
        return [child.call(own, value), child.options(isolation="process").call(own, value)]
    finally:
        child.close()


def ask(context: "Any", target: str, value: "Any") -> "Any":
    """Call a context with what came along."""
    return context.call(target, value)


def send(sender: "Any", value: "Any") -> None:
    sender.send(own(value))


def revealed(secret: "Any", value: "Any") -> "Any":
    return len(secret.reveal()), own(value), sys.version_info[0]
