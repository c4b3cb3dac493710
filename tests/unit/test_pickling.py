"""Source to be sent: where a definition ends, and whose source it is."""

from __future__ import annotations

import ast
import itertools
import linecache
import subprocess
import sys
from types import CodeType, FunctionType
from typing import Any

import pytest

from remotesvc.bootstrap.calls import bysource as there
from remotesvc.bootstrap.imports.modules import Request
from remotesvc.pickling import extent
from remotesvc.pickling.bysource import _is_plain
from remotesvc.pickling.codes import alike, inner, names_at_once, names_in, same
from remotesvc.pickling.parts import Pickles
from remotesvc.pickling.sent import MOST, Sent, digest_of
from remotesvc.pickling.source import Sources

LAMBDAS = '''
pair = (lambda x: x + 1), (lambda x: "),")
table = {lambda: 1: lambda: [2, 3], "k": lambda x, *rest, y=(1, 2), **more: {x: y}}
plain = lambda: 0; other = lambda: 1
wide = f(lambda: g(
    1,
    2)
    if 3 else 4, key=lambda each:
    each)
def inside(by=lambda ä: "ü", *rest):
    "äöü"; return [each for each in (lambda: 1, lambda: 2) if (lambda: each)]
deep = lambda x: lambda y: (x, y)
both = lambda: 1 or \\
    2
'''

DEFINITIONS = '''
@decorator(
    1)
def first(x):
    """Text
    of two lines."""
    def inside():
        return (x,
                2)
    # to it

    return inside

# to nobody
class Thing(Base,
            metaclass=Meta):
    one = 1
    async def later(self):
        return [
            1,
        ]
def short(): return 1
def last():
    pass
'''


def test_a_lambda_ends_where_python_says_so_from_3_8_on() -> None:
    found = [node for node in ast.walk(ast.parse(LAMBDAS)) if isinstance(node, ast.Lambda)]
    assert len(found) == 16
    for node in found:
        told = extent.expression(LAMBDAS, node)
        node.end_lineno = None
        assert extent.expression(LAMBDAS, node) == told


def test_a_definition_ends_where_python_says_so_from_3_8_on() -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = [node for node in ast.walk(ast.parse(DEFINITIONS)) if isinstance(node, kinds)]
    assert len(found) == 6
    for node in found:
        told = extent.last_line(DEFINITIONS, node)
        node.end_lineno = None
        assert extent.last_line(DEFINITIONS, node) == told


def test_lines_end_where_python_ends_them() -> None:
    text = "one = '\x0c\u2028'\ntwo = 2\n\n"
    assert extent.lines(text, 2, 2) == extent.lines(text, 2, 4) == "two = 2\n"


def code(text: str, line: int = 1) -> CodeType:
    return next(inner(compile("\n" * (line - 1) + text, "", "exec", 0, True)))


def test_the_same_code_in_another_file_or_function_is_the_same() -> None:
    text = "def f(x, y=1):\n    return [g(each) for each in x], lambda: y\n"
    deeper = "def outer():\n" + "".join(f" {line}" for line in text.splitlines(keepends=True))
    assert same(code(text), code(text))
    assert alike(code(text), next(inner(code(deeper))))
    assert not same(code(text), code(text, 2))


@pytest.mark.parametrize("other", ["x + 2", "x + y", "x - 1", "x.a + 1", "(lambda: x)() + 1"])
def test_other_code_is_not_the_same(other: str) -> None:
    assert not same(code("def f(x): return x + 1\n"), code(f"def f(x): return {other}\n"))


def test_names_that_code_looks_up() -> None:
    cell = (
        "class A(base):\n"
        "    kind = factor\n"
        "    class B:\n"
        "        deep = deeper\n"
        "    def f(self):\n"
        "        return late + self.attribute\n"
    )
    body = compile(cell, "", "exec", 0, True)
    assert names_at_once(body) - {"__name__"} == {"base", "factor", "deeper"}
    assert names_in(body) - {"__name__"} == {"base", "factor", "deeper", "late"}


NUMBERS = itertools.count()


def functions(cell: str, known: bool = True) -> dict[str, Any]:
    """What a cell defines. known: whether its source is."""
    name, names = f"<pickling-{next(NUMBERS)}>", {"__name__": "__main__"}
    if known:
        linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
    exec(compile(cell, name, "exec", 0, True), names)
    return names


def test_the_sender_tells_the_definition_of_what_it_sent_and_of_what_is_in_it() -> None:
    text = "def f(x):\n    def deep():\n        return x\n    return deep\n"
    made = functions("SECRET = 1\n" + text + "def g():\n    return 2\n")
    sent, f, deep = Sent(), made["f"], made["f"](1)
    sent.note(f)
    assert sent.definition(digest_of(f.__code__)) == [text, 2, "f", 0, [], "", []]
    piece = sent.definition(digest_of(deep.__code__))
    assert piece == ["    def deep():\n        return x\n", 3, "deep", 4, ["x"], "", []]
    assert same(there.code_of(piece, ""), deep.__code__)
    assert sent.definition(digest_of(made["g"].__code__)) is None


def test_the_sender_tells_the_class_of_a_method() -> None:
    text = "class Other:\n    def f(self):\n        return 1\n"
    method = functions("x = 1\n@print\nclass Thing:\n    pass\n" + text)["Other"].f
    sent = Sent()
    sent.note(method)
    assert sent.definition(digest_of(method.__code__)) == [text, 5, "Other", 0, [], None, []]


def made_again(function: Any) -> Any:
    """The code that another Python makes of a function's source, which goes on from there as it came."""
    sources = Sources(lambda code: None)
    piece, names = sources.of_function(function), {"__name__": "__main__"}
    cells = {name: there.cell() for name in function.__code__.co_freevars}
    again = there.function(piece, function.__code__.co_filename, names, cells)
    assert sources.of_function(again) == piece
    assert same(again.__code__, function.__code__)
    assert again.__code__.co_filename == function.__code__.co_filename
    return again


SCOPES = """
from __future__ import annotations
import functools

if True:
    def factorial(n):
        return n < 2 or n * factorial(n - 1)

class _Thing:
\tkinds = [lambda self: self.__hidden, lambda self: self.__other]
\tdef list(self):
\t\treturn list(self.__hidden)
\tdef deep(self, list=list):
\t\tdef inner():
\t\t\treturn lambda: (self.__hidden, list, super().deep())
\t\treturn inner

def outer(x):
 def sorted(y: nothing = 1) -> nothing:
  def annotated(z: x | y): return sorted(x)
  return annotated
 return sorted

def recursive():
    def count(n):
        return n and count(n - 1)
    return count

def cell():
    def max(values):
        return lambda: (max, values)
    return max

def class_inside():
    class max:
        def max(self):
            return max(self.__x)
    return max.max
"""


@pytest.mark.parametrize(
    "made",
    [
        "factorial", "_Thing.list", "_Thing.deep", "_Thing.kinds[0]", "_Thing.kinds[1]", "_Thing().deep()",
        "_Thing().deep()()", "outer(1)", "outer(1)(2)", "recursive()", "cell()", "cell()(1)", "class_inside()",
    ],
)  # fmt: skip
def test_what_is_cut_out_of_its_place_does_the_same(made: str) -> None:
    names = functions(SCOPES)
    made_again(eval(made, names))


def test_what_is_sent_on_has_the_source_that_came_with_it() -> None:
    names: dict[str, Any] = {}
    piece = ["lambda: x", 3, "<lambda>", 0, ["x"], "", []]
    made = there.function(piece, "<elsewhere>", names, {"x": there.cell()})
    sent = Sent()
    sent.note(made)
    assert sent.definition(digest_of(made.__code__)) == piece


def test_what_has_no_source_here_is_asked_for_above() -> None:
    function, above = functions("def f():\n    return 1\n", known=False)["f"], []

    def ask(request: Request) -> dict[str, Any]:
        above.append((request.kind, request.name))
        return {"piece": ["from above"]}

    asked = {"kind": "definition", "name": digest_of(function.__code__)}
    assert Pickles(ask, id).answer(asked) == {"piece": ["from above"]}
    assert above == [("definition", asked["name"])]


@pytest.mark.parametrize("name", [None, 1, b"0", ["0"], "0" * 65])
def test_what_is_no_digest_is_refused(name: Any) -> None:
    def ask(request: Request) -> dict[str, Any]:
        pytest.fail("asked for what nobody can have")

    assert Pickles(ask, id).answer({"kind": "definition", "name": name}) == {"reason": "no digest of code"}


def test_only_the_latest_definitions_that_were_sent_are_remembered() -> None:
    sent, texts = Sent(), [f"def f(): return {number}\n" for number in range(MOST + 1)]
    made = [code(text) for text in texts]
    for number in [*range(MOST), 0, MOST]:
        sent.note(FunctionType(made[number], {there.SOURCES: [("", (texts[number], 1, "f", 0, (), "", ()))]}))
    told = [sent.definition(digest_of(each)) is not None for each in (made[0], made[1], made[2], made[MOST])]
    assert told == [True, False, True, True]


def test_a_digest_is_the_same_in_every_process() -> None:
    text = "f = lambda x: x in {'a', 'b', 'c', 'd'} and (lambda: (x, 1.5, b'', ...))\n"
    script = f"from tests.unit.test_pickling import code, digest_of\nprint(digest_of(code({text!r})))"
    said = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True
        ).stdout.strip()
        for seed in ("1", "2", "3")
    }
    assert said == {digest_of(code(text))}
    assert digest_of(code(text)) != digest_of(code(text.replace("1.5", "2.5")))


def test_plain_values_are_looked_at_once_in_each_level() -> None:
    shared: Any = 1
    for _ in range(8):
        shared = [shared] * 900
    assert _is_plain(shared) and not _is_plain([shared])
    assert _is_plain({"a": {(1, b"2"): [None]}}) and not _is_plain({"a": {1: [object()]}}) and not _is_plain({len: 1})
