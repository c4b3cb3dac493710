"""Files: one large one beside a raw channel, scp and Mitogen; pings meanwhile; trees beside tar; sync and its bytes."""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from benchmarks import filetasks, peers, rawfiles
from benchmarks.conftest import Report
from benchmarks.rounds import alternate, median, ratio
from tests.integration.ssh_servers import OpenSSHServer

MIB = 1 << 20
SIZE = 512 * MIB
FILES = 5000
RSYNC = shutil.which("rsync")


@pytest.fixture
def ours(server: OpenSSHServer, router: remotesvc.Router, tmp_path: Path) -> remotesvc.Context:
    """A context that has done its first transfer."""
    context = router.ssh(**peers.ssh_settings(server))
    context.push(b"x", tmp_path / "first")
    return context


@pytest.fixture
def over_openssh(stock: OpenSSHServer, router: remotesvc.Router, tmp_path: Path) -> remotesvc.Context:
    """The same on OpenSSH's client, to a server that takes any cipher."""
    context = router.ssh(**peers.ssh_settings(stock), transport="openssh")
    context.push(b"x", tmp_path / "first")
    return context


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that nothing compresses."""
    path = tmp_path / "large"
    with open(path, "wb") as file:
        for number in range(SIZE // (8 * MIB)):
            file.write(random.Random(number).randbytes(8 * MIB))
    return path


def raw_up(server: OpenSSHServer) -> None:
    with peers.transport(server) as connection:
        rawfiles.raw_up(connection, SIZE)


def raw_down(server: OpenSSHServer) -> None:
    with peers.transport(server) as connection:
        rawfiles.raw_down(connection, SIZE)


# What our OpenSSH transport asks for, too, where nobody has chosen.
OUR_CIPHER = ("-o", f"Ciphers={peers.CIPHER}")


def ssh_options(server: OpenSSHServer) -> list[str]:
    return ["-F", "none", "-i", server.key_file, "-o", f"UserKnownHostsFile={server.known_hosts_file}",
            "-o", "IdentityAgent=none"]


def scp(server: OpenSSHServer, source: str, target: str, *options: str) -> None:
    subprocess.run(["scp", "-q", "-P", str(server.port), *ssh_options(server), *options, source, target], check=True)


def rsync(server: OpenSSHServer, source: Path, target: Path, *options: str) -> dict[str, int]:
    """Make a directory there as it is here; returns the numbers of `--stats` by their names."""
    shell = shlex.join(["ssh", "-p", str(server.port), *ssh_options(server), *OUR_CIPHER])
    command = ["rsync", "-a", "--stats", *options, "-e", shell, f"{source}/", f"{server.user}@{server.host}:{target}/"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {name: int(number.replace(",", "")) for name, number in re.findall(r"^(.+?): ([\d,]+)", done.stdout, re.M)}


def mitogen_fetch(context: Any, service: Any, source: str, target: str) -> None:
    service.register(source)
    context.call(filetasks.mitogen_get, context.router.myself(), source, target)


def rates(samples: Any, *names: str) -> str:
    return ", ".join(f"{name} {SIZE / MIB / median(samples, name):.0f}" for name in names)


def test_one_large_file(server: OpenSSHServer, stock: OpenSSHServer, ours: remotesvc.Context,
                        over_openssh: remotesvc.Context, large: Path, tmp_path: Path, mitogen_router: Any,
                        report: Report) -> None:
    import mitogen.service

    plain, compressed = (peers.mitogen_ssh(mitogen_router, server, compression=each) for each in (False, True))
    service = mitogen.service.FileService(mitogen_router)
    pool = mitogen.service.Pool(mitogen_router, services=[service])
    up, down = tmp_path / "up", tmp_path / "down"
    there = f"{stock.user}@{stock.host}:"
    fastest = ("-O", *OUR_CIPHER)
    samples = alternate({
        "raw up": lambda: raw_up(server),
        "push": lambda: ours.push(large, up),
        "push, not durable": lambda: ours.push(large, up, durable=False),
        "push, OpenSSH": lambda: over_openssh.push(large, up, durable=False),
        "scp up": lambda: scp(stock, str(large), f"{there}{up}2"),
        "scp up, our cipher": lambda: scp(stock, str(large), f"{there}{up}2", *fastest),
        "mitogen": lambda: mitogen_fetch(plain, service, str(large), f"{up}3"),
        "raw down": lambda: raw_down(server),
        "pull": lambda: ours.pull(large, down),
        "pull, not durable": lambda: ours.pull(large, down, durable=False),
        "pull, OpenSSH": lambda: over_openssh.pull(large, down, durable=False),
        "scp down": lambda: scp(stock, f"{there}{large}", f"{down}2"),
        "scp down, our cipher": lambda: scp(stock, f"{there}{large}", f"{down}2", *fastest),
    }, 3, warm=0)
    samples |= alternate({"mitogen, compressed": lambda: mitogen_fetch(compressed, service, str(large), f"{up}3")}, 1,
                         warm=0)
    pool.stop()
    assert ours.pull(up, down).digest == over_openssh.push(large, up).digest

    def of(peer: str, name: str) -> str:
        return f"{ratio(samples, peer, name):.2f} x"

    report("push of 512 MiB, of a raw channel's rate", ">= 0.70 x",
           f"{of('raw up', 'push')}, not durable {of('raw up', 'push, not durable')}"
           f" (MiB/s: {rates(samples, 'raw up', 'push', 'push, not durable')})")
    report("pull of 512 MiB, of a raw channel's rate", ">= 0.95 x",
           f"{of('raw down', 'pull')}, not durable {of('raw down', 'pull, not durable')}"
           f" (MiB/s: {rates(samples, 'raw down', 'pull', 'pull, not durable')})")
    report("push and pull of 512 MiB on the OpenSSH transport, not durable, of scp's rate", ">= 1 x",
           f"{of('scp up', 'push, OpenSSH')} and {of('scp down', 'pull, OpenSSH')}"
           f" (MiB/s: {rates(samples, 'push, OpenSSH', 'scp up', 'pull, OpenSSH', 'scp down')})")
    report("the same, of scp's rate with our cipher and its older protocol", "",
           f"{of('scp up, our cipher', 'push, OpenSSH')} and {of('scp down, our cipher', 'pull, OpenSSH')}"
           f" (MiB/s: {rates(samples, 'scp up, our cipher', 'scp down, our cipher')})")
    report("the same over paramiko", "",
           f"{of('scp up', 'push, not durable')} and {of('scp down', 'pull, not durable')}")
    report("push on the OpenSSH transport, which is Mitogen's too, not durable, of its FileService uncompressed",
           ">= 1 x", f"{of('mitogen', 'push, OpenSSH')} (MiB/s: {rates(samples, 'mitogen')}); over paramiko "
           f"{of('mitogen', 'push, not durable')}")
    rate = median(samples, "mitogen, compressed") / median(samples, "push, not durable")
    report("push, of Mitogen's FileService as it comes, compressed", ">= 5 x",
           f"{rate:.1f} x (MiB/s: {rates(samples, 'mitogen, compressed')})")


def test_behind_a_jump_host(server: OpenSSHServer, stock: OpenSSHServer, router: remotesvc.Router, large: Path,
                            tmp_path: Path, report: Report) -> None:
    os.truncate(large, SIZE // 8)
    config = tmp_path / "config"
    config.write_text("Host behind\nProxyJump hop\n" + "".join(
        f"Host {names}\nHostName {each.host}\nPort {each.port}\nUser {each.user}\nIdentityFile {each.key_file}\n"
        f"UserKnownHostsFile {each.known_hosts_file}\nIdentityAgent none\n"
        for names, each in (("direct behind", server), ("hop", stock))))

    def push(host: str, transport: str) -> Callable[[], object]:
        context = router.ssh(host, ssh_config=str(config), transport=transport, python=sys.executable, fresh=True)
        return lambda: context.push(large, tmp_path / "there", durable=False)

    for transport in ("paramiko", "openssh"):
        samples = alternate({name: push(name, transport) for name in ("direct", "behind")}, 5)
        rates = ", ".join(f"{name} {SIZE / 8 / MIB / median(samples, name):.0f}" for name in samples)
        report(f"push of 64 MiB behind a jump host, {transport}, of a direct one's rate", "",
               f"{ratio(samples, 'direct', 'behind'):.2f} x (MiB/s: {rates})")


def pinged(context: remotesvc.Context, work: Callable[[], object] | None) -> list[float]:
    """Round trips of pings while something is done once, in seconds; without it, 500 of them."""
    found: list[float] = []
    over = threading.Event()

    def ping() -> None:
        while not over.is_set() and (work is not None or len(found) < 500):
            found.append(context.ping())
            time.sleep(0.002)

    thread = threading.Thread(target=ping)
    thread.start()
    if work is not None:
        work()
        over.set()
    thread.join()
    return found


def p99(samples: list[float]) -> float:
    return statistics.quantiles(samples, n=100)[-1]


def test_pings_while_files_flow(ours: remotesvc.Context, large: Path, tmp_path: Path, report: Report) -> None:
    idle = p99(pinged(ours, None))
    for name, work in (("push", lambda: ours.push(large, tmp_path / "t", durable=False)),
                       ("pull", lambda: ours.pull(large, tmp_path / "t", durable=False))):
        found: list[float] = []

        def beside(work: Callable[[], object] = work, found: list[float] = found) -> None:
            found += pinged(ours, work)

        samples = alternate({"alone": work, "pinged": beside}, 5)
        assert len(found) >= 500
        report(f"a ping during a {name}, 99th percentile", "<= 2 x idle + 3 ms",
               f"{1000 * p99(found):.1f} ms (idle {1000 * idle:.1f}), rate {ratio(samples, 'alone', 'pinged'):.2f} x")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """5,000 files of 0.2 to 20 kB."""
    top, chosen = tmp_path / "tree", random.Random(3)
    for number in range(FILES):
        path = top / str(number % 100) / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chosen.randbytes(chosen.randrange(200, 20000)))
    return top


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """A directory that nobody has used: to delete and make again measures the file system."""
    made: list[Path] = []

    def fresh() -> Path:
        made.append(tmp_path / f"fresh{len(made)}")
        return made[-1]

    yield fresh
    for path in made:
        shutil.rmtree(path, ignore_errors=True)


def test_a_tree_of_small_files(server: OpenSSHServer, tree: Path, fresh: Callable[[], Path], report: Report) -> None:
    def cold(**options: Any) -> None:
        with remotesvc.Router() as router:
            copied = router.ssh(**peers.ssh_settings(server)).push(tree, fresh(), **options)
        assert copied.files == FILES

    def tar() -> None:
        target = fresh()
        target.mkdir()
        command = ["ssh", "-p", str(server.port), *ssh_options(server), *OUR_CIPHER, f"{server.user}@{server.host}",
                   f"tar -xf - -C {target}"]
        with subprocess.Popen(["tar", "-cf", "-", "-C", tree, "."], stdout=subprocess.PIPE) as packing:
            subprocess.run(command, stdin=packing.stdout, check=True)
        assert packing.returncode == 0

    def unchanged(target: Path) -> Callable[[], None]:
        with remotesvc.Router() as router:
            router.ssh(**peers.ssh_settings(server)).sync(tree, target, durable=False)

        def again() -> None:
            with remotesvc.Router() as router:
                copied = router.ssh(**peers.ssh_settings(server)).sync(tree, target)
            assert (copied.files, copied.unchanged) == (0, FILES)

        return again

    sides: dict[str, Callable[[], object]] = {
        "tar": tar, "push, not durable": lambda: cold(durable=False), "push": cold, "sync": unchanged(fresh()),
    }
    if RSYNC:
        same = fresh()
        rsync(server, tree, same)
        sides["rsync"] = lambda: rsync(server, tree, same)
    samples = alternate(sides, 5)
    report("5,000 small files with connect, of tar | ssh tar (not durable)", "<= 0.9 x",
           f"{ratio(samples, 'push, not durable', 'tar'):.2f} x ({median(samples, 'push, not durable'):.2f} s, "
           f"tar {median(samples, 'tar'):.2f} s); durable {ratio(samples, 'push', 'tar'):.2f} x")
    beside = "no rsync here"
    if RSYNC:
        beside = f"{ratio(samples, 'sync', 'rsync'):.2f} x (rsync {median(samples, 'rsync'):.2f} s)"
    report("sync of 5,000 unchanged files with connect, of rsync -a", "<= 0.7 x", f"{beside}; "
           f"{median(samples, 'sync'):.2f} s, {ratio(samples, 'sync', 'tar'):.2f} x of tar | ssh tar")


def test_bytes_of_one_percent_changed(server: OpenSSHServer, ours: remotesvc.Context, tmp_path: Path,
                                      report: Report) -> None:
    size, block = 256 * MIB, 16384
    source = tmp_path / "s"
    source.mkdir()
    with open(source / "f", "wb") as file:
        for number in range(size // (8 * MIB)):
            file.write(random.Random(number).randbytes(8 * MIB))
    ours.sync(source, tmp_path / "t", durable=False)
    if RSYNC:
        shutil.copytree(source, tmp_path / "r")
    with open(source / "f", "r+b") as file:
        for number in random.Random(9).sample(range(size // block), size // block // 100):
            file.seek(number * block)
            file.write(random.Random(number).randbytes(block))
    later = os.stat(source / "f").st_mtime + 10  # rsync takes what was changed within a second for the same
    os.utime(source / "f", (later, later))
    link = next(iter(ours.tree.router.links.values()))
    before = link.flight.sent + link.received
    begun = time.perf_counter()
    copied = ours.sync(source, tmp_path / "t", durable=False)
    seconds = time.perf_counter() - begun
    wire = link.flight.sent + link.received - before
    assert copied.files == 1
    # What rsync needs for the same: the changed blocks, and for each block of the old file its checksums.
    least = size // 100
    assert wire <= 1.2 * least
    report("bytes for 1 % changed blocks of 256 MiB, both ways", "<= 1.2 x the changed blocks",
           f"{wire / least:.3f} x ({wire / MIB:.2f} MiB, {seconds:.1f} s)")
    if RSYNC:
        begun = time.perf_counter()
        stats = rsync(server, source, tmp_path / "r", "--no-whole-file")
        seconds = time.perf_counter() - begun
        theirs = stats["Total bytes sent"] + stats["Total bytes received"]
        report("the same, of rsync's bytes", "<= 1.2 x",
               f"{wire / theirs:.2f} x (rsync {theirs / MIB:.2f} MiB, {seconds:.1f} s)")


def test_memory_of_a_transfer(ours: remotesvc.Context, large: Path, tmp_path: Path, report: Report) -> None:
    pid = ours.info["pid"]
    ours.push(large, tmp_path / "t", durable=False)
    idle = peers.rss(os.getpid()), peers.rss(pid)
    most = [0, 0]

    def progress(done: int, total: int | None) -> None:
        if done % (4 * MIB) < 131072:
            most[:] = max(most[0], peers.rss(os.getpid())), max(most[1], peers.rss(pid))

    for way in (ours.push, ours.pull):
        way(large, tmp_path / "t", durable=False, progress=progress)
    report("memory of a transfer of 512 MiB, master and target", "<= 16 MiB above idle",
           f"{(most[0] - idle[0]) / MIB:.1f} and {(most[1] - idle[1]) / MIB:.1f} MiB")
