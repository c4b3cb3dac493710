"""Hosts that only a bastion reaches: their addresses, their keys, and an ssh_config that leads to one."""

from __future__ import annotations

from pathlib import Path

from tests.containers import Hosts


def address(hosts: Hosts, service: str, behind: str) -> str:
    """The address of a service in a network that it shares with the one in front of it."""
    networks = [hosts._hosts[name].inspect()["NetworkSettings"]["Networks"] for name in (service, behind)]
    (shared,) = set(networks[0]) & set(networks[1])
    return str(networks[0][shared]["IPAddress"])


def known(hosts: Hosts, directory: Path, **addresses: str) -> str:
    """A known_hosts file with the keys of services at addresses."""
    path = directory / "known"
    path.write_text("".join(f"{place} {hosts._hosts[name].host_key}\n" for name, place in addresses.items()))
    return str(path)


def config_to(hosts: Hosts, service: str, directory: Path) -> Path:
    """An ssh_config in which "target" is a service behind the bastion."""
    bastion = hosts["bastion"].options()
    target = address(hosts, service, "bastion")
    files = known(hosts, directory, **{"bastion": f"[{bastion['host']}]:{bastion['port']}", service: target})
    config = directory / "config"
    config.write_text(
        f"Host bastion\n  HostName {bastion['host']}\n  Port {bastion['port']}\n  User root\n"
        f"Host target\n  HostName {target}\n  ProxyJump bastion\n"
        f"Host *\n  IdentityFile {bastion['key_filename']}\n  IdentityAgent none\n  UserKnownHostsFile {files}\n"
        "  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n"
    )
    return config
