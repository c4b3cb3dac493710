"""Which installed distribution a file belongs to, read from the metadata that installers leave behind.

Only what the question needs is read: as a rule the RECORD of one distribution, whose name is like that of the file's
first directory. `importlib.metadata.packages_distributions()` parses all that is installed, which can take a second.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib.machinery import EXTENSION_SUFFIXES
from typing import Any
from urllib.parse import unquote, urlsplit

_METADATA = (".dist-info", ".egg-info")
_OS_DIRECTORY = re.compile(r"^/usr/lib(64)?/python3[^/]*/dist-packages$")
_OS_INSTALLERS = ("rpm", "debian", "dpkg", "apk", "pacman", "portage")
_NAME_IN_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA_MARKER = re.compile(r";.*\bextra\s*==")


class Distribution:
    """One installed distribution. Its metadata are read when they are first asked for.

    name, version: as in the name of its metadata directory; version may be "".
    """

    def __init__(self, metadata: str, site: _Site) -> None:
        self._metadata = metadata
        self._site = site
        stem = os.path.basename(metadata).rpartition(".")[0]
        parts = stem.split("-")
        self.name = parts[0]
        self.version = parts[1] if len(parts) > 1 else ""
        self.key = normal_name(self.name)

    def __repr__(self) -> str:
        return f"{self.name} {self.version}".rstrip()

    def text(self, name: str) -> str | None:
        """One of its metadata files; None if there is none."""
        return _text(self._metadata, name)

    @cached_property
    def headers(self) -> str:
        """What its metadata begin with, without the description that follows; empty if there are none."""
        return (self.text("METADATA") or self.text("PKG-INFO") or "").partition("\n\n")[0]

    @cached_property
    def files(self) -> frozenset[str]:
        """Paths relative to the site directory. Empty if it is not recorded."""
        record = self.text("RECORD") or ""
        lines = record.splitlines()
        if '"' in record:  # hardly any, and the reader of such takes its time
            listed = {row[0] for row in csv.reader(lines) if row}
        else:
            listed = {line.partition(",")[0] for line in lines if line}
        for line in (self.text("installed-files.txt") or "").splitlines():
            listed.add(os.path.normpath(os.path.join(os.path.basename(self._metadata), line)))
        return frozenset(listed)

    @cached_property
    def native_files(self) -> tuple[str, ...]:
        """Its compiled files for which there is no ``.py`` of the same name beside them."""
        suffixes = (".so", ".pyd", ".dylib", *EXTENSION_SUFFIXES)
        native = (path for path in self.files if path.endswith(suffixes) and _twin(path) not in self.files)
        return tuple(sorted(native))

    @cached_property
    def tops(self) -> frozenset[str]:
        """Names of the top-level modules and packages it has."""
        tops = {path.partition("/")[0] for path in self.files}
        listed = (self.text("top_level.txt") or "").split()
        return frozenset({top.partition(".")[0] for top in tops}.union(listed))

    @cached_property
    def editable(self) -> bool:
        """Whether it only points at a checkout: its code is the user's."""
        return bool(self._pointer.get("dir_info", {}).get("editable"))

    @cached_property
    def checkout(self) -> str | None:
        """The directory that an editable one points at."""
        url = urlsplit(str(self._pointer.get("url", "")))
        return unquote(url.path) if self.editable and url.scheme == "file" else None

    @cached_property
    def _pointer(self) -> dict[str, Any]:
        text = self.text("direct_url.json") or ""
        if '"editable"' not in text:
            return {}
        import json

        try:
            return dict(json.loads(text))
        except (ValueError, TypeError):
            return {}

    @cached_property
    def of_the_system(self) -> bool:
        """Whether the operating system's package manager owns it."""
        installer = (self.text("INSTALLER") or "").strip().lower()
        return installer in _OS_INSTALLERS or self._site.of_the_system

    @cached_property
    def requirements(self) -> frozenset[str]:
        """Normalised names of what it always requires (not for an extra)."""
        names = set()
        for file in ("METADATA", "PKG-INFO"):
            for line in (self.text(file) or "").splitlines():
                if not line:
                    break  # the description begins
                if line.startswith("Requires-Dist:") and not _EXTRA_MARKER.search(line):
                    match = _NAME_IN_REQUIREMENT.search(line, len("Requires-Dist:"))
                    if match:
                        names.add(normal_name(match.group()))
        return frozenset(names)

    @cached_property
    def needs_native(self) -> str | None:
        """The compiled file that it has, or that something it requires has; None if it can do without."""
        for distribution in (self, *map(self._site.named, sorted(self.requirements))):
            if distribution is not None and distribution.native_files:
                return distribution.native_files[0]
        return None

    def with_requirements(self) -> set[str]:
        """Normalised names of itself and of all that it requires, and that requires in turn."""
        names: set[str] = set()
        queue = [self.key]
        for name in queue:
            distribution = self._site.named(name)
            if name not in names and distribution is not None:
                queue.extend(distribution.requirements)
            names.add(name)
        return names


class _Site:
    """The distributions of one directory on the path."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.of_the_system = bool(_OS_DIRECTORY.match(directory))
        try:
            names = [name for name in os.listdir(directory) if name.endswith(_METADATA)]
        except OSError:
            names = []
        metadata = [os.path.join(directory, name) for name in sorted(names)]
        self._all = {normal_name(dist.name): dist for dist in (Distribution(path, self) for path in metadata)}
        self._likely: dict[str, list[Distribution]] = {}

    def named(self, name: str) -> Distribution | None:
        return self._all.get(name)

    def editable(self) -> Iterator[Distribution]:
        return (each for each in self._all.values() if each.editable)

    def owner(self, path: str) -> Distribution | None:
        """The distribution of a file, given relative to the directory."""
        top = path.partition("/")[0].partition(".")[0]
        for distribution in self._likeliest_first(top):
            if path in distribution.files:
                return distribution
        # Metadata of the older kind list names of packages only.
        return next((each for each in self._all.values() if not each.files and top in each.tops), None)

    def _likeliest_first(self, top: str) -> list[Distribution]:
        """All of them, those first whose names resemble that of a top-level module, as PyYAML's does `yaml`: to read
        what a hundred others have recorded takes longer than to send a small package."""
        likely = self._likely.get(top)
        if likely is None:
            name = normal_name(top).strip("-")
            likely = self._likely[top] = sorted(
                self._all.values(), key=lambda each: (each.key != name, name not in each.key)
            )
        return likely


class Distributions:
    """All installed distributions, by directory."""

    def __init__(self) -> None:
        self._sites: dict[str, _Site] = {}

    def owner(self, origin: str, entry: str) -> Distribution | None:
        """The distribution of a file found under a path entry; None if it has none, or an editable one."""
        site = self._site(entry)
        if not origin.startswith(entry + os.sep):
            return None
        owner = site.owner(origin[len(entry) + 1 :].replace(os.sep, "/"))
        return None if owner is not None and owner.editable else owner

    def named(self, name: str, entries: Iterable[str]) -> Distribution | None:
        """The first distribution of a name in these path entries."""
        key = normal_name(name)
        return next((each for entry in entries if (each := self._site(entry).named(key)) is not None), None)

    def editable(self, entries: Iterable[str]) -> list[Distribution]:
        """The editable ones in these path entries."""
        return [each for entry in entries for each in self._site(entry).editable()]

    def _site(self, entry: str) -> _Site:
        site = self._sites.get(entry)
        if site is None:
            site = self._sites[entry] = _Site(entry)
        return site


def _text(directory: str, name: str) -> str | None:
    """A metadata file as text; the one file that some old distributions have is their PKG-INFO."""
    path = directory if os.path.isfile(directory) and name == "PKG-INFO" else os.path.join(directory, name)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def normal_name(name: str) -> str:
    """The name of a distribution as they are compared: ``ruamel-yaml`` of ``ruamel.YAML``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _twin(path: str) -> str:
    """The path of the ``.py`` that a compiled file may stand beside."""
    directory, slash, name = path.rpartition("/")
    return directory + slash + name.partition(".")[0] + ".py"
