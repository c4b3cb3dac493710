"""`remotesvc doctor` on set-ups that are broken in one place each: it names the step, and what to do."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from remotesvc.cli.main import main
from tests import listeners
from tests.integration.command_line import LIMIT, start
from tests.integration.ssh_servers import MISSING, SSHD, OpenSSHServer, make_key, openssh_server
from tests.scripts import shell_script

pytest_plugins = ("tests.integration.sshd_fixture",)
pytestmark = pytest.mark.skipif(SSHD is None, reason=MISSING)

STEPS = ["config", "tcp", "kex", "hostkey", "auth", "open", "exec", "boot", "call"]


class SetUp:
    """A host that works, as ssh_config and flags; `lines` and `flags` are there to be broken."""

    def __init__(self, directory: Path, server: OpenSSHServer) -> None:
        self.directory = directory
        self.server = server
        self.lines = {
            "HostName": "127.0.0.1", "Port": str(server.port), "User": server.user, "IdentityFile": server.key_file,
            "IdentitiesOnly": "yes", "IdentityAgent": "none", "UserKnownHostsFile": server.known_hosts_file,
            "GlobalKnownHostsFile": "none", "StrictHostKeyChecking": "yes",
        }  # fmt: skip
        self.flags = ["--python", sys.executable]

    def set(self, **changes: str) -> None:
        self.lines.update(changes)

    def command(self, *more: str) -> list[str]:
        path = self.directory / "config"
        path.write_text("Host target\n" + "".join(f"  {key} {value}\n" for key, value in self.lines.items()))
        return ["doctor", "target", "-F", str(path), *self.flags, *more]


@pytest.fixture
def setup(tmp_path: Path, sshd: OpenSSHServer) -> SetUp:
    return SetUp(tmp_path, sshd)


def run(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code = main([*words, "--json"])
    said = capsys.readouterr().out
    (report,) = json.loads(said)["hosts"]
    assert code == (4 if report["failed"] else 0), report
    found: dict[str, Any] = report
    return found


def test_a_host_that_works(setup: SetUp, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(setup.command(), capsys)
    assert [step["step"] for step in report["steps"]] == STEPS
    assert {step["state"] for step in report["steps"]} == {"ok"}
    found = {step["step"]: step["found"] for step in report["steps"]}
    assert found["kex"].startswith("SSH-2.0-OpenSSH")
    assert "SHA256:" in found["hostkey"]
    assert sys.executable in found["boot"]
    assert all(step["ms"] > 0 for step in report["steps"])


@pytest.mark.parametrize("option", ["--failed-to=x", "--forks=2", "--retries=1", "--deadline=3", "--diff"])
def test_what_means_nothing_is_no_option(option: str) -> None:
    assert main(["doctor", "h", option]) == 64


def test_what_people_see(setup: SetUp, capsys: pytest.CaptureFixture[str]) -> None:
    setup.set(User="nobody_there")
    assert main(setup.command()) == 4
    out = capsys.readouterr().out
    for text in ("remotesvc ", "paramiko ", "OpenSSH", "ok      hostkey", "FAILED  auth", "-       open", "  -> "):
        assert text in out
    assert out.count("\n  -> ") == 1
    assert main(["doctor"]) == 0
    assert "paramiko " in capsys.readouterr().out


Break = Callable[[SetUp, contextlib.ExitStack], Any]


def wrong_line(setup: SetUp, stack: contextlib.ExitStack) -> None:
    setup.set(Port="many")


def unsupported(setup: SetUp, stack: contextlib.ExitStack) -> None:
    setup.set(PKCS11Provider="/usr/lib/opensc.so")


def no_name(setup: SetUp, stack: contextlib.ExitStack) -> None:
    setup.set(HostName="no-such-host.invalid")


def closed_port(setup: SetUp, stack: contextlib.ExitStack) -> None:
    setup.set(Port=str(stack.enter_context(listeners.closed_port())))


def proxy_fails(setup: SetUp, stack: contextlib.ExitStack) -> None:
    setup.set(ProxyCommand="echo no such proxy >&2; exit 1")


def answers(setup: SetUp, stack: contextlib.ExitStack, words: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(words)
        if words:
            connection.close()

    setup.set(Port=str(stack.enter_context(listeners.tcp_server(serve))))
    setup.flags += ["--connect-timeout", "5"]  # a busy machine gets that far in it


def silent(setup: SetUp, stack: contextlib.ExitStack) -> None:
    answers(setup, stack, b"")


def no_ssh(setup: SetUp, stack: contextlib.ExitStack) -> None:
    answers(setup, stack, b"HTTP/1.1 400 Bad Request\r\n\r\n")


def unknown_key(setup: SetUp, stack: contextlib.ExitStack) -> None:
    setup.set(UserKnownHostsFile=str(setup.directory / "empty"))


def changed_key(setup: SetUp, stack: contextlib.ExitStack) -> None:
    known = setup.directory / "other"
    known.write_text(f"[127.0.0.1]:{setup.server.port} {make_key(setup.directory / 'another')}\n")
    setup.set(UserKnownHostsFile=str(known))


def unwelcome(setup: SetUp, stack: contextlib.ExitStack) -> None:
    make_key(setup.directory / "mine")
    setup.set(IdentityFile=str(setup.directory / "mine"))


def no_key(setup: SetUp, stack: contextlib.ExitStack) -> None:
    setup.set(IdentityFile=str(setup.directory / "absent"))


def jump_down(setup: SetUp, stack: contextlib.ExitStack) -> None:
    setup.set(ProxyJump="127.0.0.1:1")


def other_server(setup: SetUp, stack: contextlib.ExitStack, line: str) -> None:
    server = stack.enter_context(openssh_server(setup.directory / "server", line))
    setup.set(Port=str(server.port), IdentityFile=server.key_file, UserKnownHostsFile=server.known_hosts_file)


def no_session(setup: SetUp, stack: contextlib.ExitStack) -> None:
    other_server(setup, stack, "MaxSessions 0")


def forced(setup: SetUp, stack: contextlib.ExitStack) -> None:
    other_server(setup, stack, "ForceCommand echo This account is not available.; exit 1")


def no_python(setup: SetUp, stack: contextlib.ExitStack) -> None:
    setup.flags = ["--python", "/no/such/python"]


def broken_python(setup: SetUp, stack: contextlib.ExitStack) -> None:
    script = shell_script(setup.directory / "python", "echo 'libpython3.so: cannot open shared file' >&2\nexit 127")
    setup.flags = ["--python", str(script)]


def slow_python(setup: SetUp, stack: contextlib.ExitStack) -> None:
    script = shell_script(setup.directory / "python", "exec sleep 60")
    setup.flags = ["--python", str(script), "--connect-timeout", "8"]  # of which most is for getting that far


BROKEN: dict[str, tuple[Break, str, str]] = {
    "a line of ssh_config": (wrong_line, "config", "many"),
    "a keyword that cannot be honoured": (unsupported, "config", "--transport openssh"),
    "a name": (no_name, "tcp", "spelt"),
    "a port": (closed_port, "tcp", "port"),
    "a proxy command": (proxy_fails, "tcp", "no such proxy"),
    "a jump host": (jump_down, "jump", "127.0.0.1"),
    "a silent server": (silent, "kex", "SSH server"),
    "another protocol": (no_ssh, "kex", "HTTP/1.1"),
    "an unknown key": (unknown_key, "hostkey", ">>"),
    "a changed key": (changed_key, "hostkey", "ssh-keygen -R"),
    "a key that is not welcome": (unwelcome, "auth", "rejected"),
    "no key at all": (no_key, "auth", "key"),
    "no sessions": (no_session, "open", "MaxSessions"),
    "a forced command": (forced, "boot", "not available"),
    "no Python": (no_python, "boot", "--python"),
    "a Python that does not start": (broken_python, "boot", "libpython3.so"),
    "a Python that never answers": (slow_python, "boot", "connect_timeout"),
}


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("name", BROKEN)
def test_the_step_that_fails_is_named(
    name: str, setup: SetUp, stack: contextlib.ExitStack, capsys: pytest.CaptureFixture[str]
) -> None:
    damage, step, text = BROKEN[name]
    damage(setup, stack)
    report = run(setup.command(), capsys)
    assert report["failed"] == step, report
    assert text in report["problem"] + report["remedy"], report
    assert report["remedy"]
    states = [each["state"] for each in report["steps"]]
    position = states.index("failed")
    assert set(states[:position]) <= {"ok"}
    assert set(states[position + 1 :]) <= {"not reached"}
    names = [each["step"] for each in report["steps"]]
    assert names == [each for each in ["config", "jump", *STEPS[1:]] if each != "jump" or step == "jump"]


# By the ssh program; None: as above. What it alone can honour is no failure.
BY_SSH = {**dict.fromkeys(BROKEN), "an unknown key": "accept-new", "a changed key": "remove",
          "a key that is not welcome": "mine ED25519"}  # fmt: skip
del BY_SSH["a keyword that cannot be honoured"]


@pytest.mark.parametrize("name", BY_SSH)
def test_the_step_that_fails_is_named_with_the_ssh_program(
    name: str, setup: SetUp, stack: contextlib.ExitStack, capsys: pytest.CaptureFixture[str]
) -> None:
    damage, step, text = BROKEN[name]
    damage(setup, stack)
    report = run(setup.command("--transport", "openssh"), capsys)
    assert report["failed"] == step, report
    assert (BY_SSH[name] or text) in report["problem"] + report["remedy"], report
    assert report["remedy"]
    states = [each["state"] for each in report["steps"]]
    assert set(states[: states.index("failed")]) <= {"ok"}


def test_a_host_that_works_by_the_ssh_program(setup: SetUp, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(setup.command("--transport", "openssh"), capsys)
    assert [step["step"] for step in report["steps"]] == STEPS
    assert {step["state"] for step in report["steps"]} == {"ok"}
    found = {step["step"]: step["found"] for step in report["steps"]}
    assert found["kex"].startswith("SSH-2.0-OpenSSH")
    assert "SHA256:" in found["hostkey"]


def test_a_way_through_a_jump_host_is_shown(
    setup: SetUp, stack: contextlib.ExitStack, capsys: pytest.CaptureFixture[str]
) -> None:
    server = stack.enter_context(openssh_server(setup.directory / "server"))
    command = setup.command()
    with open(setup.directory / "config", "a") as file:
        file.write(
            f"Host way\n HostName 127.0.0.1\n Port {server.port}\n User {server.user}\n IdentityAgent none\n"
            f" IdentityFile {server.key_file}\n UserKnownHostsFile {server.known_hosts_file}\n"
        )
    report = run([*command, "-J", "way"], capsys)
    assert [step["step"] for step in report["steps"]] == ["config", "jump", *STEPS[1:]]
    assert report["steps"][1]["found"] == "through way"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("form", ["--json", "--jsonl", "--color=never"])
def test_what_is_known_when_it_is_interrupted_is_reported(tmp_path: Path, number: signal.Signals, form: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tarpit:
        silent = f"127.0.0.1:{tarpit.getsockname()[1]}"
        with start(tmp_path, "doctor", "-F", "none", form, f"local:,{silent},nowhere.invalid") as process:
            connection, _ = tarpit.accept()
            with connection:
                process.send_signal(number)
                out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + number
    assert f"interrupted; not finished: nowhere.invalid,{silent}\n" in err and "Traceback" not in err
    if form == "--color=never":
        assert out.startswith("remotesvc ") and "\nlocal:\n  ok      " in out and "FAILED" not in out
        assert f"\n{silent}: not run\n" in out and "\nnowhere.invalid: not run\n" in out
        return
    if form == "--json":
        report = json.loads(out)
        versions, hosts = report["versions"], report["hosts"]
    else:
        first, *hosts = map(json.loads, out.splitlines())
        versions = first["versions"]
    assert "remotesvc" in versions
    assert {host["host"]: host["status"] for host in hosts} == {
        "local:": "ok", silent: "not_run", "nowhere.invalid": "not_run"}  # fmt: skip


def test_lines_of_json_come_as_hosts_are_through(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tarpit:
        silent = f"127.0.0.1:{tarpit.getsockname()[1]}"
        with start(tmp_path, "doctor", "-F", "none", "--jsonl", f"local:,{silent}") as process:
            assert process.stdout is not None
            assert list(json.loads(process.stdout.readline())) == ["versions"]
            first = json.loads(process.stdout.readline())
            assert (first["host"], first["status"]) == ("local:", "ok")
            with tarpit.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")  # only now is the second one through
            rest = process.communicate(timeout=LIMIT)[0]
    assert process.returncode == 4
    assert (json.loads(rest)["status"], json.loads(rest)["failed"]) == ("failed", "kex")


@pytest.mark.parametrize("form", ["--json", "--jsonl"])
def test_without_a_host_the_versions_are_the_report(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", form]) == 0
    out, err = capsys.readouterr()
    assert "remotesvc" in json.loads(out)["versions"] and json.loads(out).get("hosts", []) == []
    assert err == ""
