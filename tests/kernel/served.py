"""Services that tests call on targets, of any Python from 3.6 on."""

import os
import sys
import threading
import time

import remotesvc
from remotesvc.bootstrap.links import wire
from remotesvc.messages.latch import Latch
from remotesvc.messages.receiver import Receiver
from remotesvc.service import (
    CALLER,
    AllowAny,
    AllowList,
    AllowParents,
    DeduplicatingInvoker,
    Message,
    Policy,
    SerializedInvoker,
    Service,
    arg_spec,
    call,
    current_pool,
    expose,
    master,
    no_reply,
    parent,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import Any


class Plain(Service):
    """A service with every kind of method."""

    built = 0
    attribute = 3

    def __init__(self, router: "Any") -> None:
        super().__init__(router)
        type(self).built += 1
        self.calls = []  # type: list[Any]

    @expose
    def add(self, a: int, b: int = 2) -> int:
        return a + b

    @expose()
    def echo(self, value: "Any") -> "Any":
        return value

    @expose()
    def where(self) -> "tuple[int, int, list[int]]":
        return os.getpid(), id(self), list(sys.version_info[:2])

    @expose()
    def thread(self) -> int:
        return threading.get_ident()

    @expose()
    def fail(self, text: str) -> None:
        raise FileNotFoundError(2, text, "/nowhere")

    @expose()
    def leave(self) -> None:
        sys.exit(3)

    @expose()
    def items(self, n: int) -> "Iterator[int]":
        for number in range(n):
            self.calls.append(number)
            yield number

    @expose()
    async def slowly(self, value: int) -> int:
        return value * 2

    @expose()
    async def endless(self, path: str) -> None:
        import asyncio

        open(path, "w").close()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            open(path + ".cancelled", "w").close()
            raise

    @expose()
    async def ticks(self, n: int) -> "AsyncIterator[int]":
        for number in range(n):
            yield number

    @expose()
    def say(self, text: str) -> str:
        print(text)
        return text

    @expose()
    def seen(self) -> "list[Any]":
        return list(self.calls)

    @no_reply()
    @expose()
    def note(self, what: str) -> str:
        self.calls.append(what)
        if what == "bad":
            raise ValueError("nobody hears this")
        return what

    @expose()
    def later(self, value: int, msg: Message = CALLER) -> "Any":
        threading.Thread(target=lambda: msg.reply(value + 1)).start()
        return Service.NO_REPLY

    @expose()
    def forgets(self, msg: Message = CALLER) -> "Any":
        return Service.NO_REPLY

    @expose()
    def unencodable(self) -> "Any":
        return [1, threading.Lock()]

    @expose()
    def about(self) -> "tuple[float | None, bool, str]":
        call = remotesvc.current()
        return call.remaining, call.cancelled, call.name

    @expose()
    def until_cancelled(self, path: str) -> bool:
        with open(path, "w"):
            pass
        cancelled = remotesvc.current().wait(30)
        with open(path + (".cancelled" if cancelled else ".late"), "w"):
            pass
        return cancelled

    @expose()
    def wait_for(self, path: str) -> bool:
        while not os.path.exists(path):
            time.sleep(0.005)
        return True

    def hidden(self) -> str:
        return "not exposed"

    def _private(self) -> str:
        return "not exposed"

    @property
    def prop(self) -> int:
        return 1


class Overriding(Plain):
    """A method that is not marked again is not exposed any more."""

    def add(self, a: int, b: int = 2) -> int:
        return 0


class Open(Service):
    """What anybody may call, and what not."""

    @expose(policy=AllowAny())
    def who(self, caller: Message = CALLER) -> "tuple[int, int, bool]":
        return caller.src, caller.auth, caller.commands

    @expose(policy=AllowAny())
    def local_of_that_name(self) -> "list[str]":
        msg = caller = message = None
        assert (msg, caller, message) == (None, None, None)
        return sorted(locals())

    @expose(policy=AllowAny())
    @expose(policy=AllowParents())
    def both(self) -> str:
        return "both policies agreed"

    @expose()
    def secret(self) -> str:
        return "parents only"

    @expose(policy=AllowParents() | AllowAny())
    def either(self) -> str:
        return "either"

    @expose(policy=~AllowAny())
    def nobody(self) -> str:
        return "nobody"

    @expose(policy=AllowAny())
    def plain(self, msg: int) -> int:
        return msg


class Broken(Policy):
    def allows(self, service: "Any", caller: "Any") -> bool:
        raise RuntimeError("a policy that fails")


class Strict(Service):
    """Arguments held against what the methods say."""

    @expose()
    @arg_spec({"path": str, "depth": (int, None)})
    def spec(self, path: "Any", depth: "Any" = None) -> "Any":
        return [path, depth]

    @expose()
    def text(self, path: "str", ratio: "float" = 0.5, names: "list[str]" = ()) -> "Any":  # type: ignore[assignment]
        return [path, ratio, list(names)]

    @expose()
    def keywords(self, first: int, *, second: int, **rest: "Any") -> "Any":
        return [first, second, rest]

    @expose(policy=Broken())
    def guarded(self) -> None:
        pass


class Picky(Service):
    """Made only once a file is there."""

    def __init__(self, router: "Any") -> None:
        super().__init__(router)
        if not os.path.exists(os.environ["SERVED_FLAG"]):
            raise RuntimeError("not yet")

    @expose()
    def hello(self) -> str:
        return "hello"


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


class Raced(Service):
    """Counts its own objects."""

    made = 0

    def __init__(self, router: "Any") -> None:
        super().__init__(router)
        type(self).made += 1

    @expose()
    def identity(self) -> "tuple[int, int, int]":
        return id(self), id(self.invoker), type(self).made


RACED = [f"Raced{number}" for number in range(100)]
for _name in RACED:
    globals()[_name] = type(_name, (Raced,), {"__module__": __name__, "__qualname__": _name})


class OnTheMaster(Service):
    """What the master offers its children."""

    def __init__(self, router: "Any" = None) -> None:
        super().__init__(router)
        self.seen = []  # type: list[Any]

    @expose(policy=AllowAny())
    def give(self, name: str, caller: Message) -> "list[Any]":
        self.seen.append((name, caller.src))
        return [name, caller.src, os.getpid()]

    @expose(policy=AllowAny())
    def items(self, n: int) -> "Iterator[int]":
        yield from range(n)

    @expose(policy=AllowAny())
    def wait(self, path: str) -> bool:
        with open(path, "w"):
            pass
        return remotesvc.current().wait(30)

    @expose(policy=AllowAny())
    def back(self, caller: Message) -> "Any":
        """Call the caller back."""
        return caller.context.call("os:getpid")

    @expose()
    def parents_only(self) -> None:
        pass


NAME = "tests.kernel.served.OnTheMaster"


def ask_master(method: str, *args: "Any") -> "Any":
    """On a child: call the master's service by name."""
    value = master().call_service(NAME, method, *args)
    return list(value) if hasattr(value, "__next__") else value


def ask_master_briefly(path: str, seconds: float) -> str:
    """On a child: give a call up after a moment."""
    try:
        master().options(timeout=seconds).call_service(NAME, "wait", path)
    except remotesvc.CallTimeout as error:
        return str(error)
    return "no timeout"


def ask(context: "remotesvc.Context", service: "Any", method: str, *args: "Any") -> "Any":
    """On a child: call a service of another context; errors by name and text."""
    try:
        return context.call_service(service, method, *args)
    except remotesvc.Error as error:
        return [type(error).__name__, str(error)]


def ask_parent(service: "Any", method: str, *args: "Any") -> "Any":
    """On a child: call a service of the context above it."""
    return ask(parent(), service, method, *args)


def set_variable(name: str, value: str) -> None:
    """Set an environment variable."""
    os.environ[name] = value


def inside(service: str) -> int:
    """How many calls of a logged service are in their methods now; those that a pool counts may be on the way there."""
    found = current_pool().get_service(service)
    return found.log.now  # type: ignore[attr-defined, no-any-return]


def statistics() -> "list[Any]":
    """What is active here."""
    return current_pool().statistics()


def resident() -> int:
    """KiB of memory that this process has now."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def can_import(name: str) -> bool:
    """Whether a module is to be had here."""
    try:
        __import__(name)
        return True
    except ImportError:
        return False


def close_pool() -> None:
    """End the pool of this process."""
    current_pool().close()


def allow_only(names: "list[str]") -> None:
    """Let only these services be made here."""
    current_pool().activator = AllowList(*names)


def locally(number: int) -> "Any":
    """Call services of this process: the thread here, the one there, a value; a negative number raises KeyError."""
    if number < 0:
        call(Serialized, "fail", number)
    return [threading.get_ident(), call(Plain, "thread"), call(Plain, "add", number)]


def count_threads(name: str) -> int:
    """How many threads of this name there are."""
    return sum(thread.name == name for thread in threading.enumerate())


def wait_for(path: str) -> bool:
    """Return once a file is there."""
    while not os.path.exists(path):
        time.sleep(0.005)
    return True


def forge(dst: int, handle: int) -> None:
    """On a child: a service call in the name of the master."""
    router = remotesvc.current().router
    data = router.codec.encode(["tests.kernel.served.Open:secret", [], {}, {}, []]).data
    frame = wire.Frame(wire.MESSAGE, 0, wire.CALLS, dst, 0, 0, handle, 0, data)
    router.links[None].send(wire.queue_of(0, wire.CALLS), 0, [frame.pack()], len(data) + wire.SIZE, False)


def imported(prefix: str) -> "list[str]":
    """The modules of a package that are here."""
    return sorted(name for name in sys.modules if name.startswith(prefix))


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
