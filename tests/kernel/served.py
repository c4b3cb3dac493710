"""Services that tests call on targets, of any Python from 3.6 on."""

import os
import sys
import threading
import time

import remotesvc
from remotesvc.service import (
    CALLER,
    AllowAny,
    AllowList,
    AllowParents,
    Message,
    Policy,
    Service,
    arg_spec,
    current_pool,
    expose,
    no_reply,
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
        return n  # type: ignore[return-value]

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
    def fails_with_a_text(self, who: Message = CALLER) -> "Any":
        try:
            who.fail("no exception")  # type: ignore[arg-type]
        except remotesvc.UsageError as error:
            return str(error)

    @expose()
    def asks_itself(self, who: Message = CALLER) -> "Any":
        here = who.context.tree.context(who.context.tree.router.id)
        return here.call_service(Plain, "add", 1)

    @expose()
    def calls_itself(self, who: Message = CALLER) -> "Any":
        return who.context.tree.context(who.context.tree.router.id).call(os.getpid)

    @expose()
    def has_none(self) -> "Any":
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


class Impostor(object):  # noqa: UP004
    """No service, though it could be made like one."""

    made = 0

    def __init__(self, router: "Any" = None) -> None:
        Impostor.made += 1

    @staticmethod
    def count() -> int:
        return Impostor.made

    @expose()
    def method(self) -> int:
        return self.made


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


def set_variable(name: str, value: str) -> None:
    """Set an environment variable."""
    os.environ[name] = value


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


def count_threads(name: str) -> int:
    """How many threads of this name there are."""
    return sum(thread.name == name for thread in threading.enumerate())


def wait_for(path: str) -> bool:
    """Return once a file is there."""
    while not os.path.exists(path):
        time.sleep(0.005)
    return True


def imported(prefix: str) -> "list[str]":
    """The modules of a package that are here."""
    return sorted(name for name in sys.modules if name.startswith(prefix))
