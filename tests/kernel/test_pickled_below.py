"""A child calls what has no name in a child of its own, of another Python: a chain of three, master, 3.x and 3.y."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from remotesvc import CallError, Router
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called_below
from tests.kernel.contexts import LIMIT
from tests.kernel.notebooks import CELLS, Notebook

pytest_plugins = ("tests.kernel.call_fixtures",)

CLOUDPICKLE = (3, 8)
"""The oldest Python that cloudpickle runs on: the bytecode of others goes nowhere."""

Below = Callable[..., dict[str, Any]]


def ends(middle: Interpreter) -> list[Interpreter]:
    """What is below a Python: the oldest, the newest, and itself."""
    found = interpreters.found()
    return sorted({found[0], found[-1], middle})


@pytest.fixture
def interpreter(case: tuple[Interpreter, str]) -> Interpreter:
    return case[0]


@pytest.fixture
def below(router: Router, case: tuple[Interpreter, str]) -> Below:
    """What a function of `called_below` returns in a child of one Python for each Python that may be below it."""
    interpreter, known = case[0], case[1] == "known"
    middle = router.local(interpreter.path).options(timeout=LIMIT)

    def call(function: Callable[..., Any], *args: Any) -> dict[str, Any]:
        return {str(each): middle.call(function, each.path, known, *args) for each in ends(interpreter)}

    return call


def everywhere(interpreter: Interpreter, value: Any) -> dict[str, Any]:
    return {str(each): value for each in ends(interpreter)}


def test_lambdas(below: Below, interpreter: Interpreter) -> None:
    value = [3, 30, [2, [11, 11]], (1, (2,), ("a", "b"), ["z"]), 50]
    assert below(called_below.lambdas) == everywhere(interpreter, value)


def test_nested_functions_with_cells_and_defaults(below: Below, interpreter: Interpreter) -> None:
    value = [(5, "default", []), 720, 7, 11, [0, 1, 2]]
    assert below(called_below.closures) == everywhere(interpreter, value)
    assert below(called_below.coroutine) == everywhere(interpreter, 10)


def test_decorated_functions(below: Below, interpreter: Interpreter) -> None:
    assert below(called_below.decorated) == everywhere(interpreter, ["hello you!", "hi you!"])


def test_functions_and_classes_of_cells(below: Below, interpreter: Interpreter) -> None:
    value = [13, (22, 3, True), ("b", 2)]
    assert below(called_below.notebook) == everywhere(interpreter, value)


def test_objects_that_only_pickle_carries(below: Below, interpreter: Interpreter) -> None:
    value = [*map(called_below.shown, called_below.boxes()), 7, ["/c"]]
    assert below(called_below.objects) == everywhere(interpreter, value)


def test_classes_exceptions_and_shared_variables_are_what_they_were(below: Below, interpreter: Interpreter) -> None:
    value = (("a",), 3, "new", False, "another new", 1)
    assert below(called_below.changed) == everywhere(interpreter, value)


def test_a_class_made_in_a_function_is_refused(below: Below, interpreter: Interpreter) -> None:
    for there, text in below(called_below.made_in_a_function).items():
        bytecode = there == str(interpreter) and interpreter.version >= CLOUDPICKLE
        assert ("Local was made in a function, and only those of the top level can be sent" in text) != bytecode


def test_without_source_the_error_says_what_to_do(below: Below, interpreter: Interpreter) -> None:
    said = below(called_below.refused, "def f():\n    return 1\n", False)
    for there, text in said.items():
        if there == str(interpreter) and interpreter.version >= CLOUDPICKLE:
            assert text == ""
            continue
        for part in (str(interpreter), "the source of f is not known here", "put", "into a module"):
            assert part in text
        assert there in text or interpreter.version < CLOUDPICKLE, text


def test_what_an_old_python_cannot_read(router: Router) -> None:
    oldest, newest = interpreters.found()[0], interpreters.found()[-1]
    middle = router.local(newest.path).options(timeout=LIMIT)
    cell = "def f():\n    return (y := 1)\n"
    assert "this Python cannot read the source of f" in middle.call(called_below.refused, oldest.path, True, cell)
    assert middle.call(called_below.refused, newest.path, True, cell) == ""


def test_lambdas_of_one_line_that_cannot_be_told_apart(below: Below, interpreter: Interpreter) -> None:
    said = below(called_below.refused, "f, g = (lambda: [1]), (lambda:  [1])\n")
    for there, text in said.items():
        bytecode = there == str(interpreter) and interpreter.version >= CLOUDPICKLE
        assert ("cannot be told from others in line 1" in text) != bytecode


def test_what_came_from_the_master_goes_on(below: Below, interpreter: Interpreter) -> None:
    """Where it came as bytecode, and no file has it, the master is asked for its source."""
    book = Notebook(*CELLS)
    assert below(called_below.handed_on, book.helper, 3) == everywhere(interpreter, 9)
    assert below(called_below.handed_on, book.factorial(), 6) == everywhere(interpreter, 720)
    assert below(called_below.handed_on, book.greet, "you") == everywhere(interpreter, "hello you!")


def test_each_context_asks_the_one_above_for_source(router: Router) -> None:
    """Three of one version, and another below them: the master alone knows the source of what it sent, and the context
    below it that of what it made itself."""
    same, oldest = sys.executable, interpreters.found()[0].path
    top = router.local().options(timeout=LIMIT)
    further = (called_below.handed_on, oldest, True)
    assert top.call(called_below.handed_on, same, True, *further, Notebook(*CELLS).factorial(), 6) == 720
    assert top.call(called_below.handed_on, same, True, *further, lambda x: x + LIMIT, 1) == 1 + LIMIT
    assert top.call(called_below.made_and_handed_on, same, *further, 2) == 2 * called_below.FACTOR


def test_objects_that_came_from_the_master_go_on(below: Below, interpreter: Interpreter) -> None:
    book = Notebook(
        "STEP = 2\n"
        "class Base:\n"
        "    def __init__(self, value=1):\n"
        "        self.value = value\n"
        "class Thing(Base):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "    @property\n"
        "    def next(self):\n"
        "        return Base(self.value + STEP)\n"
        "def of(thing):\n"
        "    return thing.next.value, isinstance(thing, Base)\n"
    )
    assert below(called_below.handed_on, book.of, book.Thing()) == everywhere(interpreter, (3, True))


def test_a_class_that_lost_names_of_its_statement_is_refused_with_them(router: Router) -> None:
    """Bytecode brings what methods use, and no more."""
    book, middle = Notebook(*CELLS), router.local().options(timeout=LIMIT)
    with pytest.raises(CallError, match="class Base cannot be made here: name 'FACTOR' is not defined; put it into a"):
        middle.call(called_below.handed_on, interpreters.found()[0].path, True, book.Base, 1)


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_a_lambda_of_what_came_from_the_master(interpreter: Interpreter, router: Router) -> None:
    book = Notebook(*CELLS)
    book.run(
        "def go(python):\n"
        "    import remotesvc\n"
        "    two = 2\n"
        "    with remotesvc.current().router.tree().local(python) as below:\n"
        "        return below.call(lambda x: helper(x) + two, 1), below.call(pair[1], 1)\n"
    )
    middle = router.local(interpreter.path).options(timeout=LIMIT)
    said = {str(each): middle.call(book.go, each.path) for each in ends(interpreter)}
    assert said == everywhere(interpreter, (5, 4))
