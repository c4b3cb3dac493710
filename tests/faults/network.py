"""A host of its own network on this machine: a namespace with an sshd in it, reached by a wire that can be cut.

The wire is a veth pair, or a pair of TUN devices joined by a process that delays what passes (`delay_line.py`):
kernels without the qdisc netem delay nothing by themselves. Faults are rules of iptables inside the namespace,
so that nothing else on the machine notices them.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import itertools
import os
import shutil
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from remotesvc import Context, Router
from tests.containers import run
from tests.faults import delay_line
from tests.integration.ssh_servers import SSHD, make_key

CONFIG = """\
ListenAddress {address}
Port 22
HostKey {directory}/host_ed25519
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
"""

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def missing(tun: bool = False) -> str:
    """Why such a host cannot be had here; empty if it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for command, package in (("ip", "iproute2"), ("iptables", "iptables")):
        if shutil.which(command) is None:
            return f"no {command} here (Debian package {package})"
    if SSHD is None:
        return "no sshd here (Debian package openssh-server)"
    if tun and not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun here"
    return ""


class RemoteHost:
    """A namespace with an sshd, at `address`; the wire ends in the interface `inside` of it."""

    def __init__(
        self, namespace: str, address: str, outside: str, inside: str, directory: Path, host_key: str
    ) -> None:
        self.namespace = namespace
        self.address = address
        self.outside = outside
        self.inside = inside
        self.record = directory / "mishaps"
        self.key_file = str(directory / "user_ed25519")
        self.known_hosts = directory / "known_hosts"
        self.known_hosts.write_text(f"{address} {host_key}\n")

    def run(self, *command: str) -> str:
        """Run a command in the namespace."""
        return run("ip", "netns", "exec", self.namespace, *command)

    def rule(self, chain: str, *rule: str) -> None:
        """Add a rule of iptables to INPUT or OUTPUT, for the interface of the wire."""
        way = "-i" if chain == "INPUT" else "-o"
        self.run("iptables", "-A", chain, way, self.inside, *rule)

    def cut(self) -> None:
        """Nothing passes any more, either way, and nobody is told."""
        self.rule("INPUT", "-j", "DROP")
        self.rule("OUTPUT", "-j", "DROP")

    def cut_after(self, size: int) -> None:
        """After so many bytes nothing arrives there any more. The other way is for `cut`, once it is `dropping`: until
        then it acknowledges what has arrived."""
        self.rule("INPUT", "-m", "quota", "--quota", str(size), "-j", "ACCEPT")
        self.rule("INPUT", "-j", "DROP")

    def narrow(self, rate: str) -> None:
        """From now on the wire carries no more than that ("1mbit") each way, and little waits before it."""
        bucket = ("root", "tbf", "rate", rate, "burst", "16kb", "latency", "400ms")
        run("tc", "qdisc", "add", "dev", self.outside, *bucket)
        self.run("tc", "qdisc", "add", "dev", self.inside, *bucket)

    def dropping(self) -> bool:
        """Whether anything that was on its way there has been dropped."""
        rules = [line.split() for line in self.run("iptables", "-L", "INPUT", "-v", "-n", "-x").splitlines()]
        return any(rule[2:3] == ["DROP"] and rule[0] != "0" for rule in rules)

    def heal(self) -> None:
        """Take back every rule."""
        self.run("iptables", "-F")

    def mishaps(self) -> Counter[str]:
        """How many packets a rough line has lost, doubled and delivered late so far."""
        return Counter(self.record.read_text().split())

    def processes(self) -> list[int]:
        """The processes in the namespace."""
        return [int(pid) for pid in run("ip", "netns", "pids", self.namespace).split()]

    def options(self, **changes: Any) -> dict[str, Any]:
        """What `Router.ssh` needs to come here."""
        options = {
            "host": self.address, "user": "root", "key_filename": self.key_file, "known_hosts": str(self.known_hosts),
            "ssh_config": "none", "extra_options": ("IdentityAgent=none",), "python": sys.executable, "name": "remote",
        }
        return {**options, **changes}

    def connect(self, router: Router, **changes: Any) -> Context:
        return router.ssh(**self.options(**changes))


@contextlib.contextmanager
def remote_host(directory: Path, delay: float | None = None, rough: bool = False) -> Iterator[RemoteHost]:
    """A host behind a wire; with `delay`, each packet takes so many seconds each way, on a `rough` wire some are lost,
    doubled or late. Everything is gone at the end."""
    directory.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        number = stack.enter_context(_own_number())
        tag = f"{number:x}"
        namespace, outside, inside = _namespace(number), f"rsvo{tag}", f"rsvi{tag}"
        # Two for each number, of the block that is set aside for tests of networks (RFC 2544): no two runs meet.
        near, far = (str(ipaddress.ip_address("198.18.0.0") + 2 * number + end) for end in (0, 1))
        if delay is None:
            run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside)
            stack.callback(run, "ip", "link", "del", outside)
        else:
            stack.enter_context(_delayed(outside, inside, delay, directory / "mishaps" if rough else None))
        run("ip", "link", "set", inside, "netns", namespace)
        for name, own, peer, where in ((outside, near, far, ()), (inside, far, near, ("-n", namespace))):
            run("ip", *where, "addr", "add", own, "peer", peer, "dev", name)
            run("ip", *where, "link", "set", name, "up")
        run("ip", "-n", namespace, "link", "set", "lo", "up")
        yield stack.enter_context(_server(directory, namespace, far, outside, inside))


def _namespace(number: int) -> str:
    return f"rsv-{number:x}"


@contextlib.contextmanager
def _own_number() -> Iterator[int]:
    """A number below 65536 of whose namespace there was none; it is there until the end of the block. Another run may
    have left one, or have our pid where it is."""
    taken = set(run("ip", "netns", "list").split())
    number = next(number % 65536 for number in itertools.count(os.getpid()) if _namespace(number % 65536) not in taken)
    run("ip", "netns", "add", _namespace(number))
    try:
        yield number
    finally:
        run("ip", "netns", "del", _namespace(number))


def _tun(name: str) -> int:
    """Make a TUN device; it is there as long as the descriptor."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return descriptor


@contextlib.contextmanager
def _delayed(outside: str, inside: str, delay: float, record: Path | None) -> Iterator[None]:
    ends = []
    process = None
    try:
        ends += [_tun(outside), _tun(inside)]
        words = [*ends, delay, *([record] if record is not None else [])]
        process = subprocess.Popen(
            [sys.executable, delay_line.__file__, *map(str, words)], pass_fds=ends, stdin=subprocess.DEVNULL)
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()
        for descriptor in ends:
            os.close(descriptor)


@contextlib.contextmanager
def _server(
    directory: Path, namespace: str, address: str, outside: str, inside: str
) -> Iterator[RemoteHost]:
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    host_key, user_key = make_key(directory / "host_ed25519"), make_key(directory / "user_ed25519")
    (directory / "authorized_keys").write_text(user_key + "\n")
    config = directory / "sshd_config"
    config.write_text(CONFIG.format(address=address, directory=directory))
    process = subprocess.Popen(
        ["ip", "netns", "exec", namespace, str(SSHD), "-D", "-e", "-f", str(config)],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    host = RemoteHost(namespace, address, outside, inside, directory, host_key)
    try:
        first = process.stderr.readline()
        assert "Server listening" in first, first + process.stderr.read()
        # Small: what it says to one test's connections fits into the pipe.
        yield host
    finally:
        for pid in host.processes():  # all of them were started in here
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        process.kill()
        process.wait()
        process.stderr.close()
