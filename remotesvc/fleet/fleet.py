"""A fleet: the same call on many hosts, one outcome each."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from remotesvc.bootstrap.bound import Bound
from remotesvc.bootstrap.data.secret import Secret
from remotesvc.bootstrap.errors import UsageError
from remotesvc.calling.options import DEFAULTS, Options
from remotesvc.router import Router

from .arguments import spread
from .asyncio_bridge import beside, follow
from .attempt import Attempt, stopping
from .call import Arguments, Call, ServiceCall
from .chosen import Source, choose
from .connection import Become
from .gather import Stop, gather
from .hooks import Hooks
from .links import Links
from .member import Member, nobody_logs_in
from .outcome import Outcome
from .printed import Printed
from .results import Results
from .schedule import Limits, check_number
from .work import Work

if TYPE_CHECKING:
    from remotesvc.calling.context import Context
    from remotesvc.output import LogEvent, OutputEvent

    from .executor import FleetExecutor


class Fleet(Bound):
    """Many hosts as one. A context manager: leaving it closes every connection.

    hosts        a pattern (see `fleet.pattern`), or the hosts' names
    inventory    files, directories, scripts or "h1,h2,"; with one, patterns match its hosts only
    limit, exclude  patterns: keep only these, leave these out
    forks, serial, max_fail_percentage, fail_fast, retries, retry_delay   see `Limits`; serial may be just one size
    deadline     seconds for one run over all hosts; what is not through then is cancelled or not run
    reconnect    a host that was lost is connected again at its next call
    on_start     called with (host name) when its turn comes in a run, before anything is done for it
    on_connect   called with (host name, context) when a host is connected
    on_retry     called with (host name, tries so far, error) when a host could not be reached and will be tried again
    on_lost      called with (host name, Lost) when a host that was up is lost, also while nothing is under way there;
                 not for what closing the fleet ends
    on_result    called with each Outcome before it is handed out, on the thread that takes it; the others are called on
                 threads of the run, on_lost on one of the router's. What they raise is logged, once each, and changes
                 nothing
    become, become_user, become_password   work as another user (root if none is named)
    become_method   "sudo" (default), "su" or "doas"
    path, on_output, on_log, log_level, concurrency   as of `Router`
    keep_output  what a call prints goes into its Outcome (`stdout`, `stderr`), and to on_output if that is given. Of
                 subprocesses, threads and isolation="process" it is not known whose they are: of two runs at the same
                 time, whichever ends first on a host is given what those of both printed
    connection   what is not named here goes to `Router.ssh`: user, port, key_filename, host_keys, python, ...

    Connections are opened at a host's first call and kept. Raises UsageError, before anything is connected, for what
    cannot be: a pattern without a match, an unknown argument, an inventory that cannot be read.
    """

    def __init__(
        self, hosts: str | Iterable[str] = "all", *, inventory: Source | Sequence[Source] = (),
        limit: str | Sequence[str] = (), exclude: str | Sequence[str] = (), forks: int = Limits.forks,
        serial: str | int | Sequence[str | int] = (), max_fail_percentage: float | None = None, fail_fast: bool = False,
        retries: int = 0, retry_delay: float = Limits.retry_delay, deadline: float | None = None,
        reconnect: bool = False,
        on_start: Callable[[str], object] | None = None, on_connect: Callable[[str, Context], object] | None = None,
        on_retry: Callable[[str, int, BaseException], object] | None = None,
        on_lost: Callable[[str, BaseException], object] | None = None,
        on_result: Callable[[Outcome], object] | None = None,
        path: Iterable[str | os.PathLike[str]] = (), on_output: Callable[[OutputEvent], object] | None = None,
        on_log: Callable[[LogEvent], object] | None = None, log_level: int | str = 30, concurrency: int | None = None,
        keep_output: bool = False,
        become: bool | None = None, become_user: str | None = None, become_password: str | Secret | None = None,
        become_method: str | None = None, **connection: Any,
    ) -> None:  # fmt: skip
        self._matcher, self._members = choose(hosts, inventory, limit, exclude)
        secret = Secret(become_password) if isinstance(become_password, str) else become_password
        wanted = True if become is None and become_user is not None else become
        other = Become(wanted, become_user, become_method, secret)
        for member in self._members:
            member.check(connection, other)
        user = connection.get("user")
        if user is not None and nobody_logs_in(self._members):
            raise UsageError("user= says who logs in, and nobody logs in to local:; to work as another user,"
                             f" become_user={user!r}")
        sizes = tuple(serial) if isinstance(serial, Iterable) and not isinstance(serial, str) else (serial,)
        if deadline is not None:
            check_number("deadline", deadline)
        self._limits = Limits(forks, sizes, max_fail_percentage, fail_fast, retries, retry_delay)
        self._deadline = deadline
        self._hooks = Hooks(on_start=on_start, on_connect=on_connect, on_retry=on_retry, on_lost=on_lost,
                            on_result=on_result)
        self._options = DEFAULTS
        settings: dict[str, Any] = {} if concurrency is None else {"concurrency": concurrency}
        self._printed = Printed(on_output) if keep_output else None
        self.router = Router(path=path, on_output=self._printed or on_output, on_log=on_log, log_level=log_level,
                             **settings)
        self._links = Links(self.router, connection, other, reconnect,
                            lambda member, context: self._hooks.tell("on_connect", member.text, context),
                            lambda member, error: self._hooks.tell("on_lost", member.text, error))

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Fleet:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await beside(self.close)

    def close(self) -> None:
        """End every connection; calls under way end with Lost or NotSent. Idempotent."""
        self._links.close()
        self.router.close()

    # -- which hosts

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of the hosts, in the pattern's order."""
        return tuple(member.text for member in self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"<Fleet of {len(self)} hosts>"

    def filter(self, wanted: str | Callable[[Any], bool]) -> Fleet:
        """This fleet with fewer hosts, over the same connections.

        wanted is a pattern, or a function that is given a host's facts (name, groups, variables) and keeps it by
        returning true.
        """
        if isinstance(wanted, str):
            names = {entry.name for entry in self._matcher.hosts(wanted)}
            return self._with(members=tuple(member for member in self._members if member.text in names))
        return self._with(members=tuple(member for member in self._members if wanted(member.facts())))

    def options(self, **options: Any) -> Fleet:
        """This fleet with other call options (timeout, isolation, cwd...); see `Context.options`.

        With idempotent=True, and reconnect=True of the fleet, `retries` hold for a host lost during a call, too.
        Raises UsageError for options there are not.
        """
        return self._with(options=self._options.replace(options))

    def _with(self, members: tuple[Member, ...] | None = None, options: Options | None = None) -> Fleet:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._members = self._members if members is None else members
        other._options = self._options if options is None else options
        return other

    def context(self, host: str) -> Context:
        """The context on a host, opened if there is none. Raises KeyError, ConnectError."""
        for member in self._members:
            if member.text == host:
                return self._links.context(member)
        raise KeyError(host)

    # -- calls

    def run(self, fn: Any, /, *args: Any, **kwargs: Any) -> Results:
        """Call `fn(*args, **kwargs)` on every host; returns when each has an outcome. Raises nothing of theirs.

        A parameter of `fn` annotated `remotesvc.Host` is given the facts of the host it runs on. Ctrl-C stops what is
        under way and is raised again; `stream` lets one keep what had arrived.
        """
        return self._in_order(self.stream(fn, *args, **kwargs))

    def stream(self, fn: Any, /, *args: Any, **kwargs: Any) -> Iterator[Outcome]:
        """Like `run`, but yields each Outcome as it comes. Leaving the loop stops what is under way."""
        return self._each(fn, lambda member: (args, kwargs))

    def map(self, fn: Any, arguments: Mapping[str, Any], /) -> Results:
        """Call `fn` on the hosts that `arguments` names, each with its own: a tuple of positional arguments, a dict of
        keywords, or one value. Raises UsageError for a host that is not in the fleet."""
        unknown = sorted(set(arguments) - set(self.hosts))
        if unknown:
            raise UsageError(f"not in this fleet: {', '.join(unknown[:5])}")
        chosen = self._with(members=tuple(member for member in self._members if member.text in arguments))
        return chosen._in_order(chosen._each(fn, lambda member: spread(arguments[member.text])))

    async def arun(self, fn: Any, /, *args: Any, **kwargs: Any) -> Results:
        """`run` for asyncio: cancelling the task stops what is under way."""
        return self._in_order([outcome async for outcome in self.astream(fn, *args, **kwargs)])

    async def astream(self, fn: Any, /, *args: Any, **kwargs: Any) -> AsyncIterator[Outcome]:
        """`stream` for asyncio."""
        async for outcome in follow(lambda stop: self._each(fn, lambda member: (args, kwargs), stop)):
            yield outcome

    # -- detached jobs

    def detach(self, fn: Any, /, *args: Any, **kwargs: Any) -> Results:
        """Begin a job on every host; see `Context.detach`. Each value is its Job; the first half of their ids is the
        same."""
        from remotesvc.jobs.ids import new_run

        call, run = Call(fn, lambda member: (args, kwargs)), new_run()
        return self._in_order(self._outcomes(lambda context, member, attempt: call.detach(context, member, run)))

    def jobs(self) -> Results:
        """The detached jobs on every host, each value a list; see `Context.jobs`."""
        return self._in_order(self._outcomes(lambda context, member, attempt: context.jobs()))

    # -- services and files

    def call_service(self, service: Any, method: str, /, *args: Any, **kwargs: Any) -> Results:
        """Call a method of a service on every host; see `Context.call_service`. One outcome each, as of `run`.

        Where `service` is its class, a parameter annotated `remotesvc.Host` is filled in as by `run`.
        """
        call = ServiceCall(service, method, lambda member: (args, kwargs))
        return self._in_order(self._outcomes(call.begin, None, call.small))

    def push(self, src: Any, dst: str, **options: Any) -> Results:
        """Copy a file, directory or bytes to `dst` on every host; see `Context.push`. It is read and compressed once.

        Each value is what was copied. Raises OSError and TransferError for `src` itself.
        """
        from remotesvc.files.shared import share

        chosen = {name: options[name] for name in ("symlinks", "exclude", "compress") if name in options}
        with share(src, **chosen) as shared:
            return self._in_order(self._outcomes(lambda context, member, attempt: context.push(
                shared, dst, **stopping(options, attempt))))

    def pull(self, src: str, dst: str | os.PathLike[str], **options: Any) -> Results:
        """Copy `src` of every host to `dst`/HOST here; see `Context.pull`.

        Raises UsageError, before anything is copied, if the names of two hosts are one as a directory's.
        """
        from .member import check_file_names, file_name

        check_file_names(self._members)

        def pull(context: Context, member: Member, attempt: Attempt) -> Any:
            directory = os.path.join(os.fspath(dst), file_name(member.label))
            if not options.get("dry_run"):
                os.makedirs(directory, exist_ok=True)
            return context.pull(src, directory + os.sep, **stopping(options, attempt))

        return self._in_order(self._outcomes(pull))

    def sync(self, src: str | os.PathLike[str], dst: str, **options: Any) -> Results:
        """Make the directory `dst` on every host what `src` is here; see `Context.sync`."""
        return self._in_order(self._outcomes(lambda context, member, attempt: context.sync(
            src, dst, **stopping(options, attempt))))

    def executor(self, policy: str = "any", slots: int = 1, idempotent: bool = False) -> FleetExecutor:
        """A `concurrent.futures.Executor` whose workers are the hosts; see `FleetExecutor`."""
        from .executor import FleetExecutor

        idempotent = idempotent or self._options.idempotent
        return FleetExecutor(self._members, self._links, policy, slots, self._options, idempotent)

    def _in_order(self, outcomes: Iterable[Outcome]) -> Results:
        found = {outcome.host: outcome for outcome in outcomes}
        return Results(found[host] for host in self.hosts if host in found)

    def _each(self, fn: Any, arguments: Callable[[Member], Arguments], stop: Stop | None = None) -> Iterator[Outcome]:
        call = Call(fn, arguments)
        return self._outcomes(call.begin, stop, call.small)

    def _outcomes(self, begin: Callable[[Context, Member, Attempt], Any], stop: Stop | None = None,
                  small: Callable[[Member], bool] = lambda member: False) -> Iterator[Outcome]:
        """One outcome a host of `begin(context, member, attempt)`; see `Work`."""
        deadline = None if self._deadline is None else time.monotonic() + self._deadline
        limits = replace(self._limits, idempotent=self._links.reconnects and self._options.idempotent)
        work = Work(self._links, self._hooks, self._options, begin, small, self._printed, limits.only_when_up)

        def retried(member: Member, tries: int, error: BaseException) -> None:
            self._hooks.tell("on_retry", member.text, tries, error)

        for outcome in gather(self._members, work.whole, begin=work.at_once, limits=limits, stop=stop,
                              deadline=deadline, retried=retried):
            self._hooks.tell("on_result", outcome)
            yield outcome
