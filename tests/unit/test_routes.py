"""Who may speak for whom: examples, and a tree whose contexts come, go and lie."""

from __future__ import annotations

from typing import NoReturn

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from remotesvc.bootstrap.routing.routes import RouteTable, sideways

CHILD, OTHER, GRANDCHILD = 1, 2, 100


@pytest.fixture
def table() -> RouteTable:
    """Context 0 with the children 1 and 2; behind 1 lies 100, from the block 100 to 109."""
    table = RouteTable(0, [])
    table.add_child(CHILD)
    table.add_child(OTHER)
    table.lease(CHILD, 100, 10)
    assert table.announce(CHILD, GRANDCHILD)
    return table


def test_a_neighbour_speaks_for_itself_and_its_subtree(table: RouteTable) -> None:
    assert table.may_speak(CHILD, CHILD, CHILD)
    assert table.may_speak(CHILD, GRANDCHILD, GRANDCHILD)
    assert table.may_speak(CHILD, GRANDCHILD, CHILD)


@pytest.mark.parametrize("forged", [0, OTHER, 101, 999, 0xFFFFFFFF])
def test_a_neighbour_speaks_for_nobody_outside_its_subtree(table: RouteTable, forged: int) -> None:
    assert not table.may_speak(CHILD, forged, forged)
    assert not table.may_speak(CHILD, forged, CHILD)
    assert not table.may_speak(CHILD, CHILD, forged)
    assert not table.may_speak(CHILD, GRANDCHILD, forged)


def test_a_parent_speaks_for_the_rest_of_the_world() -> None:
    table = RouteTable(5, [3, 0])
    table.add_child(6)
    assert table.may_speak(None, 0, 0)
    assert table.may_speak(None, 77, 3)
    assert not table.may_speak(None, 5, 0)
    assert not table.may_speak(None, 6, 6)


def test_only_ancestors_command_and_only_from_above() -> None:
    table = RouteTable(5, [3, 0])
    table.add_child(6)
    assert table.commands(None, 0)
    assert table.commands(None, 3)
    assert not table.commands(None, 4)
    assert not table.commands(None, 6)
    assert not table.commands(6, 0)
    assert not table.commands(6, 6)
    assert not RouteTable(0, []).commands(6, 0)


@pytest.mark.parametrize("context", [0, CHILD, OTHER, 99, 110, 999, 0xFFFFFFFF])
def test_ids_outside_of_a_lease_are_refused(table: RouteTable, context: int) -> None:
    before = dict(table.via)
    assert not table.announce(CHILD, context)
    assert table.via == before


def test_a_lease_is_for_one_neighbour(table: RouteTable) -> None:
    assert not table.announce(OTHER, 105)
    table.lease(OTHER, 200, 1)
    assert not table.announce(CHILD, 200)
    assert table.announce(OTHER, 200)
    assert not table.announce(OTHER, 201)


def test_dropping_a_child_drops_what_lies_behind_it(table: RouteTable) -> None:
    assert table.drop(CHILD) == {CHILD, GRANDCHILD}
    assert table.via == {OTHER: OTHER}
    assert table.drop(CHILD) == {CHILD}


def test_dropping_a_grandchild_leaves_its_parent(table: RouteTable) -> None:
    assert table.drop(GRANDCHILD) == {GRANDCHILD}
    assert table.towards(CHILD) == CHILD
    assert table.towards(GRANDCHILD) is None


def test_dropping_one_among_many_looks_at_no_others(table: RouteTable) -> None:
    """A child may announce thousands, and have them dropped one by one."""

    class Large(dict[int, int]):
        def items(self) -> NoReturn:
            raise AssertionError("all routes are looked at")

    table.via = Large(table.via)
    assert table.drop(GRANDCHILD) == {GRANDCHILD}
    assert table.drop(12345) == {12345}


def test_late_frames_are_told_from_forged_ones(table: RouteTable) -> None:
    table.drop(GRANDCHILD)
    assert table.was_child(CHILD, CHILD)
    assert table.was_child(CHILD, GRANDCHILD)
    assert table.was_child(None, 12345)
    assert not table.was_child(CHILD, OTHER)
    assert not table.was_child(CHILD, 0)
    assert not table.was_child(OTHER, GRANDCHILD)


def test_a_lost_neighbour_leaves_nothing(table: RouteTable) -> None:
    """Its link is closed, so nothing that it said is looked at any more."""
    table.drop(CHILD)
    assert table.leased(CHILD) == 0
    assert not table.announce(CHILD, 105)


def test_blocks_that_touch_are_one(table: RouteTable) -> None:
    for number in range(1000):
        table.lease(OTHER, 1000 + 10 * number, 10)
    table.lease(OTHER, 50_000, 10)
    assert table._leases[OTHER] == [[1000, 11_000], [50_000, 50_010]]
    assert table.leased(OTHER) == 10_010
    assert [table.announce(OTHER, context) for context in (999, 1000, 10_999, 11_000, 50_009)] == [
        False, True, True, False, True]


def test_siblings_are_those_that_meet_here() -> None:
    assert sideways(1, 2)
    assert not sideways(None, 2)
    assert not sideways(1, None)


class TreeOfLiars(RuleBasedStateMachine):
    """A router among its children: whatever is announced, forged and dropped, identity is the link."""

    def __init__(self) -> None:
        super().__init__()
        self.table = RouteTable(0, [])
        self.next_id = 1
        self.subtree: dict[int, set[int]] = {}
        self.leased: dict[int, set[int]] = {}

    children = Bundle("children")

    @initialize(target=children)
    def first_children(self) -> object:
        return multiple(self._join(), self._join())

    @rule(target=children)
    def joins(self) -> int:
        return self._join()

    def _join(self) -> int:
        child, self.next_id = self.next_id, self.next_id + 1
        self.table.add_child(child)
        self.subtree[child] = {child}
        self.leased.setdefault(child, set())
        return child

    @rule(child=children, count=st.integers(1, 4))
    def leases(self, child: int, count: int) -> None:
        self.table.lease(child, self.next_id, count)
        self.leased[child].update(range(self.next_id, self.next_id + count))
        self.next_id += count

    @rule(child=children, context=st.integers(0, 40))
    def announces(self, child: int, context: int) -> None:
        allowed = context in self.leased[child]
        assert self.table.announce(child, context) is allowed
        if allowed:
            self.subtree[child].add(context)

    @rule(child=children, context=st.integers(0, 40))
    def drops(self, child: int, context: int) -> None:
        """What the hub does with ROUTE_DROP: heeded only from where the context lies."""
        if self.table.towards(context) == child and context != child:
            assert self.table.drop(context) == {context}
            self.subtree[child].discard(context)

    @rule(child=consumes(children))
    def leaves(self, child: int) -> None:
        assert self.table.drop(child) == self.subtree.pop(child)

    @rule(child=children, src=st.integers(0, 40), auth=st.integers(0, 40))
    def speaks(self, child: int, src: int, auth: int) -> None:
        mine = self.subtree[child]
        assert self.table.may_speak(child, src, auth) is (src in mine and auth in mine)

    @rule(src=st.integers(0, 40), auth=st.integers(0, 40))
    def parent_speaks(self, src: int, auth: int) -> None:
        ours = {0}.union(*self.subtree.values())
        assert self.table.may_speak(None, src, auth) is (src not in ours)

    @invariant()
    def routes_lead_to_one_neighbour(self) -> None:
        members = [context for mine in self.subtree.values() for context in mine]
        assert len(members) == len(set(members))
        assert self.table.via == {context: child for child, mine in self.subtree.items() for context in mine}
        assert 0 not in self.table.via


TreeOfLiars.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestTreeOfLiars = TreeOfLiars.TestCase
