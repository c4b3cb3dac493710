"""A service of the master, and functions that tests call on targets to call services elsewhere. Python 3.6."""

import os
import threading

import remotesvc
from remotesvc.bootstrap.links import wire
from remotesvc.service import (
    AllowAny,
    Message,
    Service,
    expose,
    master,
    parent,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


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


NAME = "tests.kernel.served_above.OnTheMaster"


def ask_master(method: str, *args: "Any") -> "Any":
    """On a child: call the master's service by name."""
    value = master().call_service(NAME, method, *args)
    return list(value) if hasattr(value, "__next__") else value


def ask_on_own_thread() -> "list[Any]":
    """On a child: the services above and a receiver, on a thread that no call runs on; and what it says of the call."""
    answers = []  # type: list[Any]

    def work() -> None:
        answers.append(ask_master("give", "thread"))
        answers.append(parent().id)
        receiver = remotesvc.Receiver()
        receiver.sender().send("own")
        answers.append(receiver.get(10).value)
        try:
            remotesvc.current()
        except remotesvc.UsageError as error:
            answers.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return answers


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


def forge(dst: int, handle: int) -> None:
    """On a child: a service call in the name of the master."""
    router = remotesvc.current().router
    data = router.codec.encode(["tests.kernel.served.Open:secret", [], {}, {}, []]).data
    frame = wire.Frame(wire.MESSAGE, 0, wire.CALLS, dst, 0, 0, handle, 0, data)
    router.links[None].send(wire.queue_of(0, wire.CALLS), 0, [frame.pack()], len(data) + wire.SIZE, False)
