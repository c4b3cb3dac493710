"""What every error of connecting has in its text, on each way to a context: its stage, and where the time went."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from remotesvc import BecomeError, BootstrapError, ConnectError, ConnectTimeout, Context, PythonNotFound, Router
from tests.integration.openssh_client import connect_to
from tests.integration.ssh_servers import OpenSSHServer
from tests.kernel.bootstrap_fixtures import Fake
from tests.scripts import shell_script

pytest_plugins = (
    "tests.integration.docker_fixtures", "tests.integration.sshd_fixture", "tests.kernel.bootstrap_fixtures",
    "tests.kernel.call_fixtures",
)  # fmt: skip


@pytest.fixture
def slow(fake: Fake) -> str:
    """A Python that takes everything, and says nothing until its stdin ends."""
    return fake("cat >/dev/null; exit", "slow")


def failed(open_it: Callable[[], Context], kind: type[ConnectError], stage: str) -> ConnectError:
    with pytest.raises(kind) as caught:
        open_it().wait_ready()
    error = caught.value
    assert error.stage == stage
    assert re.search(rf"\(stage {stage}, after \d+\.\d\d s[:)]", str(error)), str(error)
    assert stage in error.phases and all(seconds >= 0 for seconds in error.phases.values())
    # Hosts that fail alike are told apart from others by what does not depend on the moment.
    assert "(stage" not in error.reason and error.message.startswith(error.reason)
    return error


def test_errors_of_starting_a_process_here_have_their_stage(router: Router, slow: str) -> None:
    failed(lambda: router.local(python="/no/such/python"), BootstrapError, "exec")
    failed(lambda: router.local(python="/bin/true"), BootstrapError, "boot")
    late = failed(lambda: router.local(python=slow, connect_timeout=1), ConnectTimeout, "boot")
    assert late.reason == "no kernel came up within the 1 s for connecting"
    assert late.phases["boot"] >= 1


def test_each_call_that_waited_for_a_start_is_told_the_same(router: Router) -> None:
    context = router.local(python="/bin/true")
    calls = [context.submit("os:getpid") for _ in range(2)]
    texts = {str(call.exception()) for call in calls}
    assert len(texts) == 1 and "(stage boot, after " in texts.pop()
    with pytest.raises(BootstrapError) as caught:
        context.call("os:getpid")
    assert caught.value.reason and "boot" in caught.value.phases


def test_errors_of_starting_by_another_context_have_their_stage(router: Router, slow: str) -> None:
    below = router.local()
    failed(lambda: router.local(via=below, python="/no/such/python"), BootstrapError, "exec")
    failed(lambda: router.local(via=below, python="/bin/true"), BootstrapError, "boot")
    failed(lambda: router.local(via=below, python=slow, connect_timeout=1), ConnectTimeout, "boot")


def test_errors_of_becoming_another_user_have_their_stage(
    router: Router, slow: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    shell_script(tmp_path / "doas", "echo 'doas: Operation not permitted' >&2; exit 1")
    failed(router.doas, BecomeError, "become")
    shell_script(tmp_path / "doas", "cat >/dev/null; exit")
    failed(lambda: router.doas(connect_timeout=1), ConnectTimeout, "become")
    shell_script(tmp_path / "doas", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"')
    failed(lambda: router.doas(python="/bin/true"), BecomeError, "become")


@pytest.mark.docker
def test_errors_of_entering_a_container_have_their_stage(router: Router) -> None:
    failed(lambda: router.docker("remotesvc-no-such-container"), ConnectError, "exec")


@pytest.mark.parametrize("transport", ["paramiko", "openssh"])
def test_errors_of_connecting_to_a_host_have_their_stage_and_times(
    router: Router, sshd: OpenSSHServer, slow: str, transport: str
) -> None:
    def connect(**changes: object) -> Context:
        return connect_to(router, sshd, transport=transport, **changes)

    for kind, python in ((PythonNotFound, "/no/such/python"), (BootstrapError, "/bin/true")):
        error = failed(lambda python=python: connect(python=python), kind, "boot")  # type: ignore[misc]
        assert {"tcp", "auth", "exec", "boot"} <= set(error.phases)
        assert re.search(r"s: .*tcp \d+\.\d\d, .*exec \d+\.\d\d\)", error.message)
    late = failed(lambda: connect(python=slow, connect_timeout=4), ConnectTimeout, "boot")
    assert late.reason == "no kernel came up within the 4 s for connecting"
    assert sum(late.phases.values()) > 3.9
