"""The command lines of container engines, and what their words mean."""

from __future__ import annotations

import pytest

from remotesvc import ConnectError, UnknownHost, UsageError
from remotesvc.launch.container import check_container
from remotesvc.launch.engines import ENGINES


@pytest.mark.parametrize(("engine", "user", "argv"), [
    ("docker", None, ["docker", "exec", "--interactive", "web", "sh"]),
    ("docker", "ann", ["docker", "exec", "--interactive", "--user", "ann", "web", "sh"]),
    ("podman", None, ["podman", "exec", "--interactive", "web", "sh"]),
    ("lxc", None, ["lxc-attach", "--clear-env", "--name", "web", "--", "sh"]),
    ("lxc", "33", ["lxc-attach", "--clear-env", "--uid", "33", "--name", "web", "--", "sh"]),
])  # fmt: skip
def test_the_command(engine: str, user: str | None, argv: list[str]) -> None:
    ENGINES[engine].check_user(user)
    assert ENGINES[engine].argv("web", user, ["sh"]) == argv


@pytest.mark.parametrize(("engine", "user"), [
    ("docker", "--privileged"), ("podman", ""), ("lxc", "ann"), ("lxc", "-1")])  # fmt: skip
def test_users_that_cannot_be(engine: str, user: str) -> None:
    with pytest.raises(UsageError, match=ENGINES[engine].command[0]):
        ENGINES[engine].check_user(user)


@pytest.mark.parametrize(("engine", "said", "error", "why"), [
    ("docker", "Error: No such container: web", UnknownHost, "there is no container"),
    ("podman", 'Error: no container with name or ID "web" found: no such container', UnknownHost, "there is no"),
    ("docker", "Error response from daemon: Container 0a1b is not running", ConnectError, "is not running"),
    ("podman", "Error: can only create exec sessions on running containers: container state improper", ConnectError,
     "is not running"),
    ("docker", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", ConnectError, "be reached"),
    ("docker", 'exec: "sh": executable file not found in $PATH', ConnectError, "has no shell"),
    ("lxc", "lxc-attach: web: ../src/lxc/attach.c: get_attach_context: 406 Connection refused - Failed to get init pid",
     UnknownHost, "that runs"),
])  # fmt: skip
def test_why_there_is_no_kernel(engine: str, said: str, error: type[ConnectError], why: str) -> None:
    found = ENGINES[engine].reason(said)
    assert found is not None
    assert found[0] is error and why in found[1] % "web"


@pytest.mark.parametrize("engine", ENGINES)
def test_other_words_mean_nothing(engine: str) -> None:
    assert ENGINES[engine].reason("Traceback (most recent call last):") is None


@pytest.mark.parametrize("name", ["-x", "", "a b", "a;b", "ü", "a/b", "." * 3, "x" * 256])
def test_no_names_of_containers(name: str) -> None:
    with pytest.raises(UsageError):
        check_container(name)
