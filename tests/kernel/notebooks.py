"""Cells of a notebook, whose functions have no module that others could import; for any Python from 3.6 on."""

import itertools
import linecache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NUMBERS = itertools.count()

CELLS = (
    """
import collections, os.path
FACTOR = 3
def helper(x, by=FACTOR):
    return x * by + even(x)
def even(n):
    return 1 if n == 0 else odd(n - 1)
def odd(n):
    return 0 if n == 0 else even(n - 1)
""",
    """
class Base:
    kind = FACTOR
    def __init__(self, value):
        self.value = value
    def double(self):
        return helper(self.value) * self.kind
class Thing(Base):
    def double(self):
        return super().double() + 1
    @property
    def next(self):
        return Thing(self.value + 1)
""",
    """
def loudly(function):
    def inner(*args, **kwargs):
        return "%s!" % function(*args, **kwargs)
    return inner
@loudly
def greet(name, *, word="hello"):
    '''Two lines
    of text'''
    return word + " " + name
def factorial():
    def inner(n):
        return 1 if n < 2 else n * inner(n - 1)
    return inner
def count(n):
    for number in range(n):
        yield number
def base(path):
    return os.path.basename(path), collections.Counter("aab")["a"]
pair = (lambda x: x + 1), (lambda x: x + FACTOR)
def fail():
    raise ValueError("in a cell")
""",
)


class Notebook:
    """Cells that ran one after the other, as IPython runs them. ``known``: their source can be had."""

    def __init__(self, *cells: str, known: bool = True) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self._known = known
        for cell in cells:
            self.run(cell)

    def run(self, cell: str) -> None:
        name = f"<notebook-{next(NUMBERS)}>"  # never one that linecache knows from before
        if self._known:
            linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
        exec(compile(cell, name, "exec", 0, True), self.names)

    def __getattr__(self, name: str) -> "Any":
        return self.names[name]
