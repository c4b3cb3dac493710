"""Ansible's INI inventories. Format: "How to build your inventory" and the `ini` inventory plugin of Ansible's
documentation.

    web1 ansible_port=2222
    [web]
    web[01:20].example.com  ansible_user=deploy
    [web:vars]
    colour = "blue"
    [prod:children]
    web
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from typing import Any

from .model import EVERYONE, UNGROUPED, Inventory, InventoryError
from .ranges import LOCAL, expand, in_brackets

_SECTION = re.compile(r"\[([^:\]\s]+)(?::([A-Za-z]+))?\]\s*(?:[#;].*)?\Z")
_NUMBER = re.compile(r"-?[1-9][0-9]*\Z|0\Z")
# A word that Python would not read as a literal: most values, and `literal_eval` is slow.
_WORD = re.compile(r"(?!(?:True|False|None)\Z)[A-Za-z_./~][A-Za-z0-9_./@:~+-]*\Z")
_PORT = re.compile(r"([^:\[\]]+(?:\[[^\]]*\][^:\[\]]*)*):([0-9]{1,5})\Z")


def read(text: str, source: str, inventory: Inventory) -> None:
    """Add what an INI text says to an inventory. Raises InventoryError with source and line."""
    group, kind = UNGROUPED, "hosts"
    known = {EVERYONE, UNGROUPED, *inventory.groups}
    mentioned: dict[str, int] = {}  # groups that are not known yet, and the line that takes them for one
    for number, line in _lines(text):
        try:
            if line.startswith("[") and _SECTION.match(line):
                group, kind = _section(line, inventory)
                if kind == "vars":
                    mentioned.setdefault(group, number)
                else:
                    known.add(group)
            elif kind == "vars":
                name, value = _assignment(line)
                inventory.add_group(group).variables[name] = value
            elif kind == "children":
                child = _only_word(line)
                inventory.add_child(group, child)
                mentioned.setdefault(child, number)
            else:
                _host(line, group, inventory)
        except (ValueError, InventoryError) as error:
            raise InventoryError(f"{source}, line {number}: {error}") from None
    for name, number in mentioned.items():
        if name not in known:  # as Ansible: a slip here would leave out hosts without a word
            raise InventoryError(f"{source}, line {number}: there is no group {name!r} (a section [{name}] makes one)")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line and line[0] not in "#;":
            yield number, line


def _section(line: str, inventory: Inventory) -> tuple[str, str]:
    found = _SECTION.match(line)
    assert found is not None
    name, kind = found.group(1), found.group(2) or "hosts"
    if kind not in ("hosts", "vars", "children"):
        raise ValueError(f"a section is [group], [group:vars] or [group:children], not [{name}:{kind}]")
    if name != UNGROUPED:
        inventory.add_group(name)
    return name, kind


def _host(line: str, group: str, inventory: Inventory) -> None:
    if line.startswith("[") and (" " in line.partition("]")[0] or "]" not in line):  # else it may be an IPv6 address
        raise ValueError(f"a section is [group], [group:vars] or [group:children], without blanks, not {line[:80]!r}")
    # `shlex` costs a hundred times what `split` does, and hardly any line needs it.
    words = shlex.split(line, comments=True) if _needs_shlex(line) else line.split()
    pattern, variables = words[0], {}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ValueError(f"after a host come name=value pairs, not {word!r}")
        variables[name] = parse_value(value)
    if pattern.endswith(":") and pattern != LOCAL:
        raise ValueError(f"a host's name does not end in a colon: {pattern[:80]!r} (the name of a file in YAML: .yml)")
    address = in_brackets(pattern) if "[" in pattern else None
    if address is not None:
        pattern, port = address
    else:
        found = _PORT.match(pattern)  # not an IPv6 address: that has more than one colon
        port = found.group(2) if found is not None else None
        pattern = found.group(1) if found is not None else pattern
    if port is not None:
        variables.setdefault("ansible_port", int(port))
    for name in expand(pattern):
        inventory.add_host(name, group).update(variables)


def _needs_shlex(line: str) -> bool:
    return any(character in line for character in "\"'\\#")


def _assignment(line: str) -> tuple[str, Any]:
    name, equals, value = line.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"expected name = value, not {line[:80]!r}")
    return name.strip(), parse_value(value.strip())


def _only_word(line: str) -> str:
    words = line.split("#")[0].split()
    if len(words) != 1:
        raise ValueError(f"expected the name of one group, not {line[:80]!r}")
    return words[0]


def parse_value(text: str) -> Any:
    """What a value means: a Python literal where it is one, else the text itself (Ansible's rule)."""
    if _NUMBER.match(text) and len(text) < 20:
        return int(text)
    if not text or _WORD.match(text) or len(text) > 4096:
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
