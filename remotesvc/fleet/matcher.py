"""Which hosts a pattern stands for.

Terms without a sign are united, then cut with the `&` terms, then the `!` terms are taken away, wherever each stands:
in the pattern, or on a line of a file that it names. A term is, in this order: a host of the inventory, a file of
patterns or a group (`@` before it; `-` is standard input), a regular expression (`~`), a group, a host string with a
colon in it (`local:`, `web1:2222`, `ssh://...`), a group's subscript, a node set, a glob, a host. `@name` is a file if
it has a slash or exists, else a group (ClusterShell's own, if the inventory has none).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice

from remotesvc.bootstrap.errors import UsageError
from remotesvc.ssh.configuration.hostspec import CONTAINERS, check_user_place

from .inventory.model import EVERYONE, HostEntry, Inventory
from .inventory.ranges import expand
from .pattern import split, whole, without_port

DEEPEST = 8
"""Files of patterns within files: more is a loop."""
NEAREST = 3
"""Names like a misspelt one that are told, and names to leave out that are looked for: that takes half a second of
20,000."""

_SUBSCRIPT = re.compile(r"(.+)\[(-?[0-9]+)(?:(:)(-?[0-9]*))?\]\Z")
_RANGES = re.compile(r"\[[^\]]*[-,]")
_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_OPEN_SUBSCRIPT = re.compile(r"(.+)\[:(-?[0-9]+)\]\Z")


class NoMatch(UsageError):
    """A pattern, or a part of it, stands for no host: names the nearest names there are."""


@dataclass
class _Found:
    """What terms stand for, before it is put together: each `&` term cuts by itself."""

    plain: bool = False
    """There is a term without a sign."""
    united: dict[str, None] = field(default_factory=dict)
    wanted: list[set[str]] = field(default_factory=list)
    unwanted: set[str] = field(default_factory=set)

    def add(self, other: _Found) -> None:
        self.plain = self.plain or other.plain
        self.united.update(other.united)
        self.wanted += other.wanted
        self.unwanted |= other.unwanted


class Matcher:
    """Finds the hosts of patterns.

    closed: only hosts of the inventory count; otherwise a name it does not know is a host by itself. read_file gives
    the text of a file of patterns ("-" is standard input); cluster_group gives the hosts of a ClusterShell group, or
    None. note is told of names that were to be left out, and of those of a node set, that nobody has: they may be
    misspelt.
    """

    def __init__(self, inventory: Inventory, closed: bool, read_file: Callable[[str], str],
                 cluster_group: Callable[[str], list[str] | None] = lambda name: None,
                 exists: Callable[[str], bool] = lambda path: False,
                 note: Callable[[str], object] = lambda text: None) -> None:
        self._inventory = inventory
        self._closed = closed
        self._read_file = read_file
        self._cluster_group = cluster_group
        self._exists = exists
        self._note = note
        self._noted = 0

    def hosts(self, pattern: str, limits: Iterable[str] = (), excludes: Iterable[str] = ()) -> list[HostEntry]:
        """The hosts a pattern stands for, each once: in the pattern's order of terms, within a term the inventory's.

        limits cut it further, excludes are taken away. Raises NoMatch, UsageError.
        """
        limits, excludes = list(limits), list(excludes)
        names = self._names(pattern, 0)
        for limit in limits:
            allowed = self._names(limit, 0)
            names = {name: None for name in names if name in allowed}
        for exclude in excludes:
            for name in self._names(exclude, 0, may_be_empty=True):
                names.pop(name, None)
        if not names:
            cut = [f", limited to {limit!r}" for limit in limits] + [f", without {each!r}" for each in excludes]
            raise NoMatch(f"no host is left of {pattern!r}{''.join(cut)}")
        return [self.entry(name) for name in names]

    def entry(self, name: str) -> HostEntry:
        """What the inventory knows of a host, or the bare name."""
        return self._inventory.entry(name) if name in self._inventory else HostEntry(name)

    def _names(self, pattern: str, depth: int, may_be_empty: bool = False) -> dict[str, None]:
        found = _Found()
        self._collect(pattern, depth, may_be_empty, found)
        names = self._left(found, depth, may_be_empty)
        if not names and not may_be_empty:
            raise NoMatch(f"no host is left of {pattern!r}")
        return names

    def _left(self, found: _Found, depth: int, may_be_empty: bool) -> dict[str, None]:
        """The hosts that are left when all terms are known."""
        # Only signs: of all.
        names = found.united if found.plain else dict.fromkeys(self._term(EVERYONE, depth, may_be_empty))
        return {
            name: None for name in names
            if name not in found.unwanted and all(name in wanted for wanted in found.wanted)
        }  # fmt: skip

    def _collect(self, pattern: str, depth: int, may_be_empty: bool, found: _Found) -> None:
        """Add what a pattern says. The lines of a file are terms beside the others, as in Ansible."""
        terms = split(pattern)
        self._refuse_no_port(pattern)
        for term in terms:
            if term.sign == "!":
                found.unwanted.update(self._term(term.text, depth, True))
            elif term.sign == "&":
                found.wanted.append(set(self._term(term.text, depth, True)))
            elif (file := self._file_of(term.text)) is not None:
                found.add(self._lines(file, depth))
            else:
                found.plain = True
                found.united.update(dict.fromkeys(self._term(term.text, depth, may_be_empty)))

    def _refuse_no_port(self, pattern: str) -> None:
        """Refuse `web1:ssh` and `dokcer:web1` with a hint. As patterns they are two hosts; where neither name is known,
        a port was meant, or a kind of container."""
        for part, first, second in () if self._closed else without_port(pattern):
            if not any(name in self._inventory or self._inventory.is_group(name) for name in (first, second)):
                check_user_place(part)
                raise UsageError(
                    f"{second!r} in {part!r} is no port; write {first},{second} for two hosts, and the name of a"
                    f" container behind {', '.join(f'{kind}:' for kind in CONTAINERS[:-1])} or {CONTAINERS[-1]}:"
                )

    def _term(self, text: str, depth: int, may_be_empty: bool) -> Iterable[str]:
        inventory = self._inventory
        if text in inventory:
            return (text,)
        file = self._file_of(text)
        if file is not None:
            return self._left(self._lines(file, depth), depth, may_be_empty)
        if text.startswith("@"):
            return self._cluster_or_group(text)
        if text.startswith("~"):
            return self._found(text, self._by_regex(text), may_be_empty)
        if text == "*":
            text = EVERYONE
        if inventory.is_group(text) and (text != EVERYONE or len(inventory)):
            return inventory.members(text)
        if whole(text):
            return self._literal(text, may_be_empty)
        subscripted = self._subscript(text)
        if subscripted is not None:
            return self._found(text, subscripted, may_be_empty)
        if "[" in text and not any(character in text for character in "*?") and "[!" not in text:
            return self._node_set(text, may_be_empty)
        if any(character in text for character in "*?["):
            return self._found(text, self._by_glob(text), may_be_empty)
        return self._literal(text, may_be_empty)

    def _literal(self, text: str, may_be_empty: bool) -> tuple[str, ...]:
        if self._closed and not text.endswith(":"):
            return self._found(text, (), may_be_empty)
        if text == EVERYONE and not len(self._inventory):
            raise NoMatch("'all' is every host of an inventory, and there is none: give one with -i")
        return (text,)

    def _found(self, text: str, names: Iterable[str], may_be_empty: bool) -> tuple[str, ...]:
        found = tuple(names)
        if not found:
            problem = f"{text!r} matches no host or group"
            if not may_be_empty:
                raise NoMatch(problem + self._nearest(text))
            if not any(character in text for character in "*?[~"):
                self._noted += 1  # of many, nobody reads what else they may have been
                self._note(problem + (self._nearest(text) if self._noted <= NEAREST else ""))
        return found

    def _nearest(self, text: str) -> str:
        if text == "localhost":  # Ansible has it in every inventory
            return "; this machine is local:"
        if not len(self._inventory):
            return " (the inventory has no hosts)" if self._closed else " (there is no inventory: give one with -i)"
        words = text.split()
        if len(words) > 1 and any(word in self._inventory or self._inventory.is_group(word) for word in words):
            return f"; names are joined by commas: {','.join(words)}"
        known = [*islice(self._inventory, 20_000), *self._inventory.groups]  # of more, `difflib` takes seconds
        plainly = _plainly(text)
        near = [name for name in known if _plainly(name) == plainly][:NEAREST]
        if not near:
            import difflib  # most runs never need it

            near = difflib.get_close_matches(text, known, NEAREST, 0.5)
        return f"; did you mean {' or '.join(near)}?" if near else ""

    def _by_glob(self, text: str) -> dict[str, None]:
        matches = re.compile(fnmatch.translate(text)).match
        return self._by(lambda name: matches(name) is not None)

    def _by_regex(self, text: str) -> dict[str, None]:
        try:
            expression = re.compile(text[1:])
        except re.error as error:
            raise UsageError(f"{text!r} is no regular expression: {error}") from None
        return self._by(lambda name: expression.match(name) is not None)

    def _by(self, matches: Callable[[str], bool]) -> dict[str, None]:
        """The hosts of matching groups, then matching hosts (as Ansible does)."""
        names: dict[str, None] = {}
        for group in self._inventory.groups:
            if matches(group):
                names.update(dict.fromkeys(self._inventory.members(group)))
        names.update((name, None) for name in self._inventory if matches(name))
        return names

    def _subscript(self, text: str) -> tuple[str, ...] | None:
        """`group[2]`, `group[-1]`, `group[0:3]` (both ends count), `group[3:]`, of a group or a glob."""
        opened = _OPEN_SUBSCRIPT.match(text)
        found = None if opened else _SUBSCRIPT.match(text)
        base = (opened or found).group(1) if opened or found else ""  # type: ignore[union-attr]
        if not base or not (self._inventory.is_group(base) or any(character in base for character in "*?")):
            return None
        members = self._inventory.members(base) if self._inventory.is_group(base) else tuple(self._by_glob(base))
        if opened:
            return _slice(members, 0, int(opened.group(2)))
        assert found is not None
        first, colon, last = int(found.group(2)), found.group(3), found.group(4)
        if not colon:
            return members[first:][:1] if -len(members) <= first < len(members) else ()
        return _slice(members, first, int(last) if last else len(members) - 1)

    def _node_set(self, text: str, may_be_empty: bool) -> tuple[str, ...]:
        try:
            names = expand(text)
        except ValueError as error:
            found = self._by_glob(text)  # [ab] may be meant as a glob's set of characters
            if found:
                return tuple(found)
            raise UsageError(str(error)) from None
        unknown = [name for name in names if name not in self._inventory]
        if self._closed and unknown:
            if len(unknown) == len(names):
                # [12] may be meant as a glob's set of characters. A range is none: [01-20] would be whatever ends in 0,
                # 1 or 2.
                found = {} if _RANGES.search(text) else self._by_glob(text)
                return self._found(text, found, may_be_empty)
            names = [name for name in names if name in self._inventory]
            from .results import fold_names

            self._note(f"{text!r}: the inventory has no {fold_names(unknown)}")
        return tuple(names)

    def _file_of(self, text: str) -> str | None:
        """The name of the file of patterns that a term is; None if it is something else."""
        if text in self._inventory or not (text == "-" or text.startswith("@")):
            return None
        name = text[1:] if text != "-" else "-"
        return name if name == "-" or "/" in name or self._exists(name) else None

    def _cluster_or_group(self, text: str) -> Iterable[str]:
        name = text[1:]
        if self._inventory.is_group(name):
            return self._inventory.members(name)
        hosts = self._cluster_group(name)
        if hosts is None:
            raise NoMatch(f"{text!r} is no file and no group{self._nearest(name)}")
        return hosts

    def _lines(self, name: str, depth: int) -> _Found:
        """What all lines of a file of patterns say together."""
        if depth >= DEEPEST:
            raise UsageError(f"@{name}: files of hosts name each other more than {DEEPEST} deep")
        try:
            text = self._read_file(name)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read hosts from {name}: {error}") from None
        found = _Found()
        for line in text.splitlines():
            if line in self._inventory:  # whatever a pattern would make of it: `--failed-to` writes names
                found.plain = True
                found.united[line] = None
                continue
            line = line.partition("#")[0].strip()
            if line:
                self._collect(line, depth + 1, True, found)
        if not found.united and (found.plain or not (found.wanted or found.unwanted)):
            raise NoMatch(f"{name} names no host")
        return found


def _plainly(name: str) -> str:
    """One form for all names that differ in how they are written alone: n1, n01, N01."""
    return _ZEROS.sub("", name.lower())


def _slice(members: tuple[str, ...], first: int, last: int) -> tuple[str, ...]:
    count = len(members)
    begin = first + count if first < 0 else first
    end = last + count if last < 0 else last
    return members[max(0, begin) : end + 1]


def cluster_group(name: str) -> list[str] | None:
    """The hosts of a ClusterShell group (`@name`, `@source:name`), from the sources configured on this machine; None if
    there is none. Raises UsageError for groups that cannot be read."""
    from ClusterShell.NodeSet import NodeSet, NodeSetException, NodeSetParseError
    from ClusterShell.NodeUtils import GroupResolverConfigError, GroupResolverError, GroupSourceError

    try:
        hosts = [str(node) for node in NodeSet(f"@{name}")]
    except (GroupResolverConfigError, NodeSetParseError) as error:
        raise UsageError(f"ClusterShell cannot read its groups, for @{name}: {error}") from None
    except (NodeSetException, GroupResolverError, GroupSourceError, OSError):
        return None
    return hosts or None
