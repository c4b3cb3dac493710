"""Services that tests call on targets, one for each way in which calls are run. Python 3.6."""

import os
import threading
import time

import remotesvc
from remotesvc.messages.latch import Latch
from remotesvc.messages.receiver import Receiver
from remotesvc.service import (
    AllowAny,
    AllowParents,
    DeduplicatingInvoker,
    SerializedInvoker,
    Service,
    call,
    current_pool,
    expose,
)
from tests.kernel.served import Plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import Any


class Log(object):  # noqa: UP004
    """What happened in which order, and how much of it at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.order = []  # type: list[Any]
        self.threads = set()  # type: set[int]
        self.now = self.most = 0

    def enter(self, what: "Any") -> None:
        with self.lock:
            self.order.append(what)
            self.threads.add(threading.get_ident())
            self.now += 1
            self.most = max(self.most, self.now)

    def leave(self) -> None:
        with self.lock:
            self.now -= 1


class Logged(Service):
    """A service that keeps a log of its calls."""

    def __init__(self, router: "Any") -> None:
        super().__init__(router)
        self.log = Log()

    @expose()
    def run(self, number: int, seconds: float = 0.0) -> int:
        self.log.enter(number)
        time.sleep(seconds)
        self.log.leave()
        return number

    @expose()
    def length(self, text: str) -> int:
        return len(text)

    @expose()
    def hold(self, path: str) -> bool:
        """Return once the file is there."""
        self.log.enter(path)
        while not os.path.exists(path):
            time.sleep(0.005)
        self.log.leave()
        return True

    @expose()
    def fail(self, number: int) -> None:
        self.log.enter(number)
        self.log.leave()
        raise KeyError(number)

    @expose()
    def stream(self, n: int) -> "Iterator[int]":
        self.log.enter("stream")
        yield from range(n)
        self.log.leave()

    @expose(policy=AllowAny())
    def report(self) -> "dict[str, Any]":
        log = self.log
        return {"order": list(log.order), "most": log.most, "threads": len(log.threads)}


class Concurrent(Logged):
    """As many at once as there are threads."""


class Serialized(Logged):
    """One after the other."""

    invoker_class = SerializedInvoker


class Other(Logged):
    """Another one."""


class Parents(DeduplicatingInvoker):
    """Keeps 4 replies."""

    max_entries = 4
    ttl = 60.0


class Deduplicated(Service):
    """Equal calls run once."""

    invoker_class = Parents

    def __init__(self, router: "Any") -> None:
        super().__init__(router)
        self.log = Log()

    @expose()
    def compute(self, value: "Any" = None, path: "str" = "", other: "Any" = None) -> "Any":
        self.log.enter(repr(value))
        while path and not os.path.exists(path):
            time.sleep(0.005)
        self.log.leave()
        if value == "raise":
            raise KeyError(path)
        return [value, len(self.log.order)]

    @expose()
    def patient(self, path: "str") -> "Any":
        """Until it is cancelled, or the file is there."""
        self.log.enter("patient")
        call = remotesvc.current()
        while not os.path.exists(path):
            if call.wait(0.005):
                with open(path + ".cancelled", "w"):
                    pass
                break
        self.log.leave()
        return len(self.log.order)

    @expose()
    def generate(self) -> "Iterator[int]":
        yield 1

    @expose()
    def lock(self, path: "str") -> "Any":
        self.compute(path=path)
        return [threading.Lock()]

    @expose()
    def status(self, path: "str") -> "Any":
        self.compute(path=path)
        return os.stat("/")

    @expose()
    def promise(self) -> "Any":
        return Service.NO_REPLY

    @expose()
    def forget(self, what: "str" = "", value: "Any" = None) -> int:
        if value is not None:
            return self.invoker.invalidate(what, value=value)  # type: ignore[no-any-return]
        return self.invoker.invalidate(*[what] if what else [])  # type: ignore[no-any-return]

    @expose(policy=AllowAny())
    def report(self) -> "dict[str, Any]":
        log = self.log
        return {"order": list(log.order), "most": log.most, "threads": len(log.threads)}

    @expose(policy=AllowParents())
    def privileged(self, value: int) -> int:
        return value


class Steps(Service):
    """Yields, one caller after the other."""

    invoker_class = SerializedInvoker

    def __init__(self, router: "Any" = None) -> None:
        super().__init__(router)
        self.log = []  # type: list[Any]

    @expose()
    def items(self, n: int) -> "Iterator[int]":
        try:
            self.log.append("begun")
            yield from range(n)
            return n  # type: ignore[return-value]
        finally:
            self.log.append("ended")

    @expose()
    async def async_items(self, n: int) -> "AsyncIterator[int]":
        for number in range(n):
            yield number

    @expose()
    def asking(self) -> "Iterator[list[Any]]":
        try:
            while True:
                yield call(Steps, "seen")
        finally:
            call(Steps, "seen")

    @expose()
    def seen(self) -> "list[Any]":
        self.log.append("seen")
        return list(self.log)


def seen_between(how: str) -> "Any":
    """What another thread of this process sees while this one iterates, and what this one does."""
    seen = []  # type: list[Any]
    items = call(Steps, "items", 3)
    first = next(items)
    thread = threading.Thread(target=lambda: seen.append(call(Steps, "seen")))
    thread.start()
    thread.join(0.3)
    own, early = call(Steps, "seen"), list(seen)  # part of what this thread iterates
    if how == "exhausted":
        rest = list(items)
    else:
        rest = []
        if how == "closed":
            items.close()
        else:
            del items
    thread.join()
    return first, own, early, rest, seen[0][-2:]


def asked_elsewhere() -> "Any":
    """What a generator gets that another thread iterates and closes than the one that called it."""
    got = []  # type: list[Any]
    items = call(Steps, "asking")
    for step in (lambda: got.append(next(items)), items.close):
        thread = threading.Thread(target=step, daemon=True)
        thread.start()
        thread.join(10)
    return got, call(Steps, "seen")


class Counted(Service):
    """Says how often it was asked."""

    def __init__(self, router: "Any") -> None:
        super().__init__(router)
        self.runs = 0

    @expose()
    def count(self, name: int = 0, size: int = 0) -> "tuple[int, bytes]":
        self.runs += 1
        return self.runs, bytes(size)

    @expose()
    def fail(self) -> None:
        self.runs += 1
        raise KeyError(self.runs)


class Unkept(DeduplicatingInvoker):
    ttl = 0


class Passing(DeduplicatingInvoker):
    ttl = 0.1


class Small(DeduplicatingInvoker):
    max_bytes = 8192


class Resentful(DeduplicatingInvoker):
    keep_errors = 600.0


class CountedEachTime(Counted):
    invoker_class = Unkept


class CountedForAWhile(Counted):
    invoker_class = Passing


class CountedInLittleRoom(Counted):
    invoker_class = Small


class CountedWithErrors(Counted):
    invoker_class = Resentful


class Listening(Service):
    """Collects what its receivers get."""

    invoker_class = SerializedInvoker

    def __init__(self, router: "Any") -> None:
        super().__init__(router)
        self.early = Latch()
        self.early.put("early")
        self.select.add(self.early)
        self.heard = []  # type: list[Any]
        self.threads = set()  # type: set[str]

    @expose()
    def open(self) -> "Any":
        """A sender to a receiver that is added now."""
        receiver = Receiver(self.router)
        self.select.add(receiver)
        return receiver.sender()

    @expose()
    def collected(self) -> "Any":
        return list(self.heard), sorted(self.threads)

    def on_message(self, event: "Any") -> None:
        self.threads.add(threading.current_thread().name)
        self.heard.append(str(event.value) if event.error is None else type(event.error).__name__)
        if self.heard[-1] == "bad":
            raise ValueError("on_message fails")


class Shared(Service):
    """What siblings compute together."""

    invoker_class = DeduplicatingInvoker

    def __init__(self, router: "Any") -> None:
        super().__init__(router)
        self.runs = 0

    @expose(policy=AllowAny())
    def compute(self, path: str) -> int:
        self.runs += 1
        while path and not os.path.exists(path):
            time.sleep(0.005)
        return self.runs


def inside(service: str) -> int:
    """How many calls of a logged service are in their methods now; those that a pool counts may be on the way there."""
    found = current_pool().get_service(service)
    return found.log.now  # type: ignore[attr-defined, no-any-return]


def locally(number: int) -> "Any":
    """Call services of this process: the thread here, the one there, a value; a negative number raises KeyError."""
    if number < 0:
        call(Serialized, "fail", number)
    return [threading.get_ident(), call(Plain, "thread"), call(Plain, "add", number)]


class Brisk(Service):
    """Most of its calls take no time at all."""

    @expose()
    def on_main(self) -> bool:
        return threading.current_thread() is threading.main_thread()

    @expose()
    def nap(self, seconds: float) -> bool:
        time.sleep(seconds)
        return self.on_main()

    @expose()
    def meet(self, names: "list[str]", own: str) -> bool:
        with open(own, "w"):
            pass
        until = time.monotonic() + 20
        while not all(map(os.path.exists, names)):
            if time.monotonic() > until:
                return False
            time.sleep(0.001)
        return True


class BriskInTurn(Brisk):
    """The same, one call after the other."""

    invoker_class = SerializedInvoker

    def __init__(self, router: "Any") -> None:
        super().__init__(router)
        self._noted = []  # type: list[int]

    @expose()
    def note(self, number: int) -> "list[int]":
        self._noted.append(number)
        return self._noted[-2:]
