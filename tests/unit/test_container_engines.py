"""The command lines of container engines, and what their words mean."""

from __future__ import annotations

import re
import shlex

import pytest

from remotesvc import ConnectError, PythonNotFound, UnknownHost, UsageError
from remotesvc.launch.engines import ENGINES, engine_of


@pytest.mark.parametrize(("engine", "name", "options", "user", "argv"), [
    ("docker", "web", {}, None, "docker exec --interactive web"),
    ("docker", "web", {}, "ann", "docker exec --interactive --user ann web"),
    ("podman", "web", {}, None, "podman exec --interactive web"),
    ("buildah", "web", {}, "ann", "buildah run --user ann web --"),
    ("lxc", "web", {}, None, "lxc-attach --clear-env --name web --"),
    ("lxc", "web", {}, "33", "lxc-attach --clear-env --uid=33 --gid=33 --name web --"),
    ("lxd", "web", {}, None, "lxc exec --mode=non-interactive web --"),
    ("lxd", "far:web", {"project": "p"}, "33:7",
     "lxc exec --mode=non-interactive --project=p --user=33 --group=7 far:web --"),
    ("incus", "web", {"remote": "far"}, "33", "incus exec --mode=non-interactive --user=33 --group=33 far:web --"),
    ("nspawn", "web", {}, None, "systemd-run --machine=web --pipe --wait --quiet --collect --"),
    ("nspawn", "web", {}, "ann", "systemd-run --machine=web --pipe --wait --quiet --collect --uid=ann --"),
    ("kubectl", "web-0", {}, None, "kubectl exec --stdin web-0 --"),
    ("kubectl", "shop/web-0", {}, None, "kubectl exec --stdin --namespace=shop web-0 --"),
    ("kubectl", "shop/web-0/app", {}, None, "kubectl exec --stdin --namespace=shop --container=app web-0 --"),
    ("kubectl", "me@prod:shop/web-0", {}, None, "kubectl exec --stdin --context=me@prod --namespace=shop web-0 --"),
    ("kubectl", "arn:aws:eks:eu-1:7:cluster/a:web-0", {"container": "app", "kubeconfig": "/k c"}, None,
     "kubectl exec --stdin '--kubeconfig=/k c' --context=arn:aws:eks:eu-1:7:cluster/a --container=app web-0 --"),
    ("kubectl", "shop/web-0", {"namespace": "other", "context": "prod"}, None,
     "kubectl exec --stdin --context=prod --namespace=shop web-0 --"),
])  # fmt: skip
def test_the_command(engine: str, name: str, options: dict[str, str], user: str | None, argv: str) -> None:
    row = engine_of(engine)
    row.check(name, options, user)
    assert row.argv(row.place(name, options), user, ["sh", "-c", "true"]) == [*shlex.split(argv), "sh", "-c", "true"]


@pytest.mark.parametrize(("engine", "user", "says"), [
    ("docker", "--privileged", "docker takes a user, not '--privileged'"),
    ("podman", "", "podman takes a user"),
    ("nspawn", "-x", "systemd-run takes a user"),
    ("lxc", "ann", "lxc-attach takes a user's number, as in 33 or 33:33 .*, not 'ann'"),
    ("lxc", "-1", "lxc-attach takes a user's number"),
    ("lxd", "33:", "lxc takes a user's number"),
    ("incus", "\u0663", "incus takes a user's number"),
    ("kubectl", "ann", r"kubectl takes no user, so not 'ann': .*--become-user \(Router.sudo\)"),
])  # fmt: skip
def test_users_that_cannot_be(engine: str, user: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        ENGINES[engine].check_user(user)


@pytest.mark.parametrize(("engine", "said", "error", "why"), [
    ("docker", "Error: No such container: web", UnknownHost, "there is no container web"),
    ("podman", 'Error: no container with name or ID "web" found: no such container', UnknownHost, "there is no"),
    ("docker", "Error response from daemon: Container 0a1b is not running", ConnectError, "is not running"),
    ("podman", "Error: can only create exec sessions on running containers: container state improper", ConnectError,
     "is not running"),
    ("docker", "Error response from daemon: Container 0a1b is paused, unpause the container before exec", ConnectError,
     "is not running"),
    ("docker", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", ConnectError, "be reached"),
    ("docker", "Got permission denied while trying to connect to the Docker daemon socket", ConnectError,
     "you may not enter the container web"),
    ("docker", 'exec: "sh": executable file not found in $PATH', ConnectError, "has no shell"),
    ("docker", "unable to find user ann: no matching entries in passwd file", ConnectError, "web has no such user"),
    ("podman", "Error: unable to find group ann: no matching entries in group file", ConnectError, "no such user"),
    ("podman", "Error: uids and gids must be in range 0-2147483647", ConnectError, "no such user"),
    ("buildah", 'Error: determining run uid: user: unknown user error looking up user "ann"', ConnectError,
     "no such user"),
    ("docker", 'OCI runtime exec failed: exec failed: unable to start container process: chdir to cwd ("/srv") set in'
     " config.json failed: no such file or directory: unknown", ConnectError, "could not start a program"),
    ("docker", 'Failed to initialize: unable to resolve docker endpoint: context "far": context not found',
     ConnectError, "be reached"),
    ("docker", 'error during connect: Get "http://far:2375/v1.50": dial tcp: lookup far: no such host', ConnectError,
     "be reached"),
    ("buildah", 'Error: reading build container "web": container not known', UnknownHost, "there is no container web"),
    ("lxc", "lxc-attach: web: ../src/lxc/attach.c: get_attach_context: 406 Connection refused - Failed to get init pid",
     UnknownHost, "there is no container web that runs"),
    ("lxd", "Error: Instance not found", UnknownHost, "there is no instance web"),
    ("lxd", 'Error: The remote "far" doesn\'t exist', UnknownHost, "there is no instance web"),
    ("incus", "Error: Instance is not running", ConnectError, "the instance web is not running"),
    ("incus", "Error: Instance is frozen", ConnectError, "is not running"),
    ("lxd", "Error: Command not found", ConnectError, "has no shell"),
    ("lxd", 'Error: Get "http://unix.socket/1.0": dial unix /var/lib/lxd/unix.socket: connect: permission denied',
     ConnectError, "you may not enter the instance web"),
    ("incus", 'Error: Get "http://unix.socket/1.0": dial unix /x/unix.socket: connect: no such file or directory',
     ConnectError, "be reached"),
    ("incus", "Error: You don't have the needed permissions to talk to the incus daemon (socket path: /x)",
     ConnectError, "you may not enter the instance web"),
    ("incus", "Error: The incus daemon doesn't appear to be started (socket path: /x)", ConnectError, "be reached"),
    ("incus", "Error: Project not found", UnknownHost, "there is no instance web"),
    ("nspawn", "Failed to connect to bus: Host is down", UnknownHost, "there is no machine web that runs"),
    ("nspawn", "Failed to connect to bus: No such file or directory", ConnectError, "nothing that would start"),
    ("nspawn", "Failed to connect to bus: Permission denied", ConnectError, "you may not enter the machine web"),
    ("kubectl", 'Error from server (NotFound): pods "web" not found', UnknownHost, "there is no pod web"),
    ("kubectl", "Error from server (BadRequest): container app is not valid for pod web", UnknownHost, "no pod web"),
    ("kubectl", 'Error from server (Forbidden): pods "web" is forbidden: User "ann" cannot get resource "pods"',
     ConnectError, "you may not enter the pod web"),
    ("kubectl", "error: You must be logged in to the server (Unauthorized)", ConnectError, "you may not enter"),
    ("kubectl", "error: cannot exec into a container in a completed pod; current phase is Succeeded", ConnectError,
     "the pod web is not running"),
    ("kubectl", 'error: unable to upgrade connection: container not found ("app")', ConnectError, "is not running"),
    ("kubectl", "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
     ConnectError, "be reached"),
    ("kubectl", "Error in configuration: context was not found for specified context: far", ConnectError, "be reached"),
])  # fmt: skip
def test_why_there_is_no_kernel(engine: str, said: str, error: type[ConnectError], why: str) -> None:
    found = ENGINES[engine].reason("web", said, 1)
    assert found is not None
    assert found[0] is error and why in found[1]
    assert found[2] and "%" not in found[1] + found[2]


def test_one_that_may_be_paused_is_told_both_remedies() -> None:
    said = "Error: can only create exec sessions on running containers: container state improper"
    found = ENGINES["podman"].reason("web", said, 255)
    assert found is not None
    assert found[2] == "Start it: `podman start web`; one that is paused: `podman unpause web`."


@pytest.mark.parametrize(("engine", "said", "status"), [
    ("docker", 'exec failed: exec: "/opt/Python9": stat /opt/Python9: no such file or directory: unknown', 127),
    ("docker", 'exec failed: exec: "/opt/Python9": executable file not found in $PATH: unknown', 127),
    ("podman", "Error: crun: executable file `/opt/Python9` not found: No such file or directory", 127),
    ("lxc", 'lxc-attach: Failed to exec "/opt/Python9"', 255),
    ("incus", "Error: Command not found", 127),
    ("nspawn", "", 203),
])  # fmt: skip
def test_a_python_that_was_named_and_is_not_there(engine: str, said: str, status: int) -> None:
    found = ENGINES[engine].reason("web", said, status, "/opt/Python9")
    assert found is not None and found[0] is PythonNotFound
    assert found[2] == "There is no /opt/Python9 that could be run."


@pytest.mark.parametrize(("status", "why"), [(203, "has no shell"), (217, "has no such user")])
def test_what_systemd_says_by_a_status_alone(status: int, why: str) -> None:
    found = ENGINES["nspawn"].reason("web", "", status)
    assert found is not None and why in found[1]


def test_what_podman_loses() -> None:
    found = ENGINES["podman"].reason("web", "", 127)
    assert found is not None and found[0] is PythonNotFound
    assert ENGINES["podman"].reason("web", "python3: error while loading shared libraries", 127) is None


@pytest.mark.parametrize("engine", ENGINES)
def test_words_of_no_engine_mean_nothing(engine: str) -> None:
    assert ENGINES[engine].reason("web", "Traceback (most recent call last):", 1) is None


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [
    "-x", "", "a b", "a;b", "ü", "a//b", "...", "x" * 1025, "a\n", "/a", "a/", ":a", "a:"])  # fmt: skip
def test_no_names_of_containers(engine: str, name: str) -> None:
    with pytest.raises(UsageError, match=f"not the name of any .*; expected {re.escape(ENGINES[engine].shown)}"):
        ENGINES[engine].place(name, {})


@pytest.mark.parametrize(("engine", "name"), [
    ("docker", "a/b"), ("docker", "a:b"), ("nspawn", "a:b"), ("incus", "a/b"), ("incus", "a:b:c"),
    ("kubectl", "a/b/c/d"), ("kubectl", "ann@web-0"), ("kubectl", "//shop/web-0"),
])  # fmt: skip
def test_parts_that_an_engine_does_not_know(engine: str, name: str) -> None:
    with pytest.raises(UsageError, match="not the name of any"):
        ENGINES[engine].place(name, {})


@pytest.mark.parametrize(("engine", "options", "says"), [
    ("docker", {"namespace": "x"}, "docker has no option 'namespace': it has no options"),
    ("kubectl", {"namespce": "x"}, "no option 'namespce': its options are container, context, kubeconfig, namespace"),
    ("lxd", {"name": "x"}, "its options are project, remote"),
    ("incus", {"remote": "-x"}, "no instance has the remote '-x'"),
    ("kubectl", {"context": ""}, "no pod has the context ''"),
    ("kubectl", {"context": "a\nb"}, "no pod has the context"),
    ("kubectl", {"container": 7}, "no pod has the container 7"),
])  # fmt: skip
def test_options_that_cannot_be(engine: str, options: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        ENGINES[engine].place("web", options)


def test_an_engine_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="containers are those of docker, podman, .* not of 'rkt'"):
        engine_of("rkt")
