"""Is this the key that the known_hosts files name for this host? (pure but for reading the files)

Understood: several files, plain and hashed names, `[host]:port`, wildcards and negation, several keys of a
host, `@revoked`, `@cert-authority`. A line that makes no sense is reported with its file and number and does
no harm; paramiko's own reader raises on some of them and ignores wildcards.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from . import certificate
from .algorithms import RSA
from .host_names import decode, matches

ALGORITHMS = {"ssh-rsa": RSA}
"""Key type in a file -> signature algorithms to ask the server for; the others have the type's own name."""

# Types this build does not know cannot match, but are no mistake either.
_TYPE = re.compile(r"[a-z][a-z0-9@.-]*\Z")


@dataclass(frozen=True)
class Entry:
    """One line of a known_hosts file."""

    file: str
    line: int
    marker: str
    """"", "@revoked" or "@cert-authority"."""
    names: str
    key_type: str
    key: bytes

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Problem:
    """A line that could not be understood, or a file (line 0) that could not be read."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}" if self.line else f"{self.file}: {self.reason}"


@dataclass(frozen=True)
class Verdict:
    """What the files say about a key. `kind` is one of

    "known"       it is the host's
    "unknown"     no line names the host
    "changed"     the host is named with another key of the same type
    "other-type"  the host is named, with keys of other types only
    "revoked"     the key is marked as stolen
    """

    kind: str
    entries: tuple[Entry, ...] = ()
    """The lines that led to it."""


@dataclass
class Table:
    """The lines of one file. Most name one host plainly: those are found without looking at the rest."""

    plain: dict[str, list[Entry]] = field(default_factory=dict)
    others: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def named(self, name: str) -> list[Entry]:
        """The entries that mean `name`, whatever their marker."""
        return self.plain.get(name, []) + [entry for entry in self.others if matches(entry.names, name)]


class KnownHosts:
    """The content of some known_hosts files, in order. `problems` lists what was passed over and why."""

    def __init__(self, files: Iterable[str], more: Iterable[Table] = ()) -> None:
        self.files = tuple(files)
        self._tables = [*(table for table in map(_load, self.files) if table is not None), *more]
        self._found: dict[str, list[Entry]] = {}

    @property
    def problems(self) -> list[Problem]:
        return [problem for table in self._tables for problem in table.problems]

    def check(self, names: Sequence[str], key_type: str, key: bytes) -> Verdict:
        """Judge the key (type and SSH wire form) of the host with these `names`, most specific first.

        The first name decides; a later one (the host without its port) can only confirm, as in OpenSSH.
        """
        revoked = [e for name in names for e in self.named(name) if e.marker == "@revoked" and _means(e.key, key)]
        if revoked:
            return Verdict("revoked", tuple(revoked))
        verdict = self._check_name(names[0], key_type, key)
        if verdict.kind == "unknown":
            for name in names[1:]:
                other = self._check_name(name, key_type, key)
                if other.kind == "known":
                    return other
        return verdict

    def _check_name(self, name: str, key_type: str, key: bytes) -> Verdict:
        named = [entry for entry in self.named(name) if not entry.marker]
        same = tuple(entry for entry in named if entry.key == key)
        if same:
            return Verdict("known", same)
        changed = tuple(entry for entry in named if entry.key_type == key_type)
        if changed:
            return Verdict("changed", changed)
        return Verdict("other-type" if named else "unknown", tuple(named))

    def authorities(self, names: Sequence[str]) -> list[Entry]:
        """The `@cert-authority` lines for the host with these `names`."""
        return [entry for name in names for entry in self.named(name) if entry.marker == "@cert-authority"]

    def named(self, name: str) -> list[Entry]:
        """The lines that mean `name`, whatever their marker."""
        if name not in self._found:  # hashed names cost a digest each
            self._found[name] = [entry for table in self._tables for entry in table.named(name)]
        return self._found[name]

    def algorithms(self, names: Sequence[str], supported: Sequence[str]) -> list[str]:
        """Order the signature algorithms `supported`, each with its form for certificates, as OpenSSH does.

        Those of the key types on file come first, and where an authority is on file, certificates before all. A
        certificate is asked for in any case: its authority may be revoked.
        """
        on_file: set[str] = set()
        for name in names:
            for entry in self.named(name):
                if not entry.marker:
                    on_file.update(ALGORITHMS.get(entry.key_type, (entry.key_type,)))
            if on_file:
                break
        first = [a for a in supported if a in on_file]
        rest = [a for a in supported if a not in on_file]
        if self.authorities(names):
            return _certified(first + rest) + first + rest
        return _certified(first) + first + _certified(rest) + rest


def _means(revoked: bytes, key: bytes) -> bool:
    """Whether what is revoked is this key, or a certificate of it."""
    try:
        return certificate.key_of(revoked) == key
    except certificate.Malformed:
        return revoked == key


def _certified(algorithms: list[str]) -> list[str]:
    return [algorithm + certificate.SUFFIX for algorithm in algorithms]


def _load(path: str) -> Table | None:
    """The table of a file; None if there is no such file."""
    try:
        with open(path, "rb") as file:
            return _parsed(path, file.read())
    except FileNotFoundError:
        return None
    except OSError as error:
        return Table(problems=[Problem(path, 0, error.strerror or str(error))])


# A fleet asks for the same files once a host. A table is never changed.
@functools.lru_cache(maxsize=8)
def _parsed(path: str, data: bytes) -> Table:
    return parse(data, path)


def parse(data: bytes, path: str = "") -> Table:
    """Make a table of a file's content; `path` is for messages. Never raises, whatever the content."""
    table = Table()
    for number, raw in enumerate(data.split(b"\n"), start=1):
        text = raw.decode("utf-8", "replace").strip()
        if not text or text.startswith("#"):
            continue
        found = parse_line(text, path, number)
        if isinstance(found, Problem):
            table.problems.append(found)
        elif any(sign in found.names for sign in "*?!|"):
            table.others.append(found)
        else:
            for name in set(found.names.lower().split(",")):
                table.plain.setdefault(name, []).append(found)
    return table


def parse_line(text: str, path: str = "", number: int = 0) -> Entry | Problem:
    """Make an Entry of a line that is neither blank nor a comment, or a Problem if it makes no sense."""
    words = text.split(None, 4)
    marker = ""
    if words[0].startswith("@"):
        marker = words.pop(0)
        if marker not in ("@revoked", "@cert-authority"):
            return Problem(path, number, f"unknown marker {marker[:40]!r}")
    if len(words) < 3:
        return Problem(path, number, "expected: hosts, key type, key")
    names, key_type, encoded = words[:3]
    if key_type.isdigit():
        return Problem(path, number, "a key of SSH version 1")
    if not _TYPE.match(key_type):
        return Problem(path, number, f"not a key type: {key_type[:40]!r}")
    if names.startswith("|"):
        parts = names.split("|")
        if len(parts) != 4 or parts[1] != "1" or decode(parts[2]) is None or decode(parts[3]) is None:
            return Problem(path, number, "not a hashed host name")
    key = decode(encoded)
    if key is None:
        return Problem(path, number, "the key is not valid base64")
    # The key names its own type: a line whose two words differ was tampered with or cut.
    if key[:4] != len(key_type).to_bytes(4, "big") or key[4 : 4 + len(key_type)] != key_type.encode("utf-8"):
        return Problem(path, number, f"the key is not of type {key_type[:40]}")
    return Entry(path, number, marker, names, key_type, key)


def fingerprint(key: bytes) -> str:
    """The SHA256:... text that ssh and ssh-keygen show for a key in wire form."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
