"""The home directory of whoever a process runs as."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from remotesvc import home


def test_home_is_what_home_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", f"{tmp_path}/")
    assert home.expand("~") == str(tmp_path)
    assert home.expand("~/a/~") == f"{tmp_path}/a/~"
    assert home.expand("a/~") == "a/~" and home.expand("/~") == "/~"
    assert home.expand("~root") == pwd.getpwnam("root").pw_dir
    monkeypatch.setenv("HOME", "/no/such/directory")
    assert home.expand("~/a") == "/no/such/directory/a"


def test_what_home_names_is_not_home_to_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a sudo that keeps HOME."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    own = "/home/of/that/user"
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: ("user", "x", uid, uid, "", own, "/bin/sh"))
    assert home.expand("~/a") == "/home/of/that/user/a"
    own = "/"
    assert home.expand("~/a") == "/a" and home.expand("~") == "/"
    own = ""
    assert home.expand("~/a") == "~/a"


def test_a_user_without_an_entry_has_what_home_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a number in a container."""
    def unknown(uid: int) -> object:
        raise KeyError(uid)

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert home.expand("~/a") == f"{tmp_path}/a"
