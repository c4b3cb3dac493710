"""`remotesvc hosts` and completion: what is known without connecting to anything."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import pytest

from remotesvc.cli.main import main
from remotesvc.ssh.configuration.aliases import aliases
from tests.unit.cli_backend import FakeBackend

HOSTS = """\
[web]
web[01:03] ansible_password=hunter2 rack=7
[prod:children]
web
[db]
db1
"""


@pytest.fixture(name="hosts")
def fixture_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts").write_text(HOSTS)
    return tmp_path


@pytest.mark.parametrize(("line", "out"), [
    ("hosts -i hosts", "web01\nweb02\nweb03\ndb1\n"),
    ("hosts -i hosts web:!web02", "web01\nweb03\n"),
    ("hosts -i hosts all -l db --groups", "db1  db\n"),
    ("hosts -i hosts web01 --groups", "web01  prod,web\n"),
    ("hosts -i hosts --fold", "db1,web[01-03]\n"),
    ("hosts a,b", "a\nb\n"),
])  # fmt: skip
def test_hosts(hosts: Path, line: str, out: str, capsys: pytest.CaptureFixture[str]) -> None:
    backend = FakeBackend()
    assert main(line.split(), backend) == 0
    assert capsys.readouterr().out == out
    assert backend.opened == []


EVIL = "g\x1b]0;owned\x07\x9b2J$(reboot)"


def evil(hosts: Path) -> Path:
    """An inventory that is a program, and has a group of that name."""
    script = hosts / "evil"
    script.write_text("#!/bin/sh\nprintf %s '" + json.dumps({EVIL: {"hosts": ["web1"]}}) + "'\n")
    script.chmod(0o755)
    return script


@pytest.mark.parametrize(
    "line", ["hosts --groups", "hosts --json", "hosts --jsonl", "hosts --fold", "ping all --list-hosts"]
)
def test_names_of_an_inventory_command_no_terminal(hosts: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = os.openpty()
    with open(follower, "w") as file, monkeypatch.context() as patch:
        patch.setattr("sys.stdout", file)
        assert main([*line.split(), "-i", str(evil(hosts))], FakeBackend()) == 0
    shown = os.read(leader, 10_000)
    os.close(leader)
    assert b"web1" in shown
    assert not any(bad.encode() in shown for bad in "\x1b\x07\x9b")


def test_names_that_a_shell_would_run_are_not_offered(hosts: Path) -> None:
    from remotesvc.cli.completing import hosts as complete

    context = click.Context(click.Command("run"), info_name="run")
    context.params = {"inventory": (str(evil(hosts)),)}
    assert complete(context, click.Argument(["hosts"]), "") == ["all", "web1"]


def test_hosts_as_json_without_passwords(hosts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hosts", "-i", "hosts", "web01", "--json"], FakeBackend()) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == {"web01": {"groups": ["prod", "web"], "variables": {"rack": 7}}}


def test_hosts_as_json_lines(hosts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hosts", "-i", "hosts", "web01,db1", "--jsonl"], FakeBackend()) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"schema": 1, "event": "host", "host": "web01", "groups": ["prod", "web"], "variables": {"rack": 7}},
        {"schema": 1, "event": "host", "host": "db1", "groups": ["db"], "variables": {}},
    ]


def test_no_match_names_what_is_near(hosts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hosts", "-i", "hosts", "wbe01"], FakeBackend()) == 1
    assert "did you mean web01" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["local:", "local:,docker:box"])
@pytest.mark.parametrize("option", ["-p 7", "-o User=x", "-F none", "--private-key hosts", "--host-keys no",
                                    "--transport openssh"])  # fmt: skip
def test_options_of_ssh_are_refused_where_nobody_is_reached_over_ssh(
    hosts: Path, option: str, host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = FakeBackend()
    assert main(["run", host, *option.split(), "os:getpid"], backend) == 64
    assert f"{option.split()[0]} is for hosts that are reached over SSH, and local: is not" in capsys.readouterr().err
    assert backend.opened == []
    assert main(["run", "local:,web1", *option.split(), "os:getpid"], backend) == 0
    monkeypatch.setenv("REMOTESVC_PORT", "7")  # a default is for those that it is for
    assert main(["run", "local:", "os:getpid"], backend) == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell], FakeBackend()) == 0
    assert "_REMOTESVC_COMPLETE" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "last", "expected"), [
    (["run", "-i", "hosts"], "we", ["web", "web01", "web02", "web03"]),
    (["run", "-i", "hosts"], "db1,pr", ["db1,prod"]),
    (["run", "-i", "none"], "we", []),
])  # fmt: skip
def test_hosts_complete(hosts: Path, words: list[str], last: str, expected: list[str]) -> None:
    from click.shell_completion import ShellComplete

    from remotesvc.cli.main import cli

    found = ShellComplete(cli, {}, "remotesvc", "_REMOTESVC_COMPLETE").get_completions(words, last)
    assert [item.value for item in found] == expected


@pytest.mark.parametrize(("line", "last", "expected"), [
    ("run -i hosts web:!we", "we", ["web", "web01", "web02", "web03"]),
    ("run -i hosts web:", "", ["all", "web", "prod", "db", "web01"]),
    ("run -i hosts web,@we", "@we", ["@web"]),
    ("run -i hosts 'web:&pr", "web:&pr", ["web:&prod"]),
    ("run -i hosts all -l pr", "pr", ["prod"]),
    ("run -i hosts all --exclude pr", "pr", ["prod"]),
    ("run -F config ma", "ma", ["main"]),
    ("run -F none ma", "ma", []),
    ("run web1 ta", "ta", ["tasks:"]),
    ("run web1 tasks:us", "us", ["usage"]),
    ("run web1 tasks.py:", "", ["usage", "Disks"]),
    ("run web1 tasks:Disks.f", "Disks.f", ["Disks.free"]),
    ("call web1 tasks:", "", ["Disks.free"]),
    ("services web1 tasks:", "", ["Disks"]),
    ("run web1 nowhere:", "", []),
    ("run web1 broken:", "", []),
])  # fmt: skip
def test_what_bash_offers_for_its_last_word(
    hosts: Path, line: str, last: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from remotesvc.cli.completing import Bash
    from remotesvc.cli.main import cli

    (hosts / "config").write_text("Host main\n  Port 7\n")
    (hosts / "broken.py").write_text("def")
    (hosts / "tasks.py").write_text(
        "from remotesvc.service import Service, expose\ndef usage(): pass\ndef _hidden(): pass\nclass Disks(Service):\n"
        "    @expose()\n    def free(self): pass\n")
    monkeypatch.setenv("COMP_LINE", f"remotesvc {line}")
    monkeypatch.setenv("COMP_LAST", last)
    found = Bash(cli, {}, "remotesvc", "_REMOTESVC_COMPLETE").complete().splitlines()
    assert [each.removeprefix("plain,") for each in found[: len(expected) or 1]] == expected


@pytest.mark.parametrize(("line", "kind"), [
    ("run -i x", "file"), ("run -F x", "file"), ("run --private-key x", "file"), ("run --failed-to x", "file"),
    ("run --password-file x", "file"), ("run --outdir x", "dir"), ("run --errdir x", "dir"), ("run --path x", "dir"),
    ("push web1 x", "file"), ("sync web1 x", "file"), ("run web1 dir/x", "file"),
])  # fmt: skip
def test_where_files_are_offered(line: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from remotesvc.cli.completing import Bash
    from remotesvc.cli.main import cli

    monkeypatch.setenv("COMP_LINE", f"remotesvc {line}")
    found = Bash(cli, {}, "remotesvc", "_REMOTESVC_COMPLETE").complete()
    assert found == f"{kind},{line.split()[-1]}"


def test_aliases_of_ssh_config(tmp_path: Path) -> None:
    (tmp_path / "more.d").mkdir()
    (tmp_path / "more.d" / "x").write_text("Host inner\nInclude more.d/x\n")
    (tmp_path / "config").write_text(
        'Include more.d/*\nHost web1 web2 *.eu !no\n  User x\nhost="quoted" # not this\nHost web1\nMatch host z\n'
        "Host 'single' w\"e\"b#3\nHost \"not closed\nHost \x1b[2J\nHost last\n"
    )
    assert aliases((str(tmp_path / "config"), str(tmp_path / "none"))) == [
        "inner", "web1", "web2", "quoted", "single", "web#3", "last",
    ]  # fmt: skip
