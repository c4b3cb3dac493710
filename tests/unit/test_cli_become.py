"""-b, --become-user, --become-method, -K and --become-password-file: who is become, how, with which password, and what
is said otherwise."""

from __future__ import annotations

import getpass
import io
from pathlib import Path
from typing import Any

import pytest

from remotesvc.cli.main import main
from tests.unit.cli_backend import FakeBackend
from tests.unit.outputs import Terminal


def become(line: str, **changes: Any) -> list[tuple[str, str | None]]:
    backend = FakeBackend()
    assert main(line.split(), backend) == 0
    return [(user, options["password"] and options["password"].reveal()) for user, options in backend.became]


@pytest.mark.parametrize(("options", "expected"), [
    ("", []),
    ("-b", [("root", None)]),
    ("--become-user app", [("app", None)]),
    ("-b --become-password-file word", [("root", "hunter2")]),
])  # fmt: skip
def test_flags_say_who_is_become_with_which_password(
    options: str, expected: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "word").write_text("hunter2\nsecond line\n")
    assert become(f"run {options} web1 m:f") == expected
    assert become(f"run {options} local: m:f") == expected


@pytest.mark.parametrize(("options", "methods"), [
    ("", ["doas", "sudo"]), ("--become-method su", ["su", "su"]),
])  # fmt: skip
def test_the_become_method_of_the_inventory_gives_way_to_the_flag(
    options: str, methods: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts").write_text("w1 ansible_become_method=doas\nw2\n")
    backend = FakeBackend()
    assert main(f"run -i hosts -b {options} all m:f".split(), backend) == 0
    assert sorted(options["method"] for _, options in backend.became) == methods


def test_the_inventory_says_who_is_become_and_the_flag_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts").write_text("w1 ansible_become=yes ansible_become_user=app ansible_become_pass=x\nw2\n")
    assert become("run -i hosts all m:f") == [("app", "x")]
    assert dict(become("run -i hosts w1 m:f --become-user db")) == {"db": "x"}


def test_the_become_password_is_asked_for_once_and_may_be_that_of_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "hunter2" if prompt.startswith("SSH") else ""

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", ask)
    assert become("run -k -K -b web1,web2 m:f") == [("root", "hunter2")] * 2
    assert asked == ["SSH password: ", "sudo password [as for SSH]: "]


@pytest.mark.parametrize(("options", "message"), [
    ("-K --become-password-file word", "exclude each other"),
    ("-K", "needs a terminal"),
    ("-b --json -K", "never do"),
    ("--password-file - --become-password-file -", "cannot both be standard input"),
    ("--become-user -x", "not a user to become"),
    ("-b --become-method runas", "is not"),
    ("--become-method su --become-user #0", "not a number"),
])  # fmt: skip
def test_become_options_that_cannot_be_connect_nothing(options: str, message: str, capsys: pytest.CaptureFixture[str],
                     monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO())
    backend = FakeBackend()
    assert main(f"run {options} web1 m:f".split(), backend) == 64
    assert message in capsys.readouterr().err
    assert backend.opened == []


def test_a_refusal_counts_as_unreachable_and_closes_the_way_there(capsys: pytest.CaptureFixture[str]) -> None:
    backend = FakeBackend()
    backend.sudo_refuses = True
    assert main(["run", "-b", "web1", "m:f"], backend) == 4
    assert "cannot become root: the password is wrong" in capsys.readouterr().err
    assert "web1" in backend.closed
