"""The SSH password of a run: where it may come from, that it is asked for once, and that it is not seen."""

from __future__ import annotations

import getpass
import io
import sys
from pathlib import Path

import pytest

from remotesvc.bootstrap.data.secret import Secret
from remotesvc.cli import secrets
from remotesvc.cli.main import main
from remotesvc.cli.problems import BadUsage, OurError
from remotesvc.cli.settings import Settings
from tests.unit.cli_backend import FakeBackend


class Stdin(io.TextIOWrapper):
    """Standard input with this content."""

    def __init__(self, content: bytes, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(content))
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def test_the_password_is_asked_for_once_for_all_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "hunter2"

    monkeypatch.setattr(getpass, "getpass", answer)
    monkeypatch.setattr(sys, "stdin", Stdin(b"", terminal=True))
    backend = FakeBackend()
    assert main(["ping", "-k", "web1,web2,web3"], backend) == 0
    assert asked == ["SSH password: "]
    assert [options["password"] for _, options in backend.opened] == [Secret("hunter2")] * 3
    for words in (["-k"], ["--password-file", "/dev/null"]):  # this machine asks for none
        assert main(["ping", *words, "local:"], backend) == 64
    monkeypatch.setenv("REMOTESVC_ASK_PASS", "1")
    assert main(["ping", "local:"], backend) == 0
    assert len(asked) == 1


@pytest.mark.parametrize("words", [["--json"], ["--jsonl"]])
def test_a_program_is_not_asked_for_the_password(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(b"", terminal=True))
    assert main(["run", "-k", *words, "web1", "m:f"], FakeBackend()) == 64


def test_there_must_be_a_terminal_to_ask_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(b"hunter2\n"))
    with pytest.raises(BadUsage, match="--password-file"):
        secrets.with_passwords(Settings(ask_pass=True))


@pytest.mark.parametrize("answer", ["", EOFError()])
def test_no_answer_is_no_password(answer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(prompt: str) -> str:
        if isinstance(answer, EOFError):
            raise answer
        return str(answer)

    monkeypatch.setattr(getpass, "getpass", reply)
    monkeypatch.setattr(sys, "stdin", Stdin(b"", terminal=True))
    with pytest.raises(OurError, match="no password"):
        secrets.with_passwords(Settings(ask_pass=True))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hun ter\r\nmore\n", "hun ter"),
        (b"p\xc3\xa4ss\n", "p\xe4ss"),
    ],
)
def test_the_first_line_of_a_file(content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    settings = secrets.with_passwords(Settings(password_file=str(tmp_path / "file")))
    assert settings.password == Secret(expected)
    assert expected not in repr(settings)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"a\0b\n", b"x" * 1025 + b"\n", b"\xff\n"])
def test_what_is_no_password_is_an_error_that_does_not_show_it(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(OurError) as caught:
        secrets.with_passwords(Settings(password_file=str(file)))
    assert str(file) in str(caught.value)
    assert "xxx" not in str(caught.value)


def test_standard_input_keeps_what_follows_the_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = Stdin(b"hunter2\nthe argument\n")
    monkeypatch.setattr(sys, "stdin", stdin)
    backend = FakeBackend(lambda context, text: None)
    assert main(["run", "--password-file", "-", "web1", "m:f", "-"], backend) == 0
    assert backend.opened[0][1]["password"] == Secret("hunter2")
    assert backend.calls[0][2] == ("the argument\n",)


def test_standard_input_that_may_not_be_read() -> None:
    with pytest.raises(BadUsage, match="-n"):
        secrets.with_passwords(Settings(password_file="-", no_stdin=True))


def test_the_password_comes_in_one_way_at_a_time() -> None:
    with pytest.raises(BadUsage):
        secrets.with_passwords(Settings(ask_pass=True, password_file="x"))


@pytest.mark.parametrize(("words", "asks"), [([], True), (["--json"], False), (["--jsonl"], False), (["-n"], False)])
def test_who_may_be_asked_about_keys(words: list[str], asks: bool) -> None:
    backend = FakeBackend()
    assert main(["run", *words, "web1", "m:f"], backend) == 0
    assert backend.made["interactive"] is asks
