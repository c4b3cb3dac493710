"""Which task of an executor goes to which host."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from remotesvc import CallTimeout, Cancelled, Lost, NotSent, UsageError
from remotesvc.fleet.tasks import HostFuture, Task, Tasks, Worker, sticky_key


def tasks(hosts: str, policy: str = "any", slots: int = 1, idempotent: bool = False) -> Tasks:
    """The books of an executor over hosts of one letter each."""
    members: Any = [SimpleNamespace(text=host) for host in hosts]
    return Tasks(members, policy, slots, idempotent)


def task(*args: Any) -> Task:
    """A task that nobody runs."""
    return Task(HostFuture(), "os:getpid", args, {}, sticky_key(args, {}))


def begun(books: Tasks) -> list[tuple[str, Task]]:
    """What begins now, by the names of the hosts."""
    return [(worker.member.text, each) for worker, each in books.begin()]


def one(books: Tasks) -> tuple[Worker, Task]:
    """The only one that begins now."""
    (found,) = books.begin()
    return found


def test_each_host_has_as_many_tasks_as_it_has_slots() -> None:
    books = tasks("ab", slots=2)
    made = [task() for _ in range(5)]
    for each in made:
        books.add(each)
    first = begun(books)
    assert sorted(host for host, _ in first) == ["a", "a", "b", "b"]
    assert (books.waiting, books.under_way) == (1, 4)
    assert all(each.future.running() and each.future.host == host for host, each in first)


def test_hosts_with_less_to_do_come_first() -> None:
    books = tasks("ab", slots=2)
    books.add(task())
    worker, _ = one(books)
    books.add(task())
    other, _ = one(books)
    assert {worker.member.text, other.member.text} == {"a", "b"}


def test_round_robin_takes_hosts_in_turn_whatever_room_they_have() -> None:
    books = tasks("abc", "round_robin")
    made = [task() for _ in range(6)]
    for each in made:
        books.add(each)
    first = begun(books)
    assert sorted(host for host, _ in first) == ["a", "b", "c"]
    assert {id(each) for _, each in first} == {id(each) for each in made[:3]}
    assert not books.begin()


def test_equal_first_arguments_meet() -> None:
    books = tasks("abcd", "sticky", slots=100)
    for number in range(40):
        books.add(task(number % 4, number))
    hosts: dict[int, set[str]] = {}
    for host, each in begun(books):
        hosts.setdefault(each.args[0], set()).add(host)
    assert set(map(len, hosts.values())) == {1}


def test_the_same_first_argument_is_the_same_by_its_value() -> None:
    assert sticky_key(({"a": 1, "b": {1, 2}}, 5), {}) == sticky_key(({"b": {2, 1}, "a": 1}, 6), {"more": 7})
    assert sticky_key((), {"name": "web1", "count": 2}) == sticky_key(("web1",), {})
    assert len({sticky_key((), {"number": number}) for number in range(40)}) == 40
    assert sticky_key((), {}) == sticky_key((), {})


def test_what_may_equal_nothing_else_is_not_placed_by_it() -> None:
    with pytest.raises(UsageError, match="a value of type object"):
        sticky_key((object(),), {})


def test_what_was_cancelled_while_it_waited_does_not_begin() -> None:
    books = tasks("a")
    first, second = task(), task()
    books.add(first)
    books.add(second)
    assert first.future.cancel()
    assert begun(books) == [("a", second)]
    assert books.waiting == 0


def test_the_tasks_of_a_broken_host_go_to_those_left() -> None:
    books = tasks("ab", "round_robin")
    made = [task() for _ in range(4)]
    for each in made:
        books.add(each)
    first = books.begin()
    broken, its = first[0]
    books.out_of_service(broken, OSError("gone"))
    assert books.put_back(its, lost=False)
    for worker, _ in first:
        books.ended(worker)
    left = first[1][0].member.text
    seen = []
    while found := books.begin():
        ((worker, each),) = found
        assert worker.member.text == left
        seen.append(id(each))
        books.ended(worker)
    # Its own, then what had begun on the other, then what had not.
    own = next(each for each in made[2:] if id(each) == seen[0])
    assert seen == [id(own), id(its), *(id(each) for each in made[2:] if each is not own)]
    assert books.broken is None


@pytest.mark.parametrize(("idempotent", "tries"), [(False, 1), (True, 3)])
def test_what_may_have_run_is_run_again_only_where_that_does_no_harm(idempotent: bool, tries: int) -> None:
    books = tasks("abcdef", idempotent=idempotent)
    mine = task()
    books.add(mine)
    runs = 0
    while found := books.begin():
        ((worker, each),) = found
        runs += 1
        each.losses += 1
        books.out_of_service(worker, OSError("lost"))
        books.put_back(each, lost=True)
        books.ended(worker)
    assert runs == tries


def test_when_no_host_is_left_that_is_known_and_what_waits_is_handed_back() -> None:
    books = tasks("ab")
    made = [task() for _ in range(4)]
    for each in made:
        books.add(each)
    error = OSError("the last one")
    for worker, each in books.begin():
        books.out_of_service(worker, error)
        books.put_back(each, lost=False)
        books.ended(worker)
    assert books.broken is error
    assert {id(each) for each in books.drop()} >= {id(each) for each in made[2:]}
    assert (books.waiting, books.under_way) == (0, 0)


def test_what_a_call_raised_is_no_reason_to_leave_its_host() -> None:
    books = tasks("a")
    books.add(task())
    worker, mine = one(books)
    error = CallTimeout("it took too long")
    assert books.failed(worker, mine, error, reconnects=False) == (False, error)
    assert (worker.broken, mine.losses, books.waiting) == (None, 0, 0)


@pytest.mark.parametrize("reconnects", [True, False])
def test_a_host_that_was_lost_is_used_again_only_if_it_can_be(reconnects: bool) -> None:
    books = tasks("ab", idempotent=True)
    books.add(task())
    worker, mine = one(books)
    assert books.failed(worker, mine, Lost("gone"), reconnects) == (True, None)
    assert (worker.broken is None, mine.losses, books.waiting) == (reconnects, 1, 1)


def test_what_was_killed_before_it_was_sent_says_nothing_of_its_host() -> None:
    books = tasks("ab")
    books.add(task())
    worker, mine = one(books)
    mine.future.kill()
    error = NotSent("stopped while connecting")
    assert books.failed(worker, mine, error, reconnects=False) == (False, error)
    assert worker.broken is None


def test_what_did_not_run_on_the_last_host_ends_as_what_waits() -> None:
    books = tasks("ab")
    for _ in range(2):
        books.add(task())
    (first, its), (last, mine) = books.begin()
    assert books.failed(first, its, NotSent("closed"), reconnects=False).elsewhere
    error = NotSent("closed, too")
    verdict = books.failed(last, mine, error, reconnects=False)
    assert not verdict.elsewhere
    assert isinstance(verdict.error, BrokenExecutor)
    assert verdict.error.__cause__ is error
    assert books.broken is error


def test_a_task_that_was_lost_ends_with_that_whatever_hosts_are_left() -> None:
    books = tasks("a")
    books.add(task())
    worker, mine = one(books)
    error = Lost("gone")
    assert books.failed(worker, mine, error, reconnects=False) == (False, error)
    assert books.broken is error


def test_a_task_that_is_killed_before_anything_is_sent_ends_at_once() -> None:
    books = tasks("ab")
    books.add(task())
    worker, killed = one(books)
    assert killed.future.kill() and isinstance(killed.future.exception(0), Cancelled)
    assert not killed.future.kill()
    books.put_back(killed, lost=False)
    assert begun(books) == [] and books.waiting == 0


def test_a_task_that_was_sent_ends_when_it_has_been_told() -> None:
    books, told = tasks("a"), []
    books.add(task())
    _, killed = one(books)
    killed.future.attempt.on_stop(lambda: told.append(True))
    assert killed.future.kill() and killed.future.kill()
    assert told == [True] and not killed.future.done()
