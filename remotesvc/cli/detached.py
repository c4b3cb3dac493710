"""Detached jobs at the shell: how one is begun on each host, and how what became of one is shown as `run` shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from remotesvc.bootstrap.errors import Lost

from .settings import Settings

if TYPE_CHECKING:
    from remotesvc.fleet.attempt import Attempt
    from remotesvc.fleet.member import Member
    from remotesvc.jobs.job import Job
    from remotesvc.jobs.record import JobInfo

    from .fanout import Session
    from .hosts import ContextLike

Begin = Callable[["ContextLike", "Attempt", str, Any, "dict[str, Any]"], str]


def detacher(settings: Settings, jobs_dir: str | None, output_limit: int | None) -> Begin:
    """What begins a job on a host and returns its id. The ids of one run have their first half in common."""
    from remotesvc.jobs.ids import new_run
    from remotesvc.jobs.job import detach

    check_place(jobs_dir)
    run = new_run()

    def begin(context: ContextLike, attempt: Attempt, call: str, args: Any, kwargs: dict[str, Any]) -> str:
        calls: Any = calls_of(context, settings, jobs_dir, output_limit=output_limit)
        job: Job = attempt.wait(lambda: detach(calls, call, tuple(args), kwargs, run))
        return job.id

    return begin


def check_place(jobs_dir: str | None) -> None:
    """Raises UsageError, before anything is connected, for what cannot be a place for jobs."""
    from remotesvc.calling.options import Options

    Options().replace({"jobs_dir": jobs_dir})


def calls_of(context: ContextLike, settings: Settings, jobs_dir: str | None, **options: Any) -> Any:
    """The context with what the command line says of jobs, and of time for questions."""
    return context.options(timeout=settings.timeout or None, jobs_dir=jobs_dir, **options)


def show(session: Session, host: Member, context: Any, attempt: Attempt, job: Job, wait: bool, follow: bool,
         timeout: float | None) -> Any:  # fmt: skip
    """Show what a job has printed, and return its value or raise its error, as `remotesvc run` would have.

    wait: not before it has ended. follow: show what it prints meanwhile, too.
    """
    from remotesvc.bootstrap.failures.callerror import CallError

    from .calls import exhaust

    attempt.on_stop(job.stop_waiting)
    try:
        if wait and not follow:
            job.wait(timeout)
        _print(session, context, host, job.raw(follow, timeout))
    except Lost as error:  # the connection: what became of a job is told below
        told = f"The job needs no connection and may go on: remotesvc jobs {host.text} {job.id}"
        error.hint = told  # type: ignore[attr-defined]  # what is shown of any error that has one
        raise
    if attempt.stopped:
        from remotesvc.futures import Cancelled

        raise Cancelled("nobody waits any more; the job goes on")
    try:
        several, value = job.outcome(0)
    except BaseException as error:
        given: list[Any] | None = getattr(error, "items", None)
        if given is not None:
            exhaust(session, host, attempt, _one_by_one(given))
        if isinstance(error, CallError):
            session.explain(context, error)
        raise
    return exhaust(session, host, attempt, _one_by_one(value)) if several else value


def _one_by_one(items: Iterable[Any]) -> Iterator[Any]:
    """These, one after the other, as of a generator that can be closed."""
    yield from items


def _print(session: Session, context: Any, host: Member, printed: Iterable[tuple[str, bytes]]) -> None:
    from remotesvc.output import OutputEvent

    for stream, data in printed:
        text, name = data.decode("utf-8", "replace"), "stderr" if stream == "stderr" else "stdout"
        session.live(OutputEvent(context.id, host.text, name, text, 0, data))  # type: ignore[arg-type]


def listing(jobs: Iterable[JobInfo]) -> str:
    """Jobs as text, a line each: id, state, when it began, how long it took, what was called."""
    lines = [
        f"{info.id:13}  {info.state:7}  {_time(info.began):19}  {_took(info.took):>9}  {info.call}"
        + (f" ({info.reason})" if info.reason else "")
        for info in jobs
    ]
    return "\n".join(lines) or "no jobs"


def _time(seconds: float | None) -> str:
    try:
        return "?" if seconds is None else datetime.fromtimestamp(seconds).isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):  # a target may say anything
        return "?"


def _took(seconds: float | None) -> str:
    if seconds is None or not 0 <= seconds < 1e9:
        return "?"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
