"""A router that is not there, for the whole command line: what is called is kept, what comes back is made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from remotesvc.bootstrap import unreachable


class FakeContext:
    """Answers every call with what the backend's `answer` says."""

    def __init__(self, backend: FakeBackend, host: str) -> None:
        self.backend = backend
        self.host = host
        self.id = len(backend.opened)
        self.phases: Mapping[str, float] = {"tcp": 0.001}
        self.info: Mapping[str, Any] = {
            "version": (3, 11, 2),
            "hostname": host,
            "executable": "/usr/bin/python3",
        }
        self.given: dict[str, Any] = {}

    def options(self, **options: Any) -> FakeContext:
        self.given = options
        return self

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.backend.calls.append((self.host, fn, args, kwargs, self.given))
        future: Future[Any] = Future()
        try:
            future.set_result(self.backend.answer(self, *args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def wait_ready(self) -> None:
        """It is up."""

    def ping(self) -> float:
        return 0.0015

    def close(self) -> None:
        self.backend.closed.append(self.host)


class FakeBackend:
    """A router without a network, and what makes it; `refuse` names hosts that cannot be reached."""

    def __init__(self, answer: Callable[..., Any] = lambda context: None, refuse: str = "") -> None:
        self.answer = answer
        self.refuse = refuse.split(",")
        self.opened: list[tuple[str, dict[str, Any]]] = []
        self.closed: list[str] = []
        self.calls: list[Any] = []
        self.made: dict[str, Any] = {}
        self.became: list[tuple[str, dict[str, Any]]] = []
        self.sudo_refuses = False

    def __call__(self, **options: Any) -> Any:
        self.made = options
        return self

    def flush_output(self, timeout: float, ended: Any) -> bool:
        return True

    def explain_error(self, context: Any, error: Any) -> str:
        return ""

    def limit_output(self, most: int) -> None:
        pass

    @property
    def output_left_out(self) -> dict[int, int]:
        return {}

    def local(self, **options: Any) -> FakeContext:
        return self.ssh("local:", **options)

    def ssh(self, host: str, **options: Any) -> FakeContext:
        self.opened.append((host, options))
        if host in self.refuse:
            raise unreachable.ConnectError("connection refused", host=host, stage="tcp", hint="is sshd running?")
        return FakeContext(self, host)

    def su(self, user: str, **options: Any) -> Any:
        return self.sudo(user, "su", **options)

    def doas(self, user: str, **options: Any) -> Any:
        return self.sudo(user, "doas", **options)

    def sudo(self, user: str, method: str = "sudo", **options: Any) -> Any:
        self.became.append((user, {**options, "method": method}))
        if self.sudo_refuses:
            raise unreachable.BecomeError("cannot become root: the password is wrong", "h", "become")
        return options["via"]

    def close(self) -> None:
        self.closed.append("router")

    def prints(self, context: FakeContext, text: str, stream: str = "stdout") -> None:
        event = SimpleNamespace(context=context, host=context.host, stream=stream, raw=text.encode(), call=1)
        self.made["on_output"](event)
