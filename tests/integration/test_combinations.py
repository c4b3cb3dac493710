"""The parts together: bastions, sudo, services, packages a host lacks, streams, files, fleets, loss, over one link."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Lost, NotSent, Router, Select
from remotesvc.service import Pool
from remotesvc.ssh import SSHOptions
from tests.containers import PASSWORD, Host, Hosts
from tests.integration import fleet_tasks, releases
from tests.integration.bastion import config_to
from tests.integration.releases import Releases
from tests.kernel import served, served_above, served_invokers
from tests.kernel.contexts import LIMIT, until
from tests.kernel.filetrees import content

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures")
# The first run makes images.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

Connect = Callable[..., Context]
NAMES = ["1.9", "1.10", "1.10rc1"]
MEGABYTE = 1 << 20


@pytest.fixture
def behind(hosts: Hosts, router: Router, tmp_path: Path) -> Callable[..., Context]:
    """`behind(user)`: a context on the host with sudo, by way of the bastion, as an ssh_config of the test's says."""
    config = config_to(hosts, "accounts", tmp_path)
    return lambda user, **more: router.ssh("target", user=user, ssh_config=config, **more)


class Source:
    """What is pushed: bytes that nothing compresses, and something that happens in the middle."""

    def __init__(self, megabytes: int, at: int, happens: Callable[[], None]) -> None:
        self._left, self._at, self._happens = megabytes * MEGABYTE, (megabytes - at) * MEGABYTE, happens
        self._happened = False

    def read(self, size: int = -1) -> bytes:
        if self._left <= self._at and not self._happened:
            self._happened = True
            self._happens()
        size = min(MEGABYTE if size < 0 else size, self._left)
        self._left -= size
        return os.urandom(size)


@pytest.mark.parametrize("transport", ["paramiko", "openssh"])
def test_a_stream_and_files_at_once_as_root_behind_a_bastion(
    behind: Callable[..., Context], router: Router, tmp_path: Path, transport: str
) -> None:
    base = behind("sudoer", transport=transport)
    root = router.sudo(via=base, password=PASSWORD)
    assert root.call(releases.lacks, "packaging"), "the host has what it should lack"
    service = root.service(Releases)
    assert service.newest(NAMES) == "1.10"
    assert service.who()["uid"] == 0

    items: Any = service.stream()  # what has `close` beside what iterators have
    assert [next(items) for _ in range(1000)] == [f"1.{number}" for number in range(1000)]
    taken: list[str] = []
    source = Source(8, 2, lambda: taken.extend(next(items) for _ in range(20_000)))
    pushed = root.push(source, "/root/combined", mode=0o600)
    assert taken == [f"1.{number}" for number in range(1000, 21_000)]
    assert base.call("os:getuid") != 0
    with pytest.raises(PermissionError):
        base.pull("/root/combined", tmp_path / "forbidden")
    pulled = root.pull("/root/combined", tmp_path / "combined")
    assert (pulled.bytes, pulled.digest) == (8 * MEGABYTE, pushed.digest)

    items.close()
    assert service.wait_ended(LIMIT)
    assert service.newest(NAMES) == "1.10" and root.call(fleet_tasks.add, 1, two=2) == 3
    root.call("os:unlink", "/root/combined")


def test_a_process_of_its_own_under_sudo(behind: Callable[..., Context], router: Router) -> None:
    root = router.sudo(via=behind("wheel"))
    newest, user, process = root.options(isolation="process", cwd="/root").call(releases.newest, NAMES)
    assert (newest, user) == ("1.10", 0)
    assert process != root.call("os:getpid")
    assert root.call(fleet_tasks.add, 1) == 1


def test_what_root_waits_for_behind_a_bastion_is_cancelled(behind: Callable[..., Context], router: Router) -> None:
    """A coroutine, and a shared call whose first caller gives up, two hops away."""
    root = router.sudo(via=behind("wheel"))
    path = f"/tmp/waits-{root.id}-{os.getpid()}"
    future = root.call_service_async(served.Plain, "endless", path)
    until(lambda: root.call("os.path:exists", path))
    assert future.cancel()
    until(lambda: root.call("os.path:exists", path + ".cancelled"))

    first, second = (root.call_service_async(served_invokers.Shared, "compute", path + ".go") for _ in range(2))
    assert root.call_service(served.Plain, "add", a=1, b=2) == 3  # both have arrived
    assert first.cancel()
    root.push(b"", path + ".go")
    assert second.result(LIMIT) == 1
    for name in (path, path + ".cancelled", path + ".go"):
        root.call("os:unlink", name)


def test_root_behind_a_bastion_calls_the_master(behind: Callable[..., Context], router: Router) -> None:
    root = router.sudo(via=behind("wheel"))
    with Pool(router, services=[served_above.OnTheMaster]):
        assert root.call(served_above.ask_master, "give", "x")[:2] == ["x", root.id]


def test_files_through_two_hops(behind: Callable[..., Context], router: Router, tmp_path: Path) -> None:
    """An ssh connection behind a bastion, a process of another user on it, and a child of that one."""
    inner = router.local(via=router.sudo("dash", via=behind("wheel")))
    data = content(3 * MEGABYTE)
    inner.push(data, "/tmp/two-hops", mode=0o600)
    assert inner.call("os:stat", "/tmp/two-hops").st_uid == inner.call("os:getuid") != 0
    inner.pull("/tmp/two-hops", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    assert inner.service(Releases).newest(NAMES) == "1.10"
    inner.call("os:unlink", "/tmp/two-hops")


def test_a_fleet_of_roots_with_services_and_files(hosts: Hosts, tmp_path: Path) -> None:
    lines, options = [], {}
    with (tmp_path / "known").open("w") as both:
        for name in ("accounts", "sudors"):
            options = hosts[name].options()
            both.write(Path(options["known_hosts"]).read_text())
            lines.append(f"{name} ansible_host=127.0.0.1 ansible_port={options['port']} ansible_user=sudoer "
                         f"ansible_become=yes ansible_become_password='{PASSWORD}'\n")
    (tmp_path / "hosts").write_text("".join(lines))
    arguments: dict[str, Any] = {name: options[name] for name in ("key_filename", "ssh_config", "extra_options")}
    with remotesvc.Fleet(
        "all", inventory=tmp_path / "hosts", known_hosts=str(tmp_path / "known"), **arguments
    ) as fleet:
        answers = fleet.call_service(Releases, "who")
        answers.raise_for_errors()
        assert [outcome.value["uid"] for outcome in answers.values()] == [0, 0]
        newest = fleet.call_service(Releases, "newest", NAMES)
        assert {name: outcome.value for name, outcome in newest.items()} == {"accounts": "1.10", "sudors": "1.10"}
        fleet.push(b"for root", "/root/of-the-fleet", mode=0o600).raise_for_errors()
        fleet.pull("/root/of-the-fleet", tmp_path / "pulled").raise_for_errors()
        fleet.run("os:unlink", "/root/of-the-fleet").raise_for_errors()
        again = fleet.call_service(Releases, "who")
        assert [outcome.value for outcome in again.values()] == [outcome.value for outcome in answers.values()]
    for name in ("accounts", "sudors"):
        assert (tmp_path / "pulled" / name / "of-the-fleet").read_bytes() == b"for root"


def test_a_select_over_futures_of_two_hosts(connect: Connect) -> None:
    one, two = connect("bookworm"), connect("trixie")
    futures = {
        one.call_service_async(Releases, "newest", NAMES): "1.10",
        two.call_service_async(Releases, "newest", NAMES[:1]): "1.9",
        one.submit(fleet_tasks.add, 1, two=2): 3,
        two.submit("os:listdir", "/nonexistent"): FileNotFoundError,
    }
    seen = {}
    for event in Select(futures, oneshot=True):
        expected = futures[event.source]
        seen[event.source] = expected
        if event.error is None:
            assert event.value == expected
        else:
            assert expected is FileNotFoundError and isinstance(event.error, FileNotFoundError)
    assert seen == futures


@pytest.mark.parametrize("victim", ["the host", "the bastion"])
def test_a_host_that_is_lost_in_the_middle_of_a_push(
    container: Callable[..., Host], router: Router, tmp_path: Path, victim: str
) -> None:
    """Whoever waits is told once, by Lost; who asks afterwards, by NotSent. Nothing of it hangs."""
    bastion, host = container(name="bastion"), container(name="target", image="remotesvc-target:accounts")
    way, options = bastion.options(), host.options(directly=True, user="wheel")
    (tmp_path / "known").write_text(Path(way["known_hosts"]).read_text() + Path(options["known_hosts"]).read_text())
    way["known_hosts"] = options["known_hosts"] = str(tmp_path / "known")
    first = SSHOptions.parse(way.pop("host"), **{key: way[key] for key in way if key not in ("name", "python")})
    base = router.ssh(**options, jump=first)
    root = router.sudo(via=base)
    service = root.service(Releases)
    items: Any = service.stream()
    assert next(items) == "1.0"
    told: list[BaseException | None] = []
    all_told = threading.Semaphore(0)

    def tell(future: Any) -> None:
        told.append(future.exception())
        all_told.release()

    waiting = [root.call_service_async(Releases, "rest"), root.submit(fleet_tasks.sleep, 600.0),
               base.submit(fleet_tasks.sleep, 600.0)]
    for future in waiting:
        future.add_done_callback(tell)
    assert service.wait_resting(LIMIT)

    dying = bastion if victim == "the bastion" else host
    source: Any = Source(64, 12, lambda: dying.control("kill"))
    with pytest.raises(Lost):
        root.push(source, "/root/never")
    for future in waiting:
        assert all_told.acquire(timeout=LIMIT)
        with pytest.raises(Lost):
            future.result(LIMIT)
    with pytest.raises(Lost):
        for _ in items:
            pass
    assert [type(error) for error in told] == [Lost] * 3
    for context in (root, base):
        with pytest.raises(NotSent):
            context.call(os.getpid)
        with pytest.raises(NotSent):
            context.push(b"late", "/root/late")
