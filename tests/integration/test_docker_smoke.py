"""The smoke suite: calls of every kind on every host of docker/compose.yaml, and what the odd ones do instead."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import CallError, Context, Router
from tests import containers
from tests.containers import Host, Hosts
from tests.integration.bastion import config_to
from tests.integration.shop import desk
from tests.integration.smoke_steps import DEBIANS, HERE, STEPS, is_whole, much_data, version
from tests.kernel import called, called_processes
from tests.kernel.contexts import Heard, until
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures")

# The first run makes images.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

Connect = Callable[..., Context]
SHELLS = ("dash", "bash", "noisy", "greedy", "zsh", "fish", "csh", "wrapped")
"""Accounts whose way to a program is peculiar: a login shell, what its profile does, a forced command."""
ROOMY = ("full", "python36", "maxsessions", "maxstartups", "bastion", "readonly", "tinytmp")
"""Hosts where everything works, though one may ask little of them."""
TARGETS = (*DEBIANS, *ROOMY, *(f"accounts/{name}" for name in (*SHELLS, "password", "sudoer")))


def reach(connect: Connect, target: str, **changes: Any) -> Context:
    """A context on "service" or "service/account"."""
    service, _, account = target.partition("/")
    if account:
        changes["user"] = account
    if account == "password":
        changes.update(password=containers.PASSWORD, key_filename=None, extra_options=(
            "IdentityAgent=none", "IdentityFile=none", "PreferredAuthentications=password"))
    return connect(service, **changes)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
@pytest.mark.parametrize("target", TARGETS)
def test_smoke(target: str, step: Callable[[Context, Heard], None], connect: Connect, heard: Heard) -> None:
    step(reach(connect, target), heard)


@pytest.mark.parametrize("target", TARGETS)
def test_smoke_by_the_ssh_program(target: str, connect: Connect, heard: Heard) -> None:
    """The same on one connection of the other transport."""
    context = reach(connect, target, transport="openssh")
    for step in STEPS:
        if step is not much_data or target in DEBIANS:  # for the others it would be the same once more
            step(context, heard)
    context.close()


def test_smoke_behind_a_bastion_by_the_ssh_program(hosts: Hosts, router: Router, heard: Heard, tmp_path: Path) -> None:
    """ssh looks each hop up in its own configuration."""
    config = config_to(hosts, "inner", tmp_path)
    with router.ssh("target", user="root", ssh_config=config, transport="openssh") as context:
        assert hosts._hosts["inner"].id.startswith(context.call("socket:gethostname"))
        for step in STEPS:
            step(context, heard)


# -- what the hosts are


@pytest.mark.parametrize(("service", "expected"), DEBIANS.items())
def test_the_debians_have_a_minimal_python(service: str, expected: tuple[int, int], connect: Connect) -> None:
    context = connect(service)
    assert version(context) == expected
    assert not is_whole(context)


def test_the_full_host_has_all_of_python(connect: Connect) -> None:
    assert is_whole(connect("full"))


def test_coroutines_where_there_is_asyncio(connect: Connect) -> None:
    context = connect("full")
    assert context.call(called.double, 21) == 42
    assert list(context.call(called.async_count, 5)) == list(range(5))


def test_a_real_3_6(connect: Connect) -> None:
    context = connect("python36")
    assert version(context) == (3, 6)
    assert context.push(b"text", "/tmp/gruß €").path == "/tmp/gruß €"  # sshd there sets no locale


def test_no_python(connect: Connect) -> None:
    with pytest.raises(remotesvc.PythonNotFound, match="tried: python3 /usr/libexec/platform-python") as caught:
        connect("nopython").wait_ready()
    assert caught.value.hint


# -- accounts one cannot get in by


@pytest.mark.parametrize(("account", "said"), [
    ("none", "ended with status 1"),
    ("forced", "this account is for backups only"),
])
def test_an_account_that_runs_no_program(account: str, said: str, connect: Connect) -> None:
    watch = Stopwatch()
    with pytest.raises(remotesvc.BootstrapError) as caught:
        connect("accounts", user=account).wait_ready()
    assert said in str(caught.value)
    assert watch.seconds < 5


@pytest.mark.parametrize("password", [None, "wrong horse"])
def test_an_account_for_a_password_refuses_others(password: str | None, connect: Connect) -> None:
    with pytest.raises(remotesvc.AuthenticationError) as caught:
        connect("accounts", user="password", password=password)
    assert caught.value.stage == "auth"
    assert "wrong horse" not in str(caught.value) + caught.value.diagnostics


def test_the_noise_of_a_profile_is_not_taken_for_output(connect: Connect, heard: Heard) -> None:
    for account in ("noisy", "greedy", "zsh", "wrapped"):
        context = connect("accounts", user=account)
        assert context.call(called.add, 1, 1) == 2
        assert context.diagnostics
    assert connect("accounts", user="dash").diagnostics == ""
    assert heard.output == []


def test_sudo_asks_for_a_password_or_does_not(connect: Connect) -> None:
    command = ["sudo", "-n", "id", "-u"]
    assert connect("accounts", user="wheel").call("subprocess:check_output", command) == b"0\n"
    with pytest.raises(CallError, match="CalledProcessError"):
        connect("accounts", user="sudoer").call("subprocess:check_output", command)


# -- hosts that limit


def test_one_session_is_all_that_a_context_takes(connect: Connect) -> None:
    context = connect("maxsessions")
    assert context.options(isolation="process").call("os:getpid") != context.info["pid"]
    assert connect("maxsessions", fresh=True).call("os:getpid") != context.info["pid"]


def test_a_server_that_starts_one_login_at_a_time(connect: Connect) -> None:
    for _ in range(5):
        connect("maxstartups").call("os:getpid")


def test_a_read_only_host_says_so(connect: Connect) -> None:
    with pytest.raises(OSError, match="Read-only file system"):
        connect("readonly").call("os:mkdir", "/tmp/new")


SHORT_OF = {
    "memory64": ("memory", "killed", "MemoryError"),
    "pids12": ("start new thread", "Resource temporarily unavailable", "Cannot fork", "fork",
               "killed by signal 9"),  # by itself: it could not start its reader
    "fds20": ("Too many open files",),
}
"""What an error on a limited host must speak of."""


@pytest.mark.parametrize("service", SHORT_OF)
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_a_host_that_is_short_of_something_works_or_says_so(
    service: str, step: Callable[[Context, Heard], None], hosts: Hosts, heard: Heard
) -> None:
    host = hosts[service]
    with Router(on_output=heard.on_output, on_log=heard.on_log) as router:
        try:
            step(host.connect(router), heard)
        except remotesvc.Error as error:
            assert any(word in str(error) for word in SHORT_OF[service]), error
            assert not isinstance(error, remotesvc.ConnectError) or error.hint
            print(f"{service}: {type(error).__name__}: {error}")
    # Whatever did not work, the host serves the next one.
    until(lambda: not host.processes("remotesvc:"))
    with Router() as router:
        assert host.connect(router).call(called.add, 1, 1) == 2
    until(lambda: not host.processes("remotesvc:"))


def test_a_limit_of_20_files_is_named_with_its_remedy(connect: Connect) -> None:
    with pytest.raises(remotesvc.BootstrapError, match="Too many open files") as caught:
        connect("fds20").options(isolation="process").call("os:getpid")
    assert "20 files" in caught.value.hint
    assert "ulimit -n" in caught.value.hint


@pytest.mark.parametrize("service", DEBIANS)
def test_asking_for_a_module_is_no_error(service: str, connect: Connect) -> None:
    context = connect(service)
    assert context.call(desk.spec_of, "no_such_module_anywhere") == ""
    for name in ("json", "shutil"):
        place = context.call(desk.spec_of, name)
        if context.call(desk.has_of_its_own, name):
            assert place.startswith("/usr/lib")
        else:
            assert place.startswith("/proc/remotesvc:/") is (version(context) == HERE)


# -- bastions: the ways are there; taking them is the work of jump hosts


def _ssh(hosts: Hosts, tmp_path: Path, names: tuple[str, ...]) -> Iterator[str]:
    """An ssh_config for the bastion and what lies behind it, addresses as the hosts before them know them."""
    first = hosts["bastion"].options()
    known = tmp_path / "known_hosts"
    with known.open("w") as file:
        file.write(Path(first["known_hosts"]).read_text())
        for name in names:
            file.write(f"{name} {hosts[name].host_key}\n")
    yield f"""
Host *
    User root
    IdentityFile {first["key_filename"]}
    IdentityAgent none
    IdentitiesOnly yes
    BatchMode yes
    UserKnownHostsFile {known}
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
Host bastion
    HostName {first["host"]}
    Port {first["port"]}
"""
    before = "bastion"
    for name in names:
        yield f"Host {name}\n    ProxyJump {before}\n"
        before = name


@pytest.mark.parametrize("names", [("inner",), ("inner", "deep")], ids=["one", "two"])
def test_the_ways_through_bastions(names: tuple[str, ...], hosts: Hosts, tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text("".join(_ssh(hosts, tmp_path, names)))
    done = subprocess.run(["ssh", "-F", str(config), names[-1], "hostname"], capture_output=True, text=True,
                          timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, hosts[names[-1]].id[:12]), done.stderr


def test_no_way_to_the_far_host_but_through_the_near_one(hosts: Hosts, connect: Connect) -> None:
    bastion, inner = connect("bastion"), hosts["inner"]
    assert bastion.call("socket:gethostbyname", "inner")
    with pytest.raises(CallError, match="gaierror"):
        bastion.call("socket:gethostbyname", "deep")
    assert "deep" in inner.run("getent", "hosts", "deep")


# -- and nothing stays behind


SSHD_RECORDS = {"/run", "/run/motd.dynamic", "/run/sshd.pid", "/run/utmp", "/var", "/var/log", "/var/log/btmp",
                "/var/log/lastlog", "/var/log/wtmp", "/var/lib", "/var/lib/wtmpdb", "/var/lib/lastlog"}


@pytest.mark.parametrize("service", [*DEBIANS, "full"])
def test_nothing_is_written_on_a_host(service: str, hosts: Hosts, connect: Connect, heard: Heard) -> None:
    for step in STEPS:
        step(connect(service), heard)
    assert hosts[service].written() - SSHD_RECORDS == set()


def test_nothing_runs_on_after_the_last_context(hosts: Hosts) -> None:
    with contextlib.ExitStack() as stack:
        router = stack.enter_context(Router())
        hosts["bookworm"].connect(router).call(called_processes.spawn_sleep)
        assert hosts["bookworm"].processes("remotesvc:")
        assert hosts["bookworm"].processes("sleep 300")
    watch = Stopwatch()
    until(lambda: not hosts["bookworm"].processes("remotesvc:"))
    until(lambda: not hosts["bookworm"].processes("sleep 300"))
    assert watch.seconds < 5


NEVER_ANSWERS = b"#!/bin/sh\ntrap '' TERM HUP INT PIPE\nsleep 300\nwhile :; do sleep 1; done\n"


@pytest.mark.parametrize(("image", "user", "waits"), [
    ("accounts", "dash", True), ("accounts", "fish", False), ("trixie", "root", False),
])
def test_what_was_started_as_a_python_and_never_answers_goes(
    image: str, user: str, waits: bool, container: Callable[..., Host], router: Router
) -> None:
    """It reads nothing, so it does not see that its input ends; whether one waits for it to the end or not."""
    host = container(image=f"remotesvc-target:{image}")
    host.connect(router, user=user).push(NEVER_ANSWERS, "/tmp/never", mode=0o755)
    context = host.connect(router, user=user, python="/tmp/never", fresh=True, connect_timeout=15 if waits else 60)
    until(lambda: host.processes("/tmp/never") and host.processes("sleep 300"))
    if waits:
        with pytest.raises(remotesvc.ConnectTimeout) as caught:
            context.wait_ready()
        assert caught.value.stage == "boot"
    else:
        context.close()
    until(lambda: not host.processes("/tmp/never") and not host.processes("sleep 300"))
