"""Becoming another user by su and doas: on hosts whose program asks, does not ask, refuses or is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import remotesvc
from remotesvc import BecomeError, Context, Router
from tests.containers import PASSWORD, Host, Hosts
from tests.integration import fleet_tasks
from tests.integration.tmux import Terminal
from tests.kernel.contexts import until

pytest_plugins = ("tests.integration.docker_fixtures", "tests.integration.tmux_fixture", "tests.kernel.call_fixtures")

Connect = Callable[..., Context]
ACCOUNTS = "remotesvc-target:accounts"


@pytest.mark.parametrize(("method", "user", "password"), [
    ("su", "sudoer", PASSWORD), ("su", "root", None), ("su", "root", "needless"),
    ("doas", "sudoer", PASSWORD), ("doas", "wheel", None), ("doas", "wheel", "needless"),
])  # fmt: skip
def test_root_runs_calls_and_imports(
    connect: Connect, router: Router, hosts: Hosts, method: str, user: str, password: str | None
) -> None:
    base = connect("accounts", user=user)
    root = getattr(router, method)(via=base, password=password)
    assert root.name == f"{base.name} (root)"
    assert root.call(os.getuid) == 0
    assert root.call(fleet_tasks.add, 1, two=2) == 3  # a module of ours, through two hops
    assert PASSWORD not in "".join(hosts["accounts"].processes().values())
    root.close()
    assert base.call(fleet_tasks.add, 1) == 1


@pytest.mark.parametrize("suite", ["bullseye", "trixie"])
def test_su_of_other_releases(container: Callable[..., Host], router: Router, suite: str) -> None:
    host = container(image=f"remotesvc-target:{suite}")
    host.run("sh", "-c", f"useradd -m ann && printf 'root:{PASSWORD}' | chpasswd")
    base = host.connect(router, user="ann")
    assert router.su(via=base, password=PASSWORD).call(os.getuid) == 0
    with pytest.raises(BecomeError, match="there is no such user"):
        router.su("nobody9", via=base, password=PASSWORD)
    with pytest.raises(BecomeError, match="the password is wrong"):
        router.su(via=base, password="no horse")


@pytest.mark.parametrize("method", ["su", "doas"])
def test_nothing_is_left_of_terminals_and_processes(
    connect: Connect, router: Router, hosts: Hosts, method: str
) -> None:
    """A kernel that is up has no terminal, nor has what it starts: terminals are few, and SIGHUP comes from there."""
    base = connect("accounts", user="sudoer")
    before = base.call("os:listdir", "/dev/pts")
    root = getattr(router, method)(via=base, password=PASSWORD)
    assert root.call(fleet_tasks.add, 1) == 1
    assert base.call("os:listdir", "/dev/pts") == before
    assert root.call("subprocess:call", ["sh", "-c", "kill -HUP $$"]) == -1  # what we start does not ignore it
    with pytest.raises(OSError):
        root.call("os:open", "/dev/tty", os.O_RDWR)
    root.close()
    until(lambda: not [line for line in hosts["accounts"].processes(f"{method} ").values() if "remotesvc:" in line],
          what="none of its processes is left")


@pytest.mark.parametrize(("method", "user"), [("sudo", "wheel"), ("su", "root"), ("doas", "wheel")])
def test_the_environment_speaks_the_language_it_spoke(connect: Connect, router: Router, method: str, user: str) -> None:
    """What made the program's messages English is not handed on."""
    root = getattr(router, method)(via=connect("accounts", user=user))
    assert root.call("os:getenv", "LC_ALL") is None
    assert root.call("os:getenv", "HOME") == "/root"


@pytest.mark.parametrize("shell", ["/bin/sh", "/usr/bin/fish", "/opt/fish", "/opt/csh", "/opt/zsh"])
def test_su_whatever_the_login_shell(container: Callable[..., Host], router: Router, shell: str) -> None:
    """Those in /opt are not in /etc/shells, so that su insists on them."""
    host = container(image=ACCOUNTS)
    host.run("sh", "-c", f"ln -s /usr/bin/fish /bin/csh /usr/bin/zsh /opt && usermod --shell {shell} dash")
    there = router.su("dash", via=host.connect(router, user="sudoer"), password=PASSWORD)
    assert there.call("getpass:getuser") == "dash" and there.call(fleet_tasks.add, 1) == 1


def test_root_takes_no_heed_of_a_login_shell_that_is_none(connect: Connect, router: Router) -> None:
    assert router.su("none", via=connect("accounts", user="root")).call("getpass:getuser") == "none"


@pytest.mark.parametrize("method", ["su", "doas"])
def test_a_wrong_password_is_tried_once(container: Callable[..., Host], router: Router, method: str) -> None:
    host = container(image=ACCOUNTS)
    # A line for each password that PAM is asked about.
    host.run("sh", "-c", "echo 'echo $PAM_SERVICE >>/tmp/asked' >/count;"
             "sed -i '1i auth optional pam_exec.so /bin/sh /count' /etc/pam.d/common-auth")
    base = host.connect(router, user="sudoer")
    with pytest.raises(BecomeError, match="the password is wrong") as caught:
        getattr(router, method)(via=base, password="no horse")
    assert caught.value.stage == "become" and "no horse" not in str(caught.value) and caught.value.hint
    assert host.run("cat", "/tmp/asked").split() == [method]
    assert base.call(fleet_tasks.add, 1) == 1  # the way there is still there


@pytest.mark.parametrize(("method", "service", "user", "password", "says"), [
    ("su", "accounts", "sudoer", None, "su asks for a password, and none was given"),
    ("doas", "accounts", "sudoer", None, "doas asks for a password, and none was given"),
    ("doas", "accounts", "dash", PASSWORD, "doas does not allow that"),
    ("doas", "accounts", "dash", None, "doas does not allow that"),
    ("doas", "bookworm", "root", PASSWORD, "there is no doas"),
    ("doas", "bookworm", "root", None, "there is no doas"),
])  # fmt: skip
def test_refusals_are_told_apart(
    connect: Connect, router: Router, method: str, service: str, user: str, password: str | None, says: str
) -> None:
    base = connect(service, user=user)
    with pytest.raises(BecomeError, match=says) as caught:
        getattr(router, method)(via=base, password=password)
    assert PASSWORD not in str(caught.value) and caught.value.hint
    assert base.call(fleet_tasks.add, 1) == 1


@pytest.mark.parametrize(("method", "user"), [("su", "root"), ("doas", "wheel")])
def test_no_such_user_and_no_such_python(connect: Connect, router: Router, method: str, user: str) -> None:
    base = connect("accounts", user=user)
    for password in (None, PASSWORD):
        with pytest.raises(BecomeError, match="there is no such user"):
            getattr(router, method)("nobody9", via=base, password=password)
        with pytest.raises(BecomeError, match=f"{method} cannot find the Python"):
            getattr(router, method)(via=base, python="/opt/none", password=password)


@pytest.mark.parametrize(("method", "user", "says"), [
    ("su", "root", "that user may not run the Python"), ("doas", "wheel", "that user may not run the Python"),
    ("sudo", "wheel", "sudo cannot find the Python"),  # it looks for it as that user
])  # fmt: skip
def test_a_python_that_is_not_for_everybody(
    container: Callable[..., Host], router: Router, method: str, user: str, says: str
) -> None:
    """One that somebody keeps in his home directory: the right to become another is not what is missing."""
    host = container(image=ACCOUNTS)
    host.run("sh", "-c", "install -d -m 700 /opt/own && ln -s /usr/bin/python3 /opt/own/python3")
    base = host.connect(router, user=user)
    with pytest.raises(BecomeError, match=says) as caught:
        getattr(router, method)("dash", via=base, python="/opt/own/python3")
    assert "--python" in (caught.value.hint or "")


@pytest.mark.parametrize(("change", "user", "says"), [
    ("rm /usr/bin/su", "root", "there is no su"),
    ("sed -i '1i auth required pam_wheel.so' /etc/pam.d/su", "root", "su does not allow that"),
    ("true", "none", "that user has no shell to log in with"),
    ("chage -d 0 dash", "dash", "has expired"),
])  # fmt: skip
def test_what_su_may_say(
    container: Callable[..., Host], router: Router, change: str, user: str, says: str
) -> None:
    host = container(image=ACCOUNTS)
    host.run("sh", "-c", change)
    with pytest.raises(BecomeError, match=says) as caught:
        router.su(user, via=host.connect(router, user="sudoer"), password=PASSWORD)
    assert caught.value.hint


@pytest.mark.parametrize("method", ["sudo", "su", "doas"])
def test_where_no_process_may_gain_rights_that_is_told(
    container: Callable[..., Host], router: Router, method: str
) -> None:
    """The password is right; su cannot know."""
    host = container("--security-opt", "no-new-privileges", image=ACCOUNTS)
    base = router.docker(host.id, user="sudoer")
    for password in (PASSWORD, None):
        with pytest.raises(BecomeError, match="no process there may gain rights") as caught:
            getattr(router, method)(via=base, password=password)
        assert "user=" in (caught.value.hint or "")


@pytest.mark.parametrize("method", ["sudo", "su", "doas"])
def test_a_program_without_its_setuid_bit_is_named(
    container: Callable[..., Host], router: Router, method: str
) -> None:
    host = container(image=ACCOUNTS)
    host.run("chmod", "u-s", f"/usr/bin/{method}")
    base = host.connect(router, user="sudoer")
    with pytest.raises(BecomeError, match=f"/bin/{method} has no setuid bit there") as caught:
        getattr(router, method)(via=base, password=PASSWORD)
    assert caught.value.hint


def test_doas_without_rules_and_without_terminals(container: Callable[..., Host], router: Router) -> None:
    host = container(image=ACCOUNTS)
    base = host.connect(router, user="sudoer")
    host.run("chmod", "0", "/dev/pts/ptmx")
    with pytest.raises(remotesvc.ConnectError, match="cannot open a terminal") as caught:
        router.doas(via=base, password=PASSWORD)
    assert caught.value.hint
    host.run("rm", "/etc/doas.conf")
    with pytest.raises(BecomeError, match="doas is not set up there"):
        router.doas(via=base)


@pytest.fixture(name="config")
def fixture_config(hosts: Hosts, tmp_path: Path) -> str:
    """An ssh_config by which `it` is the account sudoer."""
    options = hosts["accounts"].options()
    config = tmp_path / "ssh_config"
    config.write_text(f"Host it\n  HostName {options['host']}\n  Port {options['port']}\n  User sudoer\n"
                      f"  IdentityFile {options['key_filename']}\n  UserKnownHostsFile {options['known_hosts']}\n"
                      "  IdentityAgent none\n")
    return str(config)


@pytest.mark.parametrize("method", ["su", "doas"])
def test_the_command_line(hosts: Hosts, config: str, tmp_path: Path, method: str) -> None:
    """`remotesvc` itself: a call, a command, files, all as root by a password from a file."""
    (tmp_path / "word").write_text(PASSWORD + "\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_text("text")

    def remotesvc(command: str, *words: str) -> str:
        become = ["-F", config, "--become-method", method, "-b", "--become-password-file", "word"]
        done = subprocess.run([sys.executable, "-m", "remotesvc", command, *become, "it", *words], cwd=tmp_path,
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    place = f"/root/{method}"
    assert remotesvc("run", "os:getuid") == "0\n"
    assert remotesvc("exec", "--", "id", "-un").split()[-1] == "root"
    remotesvc("push", "tree/file", f"{place}/")
    remotesvc("sync", "tree", f"{place}/synced")
    assert hosts["accounts"].run("sh", "-c", f"cat {place}/file {place}/synced/file; stat -c %U {place}/file") == (
        "texttextroot\n")
    remotesvc("pull", f"{place}/file", "back")
    assert (tmp_path / "back").read_text() == "text"
    hosts["accounts"].run("rm", "-r", place)


def test_the_password_is_asked_for_at_a_terminal(terminal: Callable[..., Terminal], config: str) -> None:
    window = terminal()
    window.remotesvc("run", "-F", config, "-b", "--become-method", "su", "-K", "it", "os:getuid")
    window.wait_for("^su password: *$")
    window.type(PASSWORD)
    code, shown = window.ended()
    assert code == 0 and "0" in shown and not any(PASSWORD in line for line in shown)


def test_a_fleet_becomes_in_each_host_s_own_way(hosts: Hosts, tmp_path: Path) -> None:
    options = hosts["accounts"].options()
    inventory = tmp_path / "hosts"
    inventory.write_text(
        "[all:vars]\nansible_host=127.0.0.1\nansible_user=sudoer\nansible_become=yes\n"
        f"ansible_port={options['port']}\nansible_become_password='{PASSWORD}'\n[all]\n"
        "one ansible_become_method=su\ntwo ansible_become_method=doas\nthree\n"
    )
    arguments = {name: options[name] for name in ("key_filename", "known_hosts", "ssh_config", "extra_options")}
    with remotesvc.Fleet("all", inventory=inventory, **arguments) as fleet:
        assert fleet.run(os.getuid).by_host() == {"one": 0, "two": 0, "three": 0}
    with remotesvc.Fleet("three", inventory=inventory, become_method="su", become_user="dash", **arguments) as fleet:
        assert fleet.run("getpass:getuser")["three"].value == "dash"
