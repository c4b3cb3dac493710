"""Who may start a service, who may call it: parents, siblings, children, forgers; and services of the master."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc import Context, Router
from remotesvc.bootstrap.links import wire
from remotesvc.service import (
    Activator,
    AllowContexts,
    AllowList,
    Pool,
    Service,
    ServiceInactive,
    expose,
)
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import served, served_above, served_invokers
from tests.kernel.contexts import LIMIT, Heard, appears, runs_out, until

pytest_plugins = ("tests.kernel.call_fixtures",)

ENDS = [interpreters.found()[0], interpreters.found()[-1]]
OPEN = served.Open.name()


@pytest.fixture
def siblings() -> Any:
    with Router(siblings=True) as router:
        yield router


@pytest.fixture(params=["siblings", "siblings below a hop", "cousins"])
def relatives(request: pytest.FixtureRequest, siblings: Router) -> tuple[Context, Context]:
    """Two contexts that may talk, neither above the other."""
    if request.param == "siblings":
        return siblings.local(), siblings.local()
    hop = siblings.local()
    return siblings.local(via=hop), siblings.local(via=siblings.local() if request.param == "cousins" else hop)


def test_a_relative_starts_nothing(relatives: tuple[Context, Context]) -> None:
    """Checks 62 to 64: refused in three ways, each with its own error, and nothing is imported for it."""
    one, two = relatives
    kind, text = two.call(served_above.ask, one, OPEN, "who")
    assert kind == "ActivationRefused"
    assert "only its parents" in text
    one.call_service(served.Plain, "add", 1)
    kind, text = two.call(served_above.ask, one, served_invokers.Other.name(), "report")
    assert kind == "ActivationRefused"
    assert f"is not active in this context, and context {two.id} may not start it" in text
    assert one.call(served.imported, served_invokers.__name__) == []
    assert [entry["service"] for entry in one.call(served.statistics)] == [served.Plain.name()]
    assert one.call_service(served.Open, "who") == (0, 0, True)
    assert two.call(served_above.ask, one, OPEN, "who") == (two.id, two.id, False)
    kind, text = two.call(served_above.ask, one, OPEN, "secret")
    assert kind == "ServiceForbidden"
    kind, text = two.call(served_above.ask, one, OPEN, "nothing")
    assert kind == "NoSuchMethod"
    assert "there are" not in text  # only parents are told


def test_a_refused_start_of_a_service_imports_no_framework(relatives: tuple[Context, Context]) -> None:
    """Check 62."""
    one, two = relatives
    before = one.call("sys:modules.keys")
    assert two.call(served_above.ask, one, OPEN, "who")[0] == "ActivationRefused"
    added = set(one.call("sys:modules.keys")) - set(before)
    assert not [name for name in added if name.startswith(("remotesvc.service", served.__name__))]


@pytest.mark.parametrize("interpreter", ENDS, ids=str)
def test_the_master_and_a_grandparent_start_services_through_hops(router: Router, interpreter: Interpreter) -> None:
    """Check 65, through one and two hops; a child starts nothing in what is above it."""
    one = router.local(interpreter.path)
    two = router.local(interpreter.path, via=one)
    three = router.local(interpreter.path, via=two)
    assert three.call_service(served.Open, "who") == (0, 0, True)
    assert one.call(served_above.ask, two, served.Plain.name(), "add", 3) == 5
    assert one.call(served_above.ask, three, served.Plain.name(), "add", 3) == 5
    # It is active there.
    assert three.call(served_above.ask_parent, served.Plain.name(), "add", 3)[0] == "ServiceForbidden"
    kind, _ = three.call(served_above.ask_parent, served.Strict.name(), "spec", "x")
    assert kind == "ActivationRefused"
    assert list(three.service(served.Plain).items(300)) == list(range(300))
    future = three.call_service_async(served.Plain, "echo", b"x" * 3000000)
    assert future.result(LIMIT) == b"x" * 3000000


def test_a_sibling_and_a_cousin_are_who_the_hop_says(siblings: Router) -> None:
    """Check 67: what a sibling says of itself is stamped by the hop; a forged frame is dropped and counted."""
    one, two = siblings.local(), siblings.local()
    one.call_service(served.Open, "who")
    dropped = siblings.kernel.dropped
    two.call(served_above.forge, one.id, wire.CALL_SERVICE)
    assert two.call(served_above.ask, one, OPEN, "who") == (2, 2, False)
    until(lambda: siblings.kernel.dropped > dropped)
    counts = {entry["service"]: entry["calls"] for entry in one.call(served.statistics)}
    assert counts[OPEN] == 2


# -- the master's services


def test_threads_of_called_code_know_what_is_above(router: Router) -> None:
    with Pool(router, services=[served_above.OnTheMaster]):
        one = router.local()
        for context, above in ((one, 0), (router.local(via=one), one.id)):
            given, parent, received, said = context.call(served_above.ask_on_own_thread)
            assert (given[:2], parent, received) == (["thread", context.id], above, "own")
            assert "take current() in the called function, and hand it on" in said


@pytest.mark.parametrize("interpreter", ENDS, ids=str)
def test_children_call_services_of_the_master(router: Router, interpreter: Interpreter) -> None:
    with Pool(router, services=[served_above.OnTheMaster]) as pool:
        one = router.local(interpreter.path)
        two = router.local(interpreter.path, via=one)
        for context in (one, two):
            assert context.call(served_above.ask_master, "give", "file") == ["file", context.id, os.getpid()]
            assert context.call(served_above.ask_master, "items", 5) == [0, 1, 2, 3, 4]
            answer = context.call(served_above.ask, master_of(router), served_above.NAME, "parents_only")
            assert answer[0] == "ServiceForbidden"
            assert context.call(served_above.ask, master_of(router), OPEN, "who")[0] == "ActivationRefused"
        service = pool.get_service(served_above.OnTheMaster)
        assert isinstance(service, served_above.OnTheMaster)
        assert service.seen == [("file", one.id), ("file", two.id)]
        assert service.router is router
        assert service.pool is pool
        assert pool.call(served_above.OnTheMaster, "give", "x") == ["x", 0, os.getpid()]


def master_of(router: Router) -> Context:
    return router.kernel.tree().context(0, "master")  # type: ignore[attr-defined, no-any-return]


def test_a_master_without_a_pool_says_so(router: Router) -> None:
    context = router.local()
    kind, text = context.call(served_above.ask_parent, served_above.NAME, "give", "x")
    assert kind == "ServiceInactive"
    assert "make a remotesvc.service.Pool" in text


def test_a_call_to_the_master_can_be_given_up(router: Router, tmp_path: Path) -> None:
    with Pool(router, services=[served_above.OnTheMaster], size=1) as pool:
        context = router.local()
        path = tmp_path / "called"

        def briefly(seconds: float) -> None:
            said = context.call(served_above.ask_master_briefly, str(path), seconds)
            assert f"no answer within {seconds:g} s" in said

        runs_out(briefly, path, 0.2)
        until(lambda: pool.statistics()[0]["running"] == 0)


def test_a_child_that_is_lost_gives_its_calls_up(router: Router, tmp_path: Path) -> None:
    with Pool(router, services=[served_above.OnTheMaster], size=1) as pool:
        context = router.local()
        path = tmp_path / "called"
        context.cast(served_above.ask_master, "wait", str(path))
        appears(path)
        assert pool.statistics()[0]["running"] == 1
        context.close()
        until(lambda: pool.statistics()[0]["running"] == 0)


def test_a_service_of_the_master_calls_its_caller_back(router: Router) -> None:
    """The child runs one call at a time, and that waits for this one."""
    with Pool(router, services=[served_above.OnTheMaster], size=1):
        context = router.local(concurrency=1)
        assert context.call(served_above.ask_master, "back") == context.info["pid"]


class Everybody(Service):
    """What one context may call."""

    only: list[Context] = []

    @expose(policy=AllowContexts([]))
    def nobody(self) -> None:
        pass


def test_a_policy_that_names_contexts(router: Router) -> None:
    one, two = router.local(), router.local()

    class Named(Service):
        @expose(policy=AllowContexts([one]))
        def method(self) -> str:
            return "one"

        @classmethod
        def name(cls) -> str:
            return "named"

    with Pool(router, services=[Named, Everybody]):
        assert one.call(served_above.ask_parent, "named", "method") == "one"
        assert two.call(served_above.ask_parent, "named", "method")[0] == "ServiceForbidden"
        assert one.call(served_above.ask_parent, Everybody.name(), "nobody")[0] == "ServiceForbidden"


# -- activators


class Short(Activator):
    """Another naming scheme: "served/Plain"; and siblings may start what is open."""

    def may_activate(self, name: str, caller: Any) -> bool:
        return name == "served/Open" or super().may_activate(name, caller)

    def find(self, name: str, router: Any) -> type[Service]:
        if not name.startswith("served/"):
            raise ServiceInactive(f"{name} is not known here")
        return super().find("tests.kernel.served." + name.partition("/")[2], router)


def test_another_activator_names_and_allows_services_its_own_way(siblings: Router) -> None:
    """Check 68: another naming scheme, and an allow-list."""
    with Pool(siblings) as pool:
        pool.activator = Short()
        context = siblings.local()
        assert context.call(served_above.ask_parent, "served/Open", "who") == (1, 1, False)
        assert context.call(served_above.ask_parent, OPEN, "who") == (1, 1, False)  # the same by its own name
        assert context.call(served_above.ask_parent, "served/Plain", "add", 1)[0] == "ActivationRefused"
        assert pool.get_service("served/Open") is not None
        with pytest.raises(ServiceInactive, match="not known here"):
            pool.get_service("tests.kernel.served.Strict")
    with Pool(siblings) as pool:
        pool.activator = AllowList(served.Open, "some.Other")
        assert pool.call(OPEN, "either") == "either"
        with pytest.raises(ServiceInactive, match="not among the services"):
            pool.get_service("tests.kernel.served.Plain")


def test_an_activator_of_a_child(context: Context, heard: Heard) -> None:
    context.call(served.allow_only, [OPEN])
    assert context.call_service(served.Open, "who") == (0, 0, True)
    with pytest.raises(ServiceInactive, match="not among the services"):
        context.call_service(served.Plain, "add", 1)


def test_errors_of_services_are_errors_of_ours() -> None:
    for cls in (remotesvc.service.ServiceRefused, remotesvc.service.ActivationRefused, remotesvc.service.NoSuchMethod):
        assert issubclass(cls, remotesvc.NotSent)
        assert issubclass(cls, remotesvc.Error)
