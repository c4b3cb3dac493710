"""The command line cut short: by a reader that leaves, by Ctrl-C, by a deadline."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.command_line import LIMIT, cli, start, wait_for
from tests.kernel.contexts import until
from tests.scripts import shell_script
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.integration.cli_fixtures",)


def test_a_closed_pipe_on_stdout_is_silent(directory: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with (
        os.fdopen(writer, "w") as broken,
        start(directory, "run", "local:", "os:getpid", stdout=broken) as process,
    ):
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode in (0, 8)
    assert err == ""


def test_pull_to_a_reader_that_left(directory: Path) -> None:
    (directory / "much").write_bytes(bytes(1 << 20))
    reader, writer = os.pipe()
    os.close(reader)
    with (
        os.fdopen(writer, "w") as broken,
        start(directory, "pull", "local:", str(directory / "much"), "-", stdout=broken) as process,
    ):
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 8
    assert err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_while_running_keeps_what_arrived(directory: Path, number: signal.Signals) -> None:
    ready = directory / "ready"
    hosts = "local:"
    with start(directory, "run", "--jsonl", hosts, "tasks:sleep", "60", str(ready)) as process:
        wait_for(ready, process)
        process.send_signal(number)
        watch = Stopwatch()
        out, err = process.communicate(timeout=LIMIT)
    assert watch.seconds < 10
    assert process.returncode == 128 + number
    result = json.loads(out)
    assert result["status"] == "cancelled"
    assert "interrupted; not finished: local" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(("options", "large"), [((), 0), (("--jsonl",), 3)])
def test_ctrl_c_ends_the_wait_for_the_next_item_of_a_generator(
    directory: Path, options: tuple[str, ...], large: int
) -> None:
    ready = directory / "ready"
    with start(directory, "run", *options, "local:", "tasks:slow", str(ready), str(large)) as process:
        assert process.stdout is not None
        # That it is on its way is not enough: without --jsonl it is shown, with it that more comes says it was taken.
        first = "" if options else process.stdout.readline()
        wait_for(ready, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert "the run was stopped before the generator ended" in (out if options else err)
    assert options or first + out == "1\n"


def test_ctrl_c_at_the_terminal_while_ssh_config_is_read_is_no_answer_of_ssh(directory: Path) -> None:
    """The terminal sends it to all processes in the group of the command, with which ends what ssh runs for a Match."""
    ready = directory / "ready"
    shell_script(directory / "match", f"echo $$ > {ready}; mv {ready} {ready}.pid; exec sleep 60")
    (directory / "config").write_text(f'Match exec "{directory}/match"\n  Port 22\n')
    words = ("run", "-F", str(directory / "config"), "--jsonl", "web1", "os:getpid")
    with start(directory, *words, start_new_session=True) as process:
        wait_for(directory / "ready.pid", process)
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert json.loads(out)["status"] == "not_run"
    pid = (directory / "ready.pid").read_text().strip()
    until(lambda: not os.path.exists(f"/proc/{pid}"), what="what ssh ran has ended")


def test_a_generator_that_was_cut_by_the_deadline_is_not_fine(directory: Path) -> None:
    for deadline in ("1", "5", "25"):  # on a busy machine nothing may have come after the first
        code, out, err = cli(directory, "run", "--deadline", deadline, "local:", "tasks:endless")
        if out:
            break
    assert (code, set(out)) == (8, set("1\n"))
    assert "local: cancelled: the run was stopped before the generator ended" in err


def test_a_second_ctrl_c_leaves_at_once(directory: Path) -> None:
    ready = directory / "ready"
    with start(directory, "run", "local:", "tasks:sleep", "60", str(ready)) as process:
        wait_for(ready, process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert "Traceback" not in err


@pytest.mark.parametrize("when", ["while the first is dealt with", "at the very end"])
def test_a_second_ctrl_c_before_or_after_the_run_is_no_death_by_a_signal(when: str) -> None:
    script = f"""
import atexit, os, signal, sys
from remotesvc import __main__
from remotesvc.cli import main

def command():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
    finally:
        if {when == "at the very end"}:
            atexit.register(os.kill, os.getpid(), signal.SIGINT)
        else:
            os.kill(os.getpid(), signal.SIGINT)

main.main = command
sys.exit(__main__.main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=LIMIT)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_ctrl_c_in_the_middle_of_an_exec_is_no_death_by_a_signal(tmp_path: Path) -> None:
    """Where a dataclass is made while the command is imported, say: Python remembers it, caught or not."""
    (tmp_path / "command.py").write_text("""
import sys
from remotesvc import __main__
from remotesvc.cli import main

main.main = lambda: exec("raise KeyboardInterrupt")
sys.exit(__main__.main())
""")
    with start(tmp_path, module="command") as process:
        assert process.communicate(timeout=LIMIT) == ("", "")
    assert process.returncode == 130


def test_a_thread_in_native_code_does_not_abort_the_end() -> None:
    """As one that decrypts a key when a run is over: it comes back while Python takes everything apart."""
    script = """
import atexit, sys, threading, time
import bcrypt
from remotesvc import __main__
from remotesvc.cli import main

class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(1)

def decrypt():
    while True:
        bcrypt.kdf(b"password", b"salt", 32, 1, ignore_few_rounds=True)
        begun.set()

def command():
    sys.slow = Slow()  # one of the last to go
    threading.Thread(target=decrypt, daemon=True).start()
    begun.wait()
    print("shown", end="")
    return 8

begun = threading.Event()
atexit.register(print, ", cleaned up", end="")
main.main = command
sys.exit(__main__.main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=LIMIT)
    assert (done.returncode, done.stdout, done.stderr) == (8, "shown, cleaned up", "")


def test_who_leaves_at_once_leaves_no_failed_hosts_of_an_earlier_run(directory: Path) -> None:
    ready, again = directory / "ready", directory / "again"
    words = ("run", "-i", "local:,", "all", "-l", f"@{again}", "--failed-to", str(again))
    again.write_text("elsewhere\nlocal:\n")
    with start(directory, *words, "tasks:sleep", "60", str(ready)) as process:
        wait_for(ready, process)
        assert again.read_text() == "local:\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert again.read_text() == "local:\n"
    assert [path.name for path in directory.glob("again*")] == ["again"]


def test_ctrl_c_while_connecting(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tarpit:
        place = f"127.0.0.1:{tarpit.getsockname()[1]}"
        with start(directory, "run", "-F", os.devnull, "--jsonl", f"local:,{place}", "os:getpid") as process:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            connection, _ = tarpit.accept()
            with connection:
                process.send_signal(signal.SIGINT)
                watch = Stopwatch()
                out, err = process.communicate(timeout=LIMIT)
    assert watch.seconds < 5
    assert process.returncode == 130
    assert (first["host"], first["status"]) == ("local:", "ok")
    assert (json.loads(out)["host"], json.loads(out)["status"]) == (place, "not_run")
    assert f"not finished: {place}" in err
