"""What has no name, called from Debian's python3-minimal in a Python 3.6 beside it, which a volume brings."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from remotesvc import Router
from tests import containers
from tests.containers import Host
from tests.kernel import called_below
from tests.kernel.contexts import LIMIT
from tests.kernel.notebooks import CELLS, Notebook

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures")
# The first run makes images.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_what_has_no_name_is_called_from_a_minimal_python(
    suite: str, container: Callable[..., Host], router: Router
) -> None:
    prefix = containers.python36()
    if prefix is None:
        pytest.skip("NOT TESTED: no Python 3.6 on this machine to be mounted")
    host = container("--volume", f"{prefix}:{prefix}:ro", image=f"remotesvc-target:{suite}", name=suite)
    minimal = host.connect(router).options(timeout=LIMIT)
    for below in (f"{prefix}/bin/python3.6", "/usr/bin/python3"):
        for known in (True, False):
            assert minimal.call(called_below.lambdas, below, known)[0] == 3
            assert minimal.call(called_below.closures, below, known)[:2] == [(5, "default", []), 720]
            assert minimal.call(called_below.notebook, below, known)[1] == (22, 3, True)
            assert minimal.call(called_below.handed_on, below, known, Notebook(*CELLS).helper, 3) == 9
