"""Functions that call what has no name in a child of their own, of any Python from 3.6 on."""

import collections
import functools
import pathlib
import re

import remotesvc
from tests.kernel.notebooks import CELLS, Notebook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FACTOR = 3


def helper(x: int) -> int:
    return x * FACTOR


def loudly(function: "Callable[..., Any]") -> "Callable[..., Any]":
    @functools.wraps(function)
    def inner(*args: "Any", **kwargs: "Any") -> str:
        return str(function(*args, **kwargs)) + "!"

    return inner


def below(python: str, known: bool) -> "Any":
    """A context of our own, whose Python is, or is not, known when it is called."""
    context = remotesvc.current().router.tree().local(python)
    if known:
        context.wait_ready()
    return context.options(timeout=30)


def lambdas(python: str, known: bool) -> "list[Any]":
    add = 10
    texts = ["(", "lambda: 0"]  # what a lambda is not
    pair = (lambda x: x + 1), (lambda x: [each + add for each in (x, "),".count(","))])
    by_name = {"k": lambda x, *rest, word=("a", "b"), **more: (x, rest, word, sorted(more))}
    with below(python, known) as context:
        return [
            context.call(lambda x: x + 1, 2),
            context.call(lambda: helper(
                add
            ) if texts else 0),
            [context.call(each, 1) for each in pair],
            context.call(by_name["k"], 1, 2, z=3),
            context.call(lambda f, *args: f(*args), lambda x: x * add, 5),
        ]


def closures(python: str, known: bool) -> "list[Any]":
    total, unset = 0, []  # type: Any, list[int]

    def add(number: int, by: "list[int]" = [2, 3], *, word: str = "defa" + "ult") -> "Any":  # noqa: B006
        """Two lines,
        and a closure."""
        nonlocal total
        total += number * sum(by)
        return total, word, unset

    def factorial(n: int) -> int:
        return 1 if n < 2 else n * factorial(n - 1)

    def outer(n: int) -> "Callable[[int], int]":
        def inner(x: int) -> int:
            return helper(x) + n
        return inner
    # A comment that belongs to nobody.

    def numbers(n: int) -> "Any":
        for number in range(n):
            yield number + total

    with below(python, known) as context:
        return [
            context.call(add, 1),
            context.call(factorial, 6),
            context.call(outer(1), 2),
            context.call(lambda: outer(2)(3)),
            list(context.call(numbers, 3)),
        ]


def coroutine(python: str, known: bool) -> int:
    number = 3

    async def later(x: int) -> int:
        return x + number

    with below(python, known) as context:
        return int(context.call(later, 7))


def decorated(python: str, known: bool) -> "list[Any]":
    @loudly
    def greet(name: str, *, word: str = "hello") -> str:
        return word + " " + name

    with below(python, known) as context:
        return [context.call(greet, "you"), context.call(lambda: greet("you", word="hi"))]


class Box:
    """What only pickle carries, and something in it."""

    def __init__(self, value: "Any") -> None:
        self.value = value

    def get(self) -> "Any":
        return self.value


def shown(box: Box) -> str:
    """The same in every Python."""
    value = box.value
    return str(getattr(value, "pattern", getattr(value, "__name__", value)))


def boxes() -> "list[Box]":
    paths = [pathlib.PurePosixPath("/a"), pathlib.Path("b"), pathlib.PurePath]
    return [Box(each) for each in paths + [re.compile("a+", re.I), collections.Counter("aab"), helper, Box, None, re]]


def objects(python: str, known: bool) -> "list[Any]":
    said = []  # type: list[Any]
    with below(python, known) as context:
        said.extend(context.call(shown, box) for box in boxes())
        said.append(context.call(Box(7).get))
        said.append(context.call(lambda paths: [str(path) for path in paths], [pathlib.PurePosixPath("/c")]))
    return said


USES = """
def of(thing):
    return thing.double(), thing.next.value, isinstance(thing, Base)
"""


def notebook(python: str, known: bool) -> "list[Any]":
    book = Notebook(*CELLS, USES)
    with below(python, known) as context:
        return [
            context.call(book.helper, 4),
            context.call(book.of, book.Thing(2)),
            context.call(book.base, "/a/b"),
        ]


CHANGED = """
class Coded(Exception):
    def __init__(self, text, *, code):
        super().__init__(text)
        self.code = code
    def name(self): return "old"
    def gone(self): return 1
Old = Coded
Coded.name = lambda self: "new"
del Coded.gone
class Coded(Coded):
    def name(self): return "another " + super().name()
def counter():
    n = 0
    def increase():
        nonlocal n
        n += 1
    def get(): return n
    return increase, get
def told(old, increase, get):
    increase()
    return old.args, old.code, old.name(), hasattr(old, "gone"), Coded("b", code=4).name(), get()
"""


def changed(python: str, known: bool) -> "list[Any]":
    book = Notebook(CHANGED)
    with below(python, known) as context:
        return context.call(book.told, book.Old("a", code=3), *book.counter())  # type: ignore[no-any-return]


def made_in_a_function(python: str, known: bool) -> str:
    """What the error says of a class that only a function knows."""
    class Local:
        def get(self) -> int:
            return 1

    return _refused(python, known, Local().get)


def refused(python: str, known: bool, cell: str, kept: bool = True) -> str:
    """What the error says of calling a cell's ``f``; empty if there is none."""
    return _refused(python, known, Notebook(cell, known=kept).f)


def _refused(python: str, known: bool, function: "Callable[[], Any]") -> str:
    with below(python, known) as context:
        try:
            context.call(function)
        except remotesvc.VersionSkewError as error:
            assert context.call("operator:add", 1, 1) == 2
            return str(error)
    return ""


def handed_on(python: str, known: bool, function: "Callable[..., Any]", *args: "Any") -> "Any":
    """Call below what came from above, and has no file here."""
    with below(python, known) as context:
        return context.call(function, *args)


def made_and_handed_on(python: str, function: "Callable[..., Any]", oldest: str, known: bool, number: int) -> "Any":
    """Call a function below with a lambda of ours, for it to hand on."""
    with below(python, True) as context:
        return context.call(function, oldest, known, lambda x: helper(x), number)
