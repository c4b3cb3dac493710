"""Where a container is, as far as variables of an inventory say: those of Ansible's connection plugins. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Protocol

from remotesvc.bootstrap.errors import UsageError
from remotesvc.launch.engines import ENGINES

KINDS = {
    "community.docker.docker": "docker", "containers.podman.podman": "podman", "containers.podman.buildah": "buildah",
    "community.general.lxc": "lxc", "community.general.lxd": "lxd", "community.general.incus": "incus",
    "kubernetes.core.kubectl": "kubectl",
}  # fmt: skip
"""Full names of Ansible's connection plugins, and the engines that they are for."""
_NAMES = {"kubectl": "ansible_kubectl_pod", "lxd": "ansible_lxd_host", "incus": "ansible_incus_host"}
"""Variables that name the container, where `ansible_host` does not."""
ADDRESSES = ("ansible_host", "ansible_ssh_host", *_NAMES.values())
"""All variables that say where a host is."""
_ALIASES = {"ansible_kubectl_config": "ansible_kubectl_kubeconfig"}


class Variables(Protocol):
    """The variables of one host."""

    def names(self) -> Iterable[str]: ...

    def text(self, *names: str) -> str | None: ...

    def wrong(self, name: str, expected: str, shown: str = "") -> UsageError: ...


def container_of(kind: str, read: Variables) -> tuple[str | None, dict[str, str]]:
    """(the name of the container if variables of its engine say it, options) for a host in a container. Raises
    UsageError for a variable of that engine that we would not follow: it may lead to another place altogether."""
    engine = ENGINES[kind]
    known = {f"ansible_{kind}_{option}": option for option in engine.options}
    options = {}
    for variable in read.names() if known else ():
        name = _ALIASES.get(variable, variable)
        if name in known:
            value = read.text(variable)
            if value is not None:
                options[known[name]] = os.path.expanduser(value) if known[name] == "kubeconfig" else value
        elif variable.startswith(f"ansible_{kind}_") and variable != _NAMES.get(kind):
            # Its value may be a password or a token.
            raise read.wrong(variable, f"left out: we follow {', '.join(sorted(known))}, and what {engine.program} is"
                             " configured to do")
    return (read.text(_NAMES[kind]) if kind in _NAMES else None), options
