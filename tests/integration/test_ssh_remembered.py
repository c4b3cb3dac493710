"""What a router remembers of a host's Python: a second connection sends bytecode at once, and survives a change."""

from __future__ import annotations

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


def test_another_python_is_another_matter(router: Router, sshd: OpenSSHServer) -> None:
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
    magics = router._ssh._magics
    for place in magics:
        assert magics[place] != MAGIC_NUMBER
        magics[place] = MAGIC_NUMBER
    with connect(router, sshd, oldest.path) as context:
        assert set(sources(router, context).values()) == {"master source"}
    assert set(magics.values()) != {MAGIC_NUMBER}  # it is known now
