"""The parser for machines without ssh says what `ssh -G` says, file by file."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.ssh import SSHOptions
from remotesvc.ssh.configuration.config import resolve
from remotesvc.ssh.configuration.resolved import ResolvedHost
from tests.integration.ssh_config_files import FILES, PARTS


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
    path.write_text(FILES[name].replace("{d}", str(tmp_path)), newline="")
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
