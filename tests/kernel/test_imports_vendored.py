"""Paths of packages from the master: they stand where code puts them, lead nowhere on the target, and have modules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import remotesvc
from remotesvc.bootstrap.finder import ROOT
from remotesvc.modules.server import ModuleServer
from tests.interpreters import Interpreter
from tests.kernel.contexts import LIMIT
from tests.kernel.importing import PROBE, Child, probe, write

pytest_plugins = ("tests.kernel.import_fixtures",)

FILES: dict[str, str | bytes] = {
    "holder/__init__.py": """
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "_vendor"))
""",
    "holder/use.py": "import holder, pieces.two\n" + PROBE,
    "holder/_vendor/inner/__init__.py": "from . import part\n",
    "holder/_vendor/inner/part.py": "from inner import deep\n",
    "holder/_vendor/inner/deep.py": "",
    "holder/_vendor/withheld.py": "",
    "pieces/__init__.py": """
import os, pkgutil
__path__ = pkgutil.extend_path(__path__, __name__)
__path__.append(os.path.join(os.path.dirname(__file__), "extra"))
""",
    "pieces/extra/added.py": "from . import one\nVALUE = 'added'\n",
    "pieces/one.py": "",
    "other/pieces/__init__.py": "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
    "other/pieces/two.py": "VALUE = 'two'\n",
}


@pytest.fixture
def context(interpreter: Interpreter, tmp_path: Path) -> Iterator[remotesvc.Context]:
    write(tmp_path / "mine", FILES)
    path = [tmp_path / "mine", tmp_path / "mine" / "other"]
    with remotesvc.Router(path=path, allow=["holder._vendor.inner", "pieces.extra", "pieces.one"]) as router:
        yield router.local(python=interpreter.path).options(timeout=LIMIT)


def run(context: remotesvc.Context, text: str) -> Any:
    return probe(context, "holder.use", text)


def test_modules_have_the_names_that_they_are_imported_by(context: remotesvc.Context) -> None:
    text = """
import sys, inner
first = inner
import inner.part
result = [inner.__name__, inner.part.__name__, inner.part.deep is sys.modules["inner.deep"], inner is first,
          [name for name in sys.modules if "_vendor" in name]]
"""
    assert run(context, text) == ["inner", "inner.part", True, True, []]


def test_the_entry_of_sys_path_outlives_the_site(context: remotesvc.Context) -> None:
    text = """
import os, site, sys
site.main()
result = [[each for each in sys.path if "_vendor" in each], os.path.abspath(sys.path[0]) == sys.path[0]]
"""
    assert run(context, text) == [[ROOT + "holder/_vendor"], True]


def test_what_the_target_has_on_its_path_is_found_too(context: remotesvc.Context, tmp_path: Path) -> None:
    write(tmp_path, {"of_the_target.py": "X = 1\n", "shared_there/part.py": "Y = 2\n"})
    text = f"import sys; sys.path.append({str(tmp_path)!r}); import of_the_target, shared_there.part as p\n"
    assert run(context, text + "result = [of_the_target.X, p.Y]") == [1, 2]


@pytest.mark.parametrize(("name", "reason"), [("nowhere", "no such module"), ("withheld", "--allow holder._vendor.w")])
def test_an_absence_has_the_name_that_was_imported(context: remotesvc.Context, name: str, reason: str) -> None:
    text = f"try:\n    import {name}\nexcept ImportError as error:\n    result = [error.name, str(error)]\n"
    told, message = run(context, text)
    assert told == name
    assert message.startswith(f"No module named {name!r} (") and reason in message


def test_packages_that_add_to_their_paths(context: remotesvc.Context) -> None:
    text = """
import pieces.two
from pieces import added
result = [pieces.two.VALUE, added.VALUE, added.__name__, added.one.__name__]
"""
    assert run(context, text) == ["two", "added", "pieces.added", "pieces.one"]


def test_planted_files_are_not_taken_for_ours(
    interpreter: Interpreter, module_server: ModuleServer, tmp_path: Path
) -> None:
    """Whatever a path of ours is taken for, relative to some directory, or made absolute."""
    shown = ROOT.lstrip("/").rpartition("/")[0]
    for place in (shown, shown.rpartition("/")[2]):
        write(tmp_path / place, {"shop/money.py": "PLANTED\n" * 10, "shop/planted.py": "", "plugins/planted.py": ""})
    module_server.ahead(1, "app", 0)
    with Child(interpreter, module_server) as child:
        code = f"""
import inspect, os, sys
os.chdir({str(tmp_path)!r})
import shop.money
file = shop.money.__file__
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(file))), "plugins"))
result = [inspect.getsource(shop.money.fmt).split()[0], os.path.abspath(file) == file, os.path.exists(file)]
try:
    os.makedirs(os.path.dirname(file))
except OSError:
    result.append("cannot be")
for name in "shop.planted", "planted":
    try:
        __import__(name)
    except ImportError:
        result.append("none")
"""
        assert child.run(code) == ["def", True, False, "cannot be", "none", "none"]
