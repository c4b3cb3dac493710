"""Inventories that are trees of plain data: Ansible's YAML files and the JSON its inventory scripts print.

    all:                                  {"web": {"hosts": ["w1"], "vars": {}, "children": ["eu"]},
      children:                            "_meta": {"hostvars": {"w1": {"ansible_port": 2222}}}}
        web:
          hosts: {w1: {ansible_port: 2222}}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .model import DEEPEST, Inventory, InventoryError, named
from .ranges import expand
from .yaml_text import Place, parse_yaml

_KEYS = {"hosts", "vars", "children"}


def read_yaml(text: str, source: str, inventory: Inventory) -> None:
    """Add what an Ansible YAML inventory says. Raises InventoryError with the line."""
    data = parse_yaml(text, source)
    if data is None:
        return
    place = Place(source, text)
    if not isinstance(data, dict):
        raise InventoryError(f"{place}: expected groups at the top, such as `all:`")
    for name, body in data.items():
        _group(_name(name, place, name), body, place.at(name), inventory, 0)


def _group(name: str, body: Any, place: Place, inventory: Inventory, depth: int) -> None:
    if depth > DEEPEST:
        raise InventoryError(f"{place}: groups are nested more than {DEEPEST} deep")
    group = inventory.add_group(name)
    if body is None:
        return
    if not isinstance(body, dict):
        raise InventoryError(f"{place}: group {name!r} holds hosts, vars and children, not {type(body).__name__}")
    for key in body:
        if key not in _KEYS:
            raise InventoryError(f"{place.at(key)}: group {name!r} holds hosts, vars and children, not {key}")
    for pattern, variables in _mapping(body.get("hosts"), place, f"the hosts of {name!r}", "hosts").items():
        own = _mapping(variables, place, f"host {pattern!r}", "hosts", pattern)
        try:
            names = expand(_name(pattern, place, "hosts", pattern))
        except InventoryError:
            raise
        except ValueError as error:
            raise InventoryError(f"{place.at('hosts', pattern)}: {error}") from None
        for host in names:
            inventory.add_host(host, name).update(own)
    group.variables.update(_mapping(body.get("vars"), place, f"the vars of {name!r}", "vars"))
    for key, inner in _mapping(body.get("children"), place, f"the children of {name!r}", "children").items():
        child, there = _name(key, place, "children", key), place.at("children", key)
        with named(there):
            inventory.add_child(name, child)
        _group(child, inner, there, inventory, depth + 1)


def read_script(data: Any, source: str, inventory: Inventory, ask: Callable[[str], Any]) -> None:
    """Add what an inventory script printed for `--list`; `ask(host)` runs it with `--host` where `_meta` is missing.

    Raises InventoryError.
    """
    place = Place(source)
    groups = _mapping(data, place, "the output")
    meta = groups.get("_meta")
    for name, body in groups.items():
        if name == "_meta":
            continue
        if isinstance(body, list):
            body = {"hosts": body}
        body = _mapping(body, place, f"group {name!r}")
        group = inventory.add_group(name)
        for host in _names(body.get("hosts"), place, f"the hosts of {name!r}"):
            inventory.add_host(host, name)
        group.variables.update(_mapping(body.get("vars"), place, f"the vars of {name!r}"))
        for child in _names(body.get("children"), place, f"the children of {name!r}"):
            with named(place):
                inventory.add_child(name, child)
    if isinstance(meta, dict):
        for host, variables in _mapping(meta.get("hostvars"), place, "_meta.hostvars").items():
            inventory.add_host(_name(host, place)).update(_mapping(variables, place, f"host {host!r}"))
        return
    for host in list(inventory):
        inventory.add_host(host).update(_mapping(ask(host), place, f"host {host!r}"))


def _mapping(value: Any, place: Place, what: str, *keys: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InventoryError(f"{place.at(*keys)}: {what} must be a mapping, not {type(value).__name__}")
    return value


def _names(value: Any, place: Place, what: str) -> list[str]:
    if value is None:
        return []
    if isinstance(value, dict):  # the older protocol's hosts may be one
        value = list(value)
    if not isinstance(value, list):
        raise InventoryError(f"{place}: {what} must be a list, not {type(value).__name__}")
    return [_name(each, place) for each in value]


def _name(value: Any, place: Place, *keys: Any) -> str:
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value == "":
        raise InventoryError(f"{place.at(*keys)}: a name must be text, not {value!r}: write it in quotes")
    written = place.renumbered(value, *keys[:-1]) if isinstance(value, int) else ""
    if written:
        there = place.at(*keys[:-1], written)
        raise InventoryError(f"{there}: YAML reads the name {written} as the number {value}: write {written!r}")
    return str(value)
