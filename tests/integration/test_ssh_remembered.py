"""What is remembered of a host's Python: a second connection, or a second run of the command, sends bytecode at once,
and survives a change."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from remotesvc import Context, Router
from tests import interpreters
from tests.integration.ssh_servers import OpenSSHServer

pytest_plugins = ("tests.integration.sshd_fixture",)

LIMIT = 30


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    (tmp_path / "first.py").write_text("import second\ndef go():\n    return second.VALUE\n")
    (tmp_path / "second.py").write_text("VALUE = 7\n")
    with Router(path=[tmp_path]) as made:
        yield made


def connect(router: Router, server: OpenSSHServer, python: str) -> Context:
    return router.ssh(
        server.host, user=server.user, port=server.port, key_filename=server.key_file, ssh_config="none",
        known_hosts=server.known_hosts_file, extra_options=("IdentityAgent=none",), python=python, fresh=True,
    )  # fmt: skip


def sources(router: Router, context: Context) -> dict[str, str]:
    """Where the modules came from that went with the first call."""
    assert context.options(timeout=LIMIT).call("first:go") == 7
    told = {each.name: str(each.source) for each in router.explain_imports(context)}
    return {name: told[name] for name in ("first", "second")}


def test_the_second_connection_has_bytecode_at_once(router: Router, sshd: OpenSSHServer) -> None:
    with connect(router, sshd, sys.executable) as context:
        assert set(sources(router, context).values()) == {"master source"}
    asked = router.modules.statistics()["requests"]
    for _ in range(2):
        with connect(router, sshd, sys.executable) as context:
            assert set(sources(router, context).values()) == {"master bytecode"}
    assert router.modules.statistics()["requests"] == asked  # nothing was asked for


def test_another_python_than_the_remembered_one_asks_for_source(router: Router, sshd: OpenSSHServer) -> None:
    oldest = min(interpreters.found())
    assert oldest.version < sys.version_info[:2]
    for python in (sys.executable, oldest.path, oldest.path):
        with connect(router, sshd, python) as context:
            assert set(sources(router, context).values()) == {"master source"}


def test_a_python_that_was_replaced_meanwhile_asks_for_source(router: Router, sshd: OpenSSHServer) -> None:
    """The one that it was went by the same path."""
    oldest = min(interpreters.found())
    with connect(router, sshd, oldest.path) as context:
        context.wait_ready()
    magics = router._ssh.pythons._magics
    for place in magics:
        assert magics[place] != MAGIC_NUMBER
        magics[place] = MAGIC_NUMBER
    with connect(router, sshd, oldest.path) as context:
        assert set(sources(router, context).values()) == {"master source"}
    assert set(magics.values()) != {MAGIC_NUMBER}  # it is known now


def test_the_command_remembers_from_run_to_run(sshd: OpenSSHServer, tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text("import second\ndef go():\n    return second.VALUE\n")
    (tmp_path / "second.py").write_text("VALUE = 7\n")
    command = [
        sys.executable, "-m", "remotesvc", "run", f"{sshd.user}@{sshd.host}:{sshd.port}", "first:go", "-F", "none",
        "-o", f"UserKnownHostsFile={sshd.known_hosts_file}", "-o", "IdentityAgent=none", "--private-key", sshd.key_file,
        "--python", sys.executable, "--explain-imports", "--path", ".",
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    told = []
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr
        told.append([line for line in done.stderr.splitlines() if "first: " in line])
    assert "master source" in told[0][0]
    assert "master bytecode" in told[1][0]
    kept = (tmp_path / "cache" / "remotesvc" / "pythons").read_text()
    assert len(kept.splitlines()) == 1
