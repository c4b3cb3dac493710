"""Imports on a child, in every interpreter found: the real finder and importer, and the real module server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from remotesvc.modules.server import ModuleServer
from tests.interpreters import Interpreter, found
from tests.kernel.importing import Child, RemoteError, same_minor, write

NATIVE = "fastmath" + EXTENSION_SUFFIXES[0]

PROJECT: dict[str, str | bytes] = {
    "app.py": """
import shop
import nspkg.one
import nspkg.two
from shop import money, deep, swap, ring_a, optional, broken_user
def lazily():
    import later
    return later.VALUE
""",
    "later.py": "VALUE = 'later'",
    "secret_settings.py": "PASSWORD = 'x'",
    "shop/__init__.py": "from .core import total\nVERSION = '1.0'\n",
    "shop/core.py": """
from . import money
from .deep.inner import depth
def total(*a):
    return money.fmt(sum(a))
""",
    "shop/money.py": "def fmt(n):\n    return '%d EUR' % n\ndef fail():\n    raise ValueError('no money')  # here\n",
    "shop/deep/__init__.py": "def later():\n    from . import plain\n",
    "shop/deep/inner.py": "from .. import money as m\nfrom . import leaf\ndepth = 2\n",
    "shop/deep/plain.py": "",
    "shop/deep/leaf.py": "from ..money import fmt\n",
    "shop/ring_a.py": "from . import ring_b\nNAME = 'a'\ndef other():\n    return ring_b.NAME\n",
    "shop/ring_b.py": "from . import ring_a\nNAME = 'b'\ndef other():\n    return ring_a.NAME\n",
    "shop/swap.py": "import sys\nclass Other(object):\n    answer = 42\nsys.modules[__name__] = Other()\n",
    "shop/broken_user.py": "def go():\n    from . import broken\n",
    "shop/broken.py": "x = 1\ny = 2\ndef oops(:\n    pass\n",
    "shop/optional.py": "try:\n    from . import _speed\nexcept ImportError:\n    _speed = None\n",
    "shop/greeting.txt": "Grüße\n",
    "shop/data/table.bin": b"\x00\x01\xff",
    "shop/data/more/x.txt": "x",
    "shop/.hidden": "secret",
    "nspkg/one/__init__.py": "WHERE = 'master one'\n",
    "nspkg/two.py": "WHERE = 'master two'\n",
    NATIVE: b"\x7fELF",
}


@pytest.fixture(params=found(), ids=str)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path / "project", PROJECT)
    return tmp_path / "project"


@pytest.fixture
def server(project: Path) -> ModuleServer:
    return ModuleServer(path=[str(project)])


@pytest.fixture
def child(interpreter: Interpreter, server: ModuleServer) -> Iterator[Child]:
    """A child that may have everything `app` imports, and was sent nothing yet."""
    assert server.ahead(1, "app", 0) == []
    with Child(interpreter, server) as child:
        yield child


def test_package_with_relative_imports_comes_with_one_request(child: Child) -> None:
    assert child.run("import shop; result = shop.total(1, 2)") == "3 EUR"
    assert child.names == ["shop"]
    state = child.run("result = [shop.__file__, shop.__path__, shop.__spec__.origin, shop.core.__package__]")
    assert state == [
        "remotesvc:/shop/__init__.py",
        ["remotesvc:/shop"],
        "remotesvc:/shop/__init__.py",
        "shop",
    ]
    assert child.run("result = shop.total.__code__.co_filename") == "remotesvc:/shop/core.py"


def test_what_is_pushed_with_a_call_is_not_asked_for(interpreter: Interpreter, server: ModuleServer) -> None:
    with Child(interpreter, server) as child:
        entries = server.ahead(1, "app", 1 << 20)
        child.deliver(entries)
        assert child.run("import app; result = [app.shop.VERSION, app.nspkg.two.WHERE, app.lazily()]") == [
            "1.0",
            "master two",
            "later",
        ]
        assert child.requests == []
        assert server.ahead(1, "app", 1 << 20) == []


def test_announced_module_is_waited_for(interpreter: Interpreter, server: ModuleServer) -> None:
    with Child(interpreter, server) as child:
        entries = server.ahead(1, "later", 1 << 20)
        child.expect(["later"])
        child.on_note = lambda note: child.deliver(entries)
        assert child.run("send('note', 1); import later; result = later.VALUE") == "later"
        assert child.requests == []


def test_announced_module_that_does_not_come_is_asked_for(child: Child) -> None:
    child.expect(["later"])
    child.on_note = lambda note: child.give_up(["later"])
    assert child.run("send('note', 1); import later; result = later.VALUE") == "later"
    assert child.names == ["later"]


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
    assert child.run(code) == ["alias.plain", "remotesvc:/shop/deep/plain.py", "alias"]


def test_namespace_package(child: Child) -> None:
    code = "import nspkg.two; from nspkg import one; result = [one.WHERE, nspkg.two.WHERE, list(nspkg.__path__)]"
    assert child.run(code) == ["master one", "master two", ["remotesvc:/nspkg"]]


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


@pytest.mark.parametrize("path", [".hidden", "../later.py", "core.py", "nothing", "data"])
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
    assert "remotesvc:/shop/broken.py" in caught.value.text
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


def test_imports_of_several_threads_do_not_wait_for_each_other(interpreter: Interpreter, server: ModuleServer) -> None:
    server.ahead(1, "app", 0)
    with Child(interpreter, server) as child:
        # The reply to the first request comes only when the second has been made: with Python's import lock
        # held while asking, that would be never. The harness answers in order, so both asks go through a hook.
        code = """
import threading
first, second = threading.Event(), threading.Event()
real = importer()._ask
def ask(request):
    if request["name"] == "later":
        second.wait(20)
        first.set()
    if request["name"] == "shop":
        second.set()
    return real(request)
importer()._ask = ask
def one():
    import later
thread = threading.Thread(target=one)
thread.start()
import shop
thread.join()
result = [first.is_set(), second.is_set()]
"""
        assert child.run(code) == [True, True]


def test_absent_module_a_second_time(child: Child) -> None:
    for _ in range(2):
        with pytest.raises(RemoteError) as caught:
            child.run("import nowhere.at.all")
        assert (caught.value.kind, caught.value.name) == ("ModuleNotFoundError", "nowhere")
        assert "the master has no such module either" in caught.value.message
    assert child.names == ["nowhere"]


def test_submodule_that_the_package_does_not_have_is_not_asked_for(child: Child) -> None:
    child.run("import shop")
    with pytest.raises(RemoteError) as caught:
        child.run("import shop.nothing")
    assert (caught.value.kind, caught.value.name) == ("ModuleNotFoundError", "shop.nothing")
    assert child.run("import shop.optional; result = shop.optional._speed") is None
    assert child.names == ["shop", "shop.optional"]


def test_refused_module_names_the_rule(child: Child) -> None:
    with pytest.raises(RemoteError) as caught:
        child.run("import secret_settings")
    assert caught.value.kind == "ModuleNotFoundError"
    assert "allow=['secret_settings']" in caught.value.message


def test_refusal_ends_when_a_call_needs_the_module(child: Child, server: ModuleServer) -> None:
    with pytest.raises(RemoteError):
        child.run("import secret_settings")
    server.ahead(1, "secret_settings", 0)
    assert child.run("import secret_settings as s; result = s.PASSWORD") == "x"


def test_denied_module(interpreter: Interpreter, project: Path) -> None:
    server = ModuleServer(path=[str(project)], deny=["shop.money"])
    server.ahead(1, "app", 0)
    with Child(interpreter, server) as child:
        with pytest.raises(RemoteError, match="deny='shop.money'") as caught:
            child.run("import shop")  # which has "from . import money"
        assert (caught.value.kind, caught.value.name) == ("ModuleNotFoundError", "shop")
        with pytest.raises(RemoteError, match="deny='shop.money'"):
            child.run("from shop import money")


def test_native_module_names_the_file(child: Child) -> None:
    with pytest.raises(RemoteError) as caught:
        child.run("import fastmath")
    assert (caught.value.kind, caught.value.name) == ("ModuleNotFoundError", "fastmath")
    assert NATIVE in caught.value.message
    assert "target" in caught.value.message


def test_find_spec_answers_none_instead_of_raising(child: Child) -> None:
    code = "from importlib.util import find_spec as f; result = [f('nowhere'), f('fastmath'), f('later').origin]"
    assert child.run(code) == [None, None, "remotesvc:/later.py"]


def test_finders_of_called_code_are_asked_last(child: Child) -> None:
    code = """
import sys
from importlib.machinery import ModuleSpec
class Finder(object):
    @staticmethod
    def find_spec(name, path=None, target=None):
        return ModuleSpec(name, Finder) if name in ("made.up", "made") else None
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        module.__path__ = []
sys.meta_path.append(Finder)
import made.up
result = made.up.__name__
"""
    assert child.run(code) == "made.up"
    assert child.names == ["made"]


def test_copy_of_this_package_on_the_target_is_ignored(
    interpreter: Interpreter, server: ModuleServer, tmp_path: Path
) -> None:
    write(tmp_path / "old", {"remotesvc/__init__.py": "old = 1", "remotesvc/context.py": "old = 1"})
    with Child(interpreter, server) as child:
        code = """
import sys
sys.path.insert(0, %r)
finder.stdlib_path.insert(0, %r)
import remotesvc
from remotesvc.bootstrap.imports import resources
try:
    import remotesvc.cli
except ImportError as error:
    result = [remotesvc.__file__, resources.__file__, str(error)]
"""
        result = child.run(code % (str(tmp_path / "old"), str(tmp_path / "old")))
    assert result[:2] == ["remotesvc:/remotesvc/__init__.py", "remotesvc:/remotesvc/bootstrap/imports/resources.py"]
    assert "exists on the master only" in result[2]


def test_package_of_the_target_is_used_where_the_master_has_none(child: Child, tmp_path: Path) -> None:
    write(tmp_path / "theirs", {"theirs_only/__init__.py": "X = 1", "theirs_only/part.py": "Y = 2"})
    child.run(f"import site, sys; site.main = lambda: sys.path.append({str(tmp_path / 'theirs')!r})")
    assert child.run("import theirs_only.part as p; result = [p.Y, p.__file__]")[0] == 2
    with pytest.raises(RemoteError, match="theirs_only.nothing"):
        child.run("import theirs_only.nothing")
    assert child.names == ["theirs_only"]


def test_asking_that_fails_is_tried_again(interpreter: Interpreter, server: ModuleServer) -> None:
    server.ahead(1, "app", 0)
    replies: list[object] = ["the link is slow"]
    answer = lambda request: replies.pop() if replies else server.answer(1, request)  # noqa: E731
    with Child(interpreter, server, answer=answer) as child:
        with pytest.raises(RemoteError, match="the link is slow"):
            child.run("import later")
        assert child.run("import later; result = later.VALUE") == "later"


def test_grandchild_is_served_from_what_is_here(child: Child) -> None:
    code = """
import shop
from importlib.util import MAGIC_NUMBER
asked = {"kind": "module", "python": [3, 8], "magic": MAGIC_NUMBER}
ask = lambda name, **more: importer().serve(dict(asked, name=name, goal=name, **more))
before = importer().asked
kernel, known = ask("remotesvc.bootstrap.imports.modules"), ask("shop")
result = [kernel["modules"][0][0], known["modules"][0][3], importer().asked - before]
result += [ask("later")["modules"][0][0], ask("later")["modules"][0][0], importer().asked - before]
result += [ask("nowhere")["modules"][0][1], ask("nowhere")["modules"][0][1], importer().asked - before]
result += ["reason" in ask("../x"), "reason" in importer().serve([1]), importer().asked - before]
result += [ask("shop", kind="resource", path="greeting.txt")["data"]]
"""
    assert child.run(code) == [
        "remotesvc.bootstrap.imports.modules", "remotesvc:/shop/__init__.py", 1,
        "later", "later", 2,
        "absent", "absent", 3,
        True, True, 3,
        "Grüße\n".encode(),
    ]  # fmt: skip


def test_code_comes_to_the_same_magic_and_source_to_others(child: Child, interpreter: Interpreter) -> None:
    code = "result = [importer().entries['shop.core'].magic, shop.total(1), shop.total.__code__.co_filename]"
    magic, value, file = child.run(f"import shop; {code}")
    assert (magic is not None) == same_minor(interpreter)
    assert (value, file) == ("1 EUR", "remotesvc:/shop/core.py")


def test_source_of_what_came_as_code(child: Child) -> None:
    code = """
import inspect, linecache, shop.money, traceback
result = [inspect.getsource(shop.money.fmt), linecache.getline(shop.money.__file__, 4, vars(shop.money)),
          inspect.getsourcefile(shop.money.fmt), shop.money.__loader__.get_source("shop.money")[:12]]
try:
    shop.money.fail()
except ValueError:
    result += [line for line in traceback.format_exc().splitlines() if "here" in line]
"""
    assert child.run(code) == [
        "def fmt(n):\n    return '%d EUR' % n\n",
        "    raise ValueError('no money')  # here\n",
        "remotesvc:/shop/money.py",
        "def fmt(n):\n",
        "    raise ValueError('no money')  # here",
    ]
    assert len([each for each in child.requests if each["kind"] == "text"]) <= 1


def test_grandchild_with_another_magic_gets_source(child: Child, interpreter: Interpreter) -> None:
    code = """
import shop
before = importer().relay() and importer().asked
other = {"kind": "module", "name": "shop.core", "goal": "shop.core", "python": [3, 1], "magic": b"spam"}
result = [importer().serve(other)["modules"][-1][9], importer().asked - before]
"""
    magic, asked = child.run(code)
    assert magic is None
    assert asked == same_minor(interpreter)  # what came as source serves all


def test_script_runs_as_main_without_its_guarded_body(interpreter: Interpreter, tmp_path: Path) -> None:
    write(tmp_path, {"go.py": SCRIPT % (str(Path(__file__).parents[2]), interpreter.version, interpreter.path)})
    done = subprocess.run([sys.executable, str(tmp_path / "go.py")], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["[42, '__main__', 'remotesvc:/go.py']"], done.stderr


SCRIPT = """
import sys
sys.path.insert(0, %r)

def double(n):
    return n * 2

if __name__ == "__main__":
    from tests.interpreters import Interpreter
    interpreter = Interpreter(%r, %r)
    from tests.kernel.importing import Child
    from remotesvc.modules.server import ModuleServer
    server = ModuleServer()
    with Child(interpreter, server) as child:
        child.deliver(server.ahead(1, "__main__", 1 << 20))
        code = "m = importer().main_module(); import __main__; result = [m.double(21), __main__.__name__, m.__file__]"
        print(child.run(code))
"""


class TestMinimalPython:
    """A target whose standard library has not all modules, as Debian's python3-minimal."""

    LACKS = ("json", "shutil", "bz2", "_compression", "queue", "concurrent", "uuid", "dataclasses", "decimal")

    @pytest.fixture
    def stdlib(self, interpreter: Interpreter, tmp_path: Path) -> tuple[str, tuple[str, ...]]:
        """A standard library made of links to the interpreter's own, without some of it."""
        ask = "import os; print(os.path.dirname(os.__file__))"
        real = Path(subprocess.check_output([interpreter.path, "-ESsc", ask], text=True).strip())
        cut = tmp_path / "lib"
        cut.mkdir()
        for item in [*real.iterdir(), *(real / "lib-dynload").iterdir()]:
            if item.name.partition(".")[0] not in self.LACKS and not (cut / item.name).exists():
                (cut / item.name).symlink_to(item)
        return str(cut), self.LACKS

    def test_lacking_modules_come_from_the_master(
        self, interpreter: Interpreter, server: ModuleServer, stdlib: tuple[str, tuple[str, ...]]
    ) -> None:
        code = """
import json, shutil, queue, dataclasses, concurrent.futures, re
result = [json.dumps([1]), json.__file__, shutil.__file__, re.__file__.startswith("remotesvc:"),
          shutil.disk_usage("/").total > 0, json.loads('{"a": 1.5}'), json.decoder.__spec__.name]
"""
        with Child(interpreter, server, stdlib=stdlib) as child:
            if same_minor(interpreter):
                assert child.run(code) == [
                    "[1]", "remotesvc:/json/__init__.py", "remotesvc:/shutil.py", False, True, {"a": 1.5},
                    "json.decoder",
                ]  # fmt: skip
                assert [name for name in child.names if name.startswith("json")] == ["json"]
            else:
                with pytest.raises(RemoteError) as caught:
                    child.run(code)
                assert caught.value.name == "json"
                assert f"libpython{interpreter}-stdlib" in caught.value.message
