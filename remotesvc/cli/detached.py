"""Detached jobs at the shell: how one is begun on each host, and how what became of one is shown as `run` shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from remotesvc.bootstrap.errors import Lost

if TYPE_CHECKING:
    from remotesvc.jobs.job import Job
    from remotesvc.jobs.record import JobInfo

    from .visit import Visit

Begin = Callable[["Visit", str, "Sequence[Any]", "dict[str, Any]"], str]


def detacher(jobs_dir: str | None, output_limit: int | None) -> Begin:
    """What begins a job on a host and returns its id. The ids of one run have their first half in common."""
    from remotesvc.jobs.ids import new_run
    from remotesvc.jobs.job import detach

    check_place(jobs_dir)
    run = new_run()

    def begin(visit: Visit, call: str, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
        calls: Any = visit.calls(jobs_dir=jobs_dir, output_limit=output_limit)
        job: Job = visit.attempt.wait(lambda: detach(calls, call, tuple(args), kwargs, run))
        return job.id

    return begin


def check_place(jobs_dir: str | None) -> None:
    """Raises UsageError, before anything is connected, for what cannot be a place for jobs."""
    from remotesvc.calling.options import Options

    Options().replace({"jobs_dir": jobs_dir})


def show(visit: Visit, job: Job, wait: bool, follow: bool) -> Any:
    """Show what a job has printed, and return its value or raise its error, as `remotesvc run` would have.

    wait: not before it has ended, or -T is over. follow: show what it prints meanwhile, too.
    """
    from remotesvc.bootstrap.failures.callerror import CallError

    timeout = visit.session.settings.timeout or None
    visit.attempt.on_stop(job.stop_waiting)
    try:
        if wait and not follow:
            job.wait(timeout)
        _print(visit, job.raw(follow, timeout))
    except Lost as error:  # the connection: what became of a job is told below
        told = f"The job needs no connection and may go on: remotesvc jobs {visit.host.text} {job.id}"
        error.hint = told  # type: ignore[attr-defined]  # what is shown of any error that has one
        raise
    if visit.attempt.stopped:
        from remotesvc.futures import Cancelled

        raise Cancelled("nobody waits any more; the job goes on")
    try:
        several, value = job.outcome(0)
    except BaseException as error:
        given: list[Any] | None = getattr(error, "items", None)
        if given is not None:
            visit.exhaust(_one_by_one(given))
        if isinstance(error, CallError):
            visit.explain(error)
        raise
    return visit.exhaust(_one_by_one(value)) if several else value


def _one_by_one(items: Iterable[Any]) -> Iterator[Any]:
    """These, one after the other, as of a generator that can be closed."""
    yield from items


def _print(visit: Visit, printed: Iterable[tuple[str, bytes]]) -> None:
    from remotesvc.output import OutputEvent

    for stream, data in printed:
        text, name = data.decode("utf-8", "replace"), "stderr" if stream == "stderr" else "stdout"
        event = OutputEvent(visit.context.id, visit.host.text, name, text, 0, data)  # type: ignore[arg-type]
        visit.session.live(event)


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
