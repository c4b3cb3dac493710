"""Becoming another user by sudo: on hosts whose sudo asks, does not ask, refuses, is missing, is another program."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import remotesvc
from remotesvc import BecomeError, Context, Router
from tests.containers import Host, Hosts
from tests.integration import fleet_tasks

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures")

PASSWORD = "correct horse"
Connect = Callable[..., Context]


@pytest.mark.parametrize(("service", "user", "password"), [
    ("accounts", "sudoer", PASSWORD), ("accounts", "wheel", None), ("accounts", "wheel", "needless"),
    ("sudors", "sudoer", PASSWORD)])  # fmt: skip
def test_root_runs_calls_and_imports(
    connect: Connect, router: Router, hosts: Hosts, service: str, user: str, password: str | None
) -> None:
    with connect(service, user=user) as base:
        assert base.call(os.getuid) != 0
        with router.sudo(via=base, password=password) as root:
            assert root.call(os.getuid) == 0
            assert root.call(fleet_tasks.add, 1, two=2) == 3  # a module of ours, through two hops
            assert root.call("os:getpgrp") > 0
        assert PASSWORD not in "".join(hosts[service].processes().values())


def test_another_user_than_root(connect: Connect, router: Router) -> None:
    base = connect("accounts", user="wheel")
    there = router.sudo("dash", via=base)
    assert there.name == f"{base.name} (dash)"
    assert there.call("getpass:getuser") == "dash"
    assert there.call("os:getuid") == base.call("pwd:getpwnam", "dash").pw_uid


@pytest.mark.parametrize("service", ["accounts", "sudors"])
def test_a_wrong_password_is_tried_once(connect: Connect, router: Router, service: str) -> None:
    base = connect(service, user="sudoer")
    with pytest.raises(BecomeError, match="the password is wrong") as caught:
        router.sudo(via=base, password="wrong")
    assert caught.value.stage == "become" and "wrong\n" not in caught.value.diagnostics
    assert base.call(fleet_tasks.add, 1) == 1  # the way there is still there


@pytest.mark.parametrize(("service", "user", "password", "says"), [
    ("accounts", "sudoer", None, "sudo asks for a password, and none was given"),
    ("sudors", "sudoer", None, "sudo asks for a password, and none was given"),
    ("accounts", "dash", PASSWORD, "sudo does not allow that"),
    ("bookworm", "root", PASSWORD, "there is no sudo"),
])  # fmt: skip
def test_refusals_are_told_apart(
    connect: Connect, router: Router, service: str, user: str, password: str | None, says: str
) -> None:
    with pytest.raises(BecomeError, match=says) as caught:
        router.sudo(via=connect(service, user=user), password=password)
    assert PASSWORD not in str(caught.value) and caught.value.hint


def test_no_such_user_and_no_such_python(connect: Connect, router: Router) -> None:
    base = connect("accounts", user="wheel")
    with pytest.raises(BecomeError, match="there is no such user"):
        router.sudo("nobody9", via=base)
    with pytest.raises(BecomeError, match="sudo cannot find the Python"):
        router.sudo(via=base, python="/opt/none")


@pytest.mark.parametrize("suite", ["accounts", "sudors"])
@pytest.mark.parametrize(("change", "says"), [
    ("chage -d 0 sudoer", "that password, or account, has expired"),
    ("chage -E 0 sudoer", "that account has expired, or is locked"),
])  # fmt: skip
def test_what_has_expired_is_told_at_once(
    container: Callable[..., Host], router: Router, suite: str, change: str, says: str
) -> None:
    host = container(image=f"remotesvc-target:{suite}")
    base = host.connect(router, user="sudoer").wait_ready()  # a server does not let it in afterwards
    host.run("sh", "-c", change)
    with pytest.raises(BecomeError, match=says) as caught:
        router.sudo(via=base, password=PASSWORD)
    assert caught.value.hint and "remotesvc-" not in str(caught.value)


def test_sudo_that_wants_a_terminal(hosts: Hosts, container: Callable[..., object], router: Router) -> None:
    host = container(image="remotesvc-target:accounts")
    host.run("sh", "-c", "echo 'Defaults requiretty' >>/etc/sudoers.d/accounts")  # type: ignore[attr-defined]
    base = host.connect(router, user="wheel")  # type: ignore[attr-defined]
    with pytest.raises(BecomeError, match="sudo wants a terminal"):
        router.sudo(via=base)


def test_home_is_that_of_who_is_become_whatever_home_says(container: Callable[..., Host], router: Router) -> None:
    """What stands in the way there may be put there by whoever called sudo."""
    host = container(image="remotesvc-target:accounts")
    host.run("sh", "-c", "echo 'Defaults !env_reset' >>/etc/sudoers.d/accounts")
    root = router.sudo(via=host.connect(router, user="wheel"))
    assert root.call("os:getenv", "HOME") == "/home/wheel"
    assert root.push(b"x", "~/file").path == "/root/file"


def test_closing_a_sudo_context_closes_what_it_stands_on(connect: Connect, router: Router, hosts: Hosts) -> None:
    base = connect("accounts", user="wheel")
    root = router.sudo(via=base, close_via=True)
    assert root.call(os.getuid) == 0
    root.close()
    with pytest.raises(remotesvc.Error):
        base.call(os.getuid)


def test_a_fleet_becomes(hosts: Hosts, tmp_path: Path) -> None:
    host = hosts["accounts"]
    options = host.options()
    inventory = tmp_path / "hosts"
    inventory.write_text(
        f"one ansible_host=127.0.0.1 ansible_port={options['port']} ansible_user=sudoer ansible_become=yes "
        f"ansible_become_password='{PASSWORD}'\n"
        f"two ansible_host=127.0.0.1 ansible_port={options['port']} ansible_user=wheel\n"
    )
    arguments = {name: options[name] for name in ("key_filename", "known_hosts", "ssh_config", "extra_options")}
    with remotesvc.Fleet("all", inventory=inventory, **arguments) as fleet:
        assert fleet.run(os.getuid)["one"].value == 0
        assert fleet.run(os.getuid)["two"].value != 0
    with remotesvc.Fleet("two", inventory=inventory, become=True, **arguments) as fleet:
        assert fleet.run(os.getuid)["two"].value == 0
