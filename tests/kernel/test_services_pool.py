"""The pool: its threads, its end, and that nothing and nobody takes it from others."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from remotesvc.service import Pool, SerializedInvoker, Service, ServiceInactive, current_pool, expose
from tests.kernel import served, served_invokers
from tests.kernel.contexts import LIMIT, Heard, until
from tests.kernel.serving import until_busy, until_inside
from tests.threads import together

pytest_plugins = ("tests.kernel.call_fixtures",)


def test_the_first_call_is_answered_while_all_workers_are_busy(router: Router, tmp_path: Path) -> None:
    """Check 66: also while the main thread runs a long function, and the queue of calls is long."""
    context = router.local(concurrency=2)
    flag = tmp_path / "flag"
    futures = [context.submit(served.wait_for, str(flag)) for _ in range(10)]
    assert context.call_service(served.Plain, "add", 1) == 3
    assert not any(future.done() for future in futures)
    flag.touch()
    for future in futures:
        future.result(LIMIT)


def test_a_slow_import_holds_up_no_other_service(router: Router, tmp_path: Path) -> None:
    (tmp_path / "slow_service.py").write_text(
        "import os, time\n"
        f"while not os.path.exists({str(tmp_path / 'flag')!r}):\n    time.sleep(0.005)\n"
        "from remotesvc.service import Service, expose\n"
        "class Slow(Service):\n"
        "    @expose()\n"
        "    def hello(self):\n"
        "        return 'at last'\n"
    )
    (tmp_path / "quick_service.py").write_text(
        "from remotesvc.service import Service, expose\n"
        "class Quick(Service):\n"
        "    @expose()\n"
        "    def hello(self):\n"
        "        return 'quick'\n"
    )
    with Router(path=[tmp_path]) as own:
        context = own.local()
        context.call_service(served.Plain, "add", 1)
        slow = [context.call_service_async("slow_service.Slow", "hello") for _ in range(3)]
        assert context.call_service(served.Plain, "add", 1) == 3
        assert context.call_service("quick_service.Quick", "hello") == "quick"
        assert not slow[0].done()
        (tmp_path / "flag").touch()
        assert [future.result(LIMIT) for future in slow] == ["at last"] * 3


def test_blocked_threads_do_not_starve_other_services(router: Router, tmp_path: Path) -> None:
    """Check 72: every thread of the pool hangs, and more calls wait; each other service answers all the same."""
    context = router.local(concurrency=2)
    flag = tmp_path / "flag"
    held = [context.call_service_async(served_invokers.Concurrent, "hold", str(flag)) for _ in range(20)]
    until_busy(context, served_invokers.Concurrent, 2, 18)
    until_inside(context, served_invokers.Concurrent, 2)
    assert context.call_service(served_invokers.Other, "run", 1) == 1
    assert [context.call_service(served_invokers.Serialized, "run", number) for number in range(20)] == list(range(20))
    other = context.call_service_async(served_invokers.Other, "hold", str(flag))
    assert context.call_service(served.Open, "who") == (0, 0, True)
    assert not other.done()
    flag.touch()
    assert all(future.result(LIMIT) for future in [*held, other])
    assert context.call_service(served_invokers.Concurrent, "report")["most"] == 2


def test_calls_that_were_given_up_make_room(router: Router, tmp_path: Path) -> None:
    context = router.local(concurrency=2)
    flag = tmp_path / "flag"
    held = [context.call_service_async(served_invokers.Concurrent, "hold", str(flag)) for _ in range(6)]
    until_busy(context, served_invokers.Concurrent, 2, 4)
    for future in held:
        assert future.cancel()
    assert [context.call_service(served_invokers.Concurrent, "run", number) for number in range(3)] == [0, 1, 2]
    flag.touch()
    until_busy(context, served_invokers.Concurrent, 0)


def test_a_thousand_failures(context: Context) -> None:
    """Check 71."""
    futures = [context.call_service_async(served_invokers.Concurrent, "fail", number) for number in range(1000)]
    assert all(isinstance(future.exception(LIMIT), KeyError) for future in futures)
    assert context.call_service(served_invokers.Concurrent, "run", 1) == 1
    until_busy(context, served_invokers.Concurrent, 0)
    entry = context.call(served.statistics)[0]
    assert (entry["calls"], entry["errors"]) == (1001, 1000)
    # One that has nothing to do any more may be about to end.
    until(lambda: context.call(served.count_threads, "remotesvc-service") <= 9)


class Farewell(Service):
    """Notes what happens in which order."""

    def __init__(self, router: Any) -> None:
        super().__init__(router)
        self.order: list[str] = []
        self.gate = threading.Event()

    @expose()
    def hold(self) -> str:
        self.order.append("begins")
        self.gate.wait(LIMIT)
        time.sleep(0.05)
        self.order.append("ends")
        return "held"

    def on_shutdown(self) -> None:
        self.order.append("shutdown")


class InTurn(Farewell):
    invoker_class = SerializedInvoker


@pytest.mark.parametrize("cls", [Farewell, InTurn])
def test_the_end_of_a_pool(router: Router, cls: type[Farewell]) -> None:
    """Checks 69 and 70: what runs finishes, what waits gets an error, on_shutdown runs once, after all of it."""
    pool = Pool(router, services=[cls], size=1)
    service = pool.get_service(cls)
    outcomes: list[Any] = []

    def call() -> None:
        try:
            outcomes.append(pool.call(cls, "hold"))
        except ServiceInactive as error:
            outcomes.append(error)

    threads = [threading.Thread(target=call) for _ in range(3)]
    threads[0].start()
    until(lambda: service.order == ["begins"])
    if cls is InTurn:
        for thread in threads[1:]:
            thread.start()
        until(lambda: pool.statistics()[0]["waiting"] == 2)
    pool.close()
    pool.close()
    assert not pool.join(0)
    with pytest.raises(ServiceInactive):
        pool.call(served.Plain, "add", 1)
    with pytest.raises(ServiceInactive):
        pool.defer(print)
    service.gate.set()
    for thread in threads:
        if thread.ident:
            thread.join(LIMIT)
    assert pool.join(LIMIT)
    assert service.order == ["begins", "ends", "shutdown"]
    if cls is InTurn:
        assert sorted(map(str, outcomes)) == ["held"] + ["the pool of services is closing"] * 2
    with Pool(router, services=[cls]) as again:
        assert again.get_service(cls) is not service
        again.get_service(cls).gate.set()
        assert again.call(cls, "hold") == "held"


def test_a_childs_pool_ends_and_comes_back(context: Context, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    held = context.call_service_async(served_invokers.Serialized, "hold", str(flag))
    waiting = [context.call_service_async(served_invokers.Serialized, "run", number) for number in range(5)]
    until_busy(context, served_invokers.Serialized, 1, 5)
    until_inside(context, served_invokers.Serialized, 1)
    context.call(served.close_pool)
    for future in waiting:
        assert isinstance(future.exception(LIMIT), ServiceInactive)
    assert context.call_service(served_invokers.Serialized, "run", 7) == 7
    flag.touch()
    assert held.result(LIMIT)
    assert context.call_service(served_invokers.Serialized, "report")["order"] == [7]


def test_open_generators_end_with_their_pool(context: Context) -> None:
    items: Any = context.service(served.Plain).items(10000000)
    assert next(items) == 0
    context.call(served.close_pool)
    with pytest.raises(remotesvc.Lost, match="the pool of services is closing"):
        for _ in items:
            pass
    assert context.call_service(served.Plain, "seen") == []


def test_a_router_that_closes_ends_its_pool(heard: Heard) -> None:
    router = Router(on_output=heard.on_output)
    pool = Pool(router, services=[Farewell])
    service = pool.get_service(Farewell)
    pool.defer(int)
    router.close()
    assert pool.join(LIMIT)
    assert service.order == ["shutdown"]
    with pytest.raises(remotesvc.RouterClosed):
        Pool(router)


def test_what_a_pool_refuses(router: Router) -> None:
    for size in (0, -1, 1.5, True):
        with pytest.raises(remotesvc.UsageError, match="size="):
            Pool(router, size=size)  # type: ignore[arg-type]
    with pytest.raises(remotesvc.UsageError, match="is not a remotesvc.service.Service"):
        Pool(router, services=[Farewell, object()])
    with Pool(router, services=[Farewell], size=3) as pool:
        assert pool.size == 3
        with pytest.raises(remotesvc.UsageError, match="this context has a pool"):
            Pool(router)
        with pytest.raises(remotesvc.UsageError, match="active here already"):
            pool.add(Farewell)
        with pytest.raises(remotesvc.UsageError, match="neither a Service class"):
            pool.get_service(object())  # type: ignore[call-overload]
        with pytest.raises(remotesvc.UsageError):
            current_pool()


def test_a_services_own_select(router: Router, heard: Heard) -> None:
    """Check 51: its hook runs on a thread of the pool for what was there before and for what is added later."""
    context = router.local()
    listening = context.service(served_invokers.Listening)
    until(lambda: listening.collected()[0] == ["early"])
    one, two = listening.open(), listening.open()
    for number in range(100):
        one.send(number)
        two.send("bad" if number == 50 else f"two {number}")
    until(lambda: len(listening.collected()[0]) == 201)
    said, threads = listening.collected()
    assert [each for each in said if each.isdigit()] == [str(number) for number in range(100)]
    assert threads == ["remotesvc-service"]
    heard.wait_until(lambda: "on_message fails" in heard.text("stderr"))


# -- calls within one process


class Around(Service):
    """Calls itself and others."""

    invoker_class = SerializedInvoker

    @expose()
    def again(self, depth: int) -> int:
        return depth if depth == 0 else 1 + self.pool.call(Around, "again", depth - 1)

    @expose()
    def secret(self) -> str:
        return threading.current_thread().name


def test_a_pool_calls_its_own_services(router: Router) -> None:
    """H8: on the calling thread, with arguments checked and the invoker respected; policies are not asked."""
    with Pool(router, services=[Around], size=1) as pool:
        assert pool.call(Around, "secret") == threading.current_thread().name
        assert pool.call("tests.kernel.test_services_pool.Around", "again", 5) == 5
        with pytest.raises(remotesvc.service.ArgumentError):
            pool.call(Around, "again", "x")
        with pytest.raises(remotesvc.service.NoSuchMethod):
            pool.call(Around, "on_shutdown")
        assert pool.call(served.Open, "nobody") == "nobody"
        results: list[int] = []

        def run(number: int) -> None:
            results.append(pool.call(served_invokers.Serialized, "run", number, 0.001))

        together(partial(run, n) for n in range(20))
        assert sorted(results) == list(range(20))
        assert pool.call(served_invokers.Serialized, "report")["most"] == 1
        assert list(pool.call(served.Plain, "items", 3)) == [0, 1, 2]
        assert pool.call(served.Plain, "slowly", 3) == 6
        assert pool.call(served.Plain, "later", 3) == 4
        with pytest.raises(FileNotFoundError):
            pool.call(served.Plain, "fail", "x")


def test_a_childs_pool_calls_its_own_services(context: Context) -> None:
    thread, own, value = context.call(served_invokers.locally, 3)
    assert (own, value) == (thread, 5)
    with pytest.raises(KeyError):
        context.call(served_invokers.locally, -1)


def test_a_method_sees_its_own_deferred_work(router: Router) -> None:
    done: list[str] = []
    with Pool(router) as pool:
        gate = threading.Event()
        pool.defer(done.append, "one")
        pool.defer(gate.set)
        assert gate.wait(LIMIT)
    assert done == ["one"]

