"""Importing popular packages on a target that has none of them: a venv without pip, over SSH, beside Mitogen."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from benchmarks import peers, tasks
from benchmarks.conftest import Report
from tests.integration.ssh_servers import OpenSSHServer
from tests.interpreters import found

PACKAGES = (
    "requests", "jinja2", "attr", "click", "flask", "sqlparse", "httpx", "tomlkit", "networkx", "yaml",
    "docutils.core", "dateutil.parser", "django.db.models", "bottle", "boto3", "tabulate", "prettytable",
    "packaging.version", "more_itertools", "rich.markdown", "sympy", "cloudpickle", "pytest",
    "google.api_core.exceptions",
)
LARGE = ("sympy", "django.db.models", "boto3")
ROUNDS = 3


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with nothing installed, of the version that runs this."""
    absent = [name for name in PACKAGES if importlib.util.find_spec(name.partition(".")[0]) is None]
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)}")
    directory = tmp_path_factory.mktemp("bare")
    venv.create(directory, with_pip=False)
    return str(directory / "bin" / "python")


def ours(server: OpenSSHServer, python: str, name: str) -> tuple[list[float], dict[str, Any]]:
    """Seconds of an import through a new router, and again in a second context of the same; and what was counted."""
    seconds = []
    with remotesvc.Router() as router:
        for _ in range(2):
            context = router.ssh(**{**peers.ssh_settings(server), "python": python})
            assert context.call(tasks.add, 1, 2) == 3
            before = router.modules.statistics()["requests"].get("module", 0)
            begun = time.perf_counter()
            assert context.call(tasks.load, name)
            seconds.append(time.perf_counter() - begun)
        return seconds, {**router.modules.statistics(),
                         "asked": router.modules.statistics()["requests"].get("module", 0) - before}


@contextlib.contextmanager
def _mitogen(server: OpenSSHServer, python: str) -> Iterator[Any]:
    with peers.mitogen_router() as router:
        yield router.ssh(hostname=server.host, port=server.port, username=server.user, identity_file=server.key_file,
                         check_host_keys="ignore", python_path=python, compression=False,
                         ssh_args=["-F", "none", "-o", f"Ciphers={peers.CIPHER}"])


def theirs(server: OpenSSHServer, python: str, name: str) -> float | None:
    """Seconds of the same import through Mitogen; None if it fails."""
    import mitogen.core

    with _mitogen(server, python) as context:
        assert context.call(tasks.add, 1, 2) == 3
        begun = time.perf_counter()
        try:
            context.call(tasks.load, name)
        except mitogen.core.CallError:
            return None
        return time.perf_counter() - begun


def locally(python: str, name: str) -> float:
    """Seconds of the import in that Python, from files with cached bytecode."""
    paths = [each for each in sys.path if each.endswith("-packages")]
    code = f"import sys,time;sys.path+={paths!r};t=time.perf_counter();import {name};print(time.perf_counter()-t)"
    return float(subprocess.check_output([python, "-c", code], env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}))


def _median(measure: Callable[[], float | None], rounds: int = ROUNDS) -> float | None:
    values = [value for _ in range(rounds) if (value := measure()) is not None]
    return statistics.median(values) if values else None


@pytest.mark.timeout(1800)
def test_imports_of_packages(server: OpenSSHServer, bare: str, report: Report) -> None:
    ratios, again = [], []
    for name in PACKAGES:
        rounds = [(ours(server, bare, name), theirs(server, bare, name), locally(bare, name)) for _ in range(ROUNDS)]
        first = statistics.median(each[0][0][0] for each in rounds)
        second = statistics.median(each[0][0][1] for each in rounds)
        local = statistics.median(each[2] for each in rounds)
        mitogen = [each[1] for each in rounds if each[1] is not None]
        beside = "Mitogen fails"
        if mitogen:
            ratio = statistics.median(each[0][0][0] / each[1] for each in rounds if each[1] is not None)
            ratios.append(ratio)
            beside = f"{ratio:.2f} x Mitogen's {statistics.median(mitogen):.3f}"
        again.append(second / local)
        asked = rounds[0][0][1]["asked"]
        report(f"import {name}", "<= 0.6 x", f"{first:.3f} s ({beside}); again {second:.3f}, local {local:.3f}; "
                                            f"{asked} requests")
    report("imports of 24 packages, median of Mitogen's", "<= 0.33 x", f"{statistics.median(ratios):.2f} x")
    report("a second connection, median of a local import", "<= 1.5 x", f"{statistics.median(again):.2f} x")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", LARGE)
def test_imports_in_another_version(server: OpenSSHServer, bare: str, report: Report, name: str) -> None:
    others = [each for each in found() if each.version > sys.version_info[:2]]
    if not others:
        pytest.skip("there is no newer Python")
    python = others[0].path
    mine = _median(lambda: ours(server, python, name)[0][0])
    mitogen = _median(lambda: theirs(server, python, name))
    assert mine is not None
    beside = "Mitogen fails" if mitogen is None else f"{mine / mitogen:.2f} x Mitogen's {mitogen:.3f}"
    report(f"import {name} in Python {others[0]}", "<= 0.5 x", f"{mine:.3f} s ({beside})")


def test_imports_for_64_hosts_are_prepared_once(report: Report, tmp_path: Path) -> None:
    """Counted, not timed."""
    from remotesvc.bootstrap.imports.modules import MODULE, Request
    from remotesvc.modules.codes import MAGIC
    from remotesvc.modules.server import ModuleServer

    if importlib.util.find_spec("sympy") is None:
        pytest.skip("not installed: sympy")
    server, used = ModuleServer(), []
    for child in range(64):
        begun = time.process_time()
        server.answer(child, Request(MODULE, "sympy", sys.version_info[:2], "", MAGIC).plain())
        while server.waiting(child):
            server.more(child, MAGIC)
        used.append(time.process_time() - begun)
    counts = server.statistics()
    assert counts["compressed"] * 64 == counts["sent"]
    assert counts["scanned"] == counts["compressed"]
    measured = f"{used[0]:.2f} s for the first, {max(used[1:]):.3f} s at most for another"
    report("master's CPU for sympy on 64 hosts", "once", f"{measured}; {counts['compressed']} modules compressed")
