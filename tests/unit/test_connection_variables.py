"""Connection variables of inventories: what each means, and what a wrong one says."""

from __future__ import annotations

from typing import Any

import pytest

from remotesvc.bootstrap.errors import UsageError
from remotesvc.fleet.connection import Connection


def test_every_connection_variable_is_understood() -> None:
    found = Connection.of("web1", {
        "ansible_host": "10.0.0.1", "ansible_port": "2222", "ansible_user": "deploy",
        "ansible_ssh_private_key_file": "~/.ssh/web", "ansible_python_interpreter": "/usr/bin/python3.11",
        "ansible_ssh_common_args": "-J hop1,hop2 -o ServerAliveInterval=5 -oUser=x -C -F cfg",
        "ansible_password": 1234, "ansible_become": "yes", "ansible_become_user": "app",
        "ansible_become_method": "sudo", "ansible_become_pass": "pass", "colour": "red",
    })  # fmt: skip
    assert found.password is not None and found.password.reveal() == "1234"
    assert found.become.password is not None and found.become.password.reveal() == "pass"
    assert (found.address, found.port, found.user) == ("10.0.0.1", 2222, "deploy")
    assert (found.private_key, found.python, found.jump) == ("~/.ssh/web", "/usr/bin/python3.11", "hop1,hop2")
    assert found.ssh_options == ("ServerAliveInterval=5", "User=x", "Compression=yes")
    assert (found.ssh_config, found.transport) == ("cfg", None)
    assert (found.become.wanted, found.become.user, found.become.method) == (True, "app", "sudo")
    assert "1234" not in repr(found) and "pass'" not in repr(found)


def test_nothing_said_is_nothing() -> None:
    assert Connection.of("web1", {"colour": "red", "ansible_python_interpreter": "auto_silent"}) == Connection()


@pytest.mark.parametrize(("word", "transport"), [("ssh", None), ("smart", None), ("paramiko", None),
                                                   ("local", "local"), ("docker", "docker"),
                                                   ("community.docker.docker", "docker"), ("nspawn", "nspawn"),
                                                   ("kubernetes.core.kubectl", "kubectl")])  # fmt: skip
def test_transports(word: str, transport: str | None) -> None:
    assert Connection.of("h", {"ansible_connection": word}).transport == transport


@pytest.mark.parametrize(("kind", "variables", "address", "options"), [
    ("kubectl", {"ansible_host": "shop/web-0"}, "shop/web-0", {}),
    ("kubernetes.core.kubectl", {
        "ansible_kubectl_pod": "web-0", "ansible_kubectl_namespace": "shop", "ansible_kubectl_container": "app",
        "ansible_kubectl_context": "prod", "ansible_kubectl_kubeconfig": "/k", "ansible_host": "else",
    }, "web-0", {"namespace": "shop", "container": "app", "context": "prod", "kubeconfig": "/k"}),
    ("kubectl", {"ansible_kubectl_config": "/k"}, None, {"kubeconfig": "/k"}),
    ("community.general.incus", {"ansible_incus_host": "box", "ansible_incus_remote": "far",
                                 "ansible_incus_project": "p"}, "box", {"remote": "far", "project": "p"}),
    ("lxd", {"ansible_lxd_host": "box", "ansible_incus_project": "p"}, "box", {}),
    ("docker", {"ansible_docker_extra_args": "-x"}, None, {}),
])  # fmt: skip
def test_where_a_container_is(
    kind: str, variables: dict[str, Any], address: str | None, options: dict[str, str]
) -> None:
    found = Connection.of("box", {"ansible_connection": kind, **variables})
    assert (found.address, found.options) == (address, options)


def test_what_would_lead_elsewhere_is_refused_and_not_quoted() -> None:
    with pytest.raises(UsageError, match="ansible_kubectl_token of host web1 must be left out: we follow .*context"
                                         ) as caught:
        Connection.of("web1", {"ansible_connection": "kubectl", "ansible_kubectl_token": "hunter2"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("variables", "transport"), [
    ({"remotesvc_transport": "openssh"}, "openssh"), ({"remotesvc_transport": "paramiko"}, "paramiko"),
    ({"ansible_connection": "openssh"}, "openssh"), ({"ansible_connection": "ssh"}, None),
    ({"ansible_connection": "openssh", "remotesvc_transport": "paramiko"}, "paramiko"),
])  # fmt: skip
def test_who_speaks_ssh(variables: dict[str, Any], transport: str | None) -> None:
    found = Connection.of("h", variables)
    assert (found.ssh_transport, found.transport) == (transport, None)


@pytest.mark.parametrize(("variables", "says"), [
    ({"remotesvc_transport": "scp"}, "remotesvc_transport of host web1 must be paramiko or openssh, not 'scp'"),
    ({"ansible_port": "ssh"}, "ansible_port of host web1 must be a TCP port, not 'ssh'"),
    ({"ansible_port": 70000}, "TCP port"),
    ({"ansible_port": True}, "TCP port"),
    ({"ansible_host": ["a"]}, "ansible_host of host web1 must be text, not list"),
    ({"ansible_host": "{{ other }}"}, "templates are Ansible's own"),
    ({"ansible_connection": "winrm"}, "ssh, local, docker, .* or kubectl, not 'winrm'"),
    ({"ansible_ssh_common_args": "-v"}, "made of -o, -J, -F and -C, not '-v'"),
    ({"ansible_ssh_common_args": "-o"}, "nothing behind -o"),
    ({"ansible_ssh_common_args": "-o 'a"}, "ansible_ssh_common_args"),
])  # fmt: skip
def test_wrong_variables_are_named(variables: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Connection.of("web1", variables)


def test_a_wrong_password_is_not_quoted() -> None:
    with pytest.raises(UsageError, match="ansible_password of host web1 must be text") as caught:
        Connection.of("web1", {"ansible_password": ["hunter2"]})
    assert "hunter2" not in str(caught.value)
