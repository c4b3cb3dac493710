"""Cases 10 and 11: a network that is there only in part when somebody connects."""

from __future__ import annotations

from pathlib import Path

import pytest

from remotesvc import ConnectTimeout, Router
from remotesvc.ssh import keyexchange
from tests.faults.network import RemoteHost
from tests.kernel import called
from tests.scripts import shell_script
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.faults.plugin", "tests.kernel.call_fixtures")

MARGIN = 5.0


@pytest.mark.netns
def test_case_10_a_path_that_swallows_large_packets(
    remote: RemoteHost, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyexchange, "STAGE_TIMEOUT", 2.0)
    for chain in ("INPUT", "OUTPUT"):
        remote.rule(chain, "-p", "tcp", "-m", "length", "--length", "600:65535", "-j", "DROP")
    begun = Stopwatch()
    with pytest.raises(ConnectTimeout) as caught:
        remote.connect(router)
    assert begun.seconds < 2.0 + MARGIN
    assert caught.value.stage == "kex"
    assert "MTU" in caught.value.hint
    remote.heal()
    assert remote.connect(router).call(called.add, 1, 2) == 3


@pytest.mark.netns
def test_case_11_the_first_packet_is_dropped(
    remote: RemoteHost, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyexchange, "STAGE_TIMEOUT", 2.0)
    remote.rule("INPUT", "-p", "tcp", "--syn", "-j", "DROP")
    begun = Stopwatch()
    with pytest.raises(ConnectTimeout) as caught:
        remote.connect(router)
    assert begun.seconds < 2.0 + MARGIN
    assert caught.value.stage == "tcp"


@pytest.mark.netns
def test_the_network_goes_while_the_kernel_is_on_its_way(
    remote: RemoteHost, router: Router, tmp_path: Path
) -> None:
    """What comes after the login is within the same budget."""
    python = shell_script(tmp_path / "python", "exec sleep 600")
    begun = Stopwatch()
    context = remote.connect(router, connect_timeout=8, python=str(python))  # of which most is for getting that far
    remote.cut()
    with pytest.raises(ConnectTimeout) as caught:
        context.wait_ready()
    assert caught.value.stage == "boot"
    assert begun.seconds < 8 + MARGIN
