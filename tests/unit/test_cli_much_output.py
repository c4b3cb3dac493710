"""Hosts that print more than is kept in memory: files have all of it, and what is shown of it says that it is cut."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remotesvc.cli.main import main
from remotesvc.fleet import printed
from tests.unit.cli_backend import FakeBackend, FakeContext

KEPT = 1024 * 1024
"""Instead of 8 MiB."""
LINE = "x" * 1023 + "\n"
LINES = 64
TIMES = 20
"""So often a host prints so many lines: more than is kept, and more at a time than stays out of its file."""

pytestmark = pytest.mark.usefixtures("little_kept")


@pytest.fixture
def little_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printed, "KEPT", KEPT)


def printing(last: Callable[[str], str] = lambda host: host, times: int = TIMES, code: int = 0) -> FakeBackend:
    """Hosts that print much to both streams, and `last(host)` at the end of it."""
    backend = FakeBackend()

    def say(context: FakeContext, *args: Any) -> int:
        for stream in ("stdout", "stderr"):
            for _ in range(times):
                backend.prints(context, LINE * LINES, stream)
            backend.prints(context, last(context.host) + "\n", stream)
        return code

    backend.answer = say
    return backend


def test_files_have_all_that_was_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    assert main(["exec", "a,b", "--outdir", str(out), "--errdir", str(err), "--", "x"], printing()) == 0
    for directory in (out, err):
        assert sorted(os.listdir(directory)) == ["a", "b"]
        for host in "ab":
            assert (directory / host).read_text() == LINE * LINES * TIMES + f"{host}\n"
    assert capsys.readouterr() == ("", "2 hosts: 2 ok\n")


def test_a_file_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """Until then a file of an earlier run stands there, whole too."""
    (tmp_path / "a").write_text("earlier\n")
    backend = printing()
    say, seen = backend.answer, []

    def look(context: FakeContext, *args: Any) -> Any:
        value = say(context)
        seen.extend(os.listdir(tmp_path))
        assert (tmp_path / "a").read_text() == "earlier\n"
        return value

    backend.answer = look
    assert main(["exec", "a", "--outdir", str(tmp_path), "--", "x"], backend) == 0
    part, whole = sorted(seen)
    assert (part[:3], part[19:], whole) == (".a.", ".part", "a")
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_text().endswith("\na\n")


def test_parts_of_files_go_through_no_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Others may write to the directory: what they plant there must not choose which file of ours is written to."""
    victim, out = tmp_path / "victim", tmp_path / "out"
    victim.write_text("mine\n")
    out.mkdir()
    (out / f".a.{os.getpid()}.part").symlink_to(victim)
    backend = printing()
    say = backend.answer

    def swap(context: FakeContext, *args: Any) -> Any:
        say(context)
        part = next(name for name in os.listdir(out) if name.startswith(".b."))
        (out / part).unlink()
        (out / part).symlink_to(victim)
        return say(context)

    assert main(["exec", "a", "--outdir", str(out), "--", "x"], backend) == 0
    backend.answer = swap
    assert main(["exec", "b", "--outdir", str(out), "--", "x"], backend) == 1
    assert f"cannot write {out}/b: Too many levels of symbolic links" in capsys.readouterr().err
    assert victim.read_text() == "mine\n"


def test_a_file_that_cannot_have_its_name_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out" / "a").mkdir(parents=True)
    words = ["exec", "a,b", "-f1", "--outdir", str(tmp_path / "out"), "--errdir", str(tmp_path / "err"), "--", "x"]
    assert main(words, printing()) == 1
    assert f"cannot write {tmp_path}/out/a: Is a directory" in capsys.readouterr().err
    for directory in ("out", "err"):
        assert not [name for name in os.listdir(tmp_path / directory) if name.startswith(".")]


@pytest.mark.parametrize("option", ["--gather", "--regroup", "--diff"])
def test_answers_that_differ_behind_what_is_kept_are_not_equal(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exec", "a,b,c", option, "--", "x"], printing(lambda host: str(host == "b"))) == 0
    out, err = capsys.readouterr()
    heads = [line for line in out.splitlines() if not line.startswith(" ")]
    assert heads == (["a,c (2):", "b: ... only the first 1 MiB of each are compared by line; they differ behind"]
                     if option == "--diff" else ["a,c (2):", "b:"])  # fmt: skip
    assert out.count(LINE) == KEPT // len(LINE) * (1 if option == "--diff" else 2)
    assert out.split("b:")[0].endswith(f"  {LINE}  ... cut after 1 MiB\n")
    assert err.startswith("a,c (2):\n") and err.count("  ... cut after 1 MiB\n") == 2


@pytest.mark.parametrize("code", [0, 3])
def test_answers_that_are_equal_behind_what_is_kept_are_one(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exec", "a,b", "--gather", "--", "x"], printing(lambda host: "", code=code)) == (2 if code else 0)
    out, err = capsys.readouterr()
    assert out == "a,b (2):\n" + f"  {LINE}" * (KEPT // len(LINE)) + "  ... cut after 1 MiB\n"
    assert err.count(f"  {LINE}") == KEPT // len(LINE) and "  ... cut after 1 MiB\n" in err


def test_failures_that_differ_behind_what_is_kept_are_not_equal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exec", "a,b", "--gather", "--", "x"], printing(code=3)) == 2
    out, err = capsys.readouterr()
    assert "a:\n" in out and "b:\n" in out
    assert "a: exit code 3\n" in err and "b: exit code 3\n" in err


def test_a_difference_says_that_it_is_of_a_part(capsys: pytest.CaptureFixture[str]) -> None:
    backend = printing(lambda host: "")
    say = backend.answer

    def begin(context: FakeContext, *args: Any) -> Any:
        backend.prints(context, "other\n" if context.host == "c" else "same\n")
        return say(context)

    backend.answer = begin
    assert main(["exec", "a,b,c", "--diff", "--", "x"], backend) == 0
    out = capsys.readouterr().out
    assert "  +other\n" in out and out.endswith("  ... only the first 1 MiB of each are compared by line\n")


@pytest.mark.parametrize("options", [["--gather"], ["--json"]])
def test_what_is_gathered_or_json_is_whole_in_files_too(options: list[str], tmp_path: Path) -> None:
    assert main(["exec", "a,b", *options, "--outdir", str(tmp_path), "--", "x"], printing()) == 0
    assert (tmp_path / "b").read_text() == LINE * LINES * TIMES + "b\n"
