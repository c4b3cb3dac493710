"""Files on hosts with nothing but Debian's python3-minimal, and on disks that are small, full, or not to be written."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from remotesvc import Cancelled, Context, Router
from remotesvc.files.records import CHUNK
from tests.containers import Host
from tests.integration.shop import desk
from tests.kernel import called_files
from tests.kernel.contexts import until
from tests.kernel.filetrees import content, described, digest

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures")
# The first run makes images.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

Connect = Callable[..., Context]
MIB = 1 << 20


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "sub").mkdir(parents=True)
    for number in range(200):
        (top / "sub" / f"{number}").write_bytes(content(number * 40, number))
    (top / "large").write_bytes(content(20 * CHUNK))
    (top / "link").symlink_to("large")
    return top


@pytest.mark.parametrize("service", ["bullseye", "bookworm", "trixie"])
def test_trees_go_both_ways_with_a_minimal_python(connect: Connect, service: str, tree: Path, tmp_path: Path) -> None:
    context = connect(service)
    assert not context.call(desk.has_of_its_own, "shutil"), "not a minimal Python"
    context.push(tree, "/tmp/files-test/pushed", times=True)
    context.pull("/tmp/files-test/pushed", tmp_path / "pulled", times=True)
    assert described(tmp_path / "pulled", times=True) == described(tree, times=True)
    (tree / "sub" / "7").write_bytes(b"new")
    assert context.sync(tree, "/tmp/files-test/pushed", delete=True).changed_names == ["sub/7"]
    assert context.sync(tree, "/tmp/files-test/pushed", checksum=True).changed_names == []


@pytest.mark.parametrize("kind", ["small", "few"])
def test_case_32_a_full_disk(container: Callable[..., Host], router: Router, tree: Path, kind: str) -> None:
    options = {"small": "size=1m", "few": "size=10m,nr_inodes=20"}[kind]
    context = container("--tmpfs", f"/small:{options}").connect(router)
    context.push(b"old", "/small/large")
    with pytest.raises(OSError, match="No space left"):
        if kind == "small":
            context.push(tree / "large", "/small/large")
        else:
            context.push(tree, "/small/")
    assert context.call("os.path:getsize", "/small/large") == 3
    assert context.call("glob:glob", "/small/**/.remotesvc-*", recursive=True) == []


def test_case_31_a_disk_that_is_not_written(container: Callable[..., Host], router: Router) -> None:
    context = container("--read-only", "--tmpfs", "/dev/shm:ro").connect(router)
    with pytest.raises(OSError, match="Read-only file system") as caught:
        context.push(b"x", "/etc/new")
    assert "/etc/new" in str(caught.value)


def test_a_destination_of_root_s(connect: Connect, router: Router, tree: Path, tmp_path: Path) -> None:
    """Behind sudo, root's directories are written to and read, by nobody else."""
    base = connect("accounts", user="wheel")
    root = router.sudo(via=base)
    root.call("os:makedirs", "/srv/ours", 0o700)
    with pytest.raises(PermissionError, match="/srv/ours"):
        base.push(tree / "large", "/srv/ours/large")
    with pytest.raises(PermissionError, match="/srv/ours"):
        base.push(tree, "/srv/ours/tree")

    large = root.push(tree / "large", "/srv/ours/large", mode=0o600)
    assert large.digest == digest(tree / "large")
    assert root.call(desk.owner_and_mode, "/srv/ours/large") == ("root", "root", 0o600)
    root.push(tree, "/srv/ours/tree", owner="wheel:root", times=True)
    assert root.call(desk.owner_and_mode, "/srv/ours/tree/sub/7")[:2] == ("wheel", "root")
    (tree / "sub" / "7").write_bytes(b"new")
    assert root.sync(tree, "/srv/ours/tree", owner="wheel:root").changed_names == ["sub/7"]

    with pytest.raises(PermissionError, match="/srv/ours"):
        base.pull("/srv/ours/large", tmp_path / "stolen")
    assert root.pull("/srv/ours/large", tmp_path / "pulled").digest == large.digest
    root.pull("/srv/ours/tree", tmp_path / "back", times=True)
    assert described(tmp_path / "back") == described(tree)
    assert root.call("glob:glob", "/srv/ours/**/.remotesvc-*", recursive=True) == []


@pytest.mark.parametrize("name", ["secret", "sub/deep/secret"])
def test_a_file_that_may_not_be_read_is_named(connect: Connect, router: Router, tmp_path: Path, name: str) -> None:
    base = connect("accounts", user="wheel")
    root, top = router.sudo(via=base), f"/srv/mixed-{name.count('/')}"
    root.call("os:makedirs", os.path.dirname(f"{top}/{name}"))
    root.push(b"for all", f"{top}/page", mode=0o644)
    root.push(b"for root", f"{top}/{name}", mode=0o600)
    with pytest.raises(PermissionError) as caught:
        base.pull(top, tmp_path / "mixed")
    assert f"'{top}/{name}'" in str(caught.value)


def test_root_goes_on_with_a_tree(connect: Connect, router: Router, tree: Path, tmp_path: Path) -> None:
    """Behind sudo, in a directory that is root's and for files that become somebody else's."""
    context, stop, top = router.sudo(via=connect("accounts", user="wheel")), threading.Event(), "/root/resumed"
    (tree / "the end").write_bytes(content(40 * CHUNK, 2))
    for number in range(20):
        (tree / "sub" / f"{number}").chmod(0o400)

    def left() -> list[str]:
        found: list[str] = context.call("glob:glob", f"{top}/**/.remotesvc-*", recursive=True)
        return found

    def progress(done: int, total: int | None) -> None:
        if done >= 40 * CHUNK:  # most of which has been sent: no more than 8 MiB is read ahead
            stop.set()

    with pytest.raises(Cancelled):
        context.push(tree, top, owner="wheel:root", progress=progress, stop=stop, limit=4 * MIB)
    until(lambda: context.call(called_files.transfers_over))
    assert len(left()) > 200
    assert all(name.startswith(".remotesvc-") for name in context.call("os:listdir", f"{top}/sub"))
    copied = context.push(tree, top, owner="wheel:root")
    assert copied.resumed > 20 * CHUNK
    assert copied.sent == copied.bytes - copied.resumed
    assert left() == []
    for name, mode in (("7", 0o400), ("77", 0o644)):
        assert context.call(desk.owner_and_mode, f"{top}/sub/{name}") == ("wheel", "root", mode)
    context.pull(top, tmp_path / "back")
    assert described(tmp_path / "back") == described(tree)
