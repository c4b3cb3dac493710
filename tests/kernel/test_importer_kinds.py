"""As what a module comes: code or source, to a child or a grandchild, as the master's script, to a minimal target."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from remotesvc.modules.server import ModuleServer
from tests.interpreters import Interpreter
from tests.kernel.contexts import LIMIT
from tests.kernel.importing import Child, RemoteError, same_minor, write
from tests.kernel.programs import start

pytest_plugins = ("tests.kernel.import_fixtures",)


def test_grandchild_is_served_from_what_is_here(child: Child) -> None:
    code = """
import shop
from importlib.util import MAGIC_NUMBER
asked = {"kind": "module", "python": [3, 8], "magic": MAGIC_NUMBER}
served = lambda name, **more: importer().serve(dict(asked, name=name, goal=name, **more))
before = importer().asked
kernel, known = served("remotesvc.bootstrap.imports.modules"), served("shop")
result = [kernel["modules"][0][0], known["modules"][0][3], importer().asked - before]
result += [served("later")["modules"][0][0], served("later")["modules"][0][0], importer().asked - before]
result += [served("nowhere")["modules"][0][1], served("nowhere")["modules"][0][1], importer().asked - before]
result += ["reason" in served("../x"), "reason" in importer().serve([1]), importer().asked - before]
result += [served("shop", kind="resource", path="greeting.txt")["data"]]
"""
    assert child.run(code) == [
        "remotesvc.bootstrap.imports.modules", "/proc/remotesvc:/shop/__init__.py", 1,
        "later", "later", 2,
        "absent", "absent", 3,
        True, True, 3,
        "Grüße\n".encode(),
    ]  # fmt: skip


def test_what_a_grandchild_wants_is_asked_apart_from_what_is_wanted_here(child: Child) -> None:
    """To this process more is announced, which then follows to it alone: the other waited half a minute for it."""
    code = """
import threading, time
from importlib.util import MAGIC_NUMBER
importer().relay()  # which asks for its own module
theirs, both, asked = ask, threading.Event(), []
def ask(request):
    asked.append(request["relayed"])
    if len(asked) == 2:
        both.set()
    both.wait(20)
    return theirs(request)
importing = threading.Thread(target=__import__, args=("later",))
importing.start()
while not asked:
    time.sleep(0.001)
wanted = {"kind": "module", "name": "later", "goal": "later", "python": sys.version_info[:2], "magic": MAGIC_NUMBER}
reply = importer().serve(wanted)
importing.join()
result = [sorted(asked[:2]), reply["modules"][0][0], sys.modules["later"].VALUE]
"""
    assert child.run("import sys\n" + code) == [[False, True], "later", "later"]


def test_code_comes_to_the_same_magic_and_source_to_others(child: Child, interpreter: Interpreter) -> None:
    code = "result = [importer().entries['shop.core'].magic, shop.total(1), shop.total.__code__.co_filename]"
    magic, value, file = child.run(f"import shop; {code}")
    assert (magic is not None) == same_minor(interpreter)
    assert (value, file) == ("1 EUR", "/proc/remotesvc:/shop/core.py")


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
        "/proc/remotesvc:/shop/money.py",
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
    assert done.stdout.splitlines() == ["[42, '__main__', '/proc/remotesvc:/go.py']"], done.stderr


def test_script_without_a_guard_says_what_to_add(tmp_path: Path) -> None:
    script = """
        def double(n):
            return n * 2

        context = router.local()
        try:
            context.call(double, 21)
        except remotesvc.UsageError as error:
            say(str(error).replace(chr(10), "|"))
        say(context.call("operator:add", 1, 2))
        """
    with start(tmp_path, script) as program:
        said = program.line()
        assert "script.py has no guard" in said and 'if __name__ == "__main__":' in said
        assert program.line() == "3"
        assert program.process.wait(LIMIT) == 0, program.errors()


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
    module_server = ModuleServer()
    with Child(interpreter, module_server) as child:
        child.deliver(module_server.ahead(1, "__main__", 1 << 20))
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
        self, interpreter: Interpreter, module_server: ModuleServer, stdlib: tuple[str, tuple[str, ...]]
    ) -> None:
        code = """
import json, shutil, queue, dataclasses, concurrent.futures, re
result = [json.dumps([1]), json.__file__, shutil.__file__, re.__file__.startswith("/proc/remotesvc:"),
          shutil.disk_usage("/").total > 0, json.loads('{"a": 1.5}'), json.decoder.__spec__.name]
"""
        with Child(interpreter, module_server, stdlib=stdlib) as child:
            if same_minor(interpreter):
                assert child.run(code) == [
                    "[1]", "/proc/remotesvc:/json/__init__.py", "/proc/remotesvc:/shutil.py", False, True,
                    {"a": 1.5}, "json.decoder",
                ]  # fmt: skip
                assert [name for name in child.names if name.startswith("json")] == ["json"]
            else:
                with pytest.raises(RemoteError) as caught:
                    child.run(code)
                assert caught.value.name == "json"
                assert f"libpython{interpreter}-stdlib" in caught.value.message
