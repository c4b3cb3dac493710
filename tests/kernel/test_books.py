"""Books that are kept by several: whoever leaves early, is refused or fails, they are right, and nobody waits."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

from remotesvc import CallError, CallTimeout, Cancelled, Context, DecodeError, Lost, NotSent, Router, UsageError
from remotesvc.bootstrap.calls.refusals import ServiceInactive
from remotesvc.messages import waitable
from remotesvc.messages.latch import Latch
from remotesvc.service import DeduplicatingInvoker, Pool, Service, expose
from remotesvc.service.callers import Caller, Callers
from remotesvc.testing.tree import MemoryTree
from tests.kernel import called, served, served_books
from tests.kernel.contexts import LIMIT, until
from tests.threads import in_thread

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.mark.parametrize("instant", ["before it is known", "while its call runs"])
def test_a_caller_beside_its_service_is_lost(monkeypatch: pytest.MonkeyPatch, instant: str) -> None:
    """Its parent told a context only of those to which it had spoken: the method worked on for nobody."""
    of, known = Callers.of, threading.Event()
    with MemoryTree(siblings=True) as tree:
        calling, serving = tree.add(), tree.add()

        def known_later(callers: Callers, src: int) -> Caller:
            if instant == "before it is known":
                until(lambda: tree.root.hub is not None and src in tree.root.hub.lost)
            known.set()
            return of(callers, src)

        monkeypatch.setattr(Callers, "of", known_later)
        with Pool(serving, services=[served_books.Watched]) as pool:
            calling.context(serving).call_service_async(served_books.Watched, "work")
            if instant == "before it is known":
                until(lambda: pool.workers._taking_in)
            else:
                until(lambda: pool.workers.lanes.running())
            assert calling.path is not None
            calling.path.cut_after(0)
            assert known.wait(LIMIT)
            until(lambda: not pool.workers._taking_in and not pool.workers.lanes.running())
            assert pool.callers.get(calling.id) is None


def test_what_is_given_up_after_its_work_was_done(context: Context) -> None:
    """Generators and later replies: each made the pool a thread larger."""
    service: Any = context.service(served_books.Books)
    for _ in range(3):
        items = service.numbers()
        assert next(items) == 0
        items.close()
    for _ in range(3):
        later = context.call_service_async(served_books.Books, "later")
        until(lambda: context.call("builtins:len", []) == 0)
        later.cancel()
    until(lambda: service.books() == [1, 0])


def test_a_cast_to_an_asynchronous_generator_runs_it(context: Context) -> None:
    context.cast_service(served_books.Books, "walk")
    assert context.call_service(served_books.Books, "walked")


def test_a_class_is_among_the_arguments_of_every_call_that_gives_no_keywords(context: Context) -> None:
    """The first says also what comes with it: such a call was read, the next were not."""
    item = served_books.Item(3, b"")
    assert [context.call_service(served_books.Books, "number_of", item) for _ in range(3)] == [3] * 3


def test_a_closed_pool_keeps_no_local_caller_waiting(router: Router) -> None:
    pool = Pool(router, services=[served_books.Shared])
    assert pool.call(served_books.Shared, "double", 2) == 4
    pool.close()
    pool.join()
    for _ in range(3):
        with pytest.raises(ServiceInactive):
            pool.call(served_books.Shared, "double", 2)


def test_an_invoker_that_fails_answers_also_the_first_who_waits_for_its_service(context: Context) -> None:
    for _ in range(2):
        with pytest.raises(CallError, match="unhashable"):
            context.options(timeout=LIMIT).call_service(served_books.Keyed, "answer")


def test_a_service_that_is_added_while_it_is_called(router: Router) -> None:
    """Its calls waited for it, and were queued again and again meanwhile."""
    making, made = threading.Event(), threading.Event()

    class Slow(DeduplicatingInvoker):
        def __init__(self, service: Any) -> None:
            super().__init__(service)
            making.set()
            assert made.wait(LIMIT)

    class Counting(Service):
        invoker_class = Slow
        hits = 0

        @expose
        def hit(self) -> None:
            type(self).hits += 1

    with Pool(router) as pool:
        adding = threading.Thread(target=pool.add, args=(Counting(router),))
        adding.start()
        assert making.wait(LIMIT)
        assert pool.table.lane(Counting.name()) is None, "there is nothing to queue with"
        made.set()
        adding.join(LIMIT)
        pool.call(Counting, "hit")
        assert Counting.hits == 1
        with pytest.raises(UsageError, match="active here already"):
            pool.add(Counting(router))


def test_a_thread_that_is_not_to_be_had_is_asked_for_again(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    refused: list[threading.Thread] = []

    def limited(thread: threading.Thread) -> None:
        if thread.name == "remotesvc-service" and len(refused) < 2:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    done = threading.Event()
    pool = Pool(router)
    pool.defer(done.set)
    assert done.wait(LIMIT)
    pool.close()
    pool.join()
    assert len(refused) == 2


def test_a_thread_is_asked_for_again_where_timers_have_none_either(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes next asks for one again."""
    refused: list[str] = []

    def no_timer(*args: Any) -> None:
        refused.append("a timer")
        raise RuntimeError("can't start new thread")

    pool, done = Pool(router), threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(router.kernel.timers, "after", no_timer)
        pool.defer(done.set)
    assert refused
    pool.defer(lambda: None)
    assert done.wait(LIMIT)
    pool.close()
    pool.join()


@pytest.mark.parametrize("instant", ["before it is known", "before its call is booked"])
def test_a_caller_that_is_lost_before_its_call_is_booked(
    router: Router, monkeypatch: pytest.MonkeyPatch, instant: str
) -> None:
    """Nobody was told of the loss: the method worked on for nobody, and its caller stayed in the books."""
    pool, context = Pool(router, services=[served_books.Watched]), router.local()
    context.call(called.add, 1, 2)
    of, kernel, was_lost = Callers.of, router.kernel, threading.Event()

    def lost(src: int) -> None:
        context.close()
        until(lambda: src in kernel.hub.lost)
        until(lambda: not [each for each in dict(kernel.mailboxes).values() if each.source == src])

    def lost_meanwhile(callers: Callers, src: int) -> Caller:
        if instant == "before it is known":
            lost(src)
        caller = of(callers, src)
        if instant != "before it is known":
            lost(src)
        was_lost.set()
        return caller

    monkeypatch.setattr(Callers, "of", lost_meanwhile)
    context.submit(served_books.work_above)
    assert was_lost.wait(LIMIT)
    until(lambda: not pool.workers._taking_in)
    assert pool.callers.get(context.id) is None
    assert not pool.workers.lanes.ready()
    assert not pool.workers.lanes.running()
    pool.close()
    pool.join()


def test_who_answers_later_is_not_taken_for_one_that_forgot(router: Router) -> None:
    """An invoker that keeps the Message of a call lets go of it with the next; the method has it, too."""
    pool, forgotten = Pool(router, services=[served_books.Noted]), router.kernel.forgotten
    later = in_thread(lambda: pool.call(served_books.Noted, "later"))
    until(lambda: served_books.KEPT)
    assert pool.call(served_books.Noted, "other")
    assert not forgotten
    assert served_books.KEPT.pop().reply("at last")
    assert later.result(LIMIT) == "at last"
    never = in_thread(lambda: pool.call(served_books.Noted, "forgets"))
    until(lambda: pool.call(served_books.Noted, "other") and never.done(), what="no link is there, and it ends")
    assert "forgot" in str(never.exception(LIMIT))
    pool.close()
    pool.join()


@pytest.mark.parametrize("method", ["forgets", "has_none"])
def test_who_cannot_answer_any_more_has_answered_that(router: Router, method: str) -> None:
    """On a master without a link, whose beat would look at what finalisers left."""
    with Pool(router, services=[served.Plain]) as pool, pytest.raises(Lost, match="would answer later"):
        in_thread(lambda: pool.call(served.Plain, method)).result(LIMIT)
    with pytest.raises(Lost, match="would answer later"):
        router.local().options(timeout=LIMIT).call_service(served.Plain, method)


def test_who_is_woken_and_leaves_wakes_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is given up in the moment in which an item comes must not take the word of it along."""
    latch, local = Latch(), threading.local()
    got: list[Any] = []

    class Call:
        cancelled = False

        def check(self) -> None:
            if self.cancelled:
                raise Cancelled("given up")

    call = Call()

    def in_a_call() -> None:
        local.call = call
        with pytest.raises(Cancelled):
            latch.get()

    monkeypatch.setattr(waitable, "running", lambda: getattr(local, "call", None))
    monkeypatch.setattr(waitable, "LOOK_EVERY", LIMIT)
    threads = []
    for work in (in_a_call, lambda: got.append(latch.get())):
        threads.append(threading.Thread(target=work))
        threads[-1].start()
        until(lambda: len(getattr(latch._wake, "_waiters")) == len(threads))  # noqa: B009
    call.cancelled = True
    latch.put("an item")
    for thread in threads:
        thread.join(LIMIT)
    assert got == ["an item"]


def test_items_that_cannot_be_decoded_cost_no_credit(context: Context) -> None:
    items = context.options(returns=[served_books.Item]).call(served_books.uneven, 200)
    seen: Counter[str] = Counter()
    while True:
        assert items.wait(LIMIT), seen
        try:
            next(items)
            seen["fine"] += 1
        except StopIteration:
            break
        except DecodeError:
            seen["bad"] += 1
    assert seen == {"fine": 150, "bad": 50}


def test_a_chain_whose_first_call_never_left_says_so(context: Context) -> None:
    """The target waited for its turn, and so did all that came after."""
    chain = context.options(timeout=0.3).chain()
    post = context.tree.router.post

    def full(*args: Any, **options: Any) -> None:
        raise CallTimeout("the target did not take the call in time")

    context.tree.router.post = full
    try:
        with pytest.raises(CallTimeout):
            chain.call(called.add, 1, 1)
    finally:
        context.tree.router.post = post
    with pytest.raises(NotSent, match="could not be sent"):
        chain.submit(called.add, 1, 1).result(LIMIT)
    chain.reset()
    assert chain.call(called.add, 1, 1) == 2
