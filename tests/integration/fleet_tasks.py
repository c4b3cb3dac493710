"""What the tests of fleets run on their hosts."""

import os
import time
from typing import Any, Dict, Iterator, List  # noqa: UP035  # targets may be old

import remotesvc
from remotesvc.service import AllowParents, Service, expose


def pid() -> int:
    return os.getpid()


def add(one: int, two: int = 0) -> int:
    return one + two


def where(host: remotesvc.Host, prefix: str = "") -> Dict[str, Any]:  # noqa: UP006
    return {"name": prefix + host.name, "groups": host.groups, "colour": host.variables.get("colour"),
            "all": sorted(host.variables)}  # fmt: skip


def fail_if(name: str, host: remotesvc.Host) -> str:
    if host.name == name:
        raise KeyError(name)
    return "fine"


def die_if(name: str, host: remotesvc.Host) -> str:
    if host.name == name:
        os._exit(3)
    return "fine"


def die_at_first(directory: str, host: remotesvc.Host) -> str:
    """Leave a file and die, unless the file is there."""
    file = os.path.join(directory, host.name)
    if os.path.exists(file):
        return "second time"
    open(file, "w").close()
    os._exit(3)


def noted(file: str, gate: str) -> int:
    """Note that it ran, and wait until there is such a file."""
    with open(file, "a") as runs:
        runs.write("x")
    while not os.path.exists(gate):
        remotesvc.current().wait(0.01)
    return 1


async def later(value: int) -> int:
    return value


def counted_and_exit(file: str) -> None:
    with open(file, "a") as runs:
        runs.write("x")
    os._exit(3)


def say(text: str, host: remotesvc.Host) -> Iterator[int]:
    """Print by way of Python and of another process, before and behind an item."""
    print(text, host.name)
    os.system("echo a process >&2")
    yield 1
    print("the end")


def told_at_the_end(text: str, gate: str, after: str = "") -> None:
    """Print before and behind the wait for a file, whoever gives up; then leave one, if it is named."""
    print(text, "begins")
    while not os.path.exists(gate):
        time.sleep(0.01)
    print(text, "ends")
    if after:
        open(after, "w").close()


def shout(text: str) -> None:
    print(text)
    raise ValueError(text)


def sleep(seconds: float) -> float:
    remotesvc.current().wait(seconds)
    remotesvc.current().check()
    return seconds


def begin(directory: str, seconds: float, host: remotesvc.Host) -> None:
    """Leave a file that says so, then wait until cancelled."""
    open(os.path.join(directory, host.name), "w").close()
    sleep(seconds)


def said_and_sleep(file: str, seconds: float) -> float:
    """The same under any name."""
    open(file, "w").close()
    return sleep(seconds)


def wait_for(file: str) -> str:
    """Return once the file is there; at once for none."""
    while file and not os.path.exists(file):
        sleep(0.01)
    return file


def said_and_wait_for(file: str, other: str) -> str:
    """Leave one file, wait for the other."""
    open(file, "w").close()
    return wait_for(other)


def count(most: int) -> Iterator[int]:
    yield from range(most)


def endless(file: str, begun: str = "") -> Iterator[int]:
    """Leaves a file when it is closed, and one when it has begun, if that is named."""
    if begun:
        open(begun, "w").close()
    try:
        while True:
            yield 1
    finally:
        open(file, "w").close()


def stuck(file: str, begun: str = "") -> Iterator[int]:
    """The same, and the second item never comes."""
    if begun:
        open(begun, "w").close()
    try:
        yield 1
        sleep(600)
    finally:
        open(file, "w").close()


def square(number: int) -> List[int]:  # noqa: UP006
    return [number * number, os.getpid()]


class Counter(Service):
    """Counts, on the host it lives on."""

    def __init__(self, router: Any) -> None:
        super().__init__(router)
        self.count = 0

    @expose(policy=AllowParents())
    def add(self, by: int = 1) -> int:
        self.count += by
        return self.count

    @expose(policy=AllowParents())
    def where(self, host: remotesvc.Host, prefix: str = "") -> str:
        return f"{prefix}{host.name}"

    @expose(policy=AllowParents())
    def say(self, text: str) -> None:
        print(text)

    def hidden(self) -> None:
        """Not exposed."""
