"""Fixtures: a project of modules, a server of it, and a child that imports from there. A test module takes them with

pytest_plugins = ("tests.kernel.import_fixtures",)
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from remotesvc.modules.server import ModuleServer
from tests.interpreters import Interpreter
from tests.kernel.importing import Child, write

pytest_plugins = ("tests.kernel.call_fixtures",)

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


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path / "project", PROJECT)
    return tmp_path / "project"


@pytest.fixture
def module_server(project: Path) -> ModuleServer:
    return ModuleServer(path=[str(project)])


@pytest.fixture
def child(interpreter: Interpreter, module_server: ModuleServer) -> Iterator[Child]:
    """A child that may have everything `app` imports, and was sent nothing yet."""
    assert module_server.ahead(1, "app", 0) == []
    with Child(interpreter, module_server) as child:
        yield child
