"""What goes along with a detached job: all that can be seen, for nothing can be asked for later."""

from __future__ import annotations

import marshal
from pathlib import Path
from typing import Any

import pytest

from remotesvc.bootstrap.imports.modules import ABSENT, SOURCE, TARGET, Entry, unpack
from remotesvc.modules.codes import MAGIC
from remotesvc.modules.policy import HERE
from remotesvc.modules.server import ModuleServer
from tests.kernel.importing import write
from tests.unit.module_answers import names, told

pytest_plugins = ("tests.unit.module_fixtures",)


class Asked:
    """A target that lacks what it is told to."""

    def __init__(self, *lacks: str) -> None:
        self.lacks = lacks
        self.guessed: list[str] = []
        self.standard: list[str] = []

    def __call__(self, guessed: list[str], standard: list[str]) -> list[str]:
        self.guessed, self.standard = guessed, standard
        return [name for name in (*guessed, *standard) if name in self.lacks]


def whole(server: ModuleServer, module: str, asked: Asked, **more: Any) -> tuple[list[Any], dict[Any, Any]]:
    """The packed items, and the replies by (kind, name, path)."""
    settings = {"python": HERE, "magic": b"", **more}
    items, replies = marshal.loads(server.whole(1, [module], settings["python"], settings["magic"], asked)[0])
    return items, {(kind, name, path): reply for kind, name, path, reply in replies}


def entries(items: list[Any]) -> dict[str, Entry]:
    return {item[0]: unpack(item) for item in items if isinstance(item, list)}


def test_everything_that_is_surely_the_masters_goes_along(server: ModuleServer) -> None:
    asked = Asked()
    items, _ = whole(server, "task", asked)
    assert set(names(items)) == {"task", "helper", "installed", "installed.part", "lazy"}
    assert asked.guessed == ["accelerated"]


def test_what_the_target_lacks_of_what_it_might_have(server: ModuleServer) -> None:
    items, _ = whole(server, "task", Asked("accelerated"))
    assert {"accelerated", "accelerated.inner"} <= set(names(items))


def test_a_target_that_names_other_things(server: ModuleServer) -> None:
    items, _ = whole(server, "task", Asked("private", "other"))
    assert not {"private", "other"} & set(names(items))
    imports, _ = server.whole(1, ["task"], HERE, b"", lambda guessed, standard: [1, None, "accelerated"])
    assert "accelerated" in names(marshal.loads(imports)[0])


def test_imports_in_functions(site: Path) -> None:
    """All of one's own code; of an installed package those of the same package."""
    write(
        site,
        {
            "task.py": "import helper\n",
            "helper.py": "def f():\n    import deep\n",
            "deep.py": "class A:\n    def g(self):\n        from installed import part\n",
            "installed/part.py": "def h():\n    import other\n    from installed import rest\n",
        },
    )
    items, _ = whole(ModuleServer(path=[str(site)]), "task", Asked())
    assert set(names(items)) == {"task", "helper", "deep", "installed", "installed.part", "installed.rest"}


def test_ones_own_code_goes_as_source_for_tracebacks(server: ModuleServer) -> None:
    found = entries(whole(server, "task", Asked(), magic=MAGIC)[0])
    assert found["task"].magic is None and found["helper"].magic is None
    assert found["installed.part"].magic == MAGIC


def test_why_a_module_is_not_there(site: Path) -> None:
    write(site, {"task.py": "import compiled, no_such_module\n"})
    items, _ = whole(ModuleServer(path=[str(site)]), "task", Asked())
    assert told(items) == ([], ["no_such_module"])
    assert entries(items)["compiled"].kind == TARGET and "compiled code" in entries(items)["compiled"].label


def test_what_is_denied_is_not_there(site: Path) -> None:
    found = entries(whole(ModuleServer(path=[str(site)], deny=["installed"]), "task", Asked())[0])
    assert found["installed"].kind == TARGET and "deny" in found["installed"].label


def test_the_standard_library_where_the_target_lacks_it(site: Path) -> None:
    write(site, {"task.py": "import json\ndef f():\n    import argparse\n"})
    server = ModuleServer(path=[str(site)])
    asked = Asked("json")
    found = entries(whole(server, "task", asked)[0])
    assert {"json", "argparse"} <= set(asked.standard)
    assert found["json"].kind == SOURCE and "json.decoder" in found and "re" in found
    assert "argparse" not in found
    other = entries(whole(server, "task", asked, python=(3, 6))[0])
    assert other["json"].kind == ABSENT and "libpython3.6-stdlib" in other["json"].label


def test_a_called_module_of_the_standard_library(server: ModuleServer) -> None:
    items, _ = whole(server, "shutil", Asked())
    assert names(items) == []
    assert "shutil" in names(whole(server, "shutil", Asked("shutil"))[0])


def test_data_files_and_metadata(site: Path) -> None:
    write(site, {"installed-1.dist-info/METADATA": "Name: installed\nVersion: 1\n\nText"})
    _, replies = whole(ModuleServer(path=[str(site)]), "task", Asked())
    assert replies["resource", "installed", "data.txt"] == {"data": b"data"}
    assert replies["listing", "installed", ""] == {"names": ["data.txt"]}
    assert "Version: 1" in replies["metadata", "installed", ""]["files"]["METADATA"]
    assert "installed" in replies["metadata", "", ""]["names"]


def test_metadata_of_an_editable_installation(site: Path) -> None:
    """It lists no file of its own."""
    write(site, {
        "my_project-1.dist-info/METADATA": "Name: my-project\nVersion: 1\n",
        "my_project-1.dist-info/RECORD": "x.pth,,\n",
        "my_project-1.dist-info/direct_url.json": f'{{"url":"file://{site}","dir_info":{{"editable":true}}}}',
    })  # fmt: skip
    replies = whole(ModuleServer(path=[str(site)]), "task", Asked())[1]
    assert "Version: 1" in replies["metadata", "my-project", ""]["files"]["METADATA"]


def test_our_own_package_with_what_it_finds_by_name(site: Path) -> None:
    write(site, {"task.py": "import remotesvc\nfrom remotesvc.service import Service, expose\n"})
    found = entries(whole(ModuleServer(path=[str(site)]), "task", Asked())[0])
    assert {"remotesvc.service", "remotesvc.service.policy", "remotesvc.host"} <= set(found)
    assert not {name for name in found if name.startswith(("remotesvc.bootstrap", "remotesvc.cli", "remotesvc.fleet"))}


@pytest.mark.parametrize("module", ["private", "task"])
def test_other_code_of_ones_own_stays_here(server: ModuleServer, module: str) -> None:
    assert ("private" in names(whole(server, module, Asked())[0])) == (module == "private")
