"""Certificates of users, and the order in which everything is shown to a server: that of real ssh."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from remotesvc.bootstrap.errors import UsageError
from remotesvc.bootstrap.unreachable import AuthenticationError
from tests.integration.ssh_servers import OpenSSHServer, agent, connect_error, connects, make_key, openssh_server

pytest_plugins = ("tests.integration.sshd_fixture",)


def sign(directory: Path, key: Path, *words: str) -> Path:
    """Have the directory's authority sign a user's key; returns the certificate beside it."""
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(directory / "ca"), "-I", "test", *words, str(key) + ".pub"], check=True
    )
    return key.with_name(key.name + "-cert.pub")


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("where", ["beside", "named", "agent", "config"])
def test_a_certificate_logs_in(where: str, kind: str, tmp_path: Path) -> None:
    with openssh_server(tmp_path, f"TrustedUserCAKeys {tmp_path}/ca.pub") as server:
        make_key(tmp_path / "ca", "rsa" if kind == "rsa" else "ed25519")
        (tmp_path / "authorized_keys").write_text("")
        key = tmp_path / "mine"
        make_key(key, kind)
        beside = sign(tmp_path, key, "-n", server.user)
        if where == "beside":
            connects(server.options(key_filename=key))
            return
        apart = beside.rename(tmp_path / "elsewhere.pub")
        assert isinstance(connect_error(server.options(key_filename=key)), AuthenticationError)
        if where == "named":
            connects(server.options(key_filename=key, certificate=apart))
        elif where == "config":
            option = f"CertificateFile={apart}"
            connects(server.options(key_filename=key, extra_options=("IdentityAgent=none", option)))
        else:
            with agent(tmp_path, key) as path:
                key.unlink()
                options = (f"IdentityAgent={path}", f"IdentityFile={tmp_path}/absent")
                connects(server.options(key_filename=None, certificate=apart, extra_options=options))


def test_an_agent_that_holds_a_certificate(tmp_path: Path) -> None:
    with openssh_server(tmp_path, f"TrustedUserCAKeys {tmp_path}/ca.pub") as server:
        make_key(tmp_path / "ca")
        (tmp_path / "authorized_keys").write_text("")
        key = tmp_path / "mine"
        make_key(key)
        sign(tmp_path, key, "-n", server.user)
        with agent(tmp_path, key) as path:  # ssh-add takes the certificate beside it, too
            options = (f"IdentityAgent={path}", f"IdentityFile={tmp_path}/absent")
            connects(server.options(key_filename=None, extra_options=options))
            only = (f"IdentityAgent={path}", "IdentitiesOnly=yes", f"IdentityFile={key}")
            connects(server.options(key_filename=None, extra_options=only))


def test_a_certificate_that_is_no_use_is_told_and_the_key_still_tried(sshd: OpenSSHServer, tmp_path: Path) -> None:
    make_key(tmp_path / "ca")
    key = tmp_path / "mine"
    make_key(key)
    expired = sign(tmp_path, key, "-n", sshd.user, "-V", "20200101:20210101").rename(tmp_path / "expired")
    host = sign(tmp_path, key, "-h").rename(tmp_path / "host")
    make_key(tmp_path / "foreign")
    foreign = sign(tmp_path, tmp_path / "foreign", "-n", sshd.user).rename(tmp_path / "other")
    (tmp_path / "nonsense").write_text("nonsense\n")
    named = [expired, host, foreign, tmp_path / "nonsense"]
    error = connect_error(sshd.options(key_filename=key, certificate=named))
    late = "the certificate expired on [^)]*"
    assert re.search(rf"certificate {expired} \(\S+ SHA256:\S+, {late}\): rejected", error.message)
    assert f"certificate {host}: the certificate is a host's" in error.message
    assert f"certificate {foreign}: the private key for it is neither in the agent nor" in error.message
    assert f"certificate {tmp_path}/nonsense: not a certificate" in error.message
    assert f"key {key} (ssh-ed25519" in error.message
    connects(sshd.options(key_filename=[key, sshd.key_file], certificate=named))
    with pytest.raises(UsageError, match="certificate file not found"):
        connects(sshd.options(certificate=tmp_path / "absent"))


def shown_keys(log: list[str]) -> list[str]:
    """The keys a server was shown, in order, as its log has them."""
    shown = (re.search(r"publickey.*ssh2: (\S+) .*?(SHA256:\S+)", line) for line in log)
    return [f"{found[1]} {found[2]}" for found in shown if found]


@pytest.mark.parametrize("only", ["no", "yes"])
@pytest.mark.parametrize("certified", ["beside", "named"])
def test_keys_are_tried_in_the_order_of_ssh(only: str, certified: str, tmp_path: Path) -> None:
    with openssh_server(tmp_path, "MaxAuthTries 30") as server:
        make_key(tmp_path / "ca")
        keys = [tmp_path / name for name in ("one", "two", "three", "four")]
        for key in keys:
            make_key(key, "ecdsa" if key.name == "two" else "ed25519")
        one, two, three, four = keys
        options = [f"IdentitiesOnly={only}", *(f"IdentityFile={key}" for key in (one, two, three))]
        cert = sign(tmp_path, two, "-n", "nobody")
        if certified == "named":
            options.append(f"CertificateFile={cert.rename(tmp_path / 'elsewhere')}")
        with agent(tmp_path, four, three) as path:
            options.append(f"IdentityAgent={path}")
            before = len(server.log)
            connect_error(server.options(key_filename=None, extra_options=options))
            server.wait_for_log("Connection closed", before)
            ours = shown_keys(server.log[before:])
            before = len(server.log)
            words = [word for option in options for word in ("-o", option)]
            known = ["-o", f"UserKnownHostsFile={server.known_hosts_file}", "-o", "BatchMode=yes"]
            subprocess.run(
                ["ssh", "-F", "none", *words, *known, "-p", str(server.port), "127.0.0.1", "true"],
                capture_output=True,
                check=False,
            )
            server.wait_for_log("Connection closed", before)
            theirs = shown_keys(server.log[before:])
        assert len(ours) == (4 if only == "yes" else 5)
        assert ours == theirs
