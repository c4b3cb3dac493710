"""What the master does not give out, whoever asks for it in whatever form: a child, or one behind it.

What is called here asks past the importer, as the code of somebody who means harm would.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remotesvc import Context, Router
from remotesvc.bootstrap.imports.modules import (
    ABSENT,
    LISTING,
    METADATA,
    MODULE,
    REFUSED,
    RESOURCE,
    TEXT,
    unpack,
)
from tests.kernel.contexts import LIMIT
from tests.kernel.importing import write
from tests.unit.module_answers import request

FILES: dict[str, str | bytes] = {
    "curious.py": """
import remotesvc, wanted
def ask(question):
    return remotesvc.current().router.more().ask_modules(question)
""",
    "wanted/__init__.py": "",
    "wanted/note.txt": "for you",
    "private/__init__.py": "PASSWORD = 'secret'\n",
    "private/key.pem": "secret",
    "site-packages/libs/__init__.py": "",
    "site-packages/libs/data.txt": "data",
    "site-packages/libs-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: libs\nVersion: 1\n",
    "site-packages/libs-1.dist-info/RECORD": "libs/__init__.py,,\nlibs/data.txt,,\n",
}
QUESTIONS = ((MODULE, ""), (TEXT, ""), (RESOURCE, "key.pem"), (RESOURCE, "__init__.py"), (LISTING, ""))


@pytest.fixture(params=["free", "locked"])
def imports(request: pytest.FixtureRequest) -> str | None:
    return None if request.param == "free" else "locked"


@pytest.fixture
def router(tmp_path: Path, imports: str | None) -> Iterator[Router]:
    write(tmp_path, FILES)
    with Router(path=[tmp_path, tmp_path / "site-packages"], imports=imports) as router:
        yield router


@pytest.fixture(params=["a child", "one behind it"])
def context(request: pytest.FixtureRequest, router: Router) -> Context:
    child = router.local()
    found = child if request.param == "a child" else router.local(via=child)
    return found.options(timeout=LIMIT)


def ask(context: Context, kind: str, name: str, path: str = "", **more: Any) -> Any:
    python = tuple(context.info["version"][:2])
    return context.call("curious:ask", request(kind, name, python, path, **more))


def refused(answer: dict[str, Any]) -> bool:
    """Whether there is a reason in an answer, or entries that give one, and nothing else."""
    entries = [unpack(entry) for entry in answer.get("modules", ()) if isinstance(entry, (list, tuple))]
    if "reason" in answer:
        return set(answer) == {"reason"}
    return set(answer) == {"modules"} and bool(entries) and all(
        entry.kind in (REFUSED, ABSENT) and not entry.data and entry.label for entry in entries)


def test_what_no_called_code_imports_is_refused(context: Context) -> None:
    for kind, path in QUESTIONS:
        for relayed in (False, True):
            assert refused(ask(context, kind, "private", path, relayed=relayed)), (kind, path)
    assert ask(context, RESOURCE, "wanted", "note.txt") == {"data": b"for you"}


def test_an_installed_distribution_is_refused_only_if_imports_are_locked(context: Context, imports: str | None) -> None:
    locked = imports == "locked"
    for kind, path in ((MODULE, ""), (TEXT, ""), (RESOURCE, "data.txt"), (LISTING, "")):
        assert refused(ask(context, kind, "libs", path)) is locked, kind
    assert ("reason" in ask(context, METADATA, "libs")) is locked


def test_a_question_about_what_is_not_there_is_answered_too(context: Context, tmp_path: Path) -> None:
    """A question that leads to an error on the master is no question without an answer."""
    for path in ("none", "note.txt/below", "../curious.py", "/etc/passwd", "", "a\0b", "x" * 1000):
        assert refused(ask(context, RESOURCE, "wanted", path)), path
    for package in ("nowhere", "wanted.nowhere", "curious"):
        assert refused(ask(context, RESOURCE, package, "note.txt")), package
    for kind in (LISTING, TEXT, MODULE):
        assert refused(ask(context, kind, "nowhere")), kind
    shutil.rmtree(tmp_path / "wanted")
    assert refused(ask(context, RESOURCE, "wanted", "note.txt"))
    assert context.call("os:getpid") == context.info["pid"]
