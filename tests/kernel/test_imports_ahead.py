"""What comes with a call and what follows it: whole trees of contexts, round trips counted as requests for modules."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import remotesvc
from tests.interpreters import Interpreter, found
from tests.kernel.contexts import LIMIT, gone
from tests.kernel.importing import write

CHAIN = 32
LARGE = 60


def noise(seed: int, size: int) -> str:
    """Text that does not get smaller."""
    return "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=size))


def files() -> dict[str, str | bytes]:
    tree: dict[str, str | bytes] = {}
    for number in range(CHAIN):
        following = f"from . import link{number + 1}\n" if number + 1 < CHAIN else ""
        tree[f"chain/link{number}.py"] = f"{following}VALUE = {number}\n"
        tree[f"nest/{'n/' * number}__init__.py"] = "from . import n\n" if number + 1 < CHAIN else "BOTTOM = 1\n"
    tree["chain/__init__.py"] = ""
    tree["walks.py"] = "import chain.link0\ndef total():\n    return chain.link0.VALUE\n"
    for number in range(LARGE):
        tree[f"large/part{number}.py"] = f"TEXT = {noise(number, 8000)!r}\n"
    tree["large/__init__.py"] = "from . import " + ", ".join(f"part{number}" for number in range(LARGE)) + "\n"
    tree["heavy.py"] = "import large\ndef size():\n    return len(large.part59.TEXT)\n"
    tree["jam.py"] = """
import threading
import remotesvc

jammed, free = threading.Event(), threading.Event()

def timers(limit):
    def wait():
        jammed.set()
        free.wait(limit)
    remotesvc.current().router.timers.after(0, wait)
    return jammed.wait(limit)

def go_on():
    free.set()
"""
    tree["named.py"] = "import importlib\ndef load(name):\n    return sorted(vars(importlib.import_module(name)))[-1]\n"
    tree["spread.py"] = "def one():\n    import large\n    return 1\ndef two():\n    return 2\n"
    tree["optional.py"] = """
def tries():
    failed = []
    for name in "nowhere", "chain.nothing", "_winapi", "org":
        try:
            __import__(name)
        except ImportError:
            failed.append(name)
    return failed
try:
    import nowhere
except ImportError:
    pass
"""
    return tree


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    write(root, files())
    return root


@pytest.fixture
def router(project: Path) -> Iterator[remotesvc.Router]:
    with remotesvc.Router(path=[project], allow=["nest", "chain", "large"]) as made:
        yield made


@pytest.fixture(params=found(), ids=str)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    return request.param  # type: ignore[no-any-return]


def requests(router: remotesvc.Router) -> int:
    """How often a module was asked for, those of this package aside."""
    return int(router.modules.statistics()["requests"].get("module", 0))


def test_static_chain_comes_with_the_first_call(router: remotesvc.Router, interpreter: Interpreter) -> None:
    context = router.local(python=interpreter.path)
    assert context.options(timeout=LIMIT).call("walks:total") == 0
    assert requests(router) == 0


def test_what_does_not_fit_into_the_first_flight_follows(router: remotesvc.Router, interpreter: Interpreter) -> None:
    context = router.local(python=interpreter.path)
    assert context.options(timeout=LIMIT).call("heavy:size") == 8000
    assert requests(router) == 0
    assert router.modules.statistics()["sent"] == LARGE + 2


def test_what_follows_a_context_that_is_up(router: remotesvc.Router, interpreter: Interpreter) -> None:
    context = router.local(python=interpreter.path).options(timeout=LIMIT)
    assert context.call("os:getpid") == context.info["pid"]
    assert context.call("heavy:size") == 8000
    assert requests(router) == 0


def test_dynamic_import_of_a_tree_larger_than_a_message_is_one_request(
    router: remotesvc.Router, interpreter: Interpreter
) -> None:
    context = router.local(python=interpreter.path).options(timeout=LIMIT)
    assert context.call("named:load", "large") == "part9"
    assert requests(router) == 1
    assert router.modules.statistics()["sent"] == LARGE + 2


def test_dynamic_import_of_a_tree_is_one_request(router: remotesvc.Router, interpreter: Interpreter) -> None:
    context = router.local(python=interpreter.path).options(timeout=LIMIT)
    assert context.call("named:load", "nest") == "n"
    assert requests(router) == 1
    assert context.call("named:load", "chain.link0") == "link1"
    assert requests(router) == 2


def test_what_nobody_has_is_known(router: remotesvc.Router, interpreter: Interpreter) -> None:
    context = router.local(python=interpreter.path).options(timeout=LIMIT)
    assert context.call("optional:tries") == ["nowhere", "chain.nothing", "_winapi", "org"]
    assert requests(router) == 1  # for chain, which tries() hides from the scan


def test_nothing_is_sent_or_compressed_twice(router: remotesvc.Router) -> None:
    first, second = (router.local().options(timeout=LIMIT) for _ in range(2))
    for context in (first, second, first):
        assert context.call("heavy:size") == 8000
    counts = router.modules.statistics()
    assert counts["sent"] == 2 * (LARGE + 2)
    # Once as source for the first flight, and those that went as code once more.
    assert counts["compressed"] <= 2 * (LARGE + 2)
    before = counts["compressed"]
    assert router.local().options(timeout=LIMIT).call("heavy:size") == 8000
    assert router.modules.statistics()["compressed"] - before <= LARGE


def test_calls_go_on_while_modules_follow(router: remotesvc.Router) -> None:
    context = router.local().options(timeout=LIMIT)
    assert [context.call("spread:two") for _ in range(3)] == [2, 2, 2]
    assert context.call("spread:one") == 1
    assert requests(router) == 0


def test_modules_that_arrived_are_not_asked_for_again(router: remotesvc.Router) -> None:
    hop = router.local().wait_ready()
    below = router.local(via=hop).options(timeout=LIMIT)
    assert below.call("os:getpid") > 0
    before = router.modules.statistics()
    # What came by itself is taken in on this thread: that it is held up must not matter.
    assert hop.options(timeout=LIMIT).call("jam:timers", LIMIT)
    assert below.call("heavy:size") == 8000
    hop.options(timeout=LIMIT).call("jam:go_on")
    assert router.modules.statistics()["requests"] == before["requests"]


def test_a_run_sees_one_version_of_a_module(tmp_path: Path) -> None:
    """What was read once is what every context gets, whatever becomes of the file; another router reads it anew."""
    def version(number: int) -> dict[str, str | bytes]:
        return {"edited.py": f"import inspect, sys\ndef version():\n    return {number}\n"
                             "def source():\n    return inspect.getsource(version)\n"}

    write(tmp_path, version(1))
    with remotesvc.Router(path=[tmp_path]) as router:
        first = router.local().options(timeout=LIMIT)
        assert first.call("edited:version") == 1
        write(tmp_path, version(2))
        later = router.local().options(timeout=LIMIT)
        for context in (first, later, router.local(via=first), router.local(via=router.local())):
            assert context.call("edited:version") == 1
            assert "return 1" in context.call("edited:source")
        (tmp_path / "edited.py").unlink()
        assert router.local().options(timeout=LIMIT).call("edited:version") == 1
    write(tmp_path, version(2))
    with remotesvc.Router(path=[tmp_path]) as router:
        assert router.local().options(timeout=LIMIT).call("edited:version") == 2


def test_each_link_carries_a_module_once(router: remotesvc.Router) -> None:
    hop = router.local().wait_ready()
    below = [router.local(via=hop).options(timeout=LIMIT) for _ in range(3)]
    below.append(router.local(via=below[0]).options(timeout=LIMIT))
    assert below[0].call("os:getpid") > 0
    before = router.modules.statistics()
    assert [context.call("heavy:size") for context in below] == [8000] * 4
    assert hop.options(timeout=LIMIT).call("heavy:size") == 8000
    after = router.modules.statistics()
    assert after["sent"] - before["sent"] == LARGE + 2
    assert after["requests"] == before["requests"]
    pids = [context.call("os:getpid") for context in below]
    for context in reversed(below):
        context.close()
    for pid in pids:
        gone(pid)
