"""--gather, --diff, --outdir and the summary: many hosts told in few lines."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

from remotesvc.cli.main import main
from remotesvc.fleet.member import file_name
from tests.unit.cli_backend import FakeBackend, FakeContext
from tests.unit.outputs import Terminal


def answer(context: FakeContext, *args: Any) -> Any:
    if context.host == "web3":
        raise ValueError("no disk")
    if context.host == "web4":
        return "one\nTWO\nthree\n"
    return "one\ntwo\nthree\n"


def run(options: str, answer: Any = answer, refuse: str = "") -> int:
    return main(["run", "web[1-5]", "m:f", *options.split()], FakeBackend(answer, refuse))


def test_equal_answers_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--gather", refuse="web5") == 2 | 4
    out, err = capsys.readouterr()
    assert out == "web[1-2] (2):\n  one\n  two\n  three\nweb4:\n  one\n  TWO\n  three\n"
    assert "web3: ValueError: no disk\n" in err
    assert "web5: no connection: ConnectError" in err
    assert err.endswith("5 hosts: 3 ok, 1 failed (web3), 1 unreachable (web5)\n")


def test_equal_dicts_and_sets_are_one_answer_whatever_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = {"a": 1, "b": {0, 8}}, {"b": {8, 0}, "a": 1}
    assert run("--gather", lambda context: one if context.host == "web1" else other) == 0
    assert capsys.readouterr().out.startswith("web[1-5] (5): ")


def test_other_answers_are_shown_as_differences(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--diff") == 2
    out = capsys.readouterr().out
    assert out.startswith("web[1-2,5] (3):\n  one\n  two\n  three\nweb4:\n  --- most hosts\n  +++ these\n")
    assert "  -two\n  +TWO\n" in out


def test_whole_groups_are_named_for_their_hosts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hosts").write_text("[web]\nweb[1:3]\n[rack]\nweb3\ndb[1:2]\n[db]\ndb[1:2]\n[one]\nodd\n")

    def gathered(say: Any) -> list[str]:
        assert main(["run", "-i", str(tmp_path / "hosts"), "all", "m:f", "--regroup"], FakeBackend(say)) == 0
        return capsys.readouterr().out.splitlines()

    assert gathered(lambda context: "same") == ["@rack,odd,web[1-2] (6): same"]
    assert gathered(lambda context: context.host == "web3") == ["@db,odd,web[1-2] (5): False", "web3: True"]
    assert gathered(lambda context: context.host[:2]) == ["@web (3): we", "@db (2): db", "odd: od"]


def test_equal_failures_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(context: FakeContext) -> None:
        raise ValueError("no disk")

    assert run("--gather", fail) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("web[1-5] (5): ValueError: no disk\n")
    assert err.count("no disk") == 1


def test_what_hosts_print_belongs_to_their_answer(capsys: pytest.CaptureFixture[str]) -> None:
    backend = FakeBackend()

    def say(context: FakeContext, *args: Any) -> int:
        backend.prints(context, "kernel 6.1" if context.host == "web2" else "kernel 5.10")
        return 0

    backend.answer = say
    assert main(["exec", "web[1-3]", "--gather", "--", "uname", "-r"], backend) == 0
    assert capsys.readouterr().out == "web[1,3] (2): kernel 5.10\nweb2: kernel 6.1\n"


def test_what_hosts_print_to_stderr_goes_to_our_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    backend = FakeBackend()

    def say(context: FakeContext, *args: Any) -> int:
        backend.prints(context, "kernel 6.1\n")
        backend.prints(context, "old\n" if context.host == "web2" else "warned\n", "stderr")
        return 0

    backend.answer = say
    assert main(["exec", "web[1-3]", "--gather", "--", "uname", "-r"], backend) == 0
    out, err = capsys.readouterr()
    assert out == "web[1-3] (3): kernel 6.1\n"
    assert err == "web[1,3] (2): warned\nweb2: old\n3 hosts: 3 ok\n"


@pytest.mark.parametrize("option", ["--gather", "--diff", "--regroup"])
def test_each_stream_of_a_command_that_fails_goes_to_its_own(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    backend = FakeBackend()

    def say(context: FakeContext, *args: Any) -> int:
        backend.prints(context, f"done {context.host}\n" if context.host == "web3" else "done\n")
        backend.prints(context, "disk full\n", "stderr")
        return 3 if context.host != "web1" else 0

    backend.answer = say
    assert main(["exec", "web[1-4]", option, "--", "x"], backend) == 2
    out, err = capsys.readouterr()
    assert out == "web1: done\nweb[2,4] (2): done\nweb3: done web3\n"
    assert err.startswith("web1: disk full\nweb[2-4] (3): exit code 3\n  disk full\n4 hosts:")


def test_a_file_for_each_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backend = FakeBackend()

    def say(context: FakeContext, *args: Any) -> Any:
        backend.prints(context, "working\n")
        backend.prints(context, "careful\n", "stderr")
        return answer(context)

    backend.answer = say
    line = f"run web[2-3] m:f --outdir {tmp_path}/out --errdir {tmp_path}/err"
    assert main(line.split(), backend) == 2
    assert (tmp_path / "out" / "web2").read_text() == "working\none\ntwo\nthree\n"
    assert (tmp_path / "out" / "web3").read_text() == "working\n"
    assert (tmp_path / "err" / "web2").read_text() == "careful\n"
    out, err = capsys.readouterr()
    assert out == "" and "web3: ValueError: no disk" in err


@pytest.mark.parametrize(("option", "kept", "shown"), [
    ("--outdir", "working\n", "h: careful\n"), ("--errdir", "careful\n", "h: working\n"),
])  # fmt: skip
def test_what_goes_to_no_file_is_shown(
    option: str, kept: str, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a command complains of is wanted above all where its answer is put aside."""
    backend = FakeBackend()

    def say(context: FakeContext, *args: Any) -> int:
        backend.prints(context, "working\n")
        backend.prints(context, "careful\n", "stderr")
        return 0

    backend.answer = say
    assert main(["exec", "-f1", "h,i", option, str(tmp_path), "--", "x"], backend) == 0
    assert (tmp_path / "h").read_text() == kept
    out, err = capsys.readouterr()
    assert shown + shown.replace("h:", "i:") == (err.removesuffix("2 hosts: 2 ok\n") if option == "--outdir" else out)


def test_a_directory_that_cannot_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    backend = FakeBackend()
    assert main(["run", "a,b", "m:f", "--outdir", "/dev/null/x"], backend) == 1
    assert "cannot make the directory /dev/null/x" in capsys.readouterr().err
    assert backend.opened == []


@pytest.mark.parametrize(("host", "name"), [
    ("web1", "web1"), ("local:", "local"), ("me@web1:22", "me@web1:22"), ("../x", "_.._x"), (".", "_."), ("a/b", "a_b"),
])  # fmt: skip
def test_names_of_hosts_are_names_of_files(host: str, name: str) -> None:
    assert file_name(host) == name


def test_json_and_gather_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--gather --json") == 64
    assert "are for people" in capsys.readouterr().err


def test_quiet_leaves_the_summary_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-q", lambda context: 1) == 0
    assert capsys.readouterr().err == ""


def test_without_labels_the_values_stand_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "a,b", "m:f", "-N", "-f1"], FakeBackend(lambda context: context.host)) == 0
    assert capsys.readouterr().out == "a\nb\n"


@pytest.mark.parametrize("option", ["--gather", "--regroup", "--diff"])
def test_answers_are_equal_only_if_they_are_so_to_the_end(
    option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    different = {"web1": 1, "web2": 2}
    numbers = list(range(1500))
    assert run(option, lambda context: [*numbers, different.get(context.host, 0)]) == 0
    shown = terminal.getvalue()
    assert "web[3-5] (3):" in shown and "web1:" in shown and "web2:" in shown
    if option == "--diff":
        assert "-  0,\n" in shown and "+  2,\n" in shown
    assert "is shown in part" in capsys.readouterr().err


def test_failures_are_equal_only_if_the_items_before_them_are(capsys: pytest.CaptureFixture[str]) -> None:
    def items(context: FakeContext) -> Any:
        yield "x" * 20_000 + context.host
        raise ValueError("no disk")

    assert main(["run", "a,b", "m:f", "--gather"], FakeBackend(items)) == 2
    err = capsys.readouterr().err
    assert "\na: ValueError" in f"\n{err}" and "\nb: ValueError" in err


@pytest.mark.parametrize("value", [list(range(5000)), {"text": "x" * 100_000}, [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]])
def test_files_and_pipes_have_whole_values(value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    for options in ([], ["--gather", "-N"], ["--outdir", str(many)], ["--write-result", str(one)]):
        assert main(["run", "h", "m:f", *options], FakeBackend(lambda context: value)) == 0
        out, err = capsys.readouterr()
        assert not err
        if "-N" in options:
            out = out.removeprefix("h:")
        for text in filter(None, [out, one.read_text() if one.exists() else "", *map(Path.read_text, many.glob("*"))]):
            assert ast.literal_eval(text.strip()) == value


def test_a_terminal_has_a_part_and_a_word(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["run", "h", "m:f"], FakeBackend(lambda context: list(range(5000)))) == 0
    assert "... 4,000 more" in terminal.getvalue()
    assert "is shown in part" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--outdir", "--write-result", "--gather"])
def test_a_lone_surrogate_of_a_host_is_no_end_of_the_run(option: str, tmp_path: Path) -> None:
    hosts = "a" if option == "--write-result" else "a,b"
    words = [option] if option == "--gather" else [option, str(tmp_path / "x")]
    assert main(["run", hosts, "m:f", *words], FakeBackend(lambda context: "\udce9 \ud800")) == 0
    if option == "--outdir":
        assert (tmp_path / "x" / "a").read_text() == (tmp_path / "x" / "b").read_text() == "\\udce9 \\ud800\n"


def test_one_directory_for_stdout_and_stderr_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backend = FakeBackend()
    (tmp_path / "link").symlink_to(tmp_path)
    line = f"run a,b m:f --outdir {tmp_path} --errdir {tmp_path}/link"
    assert main(line.split(), backend) == 64
    assert "--outdir and --errdir are one directory" in capsys.readouterr().err and backend.opened == []


@pytest.mark.parametrize(("options", "refuse", "code"), [("", "", 2), ("-S", "", 7), ("-S", "c", 255)])
def test_the_largest_exit_code(options: str, refuse: str, code: int) -> None:
    codes = {"a": 3, "b": 7, "c": 0}
    backend = FakeBackend(lambda context, *args: codes[context.host], refuse)
    assert main(f"exec a,b,c {options} -- x".split(), backend) == code
