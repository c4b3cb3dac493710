"""Containers as hosts for tests: what they are called, how to reach them, how to hurt them.

Everything goes through the `docker` command. Keys are made for the run; host keys are read through the engine,
so each connection checks the right one strictly.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remotesvc import ConnectError, Context, Router, ssh

from . import interpreters
from .leaks import RUN_VARIABLE

ROOT = Path(__file__).resolve().parents[1]
DOCKER = ROOT / "docker"
COMPOSE_FILE = DOCKER / "compose.yaml"
IMAGE = "remotesvc-target:bookworm"
PASSWORD = "correct horse"
OWNER_LABEL = "remotesvc.owner"
READY_SECONDS = 60.0
# Mount points, and the first process.
OF_THE_ENGINE = {"/keys", "/mnt", "/usr", "/usr/sbin", "/usr/sbin/docker-init"}


def started_at(pid: int) -> str:
    """The start time of a process in clock ticks since boot; empty if it does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return ""


def pid_namespace() -> str:
    """A number that says which process has which pid for us; empty where there is no /proc."""
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return ""


OWNER = f"ns{pid_namespace()}-{os.getpid()}-{started_at(os.getpid())}"
"""Stands in a label of everything that this test run makes in the engine."""


def run(*command: str, check: bool = True, timeout: float = 60, **more: Any) -> str:
    """Run a command and return its standard output; what it complained of is in the error."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout, **more)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return str(done.stdout)


def docker(*arguments: str, check: bool = True, timeout: float = 60) -> str:
    """Run the docker command and return what it printed."""
    return run("docker", *arguments, check=check, timeout=timeout)


@functools.cache
def missing() -> str:
    """Why no container can be had here; empty if all is well."""
    if shutil.which("docker") is None:
        return "no docker command here (Debian package docker.io)"
    try:
        docker("version", "--format", "{{.Server.Version}}")  # where none is, it fails at once
    except (RuntimeError, subprocess.TimeoutExpired):
        return "no Docker engine answers here (docker/engine start)"
    if compose_command() is None:
        return "neither `docker compose` nor docker-compose here (Debian package docker-compose)"
    return ""


@functools.cache
def compose_command() -> str | None:
    """`docker compose` where the docker command knows it, else the older `docker-compose`; None without either."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if plugin.returncode == 0:
        return "docker compose"
    return "docker-compose" if shutil.which("docker-compose") else None


def make_images() -> None:
    """Make the images that are missing or changed."""
    run(str(DOCKER / "base-images"), timeout=1200)
    command = str(compose_command()).split()
    run(*command, "-f", str(COMPOSE_FILE), "-p", "remotesvc-build", "build", "--quiet", timeout=600)


def python36() -> Path | None:
    """The installation of a Python 3.6 of this machine that can be mounted elsewhere; Debian never had one."""
    for interpreter in interpreters.found():
        if interpreter.version == (3, 6):
            prefix = Path(os.path.realpath(interpreter.path)).parents[1]
            return prefix if prefix != Path("/usr") else None
    return None


@dataclass
class Keys:
    """The key pair that opens the containers of this run: `private`, and the directory that they mount."""

    private: Path
    mounted: Path

    @classmethod
    def make(cls, directory: Path) -> Keys:
        private, mounted = directory / "id_ed25519", directory / "keys"
        mounted.mkdir(parents=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "remotesvc tests", "-f", str(private))
        shutil.copy(private.with_suffix(".pub"), mounted / "authorized_keys")
        return cls(private, mounted)


used: set[Host] = set()
"""The hosts that the running test has touched: their logs are shown if it fails."""


@dataclass(eq=False)
class Host:
    """A running container with an sshd. `name` is that of its service, `id` the engine's."""

    name: str
    id: str
    keys: Keys
    python: str | None = None
    _known_hosts: dict[str, Path] = field(default_factory=dict)

    # -- the engine's view

    def inspect(self) -> Any:
        return json.loads(docker("inspect", self.id))[0]

    @functools.cached_property
    def ip(self) -> str:
        """The address in its network: reached without the engine's proxy in between. One that restarts has none yet."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            networks = self.inspect()["NetworkSettings"]["Networks"].values()
            address = next((network["IPAddress"] for network in networks if network["IPAddress"]), None)
            if address is not None:
                return str(address)
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} has no address\n{self.logs()}")
            time.sleep(0.05)

    @functools.cached_property
    def port(self) -> int | None:
        """The port on 127.0.0.1 that leads to its sshd; None if none is published."""
        bound = self.inspect()["NetworkSettings"]["Ports"].get("22/tcp")
        return int(bound[0]["HostPort"]) if bound else None

    @functools.cached_property
    def host_key(self) -> str:
        """The public half of its key, "type base64"."""
        return " ".join(self.run("cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])

    @functools.cached_property
    def pid(self) -> int:
        """Its first process, in this machine's numbering."""
        return int(self.inspect()["State"]["Pid"])

    def run(self, *command: str, user: str = "root") -> str:
        """Run a command in it, through the engine."""
        used.add(self)
        return docker("exec", "--user", user, self.id, *command)

    def control(self, action: str, *options: str) -> None:
        """pause, unpause, kill, restart, update...: what the engine can do to it."""
        used.add(self)
        docker(action, *options, self.id)
        for cached in ("ip", "port", "pid"):
            self.__dict__.pop(cached, None)

    def logs(self, lines: int = 60) -> str:
        done = subprocess.run(["docker", "logs", "--tail", str(lines), self.id], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=30, check=False)
        return done.stdout

    def written_logs(self) -> str:
        """All that its programs have logged so far: what the engine shows may be behind them."""
        mark = f"read up to here: {uuid.uuid4().hex}"
        self.run("sh", "-c", f"echo {mark} >/proc/1/fd/2")
        deadline = time.monotonic() + READY_SECONDS
        while mark not in (logs := self.logs(100_000)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the logs of {self.name} do not come: {logs[-1000:]}")
            time.sleep(0.05)
        return logs

    def written(self) -> set[str]:
        """What is in it and was not in its image, by `docker diff`; less what the engine does to start it."""
        return {line[2:] for line in docker("diff", self.id).splitlines()} - OF_THE_ENGINE

    def processes(self, named: str = "") -> dict[int, str]:
        """Command lines of its processes that contain a text, by their pids on this machine."""
        found = {}
        for line in docker("top", self.id, "-eo", "pid,args").splitlines()[1:]:
            pid, _, command = line.strip().partition(" ")
            if named in command:
                found[int(pid)] = command.strip()
        return found

    # -- over SSH

    def options(self, directly: bool = False, **changes: Any) -> dict[str, Any]:
        """What `Router.ssh` needs to come here with strict host keys, no settings of this machine's user involved.

        `directly` goes to the container's own address, not by way of the port on loopback: for tests of TCP.
        """
        used.add(self)
        published = self.port is not None and not directly
        host, port = ("127.0.0.1", self.port) if published else (self.ip, 22)
        name = f"[{host}]:{port}" if published else host
        known = self.keys.private.with_name(f"known_{self.name}_{host}")
        known.write_text(f"{name} {self.host_key}\n")
        options = {
            "host": host, "port": port, "user": "root", "key_filename": str(self.keys.private),
            "known_hosts": str(known), "ssh_config": "none", "extra_options": ("IdentityAgent=none",),
            "python": self.python, "name": self.name,
        }
        return {**options, **changes}

    def connect(self, router: Router, **changes: Any) -> Context:
        """A context there, on its way up."""
        return router.ssh(**self.options(**changes))

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until one can log in and run a program; nothing else shows that a host is up."""
        options = self.options(connect_timeout=10)
        del options["name"]
        deadline = time.monotonic() + seconds
        while True:
            try:
                path = ssh.open(ssh.SSHOptions.parse(**options), lambda peer: "exit 0")
            except ConnectError as error:
                if time.monotonic() > deadline:
                    problem = f"{self.name} is not up after {seconds:.0f} s: {error}\n{self.logs()}"
                    raise RuntimeError(problem) from error
                time.sleep(0.05)
            else:
                path.close()
                path.join(10)
                return


class Hosts(Mapping[str, Host]):
    """The services by name. The first use of each waits until it takes connections."""

    def __init__(self, project: str, keys: Keys) -> None:
        self._hosts: dict[str, Host] = {}
        self._ready: set[str] = set()
        listing = docker(
            "ps", "--filter", f"label=com.docker.compose.project={project}", "--no-trunc",
            "--format", '{{.Label "com.docker.compose.service"}} {{.ID}}')
        for line in listing.splitlines():
            service, _, ident = line.partition(" ")
            self._hosts[service] = Host(service, ident, keys)
        prefix = python36()
        if prefix is not None:
            self._hosts["python36"].python = str(prefix / "bin" / "python3.6")

    def __getitem__(self, service: str) -> Host:
        host = self._hosts[service]
        if service not in self._ready:
            host.wait_ready()
            self._ready.add(service)
        return host

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)


@contextlib.contextmanager
def running_container(
    keys: Keys, *options: str, image: str = IMAGE, command: Sequence[str] = (), name: str = "own"
) -> Iterator[Host]:
    """A container of the test's own, to be paused, killed and starved; removed at the end whatever happened."""
    label, title = f"{OWNER_LABEL}={OWNER}", f"remotesvc-{OWNER}-{uuid.uuid4().hex[:8]}"
    ident = docker(
        "run", "--detach", "--init", "--name", title, "--label", label, "--volume", f"{keys.mounted}:/keys:ro",
        "--env", RUN_VARIABLE, *options, image, *command
    ).strip()
    host = Host(name, ident, keys)
    try:
        host.wait_ready()
        yield host
    finally:
        docker("rm", "--force", "--volumes", ident)


def clear_away() -> None:
    """Remove what test runs that no longer exist left in the engine: those that were killed."""
    def of_the_dead(kind: Sequence[str], label: str) -> list[str]:
        listing = docker(*kind, "--filter", f"label={OWNER_LABEL}", "--format", "{{.ID}} " + label).splitlines()
        found = []
        for ident, _, owner in (line.partition(" ") for line in listing):
            namespace, _, process = owner.partition("-")
            pid, _, started = process.partition("-")
            # Whether a run lives that shares the engine with us, but not the pids, cannot be seen from here.
            if namespace == f"ns{pid_namespace()}" and pid.isdigit() and started_at(int(pid)) != started:
                found.append(ident)
        return found

    label = '{{.Label "' + OWNER_LABEL + '"}}'
    # One at a time and unchecked: another run may be doing the same.
    for ident in of_the_dead(("ps", "--all"), label):
        docker("rm", "--force", "--volumes", ident, check=False)
    for ident in of_the_dead(("network", "ls"), label):
        docker("network", "rm", ident, check=False)
