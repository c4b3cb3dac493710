"""Which of the two compose commands is used, by what is on the PATH."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import containers
from tests.scripts import shell_script


def command(directory: Path, name: str, status: int) -> None:
    shell_script(directory / name, f"exit {status}")


@pytest.mark.parametrize(("plugin", "older", "expected"), [
    (True, True, "docker compose"),
    (True, False, "docker compose"),
    (False, True, "docker-compose"),
    (False, False, None),
])
def test_the_compose_plugin_goes_before_the_older_program(
    plugin: bool, older: bool, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(tmp_path, "docker", 0 if plugin else 1)
    if older:
        command(tmp_path, "docker-compose", 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert containers.compose_command.__wrapped__() == expected
