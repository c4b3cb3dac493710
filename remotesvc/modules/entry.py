"""Entries made of what was found: compressed and packed once, however many children get them."""

from __future__ import annotations

import os
import zlib
from typing import Any

from remotesvc.bootstrap.finder import ROOT, label_of
from remotesvc.bootstrap.imports.modules import ABSENT, MAIN, NAMESPACE, REFUSED, SOURCE, TARGET, Entry, pack, unpack

from .codes import MAGIC, Codes
from .datafiles import data_files
from .distributions import Distribution
from .find import Finder
from .found import Found
from .policy import HERE, Policy, Ruling

RESOURCES_LISTED = 32
"""Up to so many data files are listed in the entry of their package; a longer list has to be asked for."""

ENTRY_OVERHEAD = 200
"""Bytes that an entry counts for in a budget, besides its source."""

CODE_LEVEL = 1
"""Of zlib, for code: the best level takes 2.2 times as long and makes it 10 % smaller."""

_REFUSALS = {"target": TARGET, "absent": ABSENT, "refused": REFUSED}


class Entries:
    """All entries of one router.

    compressed, sent: how many modules were compressed and sent so far; bytes: how much that was. labels: label -> name
    of the module it stands for.
    """

    def __init__(self, finder: Finder, codes: Codes, policy: Policy) -> None:
        self.compressed = self.sent = self.bytes = 0
        self._policy = policy
        self.labels: dict[str, str] = {}
        self._finder = finder
        self._codes = codes
        self._packed: dict[tuple[str, bool], tuple[list[Any], int]] = {}

    def module(self, name: str, ruling: Ruling, code: bool) -> tuple[list[Any], int]:
        """The packed entry of a module that is served, and how many bytes it counts for in a budget.

        code: for a Python of our magic number, which need not compile it.
        """
        known = self._packed.get((name, code))
        if known is None:
            found = self._finder.locate(name)
            assert found is not None, name  # what is served was found
            entry = self._make(found, ruling, code)
            size = len(entry.data) + ENTRY_OVERHEAD + sum(map(len, entry.submodules or ()))
            known = self._packed[name, code] = (pack(entry), size)
        return known

    def size(self, name: str, code: bool) -> int:
        """Compressed bytes of a module that was sent; 0 if it never was in that form."""
        packed, _ = self._packed.get((name, code), (None, 0))
        return len(unpack(packed).data) if packed is not None else 0

    def refusal(self, name: str, ruling: Ruling) -> list[Any]:
        """The packed entry that says why a module is not served."""
        return pack(Entry(name, _REFUSALS[ruling.verdict], label=ruling.reason))

    def why_not(self, name: str) -> Ruling | None:
        """Why nobody gets a module from here; None if it may be had."""
        ruling = self._policy.origin(name, self._finder.locate(name))
        return ruling if ruling.verdict in ("target", "absent") else None

    def owner(self, name: str) -> Distribution | None:
        """The distribution of a module."""
        found = self._finder.locate(name)
        return found.distribution if found is not None else None

    def _make(self, found: Found, ruling: Ruling, code: bool) -> Entry:
        label = label_of(found.name, found.is_pkg)
        if found.kind == "namespace":
            label = label.rpartition("/")[0]
        elif found.name == MAIN:
            label = ROOT + os.path.basename(found.origin or MAIN)
        self.labels[label] = found.name
        entry = Entry(found.name, NAMESPACE if found.kind == "namespace" else SOURCE, found.is_pkg, label)
        if found.kind == "source":
            # A script is cut up before it travels: no bytecode of it is here.
            data = self._codes.marshalled(found, label) if code and found.name != MAIN else None
            if data is not None:
                entry.magic = MAGIC
            entry.data = zlib.compress(found.source, 6) if data is None else zlib.compress(data, CODE_LEVEL)
            self.compressed += 1
        if found.is_pkg:
            entry.submodules = list(self._finder.submodules(found))
            files = data_files(found, RESOURCES_LISTED + 1)
            entry.resources = list(files) if len(files) <= RESOURCES_LISTED else None
        entry.prefer_target = ruling.verdict == "prefer-target"
        entry.python = HERE if found.stdlib else None
        return entry
