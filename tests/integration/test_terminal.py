"""What people see: commands in a real terminal, whose screen is looked at."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.ssh_servers import OpenSSHServer
from tests.integration.tmux import PROMPT, Terminal
from tests.kernel.contexts import appears

pytest_plugins = ("tests.integration.tmux_fixture", "tests.integration.sshd_fixture")

TASKS = '''
import os, time

from remotesvc import Host

def gate(host: Host):
    """Print, then wait for a file of the host's name that says how to end."""
    print("line of", host.name)
    while not os.path.exists(host.name):
        time.sleep(0.01)
    if os.path.getsize(host.name):
        raise ValueError("as it was told")
    return "value of " + host.name

def stubborn(host: Host):
    open("begun-" + host.name, "w").close()
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
'''
Make = Callable[..., Terminal]


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "hosts").write_text("h[1:3] ansible_connection=local\n")


def begin(window: Terminal, before: str = "") -> None:
    window.remotesvc("run", "-i", "hosts", "all", "tasks:gate", before=before)
    for host in ("h1", "h2", "h3"):
        window.wait_for(rf"^\[{host}\] line of {host}$")


def test_who_is_waited_for_stands_below_what_is_said(terminal: Make, tmp_path: Path) -> None:
    window = terminal(100)
    begin(window)
    shown = window.wait_for(r"^0/3 done, waiting for (h\d \(0:\d\d\)(, )?){3}$")
    assert shown[-1].startswith("0/3 done")
    (tmp_path / "h1").touch()
    shown = window.wait_for("^1/3 done, waiting for ")
    assert "h1: value of h1" in shown and shown[-1].startswith("1/3 done")
    (tmp_path / "h2").write_text("fail")
    window.wait_for(r"^2/3 done, 1 failed, waiting for h3 \(0:\d\d\)$")
    window.wait_for(r"waiting for h3 \((?!0:00)\d+:\d\d\)$")  # time goes by, nothing else happens
    (tmp_path / "h3").touch()
    code, shown = window.ended()
    assert code == 2
    assert sorted(shown[:3]) == [f"[{host}] line of {host}" for host in ("h1", "h2", "h3")]
    assert shown[3:5] == ["h1: value of h1", "h2: ValueError: as it was told"]
    assert shown[-3:] == ["h3: value of h3", "3 hosts: 2 ok, 1 failed (h2)", ""]
    assert not any("waiting" in line for line in window.screen())


def test_a_narrow_window(terminal: Make, tmp_path: Path) -> None:
    window = terminal(40)
    begin(window)
    shown = window.wait_for(r"^0/3 done, waiting for h\d \(0:\d\d\) \+2$")
    assert shown[-1].startswith("0/3 done")
    for host in ("h1", "h2", "h3"):
        (tmp_path / host).touch()
    code, shown = window.ended()
    assert code == 0 and not any("waiting" in line for line in shown)
    assert sorted(shown[:3]) == [f"[{host}] line of {host}" for host in ("h1", "h2", "h3")]
    assert sorted(shown[3:6]) == [f"{host}: value of {host}" for host in ("h1", "h2", "h3")]


def test_a_window_that_changes_its_size(terminal: Make, tmp_path: Path) -> None:
    window = terminal(100)
    begin(window)
    window.wait_for(r"^0/3 done, waiting for (h\d \(0:\d\d\)(, )?){3}$")
    window.resize(40)
    window.wait_for(r"^0/3 done, waiting for h\d \(0:\d\d\) \+2$")
    window.resize(120)
    window.wait_for(r"^0/3 done, waiting for (h\d \(0:\d\d\)(, )?){3}$")
    for host in ("h1", "h2", "h3"):
        (tmp_path / host).touch()
    code, shown = window.ended()
    assert code == 0
    assert sorted(shown[:3]) == [f"[{host}] line of {host}" for host in ("h1", "h2", "h3")]
    assert sorted(shown[-5:-2]) == [f"{host}: value of {host}" for host in ("h1", "h2", "h3")]


@pytest.mark.parametrize(("before", "progress", "colours"), [
    ("", True, True),
    ("NO_COLOR=1", True, False),
    ("TERM=dumb", False, False),
    ("CI=true", False, True),
])  # fmt: skip
def test_colours_and_progress_where_they_are_wanted(
    terminal: Make, tmp_path: Path, before: str, progress: bool, colours: bool
) -> None:
    window = terminal()
    window.record(tmp_path / "record")
    for host, said in (("h1", ""), ("h2", "fail"), ("h3", "")):
        (tmp_path / host).write_text(said)
    begin(window, before)
    code, _ = window.ended()
    written = window.recorded(tmp_path / "record")
    assert code == 2
    assert (b"waiting for" in written) is progress
    assert (b"\x1b[31m" in written) is colours
    assert (b"\x1b" in written) is (progress or colours)


def test_ctrl_c_keeps_what_arrived_and_the_terminal(terminal: Make, tmp_path: Path) -> None:
    window = terminal(100)
    before = window.settings()
    begin(window)
    (tmp_path / "h1").touch()
    window.wait_for("^1/3 done, waiting for ")
    window.press("C-c")
    code, shown = window.ended()
    assert code == 130
    assert "h1: value of h1" in shown
    assert "interrupted; not finished: h[2-3]; Ctrl-C again leaves at once" in shown
    assert shown[-2:] == ["3 hosts: 1 ok, 2 cancelled (h[2-3])", ""]
    assert not any("waiting" in line for line in shown)
    assert window.settings() == before and window.cursor_shown


def test_ctrl_c_twice_leaves_at_once_and_nothing_of_ours(terminal: Make, tmp_path: Path) -> None:
    window = terminal(100)
    before = window.settings()
    window.remotesvc("run", "-i", "hosts", "h1,h2", "tasks:stubborn")
    window.wait_for(r"^0/2 done, waiting for h\d \(")
    for host in ("h1", "h2"):  # a host that was not begun would have its outcome at once
        appears(tmp_path / f"begun-{host}")
    window.press("C-c")
    window.wait_for("^interrupted; not finished: h")
    window.press("C-c")
    code, shown = window.ended()
    assert code == 130
    assert shown == ["interrupted; not finished: h[1-2]; Ctrl-C again leaves at once", ""]
    assert window.screen()[-1].startswith(PROMPT.strip())
    assert window.settings() == before and window.cursor_shown


def test_passwords_are_asked_for_once_and_not_shown(terminal: Make, tmp_path: Path, sshd: OpenSSHServer) -> None:
    window = terminal()
    before = window.settings()
    window.record(tmp_path / "record")
    window.remotesvc("run", "-k", "-K", *connection(sshd, sshd.key_file), sshd.host, "os:getcwd")
    window.wait_for("^SSH password: *$")
    window.type("open sesame")
    window.wait_for(r"^sudo password \[as for SSH\]: *$")
    window.type("correct horse")
    code, _ = window.ended()
    written = window.recorded(tmp_path / "record")
    assert code == 0 and b"SSH password" in written
    assert b"sesame" not in written and b"horse" not in written
    assert window.settings() == before


@pytest.mark.parametrize("question", ["before", "while connecting"])
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_at_a_question_gives_the_echo_back(
    terminal: Make, tmp_path: Path, sshd: OpenSSHServer, question: str, times: int
) -> None:
    window = terminal(200)  # the question fits into one line
    before = window.settings()
    locked = tmp_path / "locked"
    shutil.copy(sshd.key_file, locked)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(locked)], check=True)
    words = ["run", *connection(sshd, str(locked)), sshd.host, "os:getcwd"]
    if question == "before":
        words.insert(1, "-k")
    window.remotesvc(*words)
    window.wait_for("(?i)pass(word|phrase).*: *$")
    assert " -echo " in window.settings()
    for _ in range(times):
        window.press("C-c")
    assert window.ended()[0] == 130
    assert window.settings() == before


@pytest.mark.parametrize("stops", [False, True])
def test_questions_are_seen_whatever_else_is_shown(
    terminal: Make, tmp_path: Path, sshd: OpenSSHServer, stops: bool
) -> None:
    """The other host answers, and the line below would tell of both, while the key of one is asked about."""
    window = terminal(160)
    (tmp_path / "hosts").write_text("h1 ansible_connection=local\ns1\n")
    (tmp_path / "config").write_text(
        f"Host s1\nHostName {sshd.host}\nPort {sshd.port}\nUser {sshd.user}\nIdentityFile {sshd.key_file}\n"
        f"IdentityAgent none\nUserKnownHostsFile {tmp_path}/known\nStrictHostKeyChecking ask\n")
    window.remotesvc("run", "-i", "hosts", "-F", "config", "all", "os:getpgrp")
    shown = window.wait_for(r"^Connect, and remember the key\? \[yes/no\]$")
    assert any(f"authenticity of host s1 ([{sshd.host}]:{sshd.port})" in line for line in shown)
    if stops:
        window.press("C-c")
    else:
        window.type("y")
        shown = window.wait_for("^Please type yes or no:$")
        assert not any("waiting" in line for line in shown)
        window.type("yes")
    code, shown = window.ended()
    assert code == (130 if stops else 0)
    assert any(line.startswith("h1: ") for line in shown), shown
    assert not any("waiting" in line for line in shown), shown


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_while_bars_are_shown(terminal: Make, tmp_path: Path, times: int) -> None:
    window = terminal(100)
    before = window.settings()
    (tmp_path / "large").write_bytes(os.urandom(1_000_000))
    window.remotesvc("push", "-i", "hosts", "h1,h2", "large", str(tmp_path / "there") + "/", "--rate", "1k")
    for host in ("h1", "h2"):
        window.wait_for(rf"^{host} .*B")
    assert not window.cursor_shown
    for _ in range(times):
        window.press("C-c")
    code, shown = window.ended()
    assert code == 130
    if times == 1:
        assert "interrupted; not finished: h[1-2]; Ctrl-C again leaves at once" in shown
        assert shown[-2:] == ["2 hosts: 2 cancelled (h[1-2])", ""]
        assert not any("━" in line for line in shown)
    assert window.settings() == before and window.cursor_shown


def test_a_program_that_is_ended_while_bars_are_shown_shows_the_cursor(terminal: Make, tmp_path: Path) -> None:
    window = terminal(100)
    (tmp_path / "large").write_bytes(os.urandom(1_000_000))
    words = ("push", "-i", "hosts", "h1,h2", "large", str(tmp_path / "there") + "/", "--rate", "1k")
    window.remotesvc(*words)
    for host in ("h1", "h2"):
        window.wait_for(rf"^{host} .*B")
    assert not window.cursor_shown
    window.send_signal(signal.SIGTERM)
    code, shown = window.ended()
    assert code == 143
    assert shown[-2:] == ["2 hosts: 2 cancelled (h[1-2])", ""] and window.cursor_shown


def test_what_is_said_while_bars_are_shown_stays(terminal: Make, tmp_path: Path) -> None:
    window = terminal(100)
    (tmp_path / "small").write_bytes(b"x")
    broken = "ansible_python_interpreter=/nonexistent/python"
    (tmp_path / "hosts").write_text(
        f"h1 ansible_connection=local {broken}\nh2 ansible_connection=local\nh3 ansible_connection=local {broken}\n")
    window.remotesvc("push", "-i", "hosts", "all", "small", str(tmp_path / "there") + "/", "--forks", "1")
    code, shown = window.ended()
    assert code == 4
    assert [line.split(":")[0] for line in shown if line.startswith("h")] == ["h1", "h2", "h3"]
    assert shown[-2:] == ["3 hosts: 1 ok, 2 unreachable (h[1,3])", ""]


def connection(server: OpenSSHServer, key: str) -> list[str]:
    return ["-p", str(server.port), "-u", server.user, "--private-key", key, "-F", "none", "-o",
            f"UserKnownHostsFile={server.known_hosts_file}", "-o", "IdentityAgent=none"]  # fmt: skip

