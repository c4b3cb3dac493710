"""Imports on a child, in every interpreter found: the real finder and importer, and the real module server."""

from __future__ import annotations

from pathlib import Path

import pytest

from remotesvc.modules.server import ModuleServer
from tests.interpreters import Interpreter
from tests.kernel.importing import Child, RemoteError, write

pytest_plugins = ("tests.kernel.import_fixtures",)


def test_package_with_relative_imports_comes_with_one_request(child: Child) -> None:
    assert child.run("import shop; result = shop.total(1, 2)") == "3 EUR"
    assert child.names == ["shop"]
    state = child.run("result = [shop.__file__, shop.__path__, shop.__spec__.origin, shop.core.__package__]")
    assert state == [
        "/proc/remotesvc:/shop/__init__.py",
        ["/proc/remotesvc:/shop"],
        "/proc/remotesvc:/shop/__init__.py",
        "shop",
    ]
    assert child.run("result = shop.total.__code__.co_filename") == "/proc/remotesvc:/shop/core.py"


def test_what_is_pushed_with_a_call_is_not_asked_for(interpreter: Interpreter, module_server: ModuleServer) -> None:
    with Child(interpreter, module_server) as child:
        entries = module_server.ahead(1, "app", 1 << 20)
        child.deliver(entries)
        assert child.run("import app; result = [app.shop.VERSION, app.nspkg.two.WHERE, app.lazily()]") == [
            "1.0",
            "master two",
            "later",
        ]
        assert child.requests == []
        assert module_server.ahead(1, "app", 1 << 20) == []


def test_announced_module_is_waited_for(interpreter: Interpreter, module_server: ModuleServer) -> None:
    with Child(interpreter, module_server) as child:
        entries = module_server.ahead(1, "later", 1 << 20)
        child.announce(["later"])
        child.on_note = lambda note: child.deliver(entries)
        assert child.run("send('note', 1); import later; result = later.VALUE") == "later"
        assert child.requests == []


def test_circular_import(child: Child) -> None:
    assert child.run("from shop import ring_a, ring_b; result = [ring_a.other(), ring_b.other()]") == [
        "b",
        "a",
    ]


def test_module_that_replaces_itself(child: Child) -> None:
    assert child.run("import shop.swap; from shop import swap; result = [swap.answer, shop.swap is swap]") == [
        42,
        True,
    ]


def test_package_that_goes_by_a_second_name(child: Child) -> None:
    code = """
import sys, shop.deep
sys.modules["alias"] = shop.deep
import alias.plain
result = [alias.plain.__name__, alias.plain.__file__, alias.plain.__package__]
"""
    assert child.run(code) == ["alias.plain", "/proc/remotesvc:/shop/deep/plain.py", "alias"]


def test_namespace_package(child: Child) -> None:
    code = "import nspkg.two; from nspkg import one; result = [one.WHERE, nspkg.two.WHERE, list(nspkg.__path__)]"
    assert child.run(code) == ["master one", "master two", ["/proc/remotesvc:/nspkg"]]


def test_namespace_package_keeps_the_portion_of_the_target(child: Child, tmp_path: Path) -> None:
    write(tmp_path / "theirs", {"nspkg/three.py": "WHERE = 'target'", "nspkg/two.py": "WHERE = 'target two'"})
    child.run(f"import site, sys; site.main = lambda: sys.path.append({str(tmp_path / 'theirs')!r})")
    code = "from nspkg import three, two; result = [three.WHERE, two.WHERE]"
    assert child.run(code) == ["target", "master two"]


def test_resources(child: Child, interpreter: Interpreter) -> None:
    code = "import pkgutil; result = [pkgutil.get_data('shop', n) for n in ('greeting.txt', 'data/table.bin')]"
    assert child.run(code) == ["Grüße\n".encode(), b"\x00\x01\xff"]
    if interpreter.version >= (3, 7):
        code = """
import importlib.resources as r
result = [r.read_text('shop', 'greeting.txt'), r.is_resource('shop', 'greeting.txt'), r.is_resource('shop', 'none'),
          sorted(r.contents('shop'))]
with r.path('shop', 'greeting.txt') as path:
    result.append(path.read_bytes())
"""
        code = "import warnings; warnings.simplefilter('ignore')\n" + code
        assert child.run(code) == ["Grüße\n", True, False, ["data", "greeting.txt"], "Grüße\n".encode()]
    if interpreter.version >= (3, 9):
        code = """
root = r.files('shop')
result = [(root / 'greeting.txt').read_text(encoding='utf-8'), root.joinpath('data').joinpath('table.bin').read_bytes(),
          sorted(item.name for item in root.iterdir()), (root / 'data').is_dir(),
          (root / 'data' / 'more' / 'x.txt').is_file()]
with r.as_file(root / 'greeting.txt') as path:
    result.append(path.read_bytes())
"""
        assert child.run(code) == [
            "Grüße\n",
            b"\x00\x01\xff",
            ["data", "greeting.txt"],
            True,
            True,
            "Grüße\n".encode(),
        ]


@pytest.mark.parametrize("path", [".hidden", "../later.py", "core.py", "nothing", "data", "greeting.txt/below"])
def test_resources_not_served(child: Child, path: str) -> None:
    with pytest.raises(RemoteError) as caught:
        child.run(f"import pkgutil; pkgutil.get_data('shop', {path!r})")
    assert caught.value.kind == "FileNotFoundError"


def test_pkgutil_lists_the_modules_of_a_package(child: Child) -> None:
    code = "import pkgutil, shop; result = sorted((m[1], m[2]) for m in pkgutil.iter_modules(shop.__path__))"
    assert ("deep", True) in child.run(code)
    assert ("money", False) in child.run(code)


def test_syntax_error_shows_file_line_and_text(child: Child) -> None:
    with pytest.raises(RemoteError) as caught:
        child.run("from shop import broken")
    assert caught.value.kind == "SyntaxError"
    assert "/proc/remotesvc:/shop/broken.py" in caught.value.text
    assert "line 3" in caught.value.text
    assert "def oops(:" in caught.value.text


def test_tracebacks_show_source(child: Child) -> None:
    with pytest.raises(RemoteError) as caught:
        child.run("from shop import money; money.fail()")
    assert "raise ValueError('no money')  # here" in caught.value.text
    code = (
        "import inspect; result = [inspect.getsource(money.fmt), inspect.getsource(importer().deliver).split('(')[0]]"
    )
    assert child.run(code) == ["def fmt(n):\n    return '%d EUR' % n\n", "    def deliver"]


def test_threads_that_import_one_absent_module_send_one_request(child: Child) -> None:
    code = """
import threading
start, failed = threading.Barrier(8), []
def work():
    start.wait()
    try:
        import %s
    except ImportError as error:
        failed.append(error.name)
threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
result = failed
"""
    assert child.run(code % "nowhere_to_be_found") == ["nowhere_to_be_found"] * 8
    assert child.names == ["nowhere_to_be_found"]
    assert child.run(code % "shop") == []
    assert child.names == ["nowhere_to_be_found", "shop"]


def test_imports_of_several_threads_do_not_wait_for_each_other(
    interpreter: Interpreter, module_server: ModuleServer
) -> None:
    module_server.ahead(1, "app", 0)
    with Child(interpreter, module_server) as child:
        # The reply to the first request comes only when the second has been made: with Python's import lock
        # held while asking, that would be never. The harness answers in order, so both asks go through a hook.
        code = """
import threading
first, second = threading.Event(), threading.Event()
real = ask
def ask(request):
    if request["name"] == "later":
        second.wait(20)
        first.set()
    if request["name"] == "shop":
        second.set()
    return real(request)
def one():
    import later
thread = threading.Thread(target=one)
thread.start()
import shop
thread.join()
result = [first.is_set(), second.is_set()]
"""
        assert child.run(code) == [True, True]
