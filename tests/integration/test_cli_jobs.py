"""`remotesvc run --detach` and `remotesvc jobs`, as a user types them; the target is this machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command_line import LIMIT, cli, start
from tests.kernel.contexts import appears

pytest_plugins = ("tests.integration.cli_fixtures", "tests.kernel.job_fixtures")


@pytest.fixture
def jobs(directory: Path, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`jobs(words...)` runs the command on this machine; `jobs.begin(words...)` begins one and returns its id."""
    monkeypatch.setenv("REMOTESVC_JOBS_DIR", str(jobs_dir))

    def run(*words: str) -> tuple[int, str, str]:
        return cli(directory, "jobs", "local:", *words)

    def begin(*words: str) -> str:
        code, out, err = cli(directory, "run", "--detach", "local:", *words)
        assert (code, err) == (0, "")
        assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}\n", out)
        return out.strip()

    run.begin = begin  # type: ignore[attr-defined]
    return run


def compared(directory: Path, jobs: Any, *words: str) -> None:
    """A job is shown as the same call would have been."""
    called = cli(directory, "run", "local:", *words)
    assert jobs(jobs.begin(*words), "--wait") == called


@pytest.mark.parametrize(
    "words",
    [
        ["tasks:disk", "/var", "--free", "7"], ["tasks:count", "3"], ["tasks:coro", "4"], ["tasks:breaks", "2"],
        ["tasks:lock"], ["os:getcwd"], ["tasks:Thing.make", "3"],
    ],
)  # fmt: skip
def test_the_result_of_a_job_is_shown_as_run_shows_it(directory: Path, jobs: Any, words: list[str]) -> None:
    compared(directory, jobs, *words)


def test_the_output_of_a_job_is_shown_as_run_shows_it(directory: Path, jobs: Any) -> None:
    name = jobs.begin("tasks:talk", "Ann")
    code, out, err = jobs(name, "--wait")
    assert (code, out) == (0, "Ann\n")
    assert err.splitlines()[:3] == ["hello Ann", "trouble", "from a subprocess"]
    assert "watch out" in err
    code, out, err = jobs(name, "--json")
    (result,) = json.loads(out)
    assert (result["status"], result["value"], result["stdout"]) == ("ok", "Ann", "hello Ann\nfrom a subprocess\n")
    assert result["stderr"].startswith("trouble\n")


def test_the_failure_of_a_job_has_its_traceback(directory: Path, jobs: Any) -> None:
    name = jobs.begin("tasks:fail")
    code, out, err = jobs(name, "--wait")
    assert (code, out) == (2, "")
    assert err.startswith("local: FileNotFoundError: [Errno 2] No such file or directory: '/nowhere'\n")
    assert 'raise FileNotFoundError(2, "No such file or directory", "/nowhere")' in err
    (result,) = json.loads(jobs(name, "--json")[1])
    assert (result["status"], result["error"]["type"]) == ("failed", "FileNotFoundError")
    (result,) = json.loads(jobs(jobs.begin("tasks:breaks", "2"), "--wait", "--json")[1])
    assert (result["status"], result["items"]) == ("failed", [0, 1])


def test_the_list_of_jobs(jobs: Any) -> None:
    assert jobs() == (0, "no jobs\n", "")
    names = [jobs.begin("tasks:echo", "1"), jobs.begin("tasks:fail"), jobs.begin("tasks:exit")]
    for name in names:
        jobs(name, "--wait")
    code, out, err = jobs()
    assert (code, err) == (0, "")
    shape = r"(\S+)  (\w+) +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +(?:[\d.]+ s|\?)  (\S+)(?: \(.*\))?"
    lines = [re.fullmatch(shape, line) for line in out.splitlines()]
    assert [line.groups() for line in lines if line] == [
        (names[0], "done", "tasks:echo"), (names[1], "failed", "tasks:fail"), (names[2], "lost", "tasks:exit"),
    ]  # fmt: skip
    (result,) = json.loads(jobs("--json")[1])
    assert [each["state"] for each in result["value"]] == ["done", "failed", "lost"]
    assert jobs(names[2])[0] == 4


def test_waiting_following_ending_forgetting(directory: Path, jobs: Any, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    name = jobs.begin("tasks:sleep", "300", str(ready))
    appears(ready)
    code, out, err = jobs(name, "--wait", "-T", "0.2")
    assert (code, out) == (8, "") and f"job {name} is still running" in err
    code, _out, err = jobs(name)
    assert code == 8 and "is still running" in err
    code, _out, err = jobs(name, "--forget")
    assert code == 2 and f"job {name} is running" in err
    with start(directory, "jobs", "local:", name, "--follow") as following:
        code, out, _err = jobs(name, "--kill")
        assert code == 0 and f"{name}  failed" in out
        _out, err = following.communicate(timeout=LIMIT)
        assert following.returncode == 8 and "ended from outside" in err
    assert jobs(name)[0] == 8
    other = jobs.begin("tasks:echo", "1")
    assert jobs(other, "--wait", "--forget") == (0, "1\n", "")
    code, _out, err = jobs(other)
    assert code == 2 and f"there is no job {other}" in err
    assert jobs("--forget") == (0, f"forgotten: {name}\n", "")
    assert jobs() == (0, "no jobs\n", "")


def test_ctrl_c_ends_waiting_and_not_the_job(directory: Path, jobs: Any) -> None:
    (directory / "talkative.py").write_text("import time\n\ndef talk():\n    print('here')\n    time.sleep(300)\n")
    name = jobs.begin("talkative:talk")
    with start(directory, "jobs", "local:", name, "--follow") as following:
        assert following.stderr is not None and following.stderr.readline() == "here\n"
        following.send_signal(signal.SIGINT)
        following.communicate(timeout=LIMIT)
        assert following.returncode == 130
    code, _out, err = jobs(name)
    assert code == 8 and err.startswith("here\n")
    assert jobs(name, "--kill")[0] == 0


def test_a_job_outlives_the_connection_of_who_follows_it(directory: Path, jobs: Any) -> None:
    """With --forget, what was told was that it was not run: a question after the loss had taken its place."""
    (directory / "talkative.py").write_text("import time\n\ndef talk():\n    print('here')\n    time.sleep(300)\n")
    name = jobs.begin("talkative:talk")
    for more in ([], ["--forget"]):
        with start(directory, "jobs", "local:", name, "--follow", *more) as following:
            assert following.stderr is not None and following.stderr.readline() == "here\n"
            for children in Path(f"/proc/{following.pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):  # a thread, or a process, that has ended meanwhile
                    for kernel in children.read_text().split():
                        os.kill(int(kernel), signal.SIGKILL)
            _out, err = following.communicate(timeout=LIMIT)
        assert following.returncode == 4, err
        assert "local: lost: " in err and f"may go on: remotesvc jobs local: {name}\n" in err
    assert jobs(name, "--kill")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "no id of a job"),
        (["--wait"], "--wait is for the jobs with an ID"),
        (["--kill"], "--kill is for the jobs with an ID"),
        (["00000000-0000", "--kill", "--wait"], "exclude each other"),
        (["00000000-0000", "00000000-0001"], "one job is shown at a time"),
        (["--jobs-dir", "somewhere"], "no absolute path"),
    ],
)
def test_wrong_usage(jobs: Any, words: list[str], said: str) -> None:
    code, out, err = jobs(*words)
    assert (code, out) == (64, "") and said in err


def test_the_master_killed_right_after(directory: Path, jobs: Any, tmp_path: Path) -> None:
    """All that is known of the command is that it has printed an id."""
    ready = tmp_path / "ready"
    with start(directory, "run", "-d", "local:", "tasks:sleep", "300", str(ready)) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        process.kill()
    appears(ready)
    assert jobs(name, "--kill")[0] == 0


def test_several_hosts_have_half_an_id_in_common(directory: Path, jobs_dir: Path) -> None:
    (directory / "hosts.ini").write_text("a ansible_connection=local\nb ansible_connection=local\n")
    words = ["-i", "hosts.ini", "--jobs-dir", str(jobs_dir)]
    code, out, _err = cli(directory, "run", "-d", "all", "tasks:echo", "7", *words)
    assert code == 0
    halves = dict(re.findall(r"^(\w): ([0-9a-f]{8})-[0-9a-f]{4}$", out, re.M))
    assert set(halves) == {"a", "b"} and len(set(halves.values())) == 1
