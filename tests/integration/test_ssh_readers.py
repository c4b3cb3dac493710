"""Servers and profiles that start another program than the one asked for, or leave it without a descriptor."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from remotesvc import BootstrapError, Router
from remotesvc.launch.bundle import EXIT_READER
from tests.integration.connecting import connect_to
from tests.integration.ssh_servers import openssh_server
from tests.kernel.shells import hostile_lines

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.mark.parametrize("transport", ["paramiko", "openssh"])
@pytest.mark.parametrize("shell", [name for name in ("sh", "bash") if shutil.which(name)])
def test_a_forced_shell_runs_nothing_of_what_is_sent(
    router: Router, tmp_path: Path, transport: str, shell: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with openssh_server(tmp_path / "server", f"ForceCommand cd {home}; unset HISTFILE; exec {shell} -i") as server:
        for _ in range(3):
            with pytest.raises(BootstrapError) as caught:
                context = connect_to(router, server, transport=transport, fresh=True)
                context.call("os.path:exists", hostile_lines(tmp_path / "owned"))
            assert caught.value.exit_status == EXIT_READER
            assert "ForceCommand" in caught.value.hint
    assert not (tmp_path / "owned").exists()
    assert list(home.iterdir()) == []
