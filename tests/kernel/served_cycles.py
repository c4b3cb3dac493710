"""Services that are called by what they wait for, and functions below that call them."""

import contextlib
import threading

import remotesvc
from remotesvc.service import (
    CALLER,
    AllowAny,
    DeduplicatingInvoker,
    Message,
    SerializedInvoker,
    Service,
    call,
    current_pool,
    expose,
    master,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def ask(how: str, times: int) -> int:
    """Call the service, which calls this again, and so on."""
    return 1 + master().service(Turns).answer(how, times - 1) if times else 0


def ask_late(how: str, times: int) -> "Iterator[int]":
    """The same as items, of which the last one asks."""
    yield 0
    yield ask(how, times)


def nothing() -> int:
    return 0


def ask_on_main(how: str, times: int) -> int:
    """The same, each on the main thread; ``how`` it waits for the service."""
    if not times:
        return 0
    if how == "submit":
        return 1 + int(master().call_service_async(OnMain, "answer", how, times - 1).result())
    return 1 + master().service(OnMain).answer(how, times - 1)


class OnMain(Service):
    """Calls back whoever calls it, on the main thread there."""

    @expose(policy=AllowAny())
    def answer(self, how: str, times: int, caller: Message = CALLER) -> int:
        on_main = caller.context.options(thread="main")
        if how == "begin":  # and nobody waits for that
            on_main.submit(ask_on_main, how, times)
            return 0
        return int(on_main.call(ask_on_main, how, times))


class Turns(Service):
    """Calls back whoever calls it."""

    invoker_class = SerializedInvoker

    def __init__(self, router: "Any" = None) -> None:
        super().__init__(router)
        self.reported = []  # type: list[Any]

    @expose(policy=AllowAny())
    def answer(self, how: str, times: int, caller: Message = CALLER, there: "Any" = None) -> int:
        context = there or caller.context
        if how == "call" or not times:
            return int(context.call(ask, how, times))
        if how == "items":
            return int(max(context.call(ask_late, how, times)))
        if how == "relay":
            return int(context.call(ask_relay))
        future = context.submit(ask, how, times)
        if how == "select":
            return int(remotesvc.Select([future]).get().value)
        if how == "select all":
            events = remotesvc.Select([future, context.submit(nothing)], oneshot=True)
            return int(max(event.value for event in events))
        return int(future.result()) if how == "submit" else 0

    def on_message(self, event: "Any") -> None:
        try:
            self.reported.append(event.value.call(ask, "call", 1))
        except remotesvc.CallError as error:
            self.reported.append(str(error))

    @expose(policy=AllowAny())
    def begin(self, how: str, caller: Message = CALLER) -> int:
        """Have the caller report, and do not wait for that."""
        (caller.context.cast if how == "cast" else caller.context.submit)(report, 3)
        caller.call.wait(1.2)  # longer than it takes to be looked at twice
        return len(self.reported)

    @expose(policy=AllowAny())
    def impatient(self, how: str, caller: Message = CALLER) -> int:
        """Have the caller report, and wait for that, but not for ever."""
        future = caller.context.submit(report, 3)
        with contextlib.suppress(TimeoutError):
            if how == "select":
                remotesvc.Select([future]).get(timeout=1.2)
            else:
                future.result(1.2)
        return len(self.reported)

    @expose(policy=AllowAny())
    def told(self, how: str, caller: Message = CALLER) -> int:
        """Wait for a call of the caller's that reports, and does not wait for that."""
        caller.context.call(tell, how)
        return len(self.reported)

    @expose(policy=AllowAny())
    def report(self, number: int) -> None:
        self.reported.append(number)

    @expose(policy=AllowAny())
    def reports(self) -> "list[int]":
        return self.reported


class Relay(Service):
    """Calls the other service here."""

    @expose(policy=AllowAny())
    def reports(self) -> int:
        return len(call(Turns, "reports"))


def ask_relay() -> int:
    return int(master().service(Relay).reports())


def impatient(how: str) -> int:
    return master().service(Turns).impatient(how)


def begin(how: str) -> int:
    return master().service(Turns).begin(how)


def told(how: str) -> int:
    return master().service(Turns).told(how)


def tell(how: str) -> None:
    if how == "cast":
        master().cast_service(Turns, "report", 3)
    else:
        master().call_service_async(Turns, "report", 3)


def report(number: int) -> None:
    master().service(Turns).report(number)


class Values(Service):
    """Each value is computed once, for all who ask."""

    invoker_class = DeduplicatingInvoker

    @expose(policy=AllowAny())
    def below(self, key: int, caller: Message = CALLER) -> int:
        return int(caller.context.call(ask_for, key))

    @expose(policy=AllowAny())
    def here(self, key: int) -> int:
        return int(call(Values, "here", key))


def ask_for(key: int, method: str = "below") -> int:
    return int(getattr(master().service(Values), method)(key))


class Crossing(Service):
    """Two of these wait for each other, once both have begun."""

    invoker_class = SerializedInvoker
    both = threading.Barrier(2)

    def other(self) -> "type[Service]":
        return Right if type(self) is Left else Left

    @expose(policy=AllowAny())
    def here(self) -> int:
        self.both.wait(60)
        return 1 + int(call(self.other(), "one"))

    @expose(policy=AllowAny())
    def below(self, caller: Message = CALLER) -> int:
        self.both.wait(60)
        return 1 + int(caller.context.call(cross, self.other().__name__, "one"))

    @expose(policy=AllowAny())
    def one(self) -> int:
        return 1


class Left(Crossing):
    pass


class Right(Crossing):
    pass


def cross(service: str, method: str) -> int:
    return int(master().call_service("tests.kernel.served_cycles." + service, method))


class Helper(Service):
    """A service of the master that those below need."""

    @expose(policy=AllowAny())
    def ready(self, caller: Message = CALLER) -> str:
        return str(caller.context.call_service(Made, "ready"))


class Made(Service):
    """Made with the help of one that calls it."""

    def __init__(self, router: "Any" = None) -> None:
        super().__init__(router)
        master().service(Helper).ready()

    @expose()
    def ready(self) -> str:
        return "ready"


class One(Service):
    """Cannot be made without the other, nor that one without this."""

    both = threading.Barrier(2)

    def __init__(self, router: "Any" = None) -> None:
        super().__init__(router)
        One.both.wait(60)
        current_pool().get_service(Other if type(self) is One else One)

    @expose()
    def ready(self) -> str:
        return "ready"


class Other(One):
    pass


class Patient(Service):
    """Waits, on the thread of its caller's call, for what takes for ever."""

    def __init__(self, router: "Any" = None) -> None:
        super().__init__(router)
        self.ended = []  # type: list[str]

    @expose(policy=AllowAny())
    def wait(self, how: str, caller: Message = CALLER) -> None:
        try:
            if how == "turn":
                call(Left, "one")
            else:
                caller.context.submit(cross, "Left", "one").result()
        except remotesvc.Cancelled:
            self.ended.append(how)
            raise


def ask_patient(how: str) -> None:
    master().service(Patient).wait(how)
