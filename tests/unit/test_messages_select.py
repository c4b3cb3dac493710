"""Latches and selects: order, ends, timeouts, nesting, hooks."""

from __future__ import annotations

import concurrent.futures
import threading
from typing import Any

import pytest

from remotesvc import Closed, Latch, Select, UsageError, WaitTimeout
from remotesvc.messages.event import Event
from remotesvc.messages.members import Member
from tests.threads import in_thread

LIMIT = 30.0


def filled(*items: Any) -> Latch:
    latch = Latch()
    for item in items:
        latch.put(item)
    return latch


# -- latches


def test_a_latch_is_first_in_first_out_and_may_hold_none() -> None:
    latch = filled(1, None, 2)
    assert latch.pending == 3
    assert [latch.get(), latch.get(timeout=0), latch.get(block=False)] == [1, None, 2]


@pytest.mark.parametrize("waits", [{"timeout": 0}, {"timeout": -1}, {"block": False}, {"timeout": 0.01}])
def test_waiting_for_what_does_not_come_is_a_timeout(waits: dict[str, Any]) -> None:
    for source in (Latch(), Select([Latch()]), Select()):
        with pytest.raises(WaitTimeout) as caught:
            source.get(**waits)
        assert isinstance(caught.value, TimeoutError)


def test_waiting_ends_with_an_item_of_another_thread() -> None:
    latch = Latch()
    waiting = [in_thread(latch.get) for _ in range(3)]
    for number in range(3):
        latch.put(number)
    assert sorted(each.result(LIMIT) for each in waiting) == [0, 1, 2]


def test_close_gives_the_rest_and_wakes_everyone() -> None:
    latch, empty = filled(1, 2), Latch()
    waiting = [in_thread(empty.get) for _ in range(5)]
    for each in (latch, empty):
        each.close()
        each.close()
        with pytest.raises(Closed):
            each.put(3)
    assert list(latch) == [1, 2]
    for future in waiting:
        assert isinstance(future.exception(LIMIT), Closed)


def test_a_full_latch_makes_its_writers_wait() -> None:
    latch = Latch(limit=1)
    latch.put("a")
    with pytest.raises(WaitTimeout, match="limit"):
        latch.put("b", block=False)
    with pytest.raises(WaitTimeout):
        latch.put("b", timeout=0.01)
    waiting = [in_thread(lambda item=item: latch.put(item)) for item in "bc"]  # type: ignore[misc]
    assert sorted(latch.get(LIMIT) for _ in range(3)) == ["a", "b", "c"]
    assert [each.result(LIMIT) for each in waiting] == [None, None]


def test_a_writer_that_waits_wakes_when_the_latch_is_closed() -> None:
    latch = Latch(limit=1)
    latch.put("a")
    waiting = in_thread(lambda: latch.put("b"))
    latch.close()
    assert isinstance(waiting.exception(LIMIT), Closed)


# -- selects


def test_what_was_there_before_is_seen() -> None:
    one, other = filled("a"), filled("b")
    select = Select([one])
    select.add(other, key="second")
    first, second = select.get(), select.get()
    assert (first.source, first.data, first.key, first.error) == (one, "a", None, None)
    assert (second.source, second.value, second.key) == (other, "b", "second")
    assert len(select) == 2
    assert one in select


def test_members_take_turns() -> None:
    select = Select([filled(*"aaaa"), filled(*"bb"), filled(*"c")])
    assert "".join(select.get(0).value for _ in range(7)) == "abcabaa"


def test_oneshot_gathers_one_of_each_and_ends() -> None:
    latches = [filled(*"aa"), filled("b"), Latch()]
    latches[2].close()
    events = {event.source: event for event in Select(latches, oneshot=True)}
    assert [events[latch].data for latch in latches] == ["a", "b", None]
    assert isinstance(events[latches[2]].error, Closed)
    with pytest.raises(Closed):
        _ = events[latches[2]].value
    assert latches[0].get(0) == "a"


def test_an_empty_oneshot_select_is_an_error_and_another_waits() -> None:
    with pytest.raises(UsageError, match="no members"):
        Select(oneshot=True).get()
    select = Select()
    waiting = in_thread(select.get)
    select.add(filled("late"))
    assert waiting.result(LIMIT).value == "late"
    assert list(Select()) == []


def test_ended_members_are_removed_and_the_loop_ends() -> None:
    one, other = filled("a", "b"), Latch()
    select = Select([one, other])
    loop = in_thread(lambda: [event.value for event in select])
    one.close()
    other.close()
    assert loop.result(LIMIT) == ["a", "b"]
    assert not select


def test_close_wakes_all_and_leaves_the_members_alone() -> None:
    latch = Latch()
    select = Select([latch])
    waiting = [in_thread(select.get) for _ in range(3)]
    loop = in_thread(lambda: list(select))
    select.close()
    assert all(isinstance(each.exception(LIMIT), Closed) for each in waiting)
    assert loop.result(LIMIT) == []
    latch.put(1)
    assert Select([latch]).get(0).value == 1
    with pytest.raises(Closed):
        select.add(Latch())


def test_what_is_added_while_a_select_is_closed_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    select, latch, attach = Select(), filled(1), Member.attach

    def closed_meanwhile(member: Member) -> None:
        select.close()
        attach(member)

    with monkeypatch.context() as patch, pytest.raises(Closed):
        patch.setattr(Member, "attach", closed_meanwhile)
        select.add(latch)
    assert Select([latch]).get().data == 1


def test_removing_a_latch_leaves_what_was_in_it() -> None:
    latch = filled("a")
    select = Select([latch])
    select.remove(latch)
    with pytest.raises(WaitTimeout):
        select.get(0)
    with pytest.raises(UsageError, match="not in this Select"):
        select.remove(latch)
    assert latch.get(0) == "a"
    other = Select([latch])
    latch.put("b")
    assert other.get(0).value == "b"


def test_a_latch_has_one_owner() -> None:
    latch, select = Latch(), Select()
    select.add(latch)
    for owner in (select, Select()):
        with pytest.raises(UsageError, match="already"):
            owner.add(latch)
    with pytest.raises(UsageError, match="in a Select"):
        latch.notify = print
    hooked = Latch()
    hooked.notify = lambda source: None
    with pytest.raises(UsageError, match="hook is in use"):
        select.add(hooked)
    assert len(select) == 1
    with pytest.raises(UsageError, match="not for str"):
        Select(["a"])


def test_nested_selects_give_the_innermost_source_and_the_nearest_key() -> None:
    deep, near = Latch(), Latch()
    inner = Select()
    inner.add(deep)
    middle = Select([inner])
    outer = Select([near])
    outer.add(middle, key="inside")
    deep.put("a")
    near.put("b")
    events = [outer.get(LIMIT) for _ in range(2)]
    assert sorted((event.value, event.key) for event in events) == [("a", "inside"), ("b", None)]
    assert {event.source for event in events} == {deep, near}
    waiting = in_thread(outer.get)
    deep.put("c")
    assert waiting.result(LIMIT).value == "c"


def test_nested_oneshots_end_with_their_last_member() -> None:
    groups = [Select([filled(name + "1"), filled(name + "2")], oneshot=True) for name in "ab"]
    assert sorted(event.value for event in Select(groups, oneshot=True)) == ["a1", "a2", "b1", "b2"]


def test_circles_are_refused() -> None:
    one = Select()
    two = Select([one])
    three = Select([two])
    for outer in (one, three, two):
        with pytest.raises(UsageError, match="wait for itself"):
            one.add(outer)
    assert not one
    one.add(filled("still works"))
    assert three.get(0).value == "still works"


def test_circles_that_two_threads_close_at_once() -> None:
    for _ in range(200):
        one, two, start = Select(), Select(), threading.Barrier(2)
        one.add(filled(1))
        two.add(filled(2))

        def close(outer: Select, inner: Select, start: threading.Barrier = start) -> None:
            start.wait(LIMIT)
            outer.add(inner)

        ends = [in_thread(lambda: close(one, two)), in_thread(lambda: close(two, one))]  # noqa: B023
        errors = [each.exception(LIMIT) for each in ends]
        assert any(isinstance(error, UsageError) for error in errors)
        top = two if errors[0] is not None and errors[1] is None else one
        assert {top.get(0).value for _ in range(len(top))} >= ({1, 2} if None in errors else {1})


# -- futures


def test_futures_of_any_kind_and_no_error_out_of_the_loop() -> None:
    done: list[concurrent.futures.Future[int]] = [concurrent.futures.Future() for _ in range(3)]
    done[0].set_result(1)
    done[1].set_exception(KeyError("k"))
    done[2].cancel()
    done[2].set_running_or_notify_cancel()
    late: concurrent.futures.Future[int] = concurrent.futures.Future()
    select = Select([*done, late])
    events: dict[Any, Event] = {event.source: event for event in (select.get(0) for _ in range(3))}
    assert events[done[0]].value == 1
    assert isinstance(events[done[1]].error, KeyError)
    assert isinstance(events[done[2]].error, concurrent.futures.CancelledError)
    loop = in_thread(lambda: [event.value for event in select])
    late.set_result(4)
    assert loop.result(LIMIT) == [4]


def test_a_removed_future_is_not_heard_of() -> None:
    future: concurrent.futures.Future[int] = concurrent.futures.Future()
    select = Select([future])
    select.remove(future)
    future.set_result(1)
    with pytest.raises(WaitTimeout):
        select.get(0)


# -- the hook


def test_the_hook_is_called_for_what_is_here_and_what_comes() -> None:
    deep = filled("a")
    heard: list[Any] = []
    outer = Select([Select([deep])], notify=heard.append)
    assert heard == [outer]
    deep.put("b")
    assert [outer.get(block=False).value for _ in range(2)] == ["a", "b"]
    heard.clear()
    deep.put("c")
    assert heard == [outer]
    outer.notify = None
    latch = Latch()
    latch.notify = heard.append
    latch.close()
    assert heard == [outer, latch]


def test_whoever_drains_at_each_call_of_the_hook_gets_everything() -> None:
    latches = [Latch() for _ in range(4)]
    woken = threading.Semaphore(0)
    outer = Select([Select(latches[:2]), Select(latches[2:])], notify=lambda select: woken.release())
    got: list[int] = []

    def drain() -> None:
        while len(got) < 4000:
            assert woken.acquire(timeout=LIMIT)
            try:
                while True:
                    got.append(outer.get(block=False).value)
            except WaitTimeout:
                pass

    reader = in_thread(drain)
    writers = [in_thread(lambda latch=latch: [latch.put(n) for n in range(1000)]) for latch in latches]  # type: ignore[misc]
    for each in writers:
        each.result(LIMIT)
    reader.result(LIMIT)
    assert sorted(got) == sorted(list(range(1000)) * 4)


def test_many_threads_at_one_select() -> None:
    latches = [Latch() for _ in range(5)]
    select = Select(latches)
    got: list[list[int]] = [[] for _ in range(4)]
    readers = [in_thread(lambda mine=mine: mine.extend(event.value for event in select)) for mine in got]  # type: ignore[misc]
    for latch in latches:
        in_thread(lambda latch=latch: ([latch.put(n) for n in range(500)], latch.close()))  # type: ignore[misc]
    for reader in readers:
        reader.result(LIMIT)
    assert sorted(sum(got, [])) == sorted(list(range(500)) * 5)
