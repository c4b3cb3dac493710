"""`ssh -G` is asked once for all hosts that the files do not tell apart, and what it says holds for each of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.ssh import SSHOptions
from remotesvc.ssh.configuration import ssh_says
from remotesvc.ssh.configuration.configfile import Values
from remotesvc.ssh.configuration.ssh_says import Answers
from tests.integration.ssh_config_files import FILES, PARTS
from tests.scripts import shell_script

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh here: ssh -G is NOT tested")

HOSTS = ["web1", "web2", "web12", "WEB1", "other", "Other", "w1", "db.Example.org", "10.0.0.7", "fe80::1", "a_b"]
# What nobody here looks at, and ssh fills in for each host.
FILLED_IN = ("controlpath", "localforward", "remoteforward", "dynamicforward")
WHOSE = """\
Host *
    ControlPath ~/.ssh/cm-%r@%h:%p
    ProxyCommand nc %h %p
    IdentityFile ~/.ssh/key-%h
    CertificateFile ~/.ssh/cert-%h
    LocalForward /tmp/s-%h /tmp/x
    SetEnv X=%h
"""
OWN = {
    "a name in it": WHOSE,
    "known hosts of each": "UserKnownHostsFile ~/.ssh/known-%h\n",
    "an agent of each": "Host web*\n  IdentityAgent ~/agent-%n\n",
    "a name for each": "Host w*\n  HostName %h.example.org\n",
    "a user for each": "User u-%h\n",
    "one name for all": "Host *\n  HostName web1\n",
    "in the end": "Match final all\n  Port 7\nHost web1\n  Port 8\n",
    "a pattern in lower case": "Match final all\n  User all\nHost web1\n  Port 8\nHost WEB1\n  Port 9\n",
    "a program decides": "Match exec \"test %h = web1\"\n  Port 9\n",
    "brackets mean nothing": "Host web[12]\n  Port 3\nHost web1,web2\n  Port 4\n",
    "words in quotes": "Host 'web1'\n  Port 3\nHost w\"eb\"2 we\\b12\n  Port 4\nHost \"web12' 'web12\"\n  Port 5\n",
    "a line that is none": "# all\rHost web1\n  Port 3\n# a\vHost web2\nUser a\n",
    "an Include in quotes": "Include '{d}/part_b'\nUser one\n",
    "an Include that glob reads": "Include {d}/part[_]b {d}/\\part_b\nUser one\n",
    "several patterns": "Host *.org 10.*\n  Port 5\nHost !web* *1 fe80::*\n  User one\n",
}


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where each run of `ssh` leaves a line."""
    log = tmp_path / "asked"
    log.write_text("")
    shell_script(tmp_path / "ssh", f'echo "$*" >> {log}; exec {shutil.which("ssh")} "$@"')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return log


def told(values: Values) -> Values:
    """What we may look at."""
    return {key: value for key, value in values.items() if key not in FILLED_IN}


def runs(asked: Path) -> int:
    return len(asked.read_text().splitlines())


@pytest.mark.parametrize("name", [*FILES, *OWN])
def test_what_ssh_says_of_one_host_holds_for_those_alike(name: str, tmp_path: Path) -> None:
    for part, text in PARTS.items():
        (tmp_path / part).write_text(text)
    path = tmp_path / "config"
    path.write_text({**FILES, **OWN}[name].replace("{d}", str(tmp_path)), newline="")
    program = shutil.which("ssh") or ""
    each = [SSHOptions.parse(host, ssh_config=path) for host in HOSTS]
    alone = [told(ssh_says.ask(program, options, 30)) for options in each]
    for order in (1, -1):
        answers = Answers()
        together = [told(answers.ask(program, options, 30)) for options in each[::order]]
        assert together == alone[::order]


@pytest.mark.parametrize(
    "way",
    [{}, {"user": "bob", "port": 77}, {"jump": ["bastion"]}, {"extra_options": ["Compression=yes"]}],
    ids=str,
)
def test_where_there_is_no_file_all_hosts_are_alike(asked: Path, way: dict[str, Any]) -> None:
    answers, program = Answers(), shutil.which("ssh") or ""
    each = [SSHOptions.parse(host, ssh_config="none", **way) for host in HOSTS]
    found = [answers.ask(program, options, 30) for options in each]
    assert runs(asked) == 1
    assert found == [ssh_says.ask(program, options, 30) for options in each]


def test_hosts_of_a_few_blocks(asked: Path, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("Host web*\n  User web\nHost db* !db1\n  User db\nHost *\n  Compression yes\n")
    answers, program = Answers(), shutil.which("ssh") or ""
    hosts = [f"{kind}{number}" for number in range(20) for kind in ("web", "db", "other")]
    users = {host: answers.ask(program, SSHOptions.parse(host, ssh_config=path), 30)["user"] for host in hosts}
    assert runs(asked) == 3
    assert users["web7"] == ["web"]
    assert users["db7"] == ["db"]
    assert users["db1"] == users["other3"] != ["db"]


def test_hosts_of_one_domain(asked: Path, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("Host web*\n  HostName %h.example.org\n")
    answers, program = Answers(), shutil.which("ssh") or ""
    for number in range(20):
        values = answers.ask(program, SSHOptions.parse(f"web{number}", ssh_config=path), 30)
        assert values["hostname"] == [f"web{number}.example.org"]
    assert runs(asked) == 1


def test_what_is_included_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / "more").write_text("Host web1\n  Port 7\n")
    (tmp_path / ".ssh" / "beside").write_text("Host web2\n  Port 8\n")
    path = tmp_path / "config"
    path.write_text("Include ~/more beside\nPort 9\n")
    program, answers = shutil.which("ssh") or "", Answers()
    for host, port in {"other": "9", "web1": "7", "web2": "8"}.items():
        options = SSHOptions.parse(host, ssh_config=path)
        assert answers.ask(program, options, 30)["port"] == ssh_says.ask(program, options, 30)["port"] == [port]


def test_a_file_that_changes_is_read_again(asked: Path, tmp_path: Path) -> None:
    path, part = tmp_path / "config", tmp_path / "part"
    path.write_text(f"Include {tmp_path}/part*\n")
    part.write_text("Port 1\n")
    answers, program = Answers(), shutil.which("ssh") or ""

    def ask(host: str) -> list[str]:
        return answers.ask(program, SSHOptions.parse(host, ssh_config=path), 30)["port"]

    assert (ask("a"), ask("b"), runs(asked)) == (["1"], ["1"], 1)
    part.write_text("Port 22222\n")
    assert (ask("a"), ask("b"), runs(asked)) == (["22222"], ["22222"], 2)
    (tmp_path / "part_of_all").write_text("User all\n")
    part.unlink()
    assert (ask("a"), runs(asked)) == (["22"], 3)


def test_what_ssh_refuses_it_refuses_for_each_host_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("Port nowhere\n")
    answers, program = Answers(), shutil.which("ssh") or ""
    for host in ("web1", "web2"):
        with pytest.raises(ConnectError, match=host):
            answers.ask(program, SSHOptions.parse(host, ssh_config=path), 30)
