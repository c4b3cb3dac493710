"""Standard input of the command line, on its way to hosts: all of it, as it comes, and never a part for the whole."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from remotesvc import Channel, Lost, Router
from tests.integration.command_line import LIMIT, shell, start, wait_for
from tests.kernel.filetrees import content

pytest_plugins = ("tests.kernel.call_fixtures",)

TWO = "one ansible_connection=local\ntwo ansible_connection=local\n"


@pytest.fixture(params=["local:", "one,two"])
def hosts(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """One host, or two."""
    (tmp_path / "inventory").write_text(TWO)
    return [request.param] if request.param == "local:" else ["-i", "inventory", request.param]


@contextmanager
def waiting_input(begins: bytes = b"") -> Iterator[int]:
    """A pipe's reading end, in which something is and more may come."""
    reader, writer = os.pipe()
    os.write(writer, begins)
    try:
        yield reader
    finally:
        os.close(reader)
        os.close(writer)


def test_more_standard_input_than_a_message_holds(hosts: list[str], tmp_path: Path) -> None:
    data = content(1 << 20) * 140
    (tmp_path / "much").write_bytes(data)
    done = shell(f"remotesvc exec -N --forks 1 --stdin {' '.join(hosts)} -- sha256sum < much", tmp_path)
    digests = [line.split()[0] for line in done.stdout.splitlines()]
    # The second host begins when the first has had it all.
    assert digests == [hashlib.sha256(data).hexdigest()] * (2 if "one,two" in hosts else 1), done.stderr


def test_standard_input_arrives_while_more_is_to_come(hosts: list[str], tmp_path: Path) -> None:
    words = ["exec", "-N", "--stdin", *hosts, "--", "cat"]
    several = "one,two" in hosts
    with start(tmp_path, *words, stdin=-1) as process:
        assert process.stdin is not None and process.stdout is not None
        for line in ("first\n", "second\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert [process.stdout.readline() for _ in range(1 + several)] == [line] * (1 + several)
        process.stdin.close()
        assert (process.wait(LIMIT), process.stdout.read()) == (0, "")


def test_a_command_that_ends_first_waits_for_no_more(hosts: list[str], tmp_path: Path) -> None:
    with waiting_input(b"one\ntwo\n") as reader, start(
        tmp_path, "exec", "-N", "--stdin", *hosts, "--", "sed -n 1q; echo done", stdin=reader
    ) as process:
        out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, set(out.split()), "Error" in err) == (0, {"done"}, False), err


def test_a_part_is_never_taken_for_the_whole(hosts: list[str], tmp_path: Path) -> None:
    """Who is interrupted has sent a part: a command that saw an end there would go on with it."""
    ready, whole = tmp_path / "ready", tmp_path / "whole"
    command = f"cat > {tmp_path}/$$; touch {whole}"
    with waiting_input(b"a part\n") as reader, start(
        tmp_path, "exec", "--stdin", *hosts, "--", f"head -n 1; touch {ready}; {command}", stdin=reader
    ) as process:
        wait_for(ready, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, err
    assert "Fatal" not in err and not whole.exists()


def test_a_command_whose_input_is_cut_off_is_killed(router: Router, tmp_path: Path) -> None:
    context = router.local()
    whole = tmp_path / "whole"
    for ends, code in ((True, 0), (False, 137)):
        with Channel(router, context) as channel:
            future = context.submit("remotesvc.shell:run_fed", f"cat > /dev/null && touch {whole}", channel.invitation)
            channel.send(b"words")
            if ends:
                channel.send(None)
                assert future.result(LIMIT) == code
        assert future.result(LIMIT) == code
        assert whole.exists() is ends
        whole.unlink(missing_ok=True)


def test_ctrl_c_while_a_push_waits_for_input(hosts: list[str], tmp_path: Path) -> None:
    """A thread that waited in sys.stdin had Python abort with a core dump, or wait for ever."""
    with waiting_input(b"a part\n") as reader, start(
        tmp_path, "push", *hosts, "-", f"{tmp_path}/there", stdin=reader
    ) as process:
        parts = tmp_path.glob(".remotesvc-*")
        while not any(parts):
            parts = tmp_path.glob(".remotesvc-*")
            assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, err
    assert "Fatal" not in err and "cancelled" in err
    assert not (tmp_path / "there").exists()


def test_a_push_that_waits_for_input_sees_its_time_pass(hosts: list[str], tmp_path: Path) -> None:
    with waiting_input(b"a part\n") as reader, start(
        tmp_path, "push", "-T", "1", *hosts, "-", f"{tmp_path}/there", stdin=reader
    ) as process:
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 8, err
    assert err.count("timed out: ") == (2 if "one,two" in hosts else 1) and not (tmp_path / "there").exists()


def test_a_push_that_waits_for_input_sees_its_host_die(router: Router, tmp_path: Path) -> None:
    context = router.local()

    class Patient:
        patient = True
        looks = 0

        def read(self, size: int) -> None:
            self.looks += 1
            if self.looks == 3:
                os.kill(context.info["pid"], signal.SIGKILL)

    with pytest.raises(Lost):
        context.push(Patient(), tmp_path / "there")


def test_the_input_behind_a_password(tmp_path: Path) -> None:
    (tmp_path / "input").write_text("a password\nthe rest\nof it")
    for words in ("exec --stdin --become-password-file - {} -- cat", "push --become-password-file - {} - there"):
        done = shell(f"remotesvc {words.format('local:')} < input", tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "there").read_text() == "the rest\nof it"


def test_no_room_for_what_several_hosts_are_to_have(tmp_path: Path) -> None:
    (tmp_path / "inventory").write_text(TWO)
    script = ("ulimit -f 2048; head -c 8000000 /dev/zero |"
              " remotesvc exec --stdin -i inventory one,two -- 'cat > /dev/null; echo whole'")
    done = shell(script, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("here: File too large, of standard input or what is kept of it in") == 2
