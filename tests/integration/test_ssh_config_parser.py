"""The parser for machines without ssh says what `ssh -G` says, file by file."""

from __future__ import annotations

import getpass
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.ssh import SSHOptions
from remotesvc.ssh.configuration.config import resolve
from remotesvc.ssh.configuration.resolved import ResolvedHost

FILES = {
    "plain": "Host web1\n  HostName 10.0.0.1\n  Port 2200\nHost *\n  Port 99\n  User all\n",
    "equals": "Host=web1\nHostName = 10.0.0.1\nPort= 2200\nUser =ann\n",
    "quotes": 'Host "web1" web2\n  UserKnownHostsFile "/a"\n  IdentityFile "/with space/key"\n',
    "tabs and comments": "# all\n\n\tHost\tweb1 # one\n\tPort\t7\n#Port 8\n",
    "negation": "Host w* !web1\n  Port 1\nHost *1 !web2\n  Port 2\n",
    "question marks": "Host web?\n  Port 5\nHost web??\n  Port 6\n",
    "case": "HOST WEB1\n  PORT 5\n  hostname H\nhost web1\n  user ann\n",
    "before any Host": "Port 17\nHost web1\n  Port 18\n",
    "first wins": "Host web1\n  Port 1\n  Port 2\nHost web1\n  Port 3\n  User x\n",
    "all keys": "Host web1\n  IdentityFile /a\n  IdentityFile /b\nHost *\n  IdentityFile /c_%h_%n_%p_%r\n",
    "certificates": "CertificateFile /a-%r\nCertificateFile /b\n",
    "match": "Match host web*\n  Port 4\nMatch all\n  Port 5\n  User m\n",
    "match several": "Match originalhost web1 user ann\n  Port 4\nMatch !user ann host web1\n  Port 5\n",
    "match the name found": "Host web1\n  HostName other\nMatch host other\n  Port 4\nMatch originalhost web1\n"
    "  User o\n",
    "match me": f"Match localuser {getpass.getuser()}\n  Port 4\n",
    "match equals": "Match host=web1\n  Port 44\n",
    "include": "Include {d}/part*\nPort 9\n",
    "include in a block": "Host web1\n  Include {d}/part_b\n  User ann\n",
    "include in another's block": "Host other\n  Include {d}/part_a {d}/part_b\nHost web1\n  User ann\n",
    "include of nothing": "Include {d}/none*\nPort 12\n",
    "include a Host": "Include {d}/part_b\nUser behind\n",
    "jump": "ProxyJump a@b:1,c\nProxyCommand never\n",
    "jump addresses": "ProxyJump 127.0.0.1:1,a@[::1]:2,10.0.0.1\n",
    "command": "ProxyCommand nc -x 'a b' %h %p # not a comment\nProxyJump never\n",
    "jump none first": "ProxyJump none\nProxyCommand nc %h %p\n",
    "command none first": "ProxyCommand none\nProxyJump b\n",
    "times": "ConnectTimeout 90\nServerAliveInterval 60\nServerAliveCountMax 5\nConnectionAttempts 4\n",
    "units": "ConnectTimeout 1m30s\nServerAliveInterval 2m\n",
    "environment": "SendEnv RSVC_* NOT_THERE\nSetEnv A=b C=d\n",
    "environment taken back": "SendEnv RSVC_*\nHost web1\n  SendEnv -RSVC_*\n  SendEnv RSVC_B1\n",
    # Debian's ssh has another ServerAliveInterval where it may not ask.
    "authentication": "ServerAliveInterval 9\nPreferredAuthentications password,publickey\n"
    "PasswordAuthentication no\nBatchMode yes\n"
    "KbdInteractiveAuthentication no\nNumberOfPasswordPrompts 1\nPubkeyAuthentication no\n",
    "network": "AddressFamily inet6\nBindAddress ::1\nCompression yes\n",
    "ciphers": "Ciphers aes256-ctr,aes128-gcm@openssh.com\nMACs hmac-sha2-512\nHostKeyAlgorithms rsa-sha2-512\n"
    "KexAlgorithms ecdh-sha2-nistp384\nPubkeyAcceptedAlgorithms ssh-ed25519\nCASignatureAlgorithms ssh-ed25519\n",
    "known hosts": "UserKnownHostsFile ~/.a %d/b\nGlobalKnownHostsFile none\nHostKeyAlias k\nHashKnownHosts yes\n"
    "StrictHostKeyChecking off\n",
    "none at all": "UserKnownHostsFile none\nIdentityFile none\nIdentityAgent none\n",
    "agent": "IdentityAgent ~/agent-%r\nRequiredRSASize 3000\n",
    "agent of a variable": "IdentityAgent $RSVC_A\n",
    "nothing to do with us": "RemoteCommand tmux\nLocalForward 1 a:2\nForwardAgent yes\nControlMaster auto\n"
    "ControlPath /x\nGSSAPIAuthentication yes\nLogLevel DEBUG\nVisualHostKey yes\n",
}
PARTS = {"part_a": "Port 21\nUser a\n", "part_b": "Host web1\n  Port 22\nHost other\n  User other\n"}


def both(path: Path, monkeypatch: pytest.MonkeyPatch, **changes: object) -> tuple[ResolvedHost, ResolvedHost]:
    options = SSHOptions.parse("web1", ssh_config=path, **changes)  # type: ignore[arg-type]
    asked = resolve(options)
    monkeypatch.setenv("PATH", str(path.parent / "no_programs"))
    return asked, resolve(options)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh here: the parser is NOT compared with it")
@pytest.mark.parametrize("user", [None, "ann"])
@pytest.mark.parametrize("name", FILES)
def test_the_parser_agrees_with_ssh(
    name: str, user: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("RSVC_A", "RSVC_B1", "RSVC_B2"):
        monkeypatch.setenv(variable, f"/value of {variable}")
    for part, text in PARTS.items():
        (tmp_path / part).write_text(text)
    path = tmp_path / "config"
    path.write_text(FILES[name].replace("{d}", str(tmp_path)))
    asked, read = both(path, monkeypatch, user=user)
    if not any(line.startswith("IdentityFile") for line in map(str.strip, FILES[name].splitlines())):
        # OpenSSH's own list has kinds of keys that we cannot use.
        assert set(read.identity_files) <= set(asked.identity_files)
        asked = replace(asked, identity_files=read.identity_files)
    assert read == asked


@pytest.mark.parametrize(
    ("text", "place"),
    [("Host web1\n  Port\n", ":2"), ("\n\nMatch exec true\n", ":3"), ('User "a\n', ":1"), ("=x\n", ":1"),
     ("Match host\n", ":1"), ("CanonicalizeHostname yes\n", ":1"), ("Ciphers +aes128-cbc\n", "")],
)  # fmt: skip
def test_what_the_parser_cannot_tell_is_an_error_with_its_place(
    text: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConnectError) as caught:
        resolve(SSHOptions.parse("web1", ssh_config=path))
    assert caught.value.stage == "config"
    assert f"{path}{place}" in caught.value.message or not place


def test_an_include_that_includes_itself_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    path = tmp_path / "config"
    path.write_text(f"Include {path}\n")
    with pytest.raises(ConnectError, match="deeply"):
        resolve(SSHOptions.parse("web1", ssh_config=path))


def test_the_usual_files_and_what_they_include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Include more\n")
    (tmp_path / ".ssh" / "more").write_text("Host web1\n  Port 77\n")
    assert resolve(SSHOptions.parse("web1")).port == 77
    assert os.path.expanduser("~") == str(tmp_path)
