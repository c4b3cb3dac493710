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

_KEYS = {"hosts", "vars", "children"}


def read_yaml(text: str, source: str, inventory: Inventory) -> None:
    """Add what an Ansible YAML inventory says. Raises InventoryError."""
    data = parse_yaml(text, source)
    if data is None:
        return
    if not isinstance(data, dict):
        raise InventoryError(f"{source}: expected groups at the top, such as `all:`")
    for name, body in data.items():
        _group(_name(name, source), body, source, inventory, 0)


def parse_yaml(text: str, source: str) -> Any:
    """The plain data of a YAML text. Raises InventoryError with the line."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same language, ten times faster
    try:
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        if "!vault" in str(problem) or "!unsafe" in str(problem):
            problem = "encrypted and tagged values are Ansible's own; give the plain value in another file"
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise InventoryError(f"{source}{where}: {problem}") from None
    except RecursionError:
        raise InventoryError(f"{source}: nested too deeply") from None


def _group(name: str, body: Any, source: str, inventory: Inventory, depth: int) -> None:
    if depth > DEEPEST:
        raise InventoryError(f"{source}: groups are nested more than {DEEPEST} deep")
    group = inventory.add_group(name)
    if body is None:
        return
    if not isinstance(body, dict) or set(body) - _KEYS:
        odd = sorted(map(str, set(body) - _KEYS)) if isinstance(body, dict) else [type(body).__name__]
        raise InventoryError(f"{source}: group {name!r} holds hosts, vars and children, not {', '.join(odd)}")
    for pattern, variables in _mapping(body.get("hosts"), source, f"the hosts of {name!r}").items():
        own = _mapping(variables, source, f"host {pattern!r}")
        pattern = _name(pattern, source)
        with named(source):
            names = expand(pattern)
        for host in names:
            inventory.add_host(host, name).update(own)
    group.variables.update(_mapping(body.get("vars"), source, f"the vars of {name!r}"))
    for child, inner in _mapping(body.get("children"), source, f"the children of {name!r}").items():
        child = _name(child, source)
        with named(source):
            inventory.add_child(name, child)
        _group(child, inner, source, inventory, depth + 1)


def read_script(data: Any, source: str, inventory: Inventory, ask: Callable[[str], Any]) -> None:
    """Add what an inventory script printed for `--list`; `ask(host)` runs it with `--host` where `_meta` is missing.

    Raises InventoryError.
    """
    groups = _mapping(data, source, "the output")
    meta = groups.get("_meta")
    for name, body in groups.items():
        if name == "_meta":
            continue
        if isinstance(body, list):
            body = {"hosts": body}
        body = _mapping(body, source, f"group {name!r}")
        group = inventory.add_group(name)
        for host in _names(body.get("hosts"), source, f"the hosts of {name!r}"):
            inventory.add_host(host, name)
        group.variables.update(_mapping(body.get("vars"), source, f"the vars of {name!r}"))
        for child in _names(body.get("children"), source, f"the children of {name!r}"):
            with named(source):
                inventory.add_child(name, child)
    if isinstance(meta, dict):
        for host, variables in _mapping(meta.get("hostvars"), source, "_meta.hostvars").items():
            inventory.add_host(_name(host, source)).update(_mapping(variables, source, f"host {host!r}"))
        return
    for host in list(inventory):
        inventory.add_host(host).update(_mapping(ask(host), source, f"host {host!r}"))


def _mapping(value: Any, source: str, what: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InventoryError(f"{source}: {what} must be a mapping, not {type(value).__name__}")
    return value


def _names(value: Any, source: str, what: str) -> list[str]:
    if value is None:
        return []
    if isinstance(value, dict):  # the older protocol's hosts may be one
        value = list(value)
    if not isinstance(value, list):
        raise InventoryError(f"{source}: {what} must be a list, not {type(value).__name__}")
    return [_name(each, source) for each in value]


def _name(value: Any, source: str) -> str:
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value == "":
        raise InventoryError(f"{source}: a name must be text, not {value!r}")
    return str(value)
