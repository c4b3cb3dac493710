"""Who may have what: the grants of each child, and what they mean for a module."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from remotesvc.bootstrap.imports.modules import MAIN

from .closure import Plans
from .distributions import Distribution
from .find import Finder
from .found import Found
from .load import Deliveries
from .policy import Policy, Ruling


@dataclass
class Grants:
    """What one child may ask for. Bounded by what there is on the master."""

    modules: set[str] = field(default_factory=set)
    """What called code imports."""
    distributions: set[str] = field(default_factory=set)
    """Keys of those of which it may ask for any module, as far as that was worked out."""
    unread: set[str] = field(default_factory=set)
    """Called modules whose distributions come to these, once somebody asks; see `Children.distributions`."""


@dataclass
class Child:
    """What is known of one child."""

    called: set[str] = field(default_factory=set)
    """Modules with a function that was called there."""
    grants: Grants = field(default_factory=Grants)
    deliveries: Deliveries = field(default_factory=Deliveries)


class Children:
    """The children of one module server, by their context ids. Its lock is held."""

    def __init__(self, finder: Finder, policy: Policy, plans: Plans) -> None:
        self._finder = finder
        self._policy = policy
        self._plans = plans
        self._children: dict[int, Child] = {}

    def of(self, child_id: int) -> Child:
        """What is known of a child; one that nobody has heard of has nothing."""
        return self._children.setdefault(child_id, Child())

    def known(self, child_id: int) -> Child | None:
        """What is known of a child; None if that is nothing."""
        return self._children.get(child_id)

    def forget(self, child_id: int) -> None:
        """The child is gone."""
        self._children.pop(child_id, None)

    def grant(self, children: Iterable[int], name: str) -> None:
        """A module is called on children: from now on they may ask for all that it imports."""
        for child in map(self.of, children):
            child.grants.modules |= self._plans.own(name)
            child.grants.unread.add(name)

    def distributions(self, child: Child) -> set[str]:
        """Keys of the distributions of which a child may ask for any module. No call waits for this to be worked out:
        it matters to those who ask for metadata, or where imports are locked."""
        grants = child.grants
        for name in list(grants.unread):
            grants.distributions |= self._plans.distributions(name)
            grants.unread.remove(name)
        return grants.distributions

    def ruling(self, child: Child, name: str, python: tuple[int, int]) -> Ruling:
        """Whether a child of such a Python is given a module, and why."""
        if name == MAIN and MAIN not in child.grants.modules:
            return Ruling("refused", "no function of the master's script was called", "closed set")
        found = self._finder.locate(name)
        ruling = self._policy.decide(name, found, python, child.grants.modules, lambda: self.distributions(child))
        if ruling.verdict == "refused" and found is not None and "." in name and self._only_data(found):
            above = self.ruling(child, name.rpartition(".")[0], python)
            return above if above.served else ruling
        return ruling

    def metadata_ruling(self, child: Child, distribution: Distribution) -> Ruling:
        """Whether a child is given the metadata of a distribution, and why."""
        parts = self._finder.parts(distribution, child.grants.modules)
        return self._policy.distribution(distribution, parts, lambda: self.distributions(child))

    def _only_data(self, found: Found) -> bool:
        """Whether it is a directory of data files, which its package may hand out anyway, imported like a package."""
        return found.kind == "namespace" and all(name.endswith("//") for name in self._finder.submodules(found))
