"""Fixtures: a directory of packages of every kind, and a module server over it. A test module takes them with

pytest_plugins = ("tests.unit.module_fixtures",)
"""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from remotesvc.modules.server import ModuleServer
from tests.kernel.importing import write

NATIVE = EXTENSION_SUFFIXES[0]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write(
        tmp_path,
        {
            "task.py": "import helper, installed, accelerated\ndef f():\n    import lazy\n",
            "helper.py": "from installed import part\n# second line\n",
            "lazy.py": "",
            "private.py": "PASSWORD = 1",
            "installed/__init__.py": "",
            "installed/part.py": "",
            "installed/rest.py": "",
            "installed/data.txt": "data",
            "installed-1.dist-info/RECORD": "installed/__init__.py,,\ninstalled/part.py,,\ninstalled/rest.py,,\n",
            "accelerated/__init__.py": "from . import inner",
            "accelerated/inner.py": "",
            f"accelerated/fast{NATIVE}": b"",
            "accelerated-1.dist-info/RECORD": "".join(
                f"accelerated/{name},,\n" for name in ("__init__.py", "inner.py", f"fast{NATIVE}")
            ),
            "other.py": "",
            "other-1.dist-info/RECORD": "other.py,,\n",
            f"compiled{NATIVE}": b"",
        },
    )
    return tmp_path


@pytest.fixture
def server(site: Path) -> ModuleServer:
    return ModuleServer(path=[str(site)])
