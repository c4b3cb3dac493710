"""`remotesvc trust` and `facts`, against a real server."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from remotesvc.cli.main import main
from tests.integration.ssh_servers import OpenSSHServer
from tests.listeners import tcp_server

pytest_plugins = ("tests.integration.sshd_fixture",)


def arguments(sshd: OpenSSHServer, known_hosts: Path) -> list[str]:
    return ["-F", "none", "-p", str(sshd.port), "-u", sshd.user, "--private-key", str(sshd.key_file),
            "-o", f"UserKnownHostsFile={known_hosts}", "-o", "GlobalKnownHostsFile=none", "-o", "IdentityAgent=none",
            sshd.host]  # fmt: skip


def test_a_new_key_is_noted_once_and_then_known(
    sshd: OpenSSHServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    known = tmp_path / "known_hosts"
    assert main(["trust", "--yes", *arguments(sshd, known)]) == 0
    out, err = capfd.readouterr()
    shown = subprocess.run(["ssh-keygen", "-l", "-f", str(known)], capture_output=True, text=True, check=True).stdout
    assert shown.split()[1] in out and "(new)" in out and f"added to {known}" in err
    assert main(["trust", "--yes", *arguments(sshd, known)]) == 0
    assert "(known)" in capfd.readouterr().out and len(known.read_text().splitlines()) == 1
    assert main(["run", *arguments(sshd, known), "os:getuid"]) == 0


def test_trust_logs_nobody_in(sshd: OpenSSHServer, tmp_path: Path) -> None:
    options = arguments(sshd, tmp_path / "known")
    options[options.index("-u") + 1] = "nobody-of-that-name"
    before = len(sshd.written())
    assert main(["trust", "--yes", *options]) == 0
    assert not any("nobody-of-that-name" in line for line in sshd.written()[before:])


def test_a_changed_key_is_refused(sshd: OpenSSHServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    known = tmp_path / "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    kind, key = (tmp_path / "other.pub").read_text().split()[:2]
    known.write_text(f"[{sshd.host}]:{sshd.port} {kind} {key}\n")
    assert main(["trust", "--yes", *arguments(sshd, known)]) == 4
    err = capfd.readouterr().err
    assert "THE HOST KEY HAS CHANGED" in err and "127.0.0.1: 127.0.0.1:" not in err
    assert key in known.read_text()


def test_without_anybody_to_ask_only_known_keys_are_trusted(
    sshd: OpenSSHServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    known = tmp_path / "known"
    assert main(["trust", "-n", *arguments(sshd, known)]) == 4
    assert "the host key is not known" in capfd.readouterr().err and not known.exists()
    assert main(["trust", "--yes", *arguments(sshd, known)]) == 0
    assert main(["trust", "-n", *arguments(sshd, known)]) == 0
    assert main(["trust", "--yes", "local:"]) == 64


def test_a_program_is_not_asked_and_reads_json(
    sshd: OpenSSHServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    known = tmp_path / "known"
    assert main(["trust", "--json", *arguments(sshd, known)]) == 4
    (refused,) = json.loads(capfd.readouterr().out)
    assert (refused["status"], refused["error"]["type"]) == ("unreachable", "HostKeyError") and not known.exists()
    for new in (True, False):
        assert main(["trust", "--yes", "--jsonl", *arguments(sshd, known)]) == 0
        out, err = capfd.readouterr()
        learnt = json.loads(out)
        assert (learnt["host"], learnt["value"]["new"], err) == (sshd.host, new, "")
        assert learnt["value"]["fingerprint"].startswith("SHA256:")


def test_trust_is_a_run_as_any_other(sshd: OpenSSHServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    failed, known = tmp_path / "failed", tmp_path / "known"
    *options, host = arguments(sshd, known)
    wrong = f"{host}:1"  # nobody listens there
    line = ["trust", "--yes", *options, f"{wrong},{host}", "-f1", "--failed-to", str(failed)]
    assert main(line) == 4
    out, err = capfd.readouterr()
    assert failed.read_text() == f"{wrong}\n" and "(new)" in out
    assert "2 hosts: 1 ok, 1 unreachable" in err
    known.unlink()
    assert main([*line, "--fail-fast", "-q"]) == 4
    assert failed.read_text() == f"{wrong}\n{host}\n" and not known.exists()


@contextlib.contextmanager
def leaving_with(message: bytes) -> Iterator[int]:
    """The port of an SSH server that leaves during the key exchange, with a message."""
    packet = b"\x01" + struct.pack(">I", 2) + struct.pack(">I", len(message)) + message + struct.pack(">I", 0)
    padding = 12 - (len(packet) + 1) % 8
    whole = struct.pack(">IB", len(packet) + padding + 1, padding) + packet + bytes(padding)
    with tcp_server(lambda connection: connection.sendall(b"SSH-2.0-x\r\n" + whole)) as port:
        yield port


@pytest.mark.parametrize("command", ["trust", "doctor"])
def test_what_a_stranger_says_passes_for_no_other_host(
    command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    forged = "web2: ssh-ed25519 SHA256:AAAA (known)"
    with leaving_with(f"bye\n{forged}".encode()) as port:
        more = ["--yes"] if command == "trust" else []
        assert main([command, *more, "-F", "none", "-p", str(port), "127.0.0.1", "-o",
                     f"UserKnownHostsFile={tmp_path / 'known'}"]) == 4  # fmt: skip
    lines = "".join(capfd.readouterr()).splitlines()
    assert forged not in lines
    (place,) = (index for index, line in enumerate(lines) if line.strip() == forged)
    assert lines[place - 2].strip() == "the target said:" and lines[place - 1].strip() == "bye"


def test_a_host_that_was_not_begun_is_told_of_in_words(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "--yes", "-F", "none", "127.0.0.1:1,127.0.0.2:1", "-f1", "--fail-fast"]) == 4
    err = capfd.readouterr().err
    assert "127.0.0.2:1: not run\n" in err and "not_run" not in err


def test_a_key_is_new_though_it_cannot_be_noted(
    sshd: OpenSSHServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["trust", "--yes", *arguments(sshd, tmp_path / "file" / "known")]) == 0
    out, err = capfd.readouterr()
    assert "(new)" in out and "not noted" in err


@pytest.mark.parametrize(
    "option", ["--gather", "--outdir=x", "--become", "--ask-pass", "--host-keys=no", "--transport=openssh"]
)
def test_what_means_nothing_is_no_option(option: str) -> None:
    assert main(["trust", "h", option]) == 64


def test_facts(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["facts", "local:", "--json"]) == 0
    facts = json.loads(capfd.readouterr().out)[0]["value"]
    assert facts["processors"] >= 1 and facts["python"]["version"].startswith("3.")
    assert facts["memory"]["total"] > 0 and facts["uptime"] > 0
