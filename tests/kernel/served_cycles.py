"""A service of the master that runs one call at a time, and functions below that call it."""

from remotesvc.service import CALLER, AllowAny, Message, SerializedInvoker, Service, expose, master

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def ask(how: str, times: int) -> int:
    """Call the service, which calls this again, and so on."""
    return 1 + master().service(Turns).answer(how, times - 1) if times else 0


class Turns(Service):
    """Calls back whoever calls it."""

    invoker_class = SerializedInvoker

    def __init__(self, router: "Any" = None) -> None:
        super().__init__(router)
        self.reported = []  # type: list[int]

    @expose(policy=AllowAny())
    def answer(self, how: str, times: int, caller: Message = CALLER) -> int:
        if how == "call" or not times:
            return int(caller.context.call(ask, how, times))
        future = caller.context.submit(ask, how, times)
        return int(future.result()) if how == "submit" else 0

    @expose(policy=AllowAny())
    def begin(self, how: str, caller: Message = CALLER) -> int:
        """Have the caller report, and do not wait for that."""
        (caller.context.cast if how == "cast" else caller.context.submit)(report, 3)
        caller.call.wait(1.2)  # longer than it takes to be looked at twice
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
