"""Source to be sent: where a definition ends, and whose source it is."""

from __future__ import annotations

import ast
from types import CodeType

import pytest

from remotesvc.pickling import extent
from remotesvc.pickling.codes import alike, inner, names_at_once, names_in, same

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
def test_other_code_is_not(other: str) -> None:
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
