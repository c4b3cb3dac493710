"""What a target keeps of detached jobs, and whom it believes."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from remotesvc.bootstrap.data import codec
from remotesvc.jobs.record import HEAD
from tests.kernel import called, called_jobs
from tests.kernel.contexts import LIMIT, alive, appears, until
from tests.kernel.job_fixtures import folder, lasting

pytest_plugins = ("tests.kernel.job_fixtures", "tests.kernel.call_fixtures")


def test_nothing_is_written_before_the_first_job(detaching: Context, jobs_dir: Path) -> None:
    assert detaching.jobs() == []
    with pytest.raises(remotesvc.JobError, match="there is no job"):
        detaching.job("00000000-0000").state()
    assert not jobs_dir.exists()


def test_records_are_the_users_alone(detaching: Context, jobs_dir: Path) -> None:
    job = detaching.detach(called.add, 1, 1)
    job.wait(LIMIT)
    there = folder(jobs_dir, job.id)
    assert {path.stat().st_mode & 0o777 for path in (jobs_dir, there.parent, there)} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in there.iterdir()} == {0o600}


def test_records_are_where_xdg_has_them(router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    router.local().detach(called.add, 1, 1).result(LIMIT)
    monkeypatch.setenv("XDG_STATE_HOME", "relative/ones/do/not/count")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    router.local().detach(called.add, 1, 1).result(LIMIT)
    for place in ("state", "home/.local/state"):
        assert len(list((tmp_path / place / "remotesvc" / "jobs").glob("*/*/result"))) == 1


def test_a_place_that_is_none(context: Context, tmp_path: Path) -> None:
    def refused(place: Path | str) -> str:
        with pytest.raises(remotesvc.JobError) as caught:
            context.options(jobs_dir=str(place)).detach(called.add, 1, 1)
        return str(caught.value)

    (tmp_path / "open").mkdir(mode=0o755)
    assert "others may open it (mode 755" in refused(tmp_path / "open")
    (tmp_path / "file").touch()
    assert "cannot be kept" in refused(tmp_path / "file" / "jobs")
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "own")
    assert "symbolic link" in refused(tmp_path / "link")
    assert "name a directory that this user may write to" in refused("/proc/jobs")
    with pytest.raises(remotesvc.UsageError, match="no absolute path"):
        context.options(jobs_dir="jobs")


def test_forgetting_a_job_removes_its_records(detaching: Context, jobs_dir: Path, tmp_path: Path) -> None:
    job = detaching.detach(called_jobs.lasting, str(tmp_path / "begun"), str(tmp_path / "go on"))
    with pytest.raises(remotesvc.JobError, match="is running"):
        job.forget()
    (tmp_path / "go on").touch()
    job.wait(LIMIT)
    job.forget()
    assert detaching.jobs() == []
    assert list(folder(jobs_dir, job.id).parent.iterdir()) == []
    with pytest.raises(remotesvc.JobError, match=f"{detaching.name}: there is no job {job.id}"):
        job.forget()


def test_old_records_go_when_another_job_begins(detaching: Context, jobs_dir: Path, tmp_path: Path) -> None:
    old, new = (detaching.detach(called.add, 1, 1) for _ in range(2))
    running = detaching.detach(called_jobs.lasting, str(tmp_path / "begun"), str(tmp_path / "go on"))
    for job in (old, new):
        job.wait(LIMIT)
    change_result_head(folder(jobs_dir, old.id) / "result", days=31)
    change_result_head(folder(jobs_dir, new.id) / "result", days=29)
    leftover = folder(jobs_dir, ".new-00000000-0000-1")
    leftover.mkdir(mode=0o700)
    os.utime(leftover, (0, 0))
    last = detaching.detach(called.add, 1, 1)
    assert {info.id for info in detaching.jobs()} == {new.id, running.id, last.id}
    assert not leftover.exists()
    (tmp_path / "go on").touch()
    running.wait(LIMIT)


def change_result_head(path: Path, days: float) -> None:
    """As if the job had ended so many days ago."""
    data = path.read_bytes()
    magic, returned, ended, took = HEAD.unpack(data[: HEAD.size])
    path.write_bytes(HEAD.pack(magic, returned, ended - days * 86400, took) + data[HEAD.size :])


def test_the_same_id_is_begun_once(detaching: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    job = detaching.detach(called.add, 1, 1)
    job.wait(LIMIT)
    monkeypatch.setattr("remotesvc.jobs.ids.new_id", lambda run="": job.id)
    with pytest.raises(remotesvc.JobError, match="was begun before"):
        detaching.detach(called.add, 2, 2)
    assert job.result(LIMIT) == 2


def test_the_beginning_of_an_id(detaching: Context) -> None:
    job = detaching.detach(called.add, 1, 1)
    assert detaching.job(job.id[:6]).wait(LIMIT).id == job.id
    for wrong in ("", "abc", "../../etc", job.id + "0", "ABCDEF01-0000"):
        with pytest.raises(remotesvc.UsageError, match="no id of a job"):
            detaching.job(wrong)


def test_a_job_can_be_pickled(context: Context, detaching: Context) -> None:
    job = detaching.detach(called.add, 1, 1)
    other = pickle.loads(pickle.dumps(job))
    assert (other.id, other.host) == (job.id, job.host)
    with pytest.raises(remotesvc.UsageError, match=r"job\.on\(context\)"):
        other.state()
    assert other.on(context).result(LIMIT) == 2, "where its records are went along"


def test_another_machines_jobs_are_not_ours(detaching: Context, jobs_dir: Path) -> None:
    job = detaching.detach(called.add, 1, 1)
    job.wait(LIMIT)
    there = folder(jobs_dir, job.id)
    there.parent.rename(jobs_dir / "another-machine")
    assert detaching.jobs() == []


@pytest.mark.parametrize("change", ["boot", "start", "pid"])
def test_a_process_with_the_number_of_a_job_is_not_taken_for_it(
    detaching: Context, jobs_dir: Path, tmp_path: Path, change: str
) -> None:
    """As after a restart of the machine, or when the number has come round: a process lives, and is another."""
    job = detaching.detach(called_jobs.lasting, str(tmp_path / "begun"), str(tmp_path / "go on"))
    path = folder(jobs_dir, job.id) / "job"
    record = codec.decode(path.read_bytes())
    other: dict[str, Any] = {"boot": "another", "start": record["start"] + 1, "pid": os.getpid()}
    put(path, {**record, change: other[change]})
    info = job.info()
    assert info.state == "lost"
    assert ("started anew" in info.reason) == (change == "boot")
    assert job.kill().state == "lost"
    assert alive(record["pid"]) and alive(os.getpid()), "nobody is killed by mistake"
    put(path, record)
    (tmp_path / "go on").touch()
    assert job.wait(LIMIT).state == "done"


def put(path: Path, record: dict[str, Any]) -> None:
    """Another file in the place of a job's record, which no process holds."""
    path.with_name(".new").write_bytes(codec.encode(record).data)
    path.with_name(".new").rename(path)


@pytest.mark.parametrize("where", ["space", "boot"])
def test_a_job_that_cannot_be_seen_from_here_is_running(
    detaching: Context, jobs_dir: Path, tmp_path: Path, where: str
) -> None:
    """In another container, or on another machine of the same name: they may share a home directory."""
    job, go_on = lasting(detaching, tmp_path)
    path = folder(jobs_dir, job.id) / "job"
    record = codec.decode(path.read_bytes())
    path.write_bytes(codec.encode({**record, where: "another"}).data)
    assert job.state() == "running"
    with pytest.raises(remotesvc.JobError, match="is running"):
        job.forget()
    with pytest.raises(remotesvc.JobError, match="nothing here can end it: in another container"):
        job.kill()
    assert alive(record["pid"])
    assert not path.with_name("killed").exists()
    path.write_bytes(codec.encode(record).data)
    assert job.kill().state == "failed"


def test_what_a_job_leaves_running_does_not_stand_for_it(
    detaching: Context, jobs_dir: Path, tmp_path: Path
) -> None:
    """A fork has the files of the job, and not its lock, which is asked from another container."""
    path = tmp_path / "fork"
    job = detaching.detach(called_jobs.leave_fork, str(path))
    appears(path)
    try:
        record = folder(jobs_dir, job.id) / "job"
        record.write_bytes(codec.encode({**codec.decode(record.read_bytes()), "space": "another"}).data)
        until(lambda: job.state() == "lost")
    finally:
        os.kill(int(path.read_text()), signal.SIGKILL)


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x80", b"x" * 100_000, codec.encode({"pid": "no"}).data])
def test_a_damaged_record(detaching: Context, jobs_dir: Path, content: bytes) -> None:
    good, job = detaching.detach(called.add, 1, 1), detaching.detach(called.add, 1, 1)
    job.wait(LIMIT)
    (folder(jobs_dir, job.id) / "job").write_bytes(content)
    states = {info.id: (info.state, info.reason) for info in detaching.jobs()}
    assert states == {good.id: ("done", ""), job.id: ("lost", "its record is damaged")}
    with pytest.raises(remotesvc.Lost, match="damaged"):
        job.result(LIMIT)
    job.forget()


def test_records_that_are_fifos_or_links_are_not_read(detaching: Context, jobs_dir: Path) -> None:
    """Nobody waits at a FIFO or follows a link that somebody has put there."""
    job = detaching.detach(called_jobs.in_turns, 1)
    job.wait(LIMIT)
    there = folder(jobs_dir, job.id)
    for name in ("result", "output.0"):
        (there / name).unlink()
    os.mkfifo(there / "output.0")
    (there / "result").symlink_to(there / "job")
    assert job.output() == ""
    assert job.state() == "lost"


def test_a_damaged_result(detaching: Context, jobs_dir: Path) -> None:
    job = detaching.detach(called.echo, [1, 2, 3])
    job.wait(LIMIT)
    path = folder(jobs_dir, job.id) / "result"
    whole = path.read_bytes()
    for size in range(25, len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(remotesvc.DecodeError):
            job.result(LIMIT)
    path.write_bytes(whole + b"\0")
    with pytest.raises(remotesvc.DecodeError):
        job.result(LIMIT)
    path.write_bytes(whole)
    assert job.result(LIMIT) == [1, 2, 3]
