"""Inventories in TOML, a format of our own that says the same in fewer words.

    [groups.web]
    hosts = ["web[01-20]", "extra"]
    children = ["edge"]
    vars = {colour = "blue"}

    [hosts.extra]
    address = "10.0.0.7"
    port = 2222
    user = "deploy"
    vars = {colour = "green"}
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from .model import Inventory, InventoryError, named
from .ranges import expand

# Our words for how a host is reached, and the variables that stand for them everywhere else.
CONNECTION = {
    "address": "ansible_host",
    "port": "ansible_port",
    "user": "ansible_user",
    "private_key": "ansible_ssh_private_key_file",
    "python": "ansible_python_interpreter",
    "jump": "remotesvc_jump",
    "transport": "ansible_connection",
    "become": "ansible_become",
    "become_user": "ansible_become_user",
    "become_method": "ansible_become_method",
}


def read(text: str, source: str, inventory: Inventory) -> None:
    """Add what a TOML inventory says. Raises InventoryError."""
    data = parse_toml(text, source)
    odd = sorted(set(data) - {"hosts", "groups"})
    if odd:
        raise InventoryError(f"{source}: an inventory holds [hosts.NAME] and [groups.NAME], not {', '.join(odd)}")
    for name, body in _table(data.get("hosts", {}), source, "hosts").items():
        own = _table(body, source, f"hosts.{name}")
        variables = dict(_table(own.get("vars", {}), source, f"hosts.{name}.vars"))
        for key, value in own.items():
            if key != "vars":
                variables[_connection(key, source, f"hosts.{name}")] = value
        with named(source):
            names = expand(name)
        for host in names:
            inventory.add_host(host).update(variables)
    groups = _table(data.get("groups", {}), source, "groups")
    known = {*groups, *inventory.groups}
    for name, body in groups.items():
        _group(name, _table(body, source, f"groups.{name}"), source, inventory, known)


def _group(name: str, body: dict[str, Any], source: str, inventory: Inventory, known: set[str]) -> None:
    group = inventory.add_group(name)
    for key, value in body.items():
        where = f"groups.{name}.{key}"
        if key == "hosts":
            for pattern in _texts(value, source, where):
                with named(source):
                    names = expand(pattern)
                for host in names:
                    inventory.add_host(host, name)
        elif key == "children":
            for child in _texts(value, source, where):
                if child not in known:  # a slip here would leave out hosts without a word
                    raise InventoryError(f"{source}: {where}: there is no group {child!r}")
                with named(source):
                    inventory.add_child(name, child)
        elif key == "vars":
            group.variables.update(_table(value, source, where))
        else:
            group.variables[_connection(key, source, f"groups.{name}")] = value


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """The plain data of a TOML text. Raises InventoryError with the line."""
    tomllib: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InventoryError(f"{source}: {error}") from None
    return data


def _connection(key: str, source: str, where: str) -> str:
    if key not in CONNECTION:
        known = ", ".join([*CONNECTION, "vars"])
        raise InventoryError(f"{source}: {where} knows {known}; {key!r} belongs under vars")
    return CONNECTION[key]


def _table(value: Any, source: str, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InventoryError(f"{source}: {where} must be a table")
    return value


def _texts(value: Any, source: str, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise InventoryError(f"{source}: {where} must be a list of names")
    return value
