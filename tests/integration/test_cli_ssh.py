"""The command line on several hosts, over a real sshd that stands for all of them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.command_line import LIMIT, ROOT, cli, shell
from tests.integration.ssh_servers import OpenSSHServer

pytest_plugins = ("tests.integration.sshd_fixture",)

NAMELESS = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]
if not shutil.which("unshare") or subprocess.run([*NAMELESS, "true"], capture_output=True, check=False).returncode:
    NAMELESS = []


@pytest.fixture
def hosts(sshd: OpenSSHServer, tmp_path: Path) -> list[str]:
    """Options by which web1 to web9 are the sshd, and down1 to down9 a port where nobody listens."""
    known = Path(sshd.known_hosts_file).read_text().split()[0]
    (tmp_path / "ssh_config").write_text(
        f"Host web*\n Port {sshd.port}\nHost down*\n Port 1\n"
        f"Host *\n HostName {sshd.host}\n HostKeyAlias {known}\n User {sshd.user}\n IdentityFile {sshd.key_file}\n"
        f" UserKnownHostsFile {sshd.known_hosts_file}\n GlobalKnownHostsFile /dev/null\n IdentityAgent none\n")
    (tmp_path / "tasks.py").write_text("def fail(what: str):\n    raise ValueError(what)\n")
    return ["-F", "ssh_config", "--python", sys.executable]


def test_hosts_that_fail_alike_are_gathered(hosts: list[str], tmp_path: Path) -> None:
    """What only times or the host's own name differ in."""
    code, out, err = cli(tmp_path, "run", "web[1-3]", "tasks:fail", "no disk", "--gather", *hosts)
    assert (code, out) == (2, "")
    assert err.startswith("web[1-3] (3): ValueError: no disk\n  Remote traceback, calling tasks:fail (most")
    assert err.count("no disk") == 2 and "raise ValueError(what)" in err  # the headline, and the end of one traceback
    code, out, err = cli(tmp_path, "ping", "down[1-9],web1", "--gather", *hosts)
    assert code == 4
    assert "down[1-9] (9): no connection: ConnectError: cannot connect" in err
    assert err.count("Connection refused") == 1


@pytest.mark.parametrize(("limit", "said"), [
    ("-n 60", "3 hosts at a time, not 9: this process may have 60 files open (ulimit -n)\n"),
    ("-Sn 60", ""),  # ours to raise
])  # fmt: skip
@pytest.mark.parametrize("transport", ["paramiko", "openssh"])
def test_many_hosts_in_a_process_that_may_open_few_files(
    hosts: list[str], tmp_path: Path, limit: str, said: str, transport: str
) -> None:
    words = shlex.join(["run", "web[1-9]", "os:getpid", "-f", "100", "--transport", transport, *hosts])
    done = shell(f"ulimit {limit}; remotesvc {words}", tmp_path)
    assert (done.returncode, done.stderr) == (0, said + "9 hosts: 9 ok\n")
    assert done.stdout.count("\n") == 9


def test_words_are_said_to_be_of_whoever_said_them(hosts: list[str], tmp_path: Path) -> None:
    code, _, err = cli(tmp_path, "ping", "web1", "-o", "ProxyCommand=echo broken >&2; false", *hosts)
    assert code == 4
    assert "what was to connect us said:\n  broken\n" in err


def test_a_file_of_known_hosts_is_named_once(hosts: list[str], tmp_path: Path) -> None:
    code, _, err = cli(tmp_path, "ping", "web1", "-o", "UserKnownHostsFile=/dev/null", "-n", *hosts)
    assert code == 4
    assert " in /dev/null; the server shows" in err


@pytest.mark.skipif(not NAMELESS, reason="needs util-linux's unshare with --map-user, and user namespaces")
def test_a_user_without_a_name(hosts: list[str], tmp_path: Path) -> None:
    """As in a container that runs under any number: ssh refuses to run there, so `ssh -G` cannot be asked."""
    def run(*words: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [*NAMELESS, "env", "-u", "LOGNAME", "-u", "USER", sys.executable, "-m", "remotesvc", *words],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=LIMIT)
        return done.returncode, done.stdout, done.stderr

    assert run("run", "local:", "os:getuid") == (0, "12345\n", "")
    assert run("exec", *hosts, "web1,web2", "-N", "-q", "--", "echo", "there") == (0, "there\nthere\n", "")
    code, _, err = run("demo")
    assert (code, err) == (0, "")
    code, _, err = run("ping", *hosts, "--transport", "openssh", "web1")
    assert code == 4 and "No user exists for uid 12345" in err and "--transport paramiko" in err
