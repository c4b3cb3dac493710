"""From a host to its context: the one place where commands meet the Router. `selection` says which hosts there are.

`make_router` is the seam: commands see only these protocols, and tests of the command line bring a router of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from .problems import BadUsage
from .settings import Settings, of_environment, typed

if TYPE_CHECKING:
    from remotesvc.bootstrap.failures.callerror import CallError
    from remotesvc.fleet.connection import Become
    from remotesvc.fleet.member import Member
    from remotesvc.modules.explain import ImportOrigin
    from remotesvc.output import LogEvent, OutputEvent
    from remotesvc.ssh.terminal import Alone

_SETTLING = 60.0
"""Seconds to wait for output that is on its way: a pager that nobody scrolls must not hold a run for ever."""
_OF_SSH = {
    "port": "-p", "ssh_options": "-o", "ssh_config": "-F", "private_key": "--private-key", "host_keys": "--host-keys",
    "transport": "--transport", "ask_pass": "-k", "password_file": "--password-file",
}  # fmt: skip
"""Options that say nothing where no host is reached over SSH."""
_A_YEAR = 365 * 86400.0


class FutureLike(Protocol):
    """What a submitted call gives."""

    def result(self, timeout: float | None = None) -> Any: ...

    def cancel(self) -> Any: ...


class CallsLike(Protocol):
    """What can be called: a context, or what its `options(...)` gives."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> FutureLike: ...

    def call_service_async(self, service: Any, method: str, /, *args: Any, **kwargs: Any) -> FutureLike: ...

    def job(self, id: str) -> Any: ...

    def jobs(self) -> Any: ...


class ContextLike(Protocol):
    """What commands use of a context."""

    @property
    def id(self) -> int: ...

    @property
    def phases(self) -> Mapping[str, float]: ...

    @property
    def info(self) -> Mapping[str, Any]: ...

    def options(self, **options: Any) -> CallsLike: ...

    def wait_ready(self) -> Any: ...

    def ping(self) -> float: ...

    def close(self) -> Any: ...


class RouterLike(Protocol):
    """What commands use of a router."""

    def local(self, *, python: str | None, connect_timeout: float) -> ContextLike: ...

    def ssh(self, host: str, **options: Any) -> ContextLike: ...

    def sudo(self, user: str, **options: Any) -> ContextLike: ...

    def su(self, user: str, **options: Any) -> ContextLike: ...

    def doas(self, user: str, **options: Any) -> ContextLike: ...

    def explain_error(self, context: Any, error: CallError) -> str: ...

    def explain_imports(self, context: Any) -> list[ImportOrigin]: ...

    def flush_output(self, timeout: float, ended: Any) -> bool: ...

    def limit_output(self, most: int) -> None: ...

    @property
    def output_left_out(self) -> Mapping[int, int]: ...

    def close(self) -> Any: ...


MakeRouter = Callable[..., RouterLike]
"""`make_router`, or what stands for it in tests."""


def make_router(
    *,
    path: Sequence[str],
    log_level: int,
    on_output: Callable[[OutputEvent], object],
    on_log: Callable[[LogEvent], object],
    interactive: bool,
    alone: Alone = nullcontext,
    imports: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
) -> RouterLike:
    """A router that finds modules in `path` first, follows `imports` and `allow`, and asks a person only if
    `interactive`, with `alone` entered."""
    from remotesvc.router import Router
    from remotesvc.ssh import terminal

    from .configuration import cache_file

    router: Any = Router(
        path=list(path), imports=imports, allow=allow, log_level=log_level, on_output=on_output, on_log=on_log,
        interactive=interactive and (terminal.find(alone) or False), remember=cache_file(os.environ),
    )  # fmt: skip
    return router  # type: ignore[no-any-return]


def settle(router: RouterLike, context: ContextLike) -> None:
    """Return when `on_output` has been given all that targets printed before the answers we have, of `context`,
    whose call is over, to the last byte.

    The router hands output over on a thread of its own, which may be behind the one that brought an answer.
    """
    router.flush_output(_SETTLING, ended=context)


def open_context(router: RouterLike, host: Member, settings: Settings) -> ContextLike:
    """Connect to one host."""
    context: ContextLike = host.open(router, connection_arguments(settings), become(settings))
    return context


def peer_of(context: Any) -> Any:
    """Who is at the other end of a context's SSH connection; None if it has none."""
    tree = getattr(context, "tree", None)
    return getattr(getattr(tree and tree.ledger.start_of(context.id), "path", None), "peer", None)


def check(hosts: Sequence[Member], settings: Settings) -> None:
    """Raises UsageError, before anything is connected, if the options make no sense."""
    from remotesvc.fleet.member import nobody_logs_in

    key = settings.private_key
    if key is not None and not os.path.exists(os.path.expanduser(key)):
        raise BadUsage(f"there is no key file {key}")
    config = settings.ssh_config
    if config is not None and config != "none" and not os.path.exists(os.path.expanduser(config)):
        raise BadUsage(f"there is no ssh_config {config}; -F none reads no file")
    for path in settings.path if typed("path") or of_environment("path") else ():
        if path and not os.path.exists(os.path.expanduser(path)):  # ":/srv" is what an unset variable leaves
            raise BadUsage(f"there is no {path}, which {'--path' if typed('path') else 'REMOTESVC_PATH'} names")
    given = connection_arguments(settings)
    # A jump host that is a default, of the environment or a file, is for those that are reached over SSH.
    default = {**given, "jump": None} if not typed("jump") else given
    for host in hosts:
        host.check(given if host.spec.kind == "ssh" else default, become(settings))
    if not hosts:  # doctor looks after itself then
        return
    if all(host.spec.kind != "ssh" for host in hosts):
        for name, flag in _OF_SSH.items():
            if getattr(settings, name) and typed(name):
                raise BadUsage(f"{flag} is for hosts that are reached over SSH, and {hosts[0].text} is not")
    if settings.user is not None and typed("user") and nobody_logs_in(hosts):
        raise BadUsage("-u says who logs in, and nobody logs in to local:; to work as another user, --become-user"
                       f" {settings.user}")


def become(settings: Settings) -> Become:
    """What the command line says of working as another user."""
    from remotesvc.fleet.connection import Become

    wanted = True if settings.become_user is not None else settings.become  # whoever names a user wants to be it
    return Become(wanted, settings.become_user, settings.become_method, settings.become_password)


def connection_arguments(settings: Settings) -> dict[str, Any]:
    """What the command line says of connections, as arguments of `Router.ssh`."""
    return {
        "user": settings.user,
        "port": settings.port,
        "key_filename": settings.private_key,
        "ssh_config": settings.ssh_config,
        "extra_options": settings.ssh_options,
        "jump": settings.jump,
        "transport": settings.transport,
        "password": settings.password,
        "host_keys": settings.host_keys,
        "python": settings.python,
        "connect_timeout": _connect_timeout(settings),
    }


def _connect_timeout(settings: Settings) -> float:
    return settings.connect_timeout or _A_YEAR  # 0 on the command line is "no limit"


def python_version(info: Mapping[str, Any]) -> str:
    """The Python of a target, as in "3.11.2", from what its kernel says of itself."""
    return ".".join(str(part) for part in tuple(info.get("version") or ())[:3])
