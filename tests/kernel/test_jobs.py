"""Detached jobs: begun in processes of their own, and looked at by whoever knows of them."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context, Job, Router
from remotesvc.bootstrap.errors import DecodeError
from remotesvc.jobs.errors import JobError
from tests.interpreters import Interpreter
from tests.kernel import called, called_failing, called_jobs, called_processes
from tests.kernel.contexts import LIMIT, alive, appears, gone, until
from tests.kernel.job_fixtures import folder, lasting
from tests.kernel.programs import start

pytest_plugins = ("tests.kernel.job_fixtures", "tests.kernel.call_fixtures")

At = Callable[[Context], Context]


def said(job: Job) -> list[str]:
    """The lines that a job that has ended printed."""
    job.wait(LIMIT)
    return job.output().splitlines()


# -- what can be called, and what comes of it


def test_jobs_in_every_python(router: Router, interpreter: Interpreter, at: At) -> None:
    context = at(router.local(python=str(interpreter.path)))
    job = context.detach(called.add, 1, b=2)
    assert job.result(LIMIT) == 3
    info = job.info()
    assert (info.id, info.call, info.state) == (job.id, "tests.kernel.called:add", "done")
    assert info.ended is not None and info.began is not None and info.ended >= info.began
    assert said(context.detach(called_jobs.in_turns, 1)) == ["out 0", "err 0", "below 0"]
    with pytest.raises(FileNotFoundError) as caught:
        context.detach(called_jobs.chained).result(LIMIT)
    assert isinstance(caught.value, remotesvc.CallError) and isinstance(caught.value.__cause__, KeyError)
    killed = context.detach("time:sleep", 300)
    assert killed.kill().state == "failed"
    assert [each.state for each in context.jobs()] == ["done", "done", "failed", "failed"]


def test_jobs_of_every_kind_of_callable(detaching: Context) -> None:
    values = [
        detaching.detach("os.path:join", "a", "b"),
        detaching.detach(functools.partial(called.add, 1), b=2),
        detaching.detach(lambda x: x + 1, 4),
        detaching.detach(called.Thing.of_class, 3),
        detaching.detach(called.count, 3),
        detaching.detach(called_jobs.seen_only_here),
    ]
    assert [job.result(LIMIT) for job in values] == ["a/b", 3, 5, 13, [0, 1, 2], "tests.kernel.called"]


@pytest.mark.parametrize("name", ["lacking", "begin"])
def test_a_target_that_answers_nonsense_is_named(detaching: Context, name: str) -> None:
    detaching.call(called_jobs.lie, name)
    with pytest.raises((DecodeError, JobError), match="malformed") as caught:
        detaching.detach(called.add, 1, 2)
    assert detaching.name in str(caught.value)


def test_an_error_comes_with_its_traceback_and_source(detaching: Context) -> None:
    with pytest.raises(remotesvc.CallError) as caught:
        detaching.detach(called_jobs.chained).result(LIMIT)
    (frame,) = caught.value.frames
    assert frame[2:] == ("chained", 'raise FileNotFoundError(2, "No such file", "/nowhere") from error')
    assert "during handling" not in caught.value.render().lower()


def test_what_a_generator_gave_before_it_failed(detaching: Context) -> None:
    with pytest.raises(ValueError, match="at the end") as caught:
        detaching.detach(called_jobs.count_then_fail, 3).result(LIMIT)
    assert caught.value.items == [0, 1, 2]  # type: ignore[attr-defined]


def test_an_endless_generator_ends(detaching: Context) -> None:
    with pytest.raises(remotesvc.EncodeError, match="items of a generator"):
        detaching.detach(called_jobs.endless).result(2 * LIMIT)


def test_a_value_that_cannot_travel(detaching: Context) -> None:
    with pytest.raises(remotesvc.EncodeError, match="return value"):
        detaching.detach(called_failing.lock).result(LIMIT)


def test_large_results_come_whole(detaching: Context) -> None:
    assert detaching.detach(called.echo, [b"x" * 700_000, "y" * 70_000]).result(LIMIT) == [b"x" * 700_000, "y" * 70_000]


def test_exit_and_forks_are_those_of_any_call(detaching: Context) -> None:
    with pytest.raises(remotesvc.CallError, match="SystemExit"):
        detaching.detach("sys:exit", 3).result(LIMIT)
    job = detaching.detach(called_jobs.forks)
    assert job.result(LIMIT) == job.info().pid


def test_process_options(detaching: Context, tmp_path: Path) -> None:
    options = detaching.options(cwd=str(tmp_path), env={"REMOTESVC_TEST_OPTION": "grün"}, umask=0o27, nice=1)
    there = options.detach(called_processes.surroundings).result(LIMIT)
    assert (there["cwd"], there["env"], there["umask"]) == (str(tmp_path), "grün", 0o27)
    with pytest.raises(FileNotFoundError):
        detaching.options(cwd="/no/such/directory").detach(called.process)
    assert len(detaching.jobs()) == 1, "what could not begin has no record"


# -- a process of its own


def test_a_job_goes_on_without_its_kernel(router: Router, at: At, tmp_path: Path) -> None:
    first = at(router.local())
    job, go_on = lasting(first, tmp_path)
    kernel = first.info["pid"]
    os.kill(kernel, signal.SIGKILL)
    gone(kernel)
    second = at(router.local())
    job = job.on(second)
    assert job.state() == "running"
    with pytest.raises(remotesvc.CallTimeout, match="still running"):
        job.result(0)
    go_on.touch()
    there = job.result(LIMIT)
    assert there["pid"] == there["group"] == there["session"] == job.info().pid != kernel
    assert there["stdin"] == os.stat(os.devnull).st_rdev
    assert said(job) == ["waiting", "going on"]


def test_a_job_goes_on_without_its_master(tmp_path: Path, detaching: Context, jobs_dir: Path) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go on"
    with start(
        tmp_path,
        f"""
        from tests.kernel import called_jobs
        context = router.local()
        job = context.options(jobs_dir={str(jobs_dir)!r}).detach(called_jobs.lasting, {str(begun)!r}, {str(go_on)!r})
        say(job.id, context.info["pid"])
        os.kill(os.getpid(), 9)
        """,
    ) as script:
        name, kernel = script.line().split()
        script.process.wait(LIMIT)
        gone(int(kernel))
    job = detaching.job(name)
    assert job.state() == "running"
    go_on.touch()
    assert job.result(LIMIT)["pid"] == job.info().pid


def test_a_job_that_nobody_heard_begin_does_not_run(detaching: Context, tmp_path: Path) -> None:
    """Else it would run although whoever asked for it was told that it does not, and asked again."""
    detaching.call(called_jobs.turn_deaf, str(tmp_path / "name"))
    with pytest.raises(remotesvc.JobError, match="ended before it had begun"):
        detaching.detach(called_jobs.lasting, str(tmp_path / "begun"), str(tmp_path / "go on"))
    name = (tmp_path / "name").read_bytes()

    def lives() -> bool:
        return any(name in command(path) for path in Path("/proc").glob("[0-9]*/cmdline"))

    until(lambda: not lives(), what="its process has ended")
    assert not (tmp_path / "begun").exists()
    assert detaching.jobs() == []


def command(path: Path) -> bytes:
    """The command line of a process, if there still is one."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_the_first_call_of_a_context_may_be_a_job(router: Router, at: At) -> None:
    assert at(router.local()).detach("os:getpid").result(LIMIT) > 1


def test_two_masters_at_once(detaching: Context, at: At) -> None:
    with Router() as other_router:
        other = at(other_router.local())
        ours = [detaching.detach(called.echo, number) for number in range(3)]
        theirs = [other.detach(called.echo, number) for number in range(3)]
        assert [job.on(other).result(LIMIT) for job in ours] == [0, 1, 2]
        assert [job.on(detaching).result(LIMIT) for job in theirs] == [0, 1, 2]
        assert {info.id for info in other.jobs()} == {job.id for job in ours + theirs}
        theirs[0].forget()
        with pytest.raises(remotesvc.JobError, match="there is no job"):
            theirs[0].on(detaching).state()


def test_waiting_ends_with_the_link_and_the_job_does_not(router: Router, at: At, tmp_path: Path) -> None:
    context = at(router.local())
    job, go_on = lasting(context, tmp_path)
    kernel = context.info["pid"]
    os.kill(kernel, signal.SIGSTOP)  # the question is on its way then, whatever comes first
    future = context.submit("remotesvc.jobs.there:ended", context.call_options.jobs_dir, job.id, None)
    os.kill(kernel, signal.SIGKILL)
    with pytest.raises(remotesvc.Lost):
        future.result(LIMIT)
    go_on.touch()
    assert job.on(at(router.local())).wait(LIMIT).state == "done"


def test_the_timeout_of_a_call_is_none_of_the_job(detaching: Context, tmp_path: Path) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go on"
    job = detaching.options(timeout=LIMIT).detach(called_jobs.lasting, str(begun), str(go_on))
    hurried = job.on(detaching.options(timeout=0.3))
    with pytest.raises(remotesvc.CallTimeout, match="still running after 0.4 s"):
        hurried.result(0.4)
    go_on.touch()
    assert hurried.wait().state == "done"


# -- imports


def test_a_module_that_was_not_sent_with_a_job_is_told_at_once(detaching: Context) -> None:
    with pytest.raises(ModuleNotFoundError, match="this job is detached") as caught:
        detaching.detach(called_jobs.by_name, "tests.kernel.called_below").result(LIMIT)
    assert "write an import of it into the called module" in str(caught.value)
    with pytest.raises(ModuleNotFoundError, match="the master has no such module either|this job is detached"):
        detaching.detach(called_jobs.by_name, "no_such_module_anywhere").result(LIMIT)


def test_a_job_starts_nothing_over_a_connection(detaching: Context) -> None:
    with pytest.raises(ValueError, match="a detached job has no connection"):
        detaching.detach(called_jobs.start_another).result(LIMIT)
    with pytest.raises(remotesvc.JobError, match="contexts and senders do not go"):
        detaching.detach(called.echo, detaching)
    assert len(detaching.jobs()) == 1


@pytest.mark.parametrize("name", ["current_pool", "parent", "master", "call", "pool", "receiver"])
def test_a_job_is_told_that_services_and_receivers_need_a_connection(detaching: Context, name: str) -> None:
    with pytest.raises(ValueError, match="a detached job has no connection.*no services and no receivers"):
        detaching.detach(called_jobs.use_service, name).result(LIMIT)


def test_called_code_begins_no_job(detaching: Context) -> None:
    with pytest.raises(ValueError, match="only the master can tell"):
        detaching.call(called_jobs.detach_below)


# -- output


def test_output_has_the_order_of_writing(detaching: Context) -> None:
    job = detaching.detach(called_jobs.in_turns, 20)
    assert said(job) == [line for n in range(20) for line in (f"out {n}", f"err {n}", f"below {n}")]
    both: dict[str, str] = {"stdout": "", "stderr": ""}
    for stream, text in job.printed(False):
        both[stream] += text
    assert both["stderr"].splitlines() == [f"err {n}" for n in range(20)]


def test_output_is_bounded(detaching: Context, jobs_dir: Path) -> None:
    size = 1 << 20
    job = detaching.options(output_limit=65536).detach(called_jobs.flood, size)
    lines = said(job)
    kept = sum(path.stat().st_size for path in folder(jobs_dir, job.id).glob("output.*"))
    assert 32768 < kept <= 65536
    (gap,) = [index for index, line in enumerate(lines) if "bytes are left out" in line]
    missing = int(lines[gap].split()[0].strip("["))
    assert lines[0] == "line 0000000000" and lines[-1] == f"line {size // 16 - 1:010}"
    assert len("\n".join(lines[: gap - 1] + lines[gap + 1 :])) + missing == pytest.approx(size, abs=40)


def test_following_brings_what_is_printed_meanwhile(detaching: Context, tmp_path: Path) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go on"
    job = detaching.detach(called_jobs.lasting, str(begun), str(go_on))
    heard = []
    for _stream, text in job.follow():
        heard.append(text)
        if text.startswith("waiting"):
            go_on.touch()  # not before: it has come while the job ran
    assert "".join(heard) == "waiting\ngoing on\n"


def test_a_flood_can_be_followed(detaching: Context) -> None:
    job = detaching.options(output_limit=1 << 20).detach(called_jobs.flood, 4 << 20)
    last = ""
    for _stream, text in job.follow():
        last = text or last
    assert last.endswith(f"line {(4 << 20) // 16 - 1:010}\n")


# -- how it ends


def test_an_ended_job_tidies_up(detaching: Context, tmp_path: Path) -> None:
    begun, tidied, told = tmp_path / "begun", tmp_path / "tidied", tmp_path / "told"
    job = detaching.detach(called_jobs.tidy, str(begun), str(tidied), str(told))
    appears(begun)
    info = job.kill()
    assert (info.state, tidied.exists(), told.exists()) == ("failed", True, True)
    assert "ZeroDivisionError" in job.output()
    with pytest.raises(remotesvc.Cancelled, match="ended from outside"):
        job.result(LIMIT)
    assert job.kill() == info, "what has ended stays as it is"


def test_a_coroutine_is_cancelled_where_it_waits(detaching: Context, tmp_path: Path) -> None:
    begun, cancelled = tmp_path / "begun", tmp_path / "cancelled"
    job = detaching.detach(called_jobs.patient, str(begun), str(cancelled))
    appears(begun)
    until(lambda: job.state() == "running")
    assert job.kill().state == "failed"
    assert cancelled.exists()


def test_a_stubborn_job_is_killed_with_all_it_started(detaching: Context, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    job = detaching.detach(called_jobs.stubborn, str(begun))
    appears(begun)
    pids = [int(word) for word in begun.read_text().split()]
    assert all(map(alive, pids))
    assert job.kill(grace=0.1).state == "failed"
    for pid in pids:
        gone(pid)
    with pytest.raises(remotesvc.Cancelled, match="killed"):
        job.result(LIMIT)


def test_what_a_job_leaves_running_ends_with_it(detaching: Context, tmp_path: Path) -> None:
    job = detaching.detach(called_jobs.leave_subprocess, str(tmp_path / "begun"))
    gone(int(job.result(LIMIT)))


def test_what_a_job_leaves_running_ends_also_if_its_result_cannot_be_kept(
    detaching: Context, jobs_dir: Path, tmp_path: Path
) -> None:
    detaching.detach(called_jobs.remove_records, str(jobs_dir), str(tmp_path / "pid"))
    appears(tmp_path / "pid")
    gone(int((tmp_path / "pid").read_text()))


def test_a_job_on_a_full_disk_says_that_its_result_is_not_kept(detaching: Context, jobs_dir: Path) -> None:
    job = detaching.detach(called_jobs.fill_disk, str(jobs_dir))
    with pytest.raises(remotesvc.Error, match="its result could not be kept: No space left"):
        job.result(LIMIT)
    assert job.state() == "failed"
    assert sorted(path.name for path in folder(jobs_dir, job.id).iterdir()) == ["job", "result"]


@pytest.mark.parametrize("how", ["exit", "SIGKILL"])
def test_a_process_that_goes_away_is_lost(detaching: Context, how: str) -> None:
    job = detaching.detach(called_processes.die, how)
    with pytest.raises(remotesvc.Lost, match="is gone and left no result"):
        job.result(LIMIT)
    assert job.state() == "lost"


def test_what_was_flushed_is_kept(detaching: Context) -> None:
    job = detaching.detach(called_jobs.last_words)
    assert job.wait(LIMIT).state == "lost"
    assert job.output() == "flushed\n"


def test_last_words_of_a_crash(detaching: Context) -> None:
    job = detaching.detach(called_processes.abort)
    with pytest.raises(remotesvc.Lost) as caught:
        job.result(LIMIT)
    assert "Aborted" in caught.value.diagnostics and "in abort" in caught.value.diagnostics


# -- secrets


def test_a_secret_goes_there_and_is_written_nowhere(detaching: Context, jobs_dir: Path) -> None:
    word = "geheim-" + os.urandom(8).hex()
    job = detaching.detach(called_jobs.reveal, remotesvc.Secret(word))
    assert job.result(LIMIT) == len(word)
    with pytest.raises(remotesvc.EncodeError, match="kept on disk"):
        detaching.detach(called.echo, remotesvc.Secret(word)).result(LIMIT)
    files = [path for path in jobs_dir.rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert not [path for path in files if word.encode() in path.read_bytes()]
