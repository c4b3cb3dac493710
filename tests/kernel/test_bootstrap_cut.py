"""Kernels that never come up: programs that are silent, links that are cut, bundles that are damaged; none stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Router
from remotesvc.launch.bundle import Bundle, kernel_codes, kernel_sources
from tests.kernel import called
from tests.kernel.bootstrap_fixtures import Fake
from tests.kernel.contexts import LIMIT, appears, gone, until
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.kernel.call_fixtures", "tests.kernel.bootstrap_fixtures")


@pytest.mark.parametrize(
    "body",
    [
        "exec sleep 300",
        "sleep 300; true",
        "trap '' TERM HUP INT PIPE; while :; do sleep 1; done",
        "exec yes",
        "cat >/dev/null; sleep 300",
    ],
)
def test_a_program_that_never_answers(router: Router, fake: Fake, body: str) -> None:
    begun, watch = time.monotonic(), Stopwatch()
    context = router.local(fake(body), connect_timeout=1)
    pid = context.tree.ledger.start_of(context.id).path.pid
    with pytest.raises(remotesvc.ConnectTimeout) as caught:
        context.call(called.add, 1, 2)
    assert time.monotonic() - begun > 0.9
    assert watch.seconds < 10
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.stage == "boot"
    assert "profile" in caught.value.hint
    context.close()
    until(lambda: not in_group(pid), what="the whole group has ended")


def in_group(group: int) -> list[int]:
    """The living members of a process group."""
    members = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != b"Z":
                members.append(int(name))
    return members


# -- links that are cut


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.001, 0.1, 0.5, 0.9, 0.999, 1.0])
def test_a_link_cut_in_the_middle_of_the_bundle(router: Router, fake: Fake, share: float) -> None:
    size = int(len(router._tree.bundle.preamble(bytes(16))) * share)
    watch = Stopwatch()
    context = router.local(fake(f'head -c {size} | "$PYTHON" "$@"'))
    with pytest.raises((remotesvc.BootstrapError, remotesvc.Lost)):
        context.call(called.add, 1, 2)
    assert watch.seconds < 10


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_stage_0_ends_by_itself_when_its_link_is_cut(share: float) -> None:
    bundle = Bundle(kernel_sources(), kernel_codes)
    preamble = bundle.preamble(bytes(16))
    process = subprocess.Popen(
        bundle.argv(sys.executable, "cut"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, errors = process.communicate(preamble[: int(len(preamble) * share)], LIMIT)
    assert process.returncode == 88
    assert b"<remotesvc:ended after" in output
    assert errors == b""


@pytest.mark.parametrize("place", ["bundle", "size"])
def test_a_bundle_that_arrives_damaged(place: str) -> None:
    bundle = Bundle(kernel_sources(), kernel_codes)
    preamble = bytearray(bundle.preamble(bytes(16)))
    where = len(preamble) // 2 if place == "bundle" else preamble.index(b"RSVCBOOT") + 24
    preamble[where : where + 4] = bytes(4)
    process = subprocess.Popen(
        bundle.argv(sys.executable, "damaged"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, _errors = process.communicate(bytes(preamble), LIMIT)
    assert process.returncode == 87
    assert b"<remotesvc:damaged" in output


def test_something_that_is_no_kernel_answers(router: Router, fake: Fake) -> None:
    """Whoever echoes our own bytes, the marker among them, is no kernel."""
    with pytest.raises(remotesvc.Error) as caught:
        router.local(fake("exec cat"), connect_timeout=3).call(called.add, 1, 2)
    assert not isinstance(caught.value, remotesvc.CallTimeout)


def test_the_end_of_a_child_that_was_not_ready(router: Router, fake: Fake, tmp_path: Path) -> None:
    """Closing does not wait for a start that takes long."""
    context = router.local(fake(f'touch "{tmp_path / "begun"}"; sleep 300; exec "$PYTHON" "$@"'))
    future = context.submit(called.add, 1, 2)
    appears(tmp_path / "begun")
    pid = context.tree.ledger.start_of(context.id).path.pid
    watch = Stopwatch()
    context.close()
    assert watch.seconds < 2.5
    assert isinstance(future.exception(LIMIT), remotesvc.Error)
    gone(pid)
    until(lambda: not in_group(pid))


def test_a_kernel_ends_when_its_parent_is_gone_before_it_was_ready(fake: Fake) -> None:
    bundle = Bundle(kernel_sources(), kernel_codes)
    process = subprocess.Popen(
        bundle.argv(sys.executable, "orphan"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, _errors = process.communicate(bundle.preamble(bytes(16)), LIMIT)
    assert process.returncode == 88
    assert b"<remotesvc:ended after 0 of 40 bytes>" in output
