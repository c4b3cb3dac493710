"""The whole command line over a router that is not there: what it calls, what it prints, how it ends."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remotesvc.bootstrap import errors
from remotesvc.bootstrap.failures.describe import describe
from remotesvc.bootstrap.failures.rebuild import rebuild
from remotesvc.cli.main import main
from tests.unit.cli_backend import FakeBackend, FakeContext


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "tasks.py").write_text(
        "raise SystemExit('imported on the master')\n"
        "def usage(path: str, depth: int = 1, *, human: bool = False): ...\n"
        "LIMIT = 5\n"
    )
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def remote_failure() -> BaseException:
    try:
        raise ValueError("bad value")
    except ValueError as error:
        return rebuild(describe(error), host="h", call="m:f")


def test_one_host_prints_the_value(tasks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backend = FakeBackend(lambda context, *args, **kwargs: {"free": 5})
    assert main(["run", "web1", "tasks:usage", "/var", "--depth", "2", "--human", "-T", "7"], backend) == 0
    assert capsys.readouterr() == ("{'free': 5}\n", "")
    assert backend.calls == [("web1", "tasks:usage", ("/var",), {"depth": 2, "human": True}, {"timeout": 7.0})]
    assert backend.made["path"] == (str(tasks),)
    assert backend.closed[-1] == "router"


def test_strings_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "h", "m:f"], FakeBackend(lambda context: "a\x1b[1mb\nc")) == 0
    assert capsys.readouterr().out == "a\x1b[1mb\nc\n"


def test_undecodable_names_leave_as_the_bytes_they_were(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["run", "h", "m:f"], FakeBackend(lambda context: "caf\udce9")) == 0
    assert main(["run", "h", "m:f"], FakeBackend(lambda context: "\ud800")) == 0
    assert capfdbinary.readouterr().out == b"caf\xe9\n\\ud800\n"


def test_options_reach_the_connection() -> None:
    backend = FakeBackend()
    ours = "run -u me -p 2222 --private-key /dev/null -F / -o A=b -o C=d --python /py --host-keys no -J j1,me@j2"
    assert main([*ours.split(), "--connect-timeout", "5", "web1,you@web2:22", "m:f"], backend) == 0
    assert main(["run", "--python", "/py", "--connect-timeout", "5", "local:", "m:f"], backend) == 0
    opened = dict(backend.opened)
    assert opened["web1"] == {
        "user": "me", "port": 2222, "key_filename": "/dev/null", "ssh_config": "/", "extra_options": ("A=b", "C=d"),
        "jump": "j1,me@j2", "host_keys": "no", "python": "/py", "connect_timeout": 5.0, "name": "web1",
    }  # fmt: skip
    assert (opened["web2"]["user"], opened["web2"]["port"]) == ("you", 22)
    assert opened["local:"] == {"python": "/py", "connect_timeout": 5.0, "name": "local"}


def test_the_environment_stands_in_for_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMOTESVC_USER", "env")
    monkeypatch.setenv("REMOTESVC_FORKS", "3")
    backend = FakeBackend()
    assert main(["run", "h", "m:f"], backend) == 0
    assert backend.opened[0][1]["user"] == "env"
    assert main(["run", "-u", "flag", "h", "m:f"], backend) == 0
    assert backend.opened[1][1]["user"] == "flag"


def test_the_environment_names_several_paths(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = FakeBackend()
    monkeypatch.setenv("REMOTESVC_PATH", f"{tmp_path}:/usr")
    assert main(["run", "h", "m:f"], backend) == 0
    assert backend.made["path"] == (str(tmp_path), "/usr")
    monkeypatch.setenv("REMOTESVC_PATH", f":{tmp_path}")  # as of $NOT_SET:DIR
    assert main(["run", "h", "m:f"], backend) == 0
    monkeypatch.setenv("REMOTESVC_PATH", f"{tmp_path}:{tmp_path}/none")
    assert main(["run", "h", "m:f"], backend) == 64
    assert f"there is no {tmp_path}/none, which REMOTESVC_PATH names" in capsys.readouterr().err


@pytest.mark.parametrize(("variable", "value", "expected"), [
    ("NO_LABELS", "1", "5\n5\n"), ("QUIET", "true", "a: 5\nb: 5\n"), ("VERBOSE", "1", "a: 5\nb: 5\n"),
    ("GATHER", "1", "a,b (2): 5\n"),
])  # fmt: skip
def test_the_environment_says_how_answers_are_shown(
    variable: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"REMOTESVC_{variable}", value)
    assert main(["run", "-f1", "a,b", "m:f"], FakeBackend(lambda context: 5)) == 0
    out, err = capsys.readouterr()
    assert (out, "ok in" in err, "2 hosts" in err) == (expected, variable == "VERBOSE", variable != "QUIET")


def test_several_hosts_are_labelled_and_codes_are_ored(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(context: FakeContext) -> Any:
        if context.host == "b":
            raise remote_failure()
        if context.host == "d":
            raise errors.CallTimeout("no answer within 5 s", host="d", call="m:f")
        return "two\nlines" if context.host == "e" else 5

    backend = FakeBackend(answer, refuse="c")
    assert main(["run", "-f", "1", "a,b,c,d,e,a", "m:f"], backend) == 2 | 4 | 8
    out, err = capsys.readouterr()
    assert out == "a: 5\ne:\n  two\n  lines\n"
    assert "b: ValueError: bad value\n  Remote traceback" in err
    assert "c: no connection: ConnectError: connection refused\n  is sshd running?\n" in err
    assert "d: timed out: no answer within 5 s\n" in err
    assert [host for host, _ in backend.opened] == ["a", "b", "c", "d", "e"]
    assert sorted(backend.closed) == ["a", "b", "d", "e", "router"]


def test_what_the_target_prints_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(context: FakeContext) -> int:
        backend.prints(context, "half ")
        backend.prints(context, "a line\nrest")
        backend.prints(context, "E\n", "stderr")
        return 5

    backend = FakeBackend(answer)
    assert main(["run", "h", "m:f"], backend) == 0
    assert capsys.readouterr() == ("5\n", "half a line\nrestE\n")
    assert main(["run", "-f1", "h,i", "m:f"], backend) == 0
    out, err = capsys.readouterr()
    assert out == "h: 5\ni: 5\n"
    for host in "hi":
        lines = [line for line in err.splitlines() if line.startswith(f"[{host}]")]
        assert lines == [f"[{host}] half a line", f"[{host}] E", f"[{host}] rest"]
    assert main(["run", "-q", "h", "m:f"], backend) == 0
    assert capsys.readouterr() == ("5\n", "")


def test_json_is_one_value(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(context: FakeContext) -> Any:
        backend.prints(context, "printed\n")
        backend.prints(context, "noise", "stderr")
        if context.host == "b":
            raise remote_failure()
        return {"raw": b"\x00", "when": (1, 2)}

    backend = FakeBackend(answer, refuse="c")
    assert main(["run", "-f1", "--json", "a,b,c", "m:f"], backend) == 6
    out, err = capsys.readouterr()
    assert err == ""
    a, b, c = json.loads(out)
    assert (a["host"], a["status"], a["value"]) == ("a", "ok", {"raw": {"$bytes": "AA=="}, "when": [1, 2]})
    assert (a["stdout"], a["stderr"], a["schema"], a["event"]) == ("printed\n", "noise", 1, "result")
    assert (b["status"], b["error"]["type"], b["error"]["message"]) == ("failed", "ValueError", "bad value")
    assert b["error"]["frames"][0]["function"] == "remote_failure"
    assert (c["status"], c["error"]["stage"], c["attempts"]) == ("unreachable", "tcp", 1)


def test_jsonl_is_written_as_hosts_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    first_is_out = threading.Event()

    class Watched(io.BytesIO):
        def flush(self) -> None:
            if b"\n" in self.getvalue():
                first_is_out.set()

    def answer(context: FakeContext) -> str:
        if context.host == "slow":
            assert first_is_out.wait(10)
        return context.host

    raw = Watched()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "utf-8"))
    assert main(["run", "--jsonl", "slow,quick", "m:f"], FakeBackend(answer)) == 0
    results = [json.loads(line) for line in raw.getvalue().splitlines()]
    assert [result["value"] for result in results] == ["quick", "slow"]


def test_generators_are_printed_item_by_item(capsys: pytest.CaptureFixture[str]) -> None:
    backend = FakeBackend(lambda context: (item for item in ["a", {"b": 1}]))
    assert main(["run", "h", "m:f"], backend) == 0
    assert capsys.readouterr().out == "a\n{'b': 1}\n"
    assert main(["run", "--json", "h", "m:f"], backend) == 0
    assert json.loads(capsys.readouterr().out)[0]["value"] == ["a", {"b": 1}]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "run h tasks:usage",
            "misses path\nsignature: tasks:usage(path: str, depth: int=1, *, human: bool=False)",
        ),
        ("run h tasks:usage / x", "depth: expected an int, got 'x'"),
        ("run h tasks:usage / --nope 1", "has no parameter 'nope'"),
        ("run h tasks:usag /", "did you mean tasks:usage?"),
        ("run h tasks:LIMIT", "tasks:LIMIT is not callable: it is 5"),
        ("run h tasks.py:usage", "misses path"),
        ("run h other.py:usage", "there is no file other.py"),
        ("run h broken:f", "broken.py:1: SyntaxError"),
        ("run h tasks", "does not name a function"),
        ("run web[1-2] /bin/uptime", "path/file.py:function; a command: remotesvc exec 'web[1-2]' -- /bin/uptime"),
        ("run -zad- m:f", "no such option"),
        ("run a/b m:f", "not a host name"),
        ("run , m:f", "names no host"),
        ("run h m:f --json --jsonl", "exclude each other"),
        ("run h m:f - -n", "-n forbids reading standard input"),
        ("run h m:f -f 0", "-f"),
        ("run h m:f --private-key /no/such", "there is no key file /no/such"),
        ("run h m:f -o Bad", "not an ssh option"),
        ("run h m:f -u -x", "not a user name"),
        ("run h m:f -F /no/such", "there is no ssh_config /no/such"),
        ("run h m:f -T nan", "'nan' is not a number of seconds"),
        ("run h m:f -T -1", "'-1' is not a number of seconds"),
        ("run h m:f --deadline 1e300", "'1e300' is not a number of seconds"),
        ("run h", "Missing argument"),
        ("exec h", "Missing argument"),
        ("exec h --nope -- ls", "No such option"),
        ("nope", "No such command"),
        ("run h m:f --host-keys maybe", "is not one of"),
    ],
)
def test_wrong_usage_connects_nothing(line: str, message: str, tasks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tasks / "broken.py").write_text("def f(:")
    backend = FakeBackend()
    assert main(line.split(), backend) == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert not backend.opened and not backend.made


def test_only_the_target_has_the_module(capsys: pytest.CaptureFixture[str]) -> None:
    backend = FakeBackend(lambda context, *args, **kwargs: (args, kwargs))
    assert main(["run", "-v", "h", "nowhere.at_all:f", "1", "--x", "2"], backend) == 0
    out, err = capsys.readouterr()
    assert out == "(('1',), {'x': '2'})\n"
    assert "called unchecked: there is no module nowhere.at_all here" in err
    assert "h: ok in " in err and "tcp 1.0" in err


@pytest.mark.parametrize("name", ["fn", "self", "context", "host", "attempt", "settings"])
def test_a_parameter_may_have_any_name(name: str) -> None:
    backend = FakeBackend(lambda context, /, **kwargs: None)
    assert main(["run", "h", "nowhere.at_all:f", f"--{name}=1"], backend) == 0
    assert backend.calls[0][3] == {name: "1"}


def test_a_missing_function_of_the_standard_library_is_the_targets_business() -> None:
    assert main(["run", "h", "shutil:made_up_in_3_20"], FakeBackend()) == 0


def test_a_type_error_over_strings_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(context: FakeContext, value: Any) -> Any:
        raise rebuild(describe(TypeError("must be real number, not str")), host="h", call="math:sqrt")

    assert main(["run", "h", "math:sqrt", "4"], FakeBackend(answer)) == 2
    assert "--json-args" in capsys.readouterr().err
    assert main(["run", "h", "math:sqrt", "4", "--json-args"], FakeBackend(answer)) == 2
    assert "--json-args" not in capsys.readouterr().err


def test_stdin_as_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from stdin\n")))
    backend = FakeBackend(lambda context, *args: None)
    assert main(["run", "h", "m:f", "-", "b"], backend) == 0
    assert backend.calls[0][2] == ("from stdin\n", "b")


def test_exec_passes_code_and_streams(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(context: FakeContext, command: Any) -> int:
        backend.prints(context, "out\n")
        backend.prints(context, "err\n", "stderr")
        return 3

    backend = FakeBackend(answer)
    assert main(["exec", "h", "--", "ls", "-l", "--json"], backend) == 3
    assert capsys.readouterr() == ("out\n", "err\n")
    assert backend.calls[-1][1:4] == ("remotesvc.shell:run", (["ls", "-l", "--json"],), {})
    assert main(["exec", "h", "ls | wc"], backend) == 3
    assert backend.calls[-1][2] == ("ls | wc",)
    capsys.readouterr()
    assert main(["exec", "-q", "-f1", "h,i", "ls"], backend) == 2
    out, err = capsys.readouterr()
    assert out == "h: out\ni: out\n"
    assert sorted(err.splitlines()) == ["h: err", "h: exit code 3", "i: err", "i: exit code 3"]
    assert main(["exec", "--json", "h", "ls"], backend) == 3
    result = json.loads(capsys.readouterr().out)[0]
    assert (result["status"], result["rc"], result["stdout"], result["stderr"]) == (
        "failed",
        3,
        "out\n",
        "err\n",
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["h,i", "ls / | wc -l", "--gather"], True),
        (["h", "ls", "--gather"], True),
        (["h", "ls /", "--frobnicate"], True),
        (["h", "ls", "--frobnicate"], False),
        (["h", "--", "ls", "--gather"], False),
        (["--shell", "h", "ls", "--gather"], False),
        (["h", "ls / | wc"], False),
    ],
)
def test_options_behind_a_command_that_is_not_found_are_told_of(
    capsys: pytest.CaptureFixture[str], words: list[str], told: bool
) -> None:
    main(["exec", *words], FakeBackend(lambda *args: 127))
    assert capsys.readouterr().err.count("our options stand ahead of COMMAND; --shell gives") == told
    main(["exec", *words], FakeBackend(lambda *args: 1))
    assert "our options" not in capsys.readouterr().err


def test_exec_without_a_connection_is_255(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exec", "h", "ls"], FakeBackend(refuse="h")) == 255
    assert "h: no connection" in capsys.readouterr().err
    assert main(["exec", "h,i", "ls"], FakeBackend(lambda *args: 0, refuse="h")) == 4


def test_exec_reads_stdin_only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\x00data")))
    backend = FakeBackend(lambda *args: 0)
    assert main(["exec", "h", "cat"], backend) == 0
    assert sys.stdin.buffer.read() == b"\x00data"
    assert main(["exec", "--stdin", "-n", "h", "cat"], backend) == 64


def test_ping(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ping", "h"], FakeBackend()) == 0
    assert capsys.readouterr().out == "1.50 ms (connected in 1 ms, Python 3.11.2, /usr/bin/python3)\n"
    assert main(["ping", "--json", "h,i"], FakeBackend(refuse="i")) == 4
    results = {result["host"]: result for result in json.loads(capsys.readouterr().out)}
    assert results["h"]["value"]["round_trip_ms"] == 1.5
    assert results["i"]["status"] == "unreachable"


def test_a_reader_that_goes_away_stops_the_run_silently(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        assert main(["run", "-f1", "a,b", "m:f"], FakeBackend()) in (0, 8)
        monkeypatch.undo()
    assert capfd.readouterr() == ("", "")


def test_a_full_disk_behind_stdout_is_not_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["run", "h", "m:f"], FakeBackend(lambda context: 5)) == 1
        monkeypatch.undo()
    assert "cannot write the results" in capsys.readouterr().err


def test_a_bug_of_ours_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    def bug(**options: Any) -> Any:
        raise ZeroDivisionError

    assert main(["run", "h", "m:f"], bug) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("remotesvc 0")


@pytest.mark.parametrize("words", ["--help", "run --help", "--version", "run h tasks_nowhere"])
def test_nothing_heavy_is_imported_for_what_connects_nothing(words: str) -> None:
    code = (
        "import sys; from remotesvc.cli.main import main; main(sys.argv[1:]);"
        "print('heavy:', [m for m in sys.modules if m.partition('.')[0] in"
        " ('paramiko', 'rich', 'cryptography', 'msgpack', 'asyncio', 'yaml')"
        " or m in ('remotesvc.router', 'logging', 'concurrent.futures')])"
    )
    done = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"


@pytest.mark.parametrize("line", ["push app.conf web1:/etc/", "pull web1:/etc/hosts ."])
def test_who_copies_as_with_scp_is_told_how(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split(), FakeBackend()) == 64
    assert f"as in remotesvc {line.split()[0]} web1 SRC DST, not web1:PATH" in " ".join(capsys.readouterr().err.split())
