"""No import waits for ever: many threads at once, a service the import itself needs, a deadline, a shutdown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import remotesvc
from tests.kernel.contexts import LIMIT
from tests.kernel.importing import write

THREADS = 32
ROUNDS = 200

FILES: dict[str, str | bytes] = {
    "storm.py": """
import importlib, sys, threading
def storm(threads, names, ends=True):
    gate = threading.Barrier(threads)
    failed = []
    def work(number):
        gate.wait()
        # From different ends: packages that import each other are begun with by different threads.
        first = number % len(names) if ends else 0
        for name in names[first:] + names[:first]:
            try:
                importlib.import_module(name)
            except BaseException as error:
                failed.append("%s: %r" % (name, error))
    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    return failed
def again(names, threads, rounds, ends):
    failed = []
    for _ in range(rounds):
        for name in [name for name in sys.modules if name.partition(".")[0] in ("ring", "tree")]:
            del sys.modules[name]
        failed += storm(threads, names, ends)
    return failed
""",
    "ring/__init__.py": "",
    "tree/__init__.py": "from .a import A\n",
    "tree/a.py": "A = 1\nfrom . import b\n",
    "tree/b.py": "B = 1\n",
    "slow_import.py": "import threading\nthreading.Event().wait(60)\n",
}
for _number in range(6):
    FILES[f"ring/m{_number}.py"] = f"from . import m{(_number + 1) % 6}\nimport tree.b, json, decimal\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    return tmp_path


@pytest.fixture
def context(project: Path) -> Iterator[remotesvc.Context]:
    with remotesvc.Router(path=[project], allow=["ring", "tree"]) as router:
        yield router.local()


def test_threads_that_import_at_once(context: remotesvc.Context) -> None:
    names = ["ring.m0", "tree.a", "tree"]
    patient = context.options(timeout=4 * LIMIT)
    assert patient.call("storm:storm", THREADS, names, False) == []
    assert patient.call("storm:again", names, THREADS, ROUNDS, False) == []


def test_threads_that_begin_at_different_ends_of_a_ring(context: remotesvc.Context) -> None:
    """Python itself tells one of them so where its locks would make it wait for ever, with files, too. None hangs."""
    failed = context.options(timeout=4 * LIMIT).call("storm:again", ["tree.a", "ring.m0", "tree"], THREADS, 20, True)
    # Whoever waits for a package whose import was ended so finds it gone: Python says that with a bare KeyError.
    expected = ("_DeadlockError", "KeyError('tree')")
    assert [each for each in failed if not any(word in each for word in expected)] == []


def test_contexts_that_import_at_once(project: Path) -> None:
    with remotesvc.Router(path=[project], allow=["ring", "tree"]) as router:
        contexts = [router.local() for _ in range(4)]
        patient = [each.options(timeout=2 * LIMIT) for each in contexts]
        futures = [each.submit("storm:storm", 8, ["ring.m0", "tree.a"], False) for each in patient]
        assert [future.result(3 * LIMIT) for future in futures] == [[], [], [], []]
        # What was asked for eight times at once was asked for once.
        assert router.modules.statistics()["requests"]["module"] <= 2 * len(contexts)


def test_import_that_waits_ends_with_its_call(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The master does not answer: the call is over at its deadline, and the next one works."""
    with remotesvc.Router(path=[project], allow=["tree"]) as router:
        context = router.local().options(timeout=LIMIT)
        context.call("storm:storm", 1, [], False)
        answering = threading.Event()
        answer = router.modules.answer

        def late(child: int, wanted: object) -> dict[str, object]:
            answering.wait(LIMIT)
            return answer(child, wanted)

        monkeypatch.setattr(router.modules, "answer", late)
        with pytest.raises(remotesvc.CallTimeout):
            context.options(timeout=0.5).call("storm:storm", 1, ["tree"], False)
        answering.set()
        assert context.call("storm:storm", 1, ["tree"], False) == []


def test_router_closed_while_a_child_imports(project: Path) -> None:
    router = remotesvc.Router(path=[project])
    with router:
        future = router.local().submit("slow_import:nothing")
    with pytest.raises(remotesvc.Error):
        future.result(LIMIT)


def test_an_answer_that_comes_after_the_router_is_closed_is_nobodys_error(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    router = remotesvc.Router(path=[project], allow=["tree"])
    asked, closed = threading.Event(), threading.Event()
    answer = router.modules.answer

    def late(child: int, wanted: object) -> dict[str, object]:
        asked.set()
        closed.wait(LIMIT)
        return answer(child, wanted)

    with router:
        context = router.local()
        context.call("storm:storm", 1, [], False)
        monkeypatch.setattr(router.modules, "answer", late)
        future = context.submit("storm:storm", 1, ["tree"], False)
        assert asked.wait(LIMIT)
        context.tree.router.close()
        closed.set()
    with pytest.raises(remotesvc.Error):
        future.result(LIMIT)
    assert caplog.messages == []
