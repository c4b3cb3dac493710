"""Tracebacks of what has no module: they name files and lines, whether it travelled as bytecode or as source."""

from __future__ import annotations

import importlib.util
import linecache
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remotesvc import CallError, Router
from remotesvc.pickling import files
from tests.interpreters import Interpreter
from tests.kernel.contexts import LIMIT
from tests.kernel.notebooks import Notebook

pytest_plugins = ("tests.kernel.call_fixtures",)

CLOSURE = """def make(number):
    def inner():
        return 1 / {}
    return inner
"""


def closure_in(path: Path, divisor: str) -> Any:
    """A closure of a file that no import finds."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(CLOSURE.format(divisor))
    spec = importlib.util.spec_from_file_location(f"unheard_of_{divisor}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make(1)


def rendered(call: Callable[[], object]) -> str:
    with pytest.raises(ZeroDivisionError) as caught:
        call()
    assert isinstance(caught.value, CallError)
    return caught.value.render()


@pytest.mark.parametrize("known", [False, True])
def test_files_and_lines(router: Router, interpreter: Interpreter, tmp_path: Path, known: bool) -> None:
    """Two files of one name are told apart; cells of a notebook have lines, too."""
    there = router.local(interpreter.path).options(timeout=LIMIT)
    if known:
        there.wait_ready()
    texts = []
    for divisor in ("0", "False"):
        function = closure_in(tmp_path / divisor / "sums.py", divisor)
        texts.append(rendered(lambda function=function: there.call(function)))  # type: ignore[misc]
    assert 'File "remotesvc:/sums.py", line 3, in inner\n    return 1 / 0\n' in texts[0]
    assert 'File "remotesvc:/sums.py#2", line 3, in inner\n    return 1 / False\n' in texts[1]
    assert str(tmp_path) not in "".join(texts)
    book = Notebook("\nf = lambda: 1 / 0\n")
    assert ", line 2, in <lambda>\n    f = lambda: 1 / 0\n" in rendered(lambda: there.call(book.f))


def code_of(path: str) -> Any:
    return compile("0", path, "eval")


def test_a_module_of_the_same_name_is_another_file() -> None:
    known = files.Files()
    assert known.shown(code_of(linecache.__file__)) == "/proc/remotesvc:/linecache.py"
    assert known.shown(code_of("/elsewhere/linecache.py")) == "/proc/remotesvc:/linecache.py#2"
    assert known.shown(code_of("/proc/remotesvc:/sent.py")) == "/proc/remotesvc:/sent.py", "by our parent"
    assert known.line("/proc/remotesvc:/linecache.py", 1).startswith('"""Cache lines from Python source files.')
    for unknown in ("/proc/remotesvc:/sent.py", "/etc/passwd", linecache.__file__):
        assert known.line(unknown, 1) == ""


def test_the_latest_files_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST", 2)
    known = files.Files()
    shown = [known.shown(code_of(f"/somewhere/else/{name}/unheard_of.py")) for name in "abc"]
    assert [name.rpartition("/")[2] for name in shown] == ["unheard_of.py", "unheard_of.py#2", "unheard_of.py#3"]
    assert known.shown(code_of("/somewhere/else/c/unheard_of.py")) == shown[2]
    assert known.shown(code_of("/somewhere/else/d/unheard_of.py")) == shown[0]
