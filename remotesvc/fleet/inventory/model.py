"""What an inventory is: hosts, the groups they are in, and what is said of each. Pure.

Variables are data. Nothing in them is ever templated, imported or run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from remotesvc.bootstrap.errors import UsageError

EVERYONE = "all"
UNGROUPED = "ungrouped"
DEEPEST = 64
"""Groups within groups: more is a loop, or nobody's inventory."""


class InventoryError(UsageError):
    """A source of hosts cannot be read: names the source, the line where there is one, and what was expected."""


@contextmanager
def named(source: object) -> Iterator[None]:
    """What is wrong inside is an InventoryError that names the source."""
    try:
        yield
    except ValueError as error:
        raise InventoryError(f"{source}: {error}") from None


@dataclass
class Group:
    """A group while sources are read: the hosts named in it, the groups in it, its variables, and those of the files of
    `group_vars` beside a source."""

    name: str
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HostEntry:
    """One host: its name, the names of all groups it is in, the variables that hold for it."""

    name: str
    groups: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)  # passwords may be among them


class Inventory:
    """Hosts and groups, from any number of sources; a later source adds, and its variables win.

    Precedence of variables is Ansible's: `all`, then groups from the outermost in (`ansible_group_priority`, then the
    name, among groups of one depth), then in the same order those of `group_vars`, then the host's own.
    """

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}
        self._hosts: dict[str, dict[str, Any]] = {}
        self._order: dict[str, int] | None = None
        self._within: dict[str, list[Group]] | None = None
        self._members: dict[str, tuple[str, ...]] = {}
        self.files: list[str] = []
        """What was read, in this order."""

    # -- while sources are read

    def add_group(self, name: str) -> Group:
        """The group of that name, made if there is none."""
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group(name)
            self._changed()
        return group

    def add_host(self, name: str, group: str | None = None) -> dict[str, Any]:
        """The own variables of a host, which is made if there is none, and put into `group`."""
        variables = self._hosts.get(name)
        if variables is None:
            variables = self._hosts[name] = {}
            self._changed()
        if group is not None and group not in (EVERYONE, UNGROUPED):
            self.add_group(group).hosts[name] = None
            self._changed()
        return variables

    def add_child(self, group: str, child: str) -> None:
        """Put a group into another. InventoryError if that makes a loop."""
        if group == EVERYONE:  # everything is in it
            self.add_group(child)
            return
        if child == group or group in self._below(child):
            raise InventoryError(f"group {child!r} cannot be in group {group!r}: that one is in it")
        self.add_group(child)
        self.add_group(group).children[child] = None
        self._changed()

    def _changed(self) -> None:
        self._order, self._within, self._members = None, None, {}

    def _below(self, name: str) -> set[str]:
        seen: set[str] = set()
        left = [name]
        while left:
            group = self._groups.get(left.pop())
            for child in group.children if group else ():
                if child not in seen:
                    seen.add(child)
                    left.append(child)
        return seen

    # -- when they have been read

    def __contains__(self, name: str) -> bool:
        return name in self._hosts

    def __len__(self) -> int:
        return len(self._hosts)

    def __iter__(self) -> Iterator[str]:
        """The names of all hosts, in the order they were first named."""
        return iter(self._hosts)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of all groups but `all` and `ungrouped`, which are always there."""
        return tuple(name for name in self._groups if name not in (EVERYONE, UNGROUPED))

    def is_group(self, name: str) -> bool:
        """Tell whether there is a group of that name."""
        return name in self._groups or name in (EVERYONE, UNGROUPED)

    def members(self, group: str) -> tuple[str, ...]:
        """The hosts in a group and the groups in it, each once. Empty if there is no such group."""
        if group == EVERYONE:
            return tuple(self._hosts)
        if group not in self._members:
            self._members[group] = tuple(self._ungrouped() if group == UNGROUPED else self._inside(group))
        return self._members[group]

    def _inside(self, name: str) -> dict[str, None]:
        found: dict[str, None] = {}
        group = self._groups.get(name)
        if group is not None:
            found.update(group.hosts)
            for child in self._in_order(self._below(name)):
                found.update(child.hosts)
        return found

    def _in_order(self, names: Iterable[str]) -> list[Group]:
        """These groups in the order they were made. Takes no look at the others: it is asked for each group."""
        if self._order is None:
            self._order = {name: place for place, name in enumerate(self._groups)}
        return [self._groups[name] for name in sorted(names, key=self._order.__getitem__)]

    def _ungrouped(self) -> list[str]:
        containing = self._containing()
        return [name for name in self._hosts if not containing.get(name)]

    def entry(self, name: str) -> HostEntry:
        """All that is known of a host. KeyError if there is none of that name."""
        own = self._hosts[name]
        groups = self._containing().get(name, [])
        everyone = self._groups.get(EVERYONE)
        outermost_first = groups if everyone is None else [everyone, *groups]
        variables: dict[str, Any] = {}
        for group in outermost_first:
            variables.update(group.variables)
        for group in outermost_first:
            variables.update(group.beside)
        variables.update(own)
        return HostEntry(name, tuple(group.name for group in groups), variables)

    def _containing(self) -> dict[str, list[Group]]:
        """For each host the groups it is in, in the order their variables hold: the last one wins."""
        if self._within is None:
            self._within = {}
            for group in self._by_precedence():
                for name in self._inside(group.name):
                    self._within.setdefault(name, []).append(group)
        return self._within

    def _by_precedence(self) -> list[Group]:
        depths: dict[str, int] = {}
        level = self._groups.keys() - {child for group in self._groups.values() for child in group.children}
        for depth in range(DEEPEST):
            depths.update(dict.fromkeys(level, depth))
            level = {child for name in level for child in self._groups[name].children}
        groups = [group for group in self._groups.values() if group.name not in (EVERYONE, UNGROUPED)]
        return sorted(groups, key=lambda group: (depths.get(group.name, 0), _priority(group), group.name))


def _priority(group: Group) -> int:
    value = group.variables.get("ansible_group_priority", 1)
    return value if isinstance(value, int) else 1
