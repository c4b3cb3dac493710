"""The part that every command over hosts shares: a router, one piece of work a host, a report, an exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from remotesvc.fleet.attempt import Attempt
from remotesvc.fleet.gather import Stop, gather
from remotesvc.fleet.member import Member, shown_host
from remotesvc.fleet.outcome import Outcome, Status
from remotesvc.fleet.results import fold_names
from remotesvc.fleet.schedule import Limits

from . import exitcodes, outfiles
from .descriptors import forks_that_fit
from .hosts import MakeRouter, RouterLike, check, open_context, settle
from .interrupt import Interrupts
from .problems import BadUsage, OurError
from .secrets import with_passwords
from .selection import select_hosts
from .settings import Settings, use_color, use_progress
from .show.collected import collecting
from .show.console import Console
from .show.live import Live, log_line, time_stamp
from .show.render import below
from .show.report import Reporter, Text, choose
from .show.stream import Stream
from .show.told import Told
from .visit import Visit

if TYPE_CHECKING:
    import click

    from remotesvc.output import LogEvent

Work = Callable[[Visit], Any]
ExitCode = Callable[[list[Outcome]], int]
_WARNING, _INFO, _DEBUG = 30, 20, 10
_AFTER_INTERRUPT = 128 * 1024
"""Bytes of output still shown after a Ctrl-C, of all hosts together. Each may have more than a mebibyte waiting, which
takes seconds to show where the lines are short."""


@dataclass
class Session:
    """One run over hosts: what was asked for, where to write, and what came of it."""

    settings: Settings
    hosts: Sequence[Member]
    make_router: MakeRouter
    console: Console
    live: Live
    stop: Stop
    outcomes: list[Outcome] = field(default_factory=list)
    _router: RouterLike | None = None

    @classmethod
    def of(cls, ctx: click.Context, pattern: str, settings: Settings, own_streams: bool = False) -> Session:
        """The session of a command that works on the hosts of PATTERN. Raises what `select_hosts` and `create` do."""
        return cls.create(settings, select_hosts(pattern, settings), ctx.obj, own_streams)

    @classmethod
    def create(
        cls, settings: Settings, hosts: Sequence[Member], make_router: MakeRouter, own_streams: bool = False
    ) -> Session:
        """A session that writes to this process's stdout and stderr. UsageError if the options make no sense."""
        check(hosts, settings)
        if settings.write_result is not None and len(hosts) > 1:
            raise BadUsage("--write-result is for one host; for several, --outdir writes a file each")
        outfiles.check(settings)
        settings = with_passwords(settings, any(host.spec.kind == "ssh" for host in hosts))
        stop = Stop()
        console = make_console(settings, progress=len(hosts) > 1, on_broken=stop.request)
        labels = len(hosts) > 1 and not settings.no_labels
        live = Live(console, keep=settings.kept_streams, labels=labels, own_streams=own_streams,
                    stamp=time_stamp if settings.timestamps else None, collect=collecting(settings))
        return cls(settings, hosts, make_router, console, live, stop)

    @property
    def several(self) -> bool:
        return len(self.hosts) > 1

    def run(self, work: Work, text: Text | None = None, exit_code: ExitCode | None = None) -> int:
        """Do `work` for every host over a connection to it, show each outcome as it comes; returns the exit code.

        `text` makes the text of a value where that is not simply the value.
        """
        settings = self.settings
        reporter = choose(settings, self.console, self.hosts, text)
        router = self.make_router(
            path=settings.path,
            imports=settings.origins,
            allow=settings.allow,
            log_level=(_WARNING, _INFO, _DEBUG)[min(settings.verbose, 2)],
            on_output=self.live,
            on_log=self._on_log,
            # With these, a program reads our output or feeds our input: there is no person to ask.
            interactive=not (settings.json or settings.jsonl or settings.no_stdin),
            alone=self.console.asked,
        )

        self._router = router

        def for_host(host: Member, attempt: Attempt) -> Any:
            context = open_context(router, host, settings)
            try:
                self.live.name(context.id, host.text)
                if settings.limits.only_when_up:
                    context.wait_ready()
                return work(Visit(self, host, context, attempt))
            finally:
                settle(router, context)
                attempt.phases.update(context.phases)
                if self.several:  # a thousand hosts must not mean a thousand open connections
                    context.close()

        return self.gather(for_host, reporter, exit_code)

    def gather(
        self, work: Callable[[Member, Attempt], Any], reporter: Reporter, exit_code: ExitCode | None = None
    ) -> int:
        """Do `work` for every host, report each outcome as it comes; returns the exit code."""
        from .show.logged import logged_on

        with Interrupts(self.stop, self.console.leave) as interrupts, logged_on(self.console):
            try:
                self._gather(work, reporter, interrupts)
            finally:
                if self._router is not None:
                    # Still under Interrupts: a second Ctrl-C also cuts a slow close short.
                    self._router.close()
                self.live.close()
        if interrupts.count:
            self._tell_left_out(sum(self._left_out().values()))
            return interrupts.code
        self.console.check_results()
        return (exit_code or exitcodes.combine)(self.outcomes)

    @property
    def router(self) -> RouterLike:
        """What connects the hosts: for the work of `run`."""
        assert self._router is not None
        return self._router

    def _left_out(self) -> Mapping[int, int]:
        return {} if self._router is None else self._router.output_left_out

    def _gather(
        self, work: Callable[[Member, Attempt], Any], reporter: Reporter, interrupts: Interrupts
    ) -> None:
        from .show.progress import Progress

        settings = self.settings
        deadline = time.monotonic() + settings.deadline if settings.deadline else None

        def stopping() -> None:
            self.console.give_up_question()
            if interrupts.count:
                if self._router is not None:
                    self._router.limit_output(_AFTER_INTERRUPT)
                again = "; Ctrl-C again leaves at once" if self.console.err.is_terminal else ""
                names = fold_names(map(shown_host, progress.hosts))
                self.console.note(f"interrupted; not finished: {names}{again}")

        def begun(host: Member, attempt: Attempt) -> Any:
            progress.began(host.text)
            return work(host, attempt)

        def retried(host: Member, tries: int, error: BaseException) -> None:
            if self.console.verbose:
                self.console.note(f"{host.label}: {below(f'try {tries} failed: {Told.of(error).message}')}")

        if settings.failed_to is not None and not outfiles.is_special(settings.failed_to):
            self._write_failed(settings.failed_to)  # all: whoever leaves at once must leave no earlier run's hosts
        unwritten: OurError | None = None
        self.stop.noticed = stopping
        with _ended(reporter), Progress(self.console, [host.text for host in self.hosts]) as progress:
            for outcome in gather(self.hosts, begun, limits=self._limits(), stop=self.stop,
                                  deadline=deadline, retried=retried):
                self.outcomes.append(outcome)
                self.live.left_out(self._left_out())
                printed = self.live.finish(outcome.host)
                # If stdout takes no more, hosts that did not run for that reason are not worth a line.
                gone = self.console.out.broken or self.console.out.failure is not None
                if not gone or outcome.status not in (Status.NOT_RUN, Status.CANCELLED):
                    try:
                        reporter.outcome(outcome, printed)
                    except OurError as error:  # a full disk: what is under way is still told of, nothing more begun
                        unwritten = unwritten or error
                        self.stop.request()
                else:
                    printed.discard()
                progress.ended(outcome.host, outcome.ok)
        if self.stop.reason:
            never = sum(outcome.status is Status.NOT_RUN for outcome in self.outcomes)
            tail = f"; {never} not tried" if never else ""
            self.console.error("", f"stopped: {self.stop.reason}{tail}")
        if settings.failed_to is not None:
            self._write_failed(settings.failed_to)
        self._summary()
        if unwritten is not None:
            raise unwritten

    def _limits(self) -> Limits:
        """How the run is paced: as asked for, as far as this process may have files open."""
        limits = self.settings.limits
        wanted = min(limits.forks, len(self.hosts))
        fits, files = forks_that_fit(wanted)
        if fits == wanted:
            return limits
        shown = "1 host" if fits == 1 else f"{fits} hosts"
        self.console.note(f"{shown} at a time, not {wanted}: this process may have {files} files open (ulimit -n)")
        return replace(limits, forks=fits)

    def _tell_left_out(self, size: int) -> None:
        if size:
            from .show.meter import size_text

            self.console.error("", f"interrupted: {size_text(size)} of what targets printed are left out")

    def _summary(self) -> None:
        """One line about several hosts, for people."""
        settings = self.settings
        if not self.several or settings.json or settings.jsonl or self.console.out.broken:
            return
        parts = []
        for status in Status:
            names = [shown_host(outcome.host) for outcome in self.outcomes if outcome.status is status]
            if names:
                shown = "" if status is Status.OK else f" ({fold_names(names)})"
                parts.append(f"{len(names)} {status.value.replace('_', ' ')}{shown}")
        self.console.note(f"{len(self.hosts)} hosts: {', '.join(parts)}")

    def _write_failed(self, path: str) -> None:
        """The hosts that are not fine, in their order, as a file of hosts; an empty one if all are."""
        fine = {outcome.host for outcome in self.outcomes if outcome.ok}
        names = [host.text for host in self.hosts if host.text not in fine]
        try:
            outfiles.replace(path, "".join(f"{name}\n" for name in names))
        except OSError as error:
            raise OurError(f"cannot write the failed hosts to {path}: {error.strerror}") from None

    def _on_log(self, event: LogEvent) -> None:
        if not self.console.quiet:
            stamp = time_stamp() if self.settings.timestamps else ""
            self.console.remote(f"{log_line(event, self.live.host_of(event), stamp)}\n")


@contextmanager
def _ended(reporter: Reporter) -> Iterator[None]:
    """Its end comes whatever happens: a list that was begun on stdout must be a whole one."""
    try:
        yield
    finally:
        reporter.end()


def make_console(settings: Settings, progress: bool = False, on_broken: Callable[[], object] = lambda: None) -> Console:
    """The console over this process's streams, with the colours and the progress line the settings allow."""
    streams = []
    for file in (sys.stdout, sys.stderr):
        is_terminal = file is not None and file.isatty()
        streams.append(Stream(file, use_color(settings.color, os.environ, is_terminal)))
    return Console(
        streams[0],
        streams[1],
        quiet=settings.quiet,
        verbose=settings.verbose,
        progress=progress and use_progress(settings, os.environ, streams[1].is_terminal),
        on_broken=on_broken,
    )
