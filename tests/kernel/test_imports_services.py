"""An import that calls a service that needs a file of the master, which itself imports: check 27, the #547 class."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remotesvc import CallError, CallTimeout, Context, Router
from remotesvc.files.fileservice import FileService
from remotesvc.service import Pool
from tests.kernel.contexts import LIMIT, runs_out, until
from tests.kernel.importing import write

FILES: dict[str, str | bytes] = {
    # What is called knows only names: what it imports is asked for while it runs.
    "begin.py": """
import importlib, sys
def go(name, path):
    import place
    place.PATH = path
    return importlib.import_module(name).VALUE
def loaded(name):
    return name in sys.modules
""",
    "place.py": "import threading\nPATH = ''\nBEGUN, FETCHED = threading.Event(), threading.Event()\n",
    # 1. The import calls the service itself.
    "imports_call.py": """
import place
from remotesvc.service import call
from fetching import Fetcher
VALUE = call(Fetcher, "text", place.PATH)
""",
    # 2. The import waits for what a call of the service from the master does, on another thread.
    "imports_wait.py": """
import place
place.BEGUN.set()
assert place.FETCHED.wait(60)
VALUE = place.TEXT
""",
    # 3. The service imports the module whose import waits for it: nobody can help that, only time.
    "imports_itself.py": """
import threading, remotesvc
from remotesvc.service import master
found = []
open(__import__("place").PATH + ".begun", "w").close()
worker = threading.Thread(target=lambda: found.append(__import__("imports_itself")), daemon=True)
worker.start()
remotesvc.current().wait(60)
VALUE = 1
""",
    "fetching.py": """
import io
from remotesvc.service import Service, expose, master
class Fetcher(Service):
    @expose
    def text(self, path):
        import parsing
        from remotesvc.files.fileservice import FileService
        out = io.BytesIO()
        FileService.get(master(), path, out)
        return parsing.parse(out.getvalue())
    @expose
    def provide(self, path):
        import place
        assert place.BEGUN.wait(60)
        place.TEXT = self.text(path)
        place.FETCHED.set()
""",
    "parsing.py": "def parse(data):\n    import more_of_it\n    return more_of_it.decode(data)\n",
    "more_of_it.py": "def decode(data):\n    return data.decode('ascii').upper()\n",
}
NAMES = [name.removesuffix(".py") for name in FILES]


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    write(tmp_path / "here", FILES)
    (tmp_path / "file").write_text("of the master")
    with Router(path=[tmp_path / "here"], allow=NAMES) as made:
        pool = Pool(made, services=[FileService])
        files = pool.get_service(FileService)
        assert isinstance(files, FileService)
        files.register(str(tmp_path / "file"))
        yield made
        pool.close()


@pytest.fixture(params=["child", "behind a hop", "behind two"])
def context(request: pytest.FixtureRequest, router: Router) -> Context:
    found = router.local()
    for _ in range(["child", "behind a hop", "behind two"].index(request.param)):
        found = router.local(via=found)
    return found


def test_an_import_that_calls_the_service(context: Context, tmp_path: Path) -> None:
    patient = context.options(timeout=LIMIT)
    assert patient.call("begin:go", "imports_call", str(tmp_path / "file")) == "OF THE MASTER"


def test_an_import_that_waits_while_the_service_works(context: Context, tmp_path: Path) -> None:
    patient = context.options(timeout=LIMIT)
    importing = patient.submit("begin:go", "imports_wait", str(tmp_path / "file"))
    until(lambda: patient.call("begin:loaded", "imports_wait"))
    patient.call_service("fetching.Fetcher", "provide", str(tmp_path / "file"))
    assert importing.result(LIMIT) == "OF THE MASTER"


def test_a_file_that_never_comes_ends_with_the_call(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = context.options(timeout=LIMIT)
    patient.call("begin:loaded", "x")
    patient.call_service("fetching.Fetcher", "text", str(tmp_path / "file"))
    asked, release = threading.Event(), threading.Event()
    send = FileService._send

    def late(*args: Any) -> None:
        asked.set()
        release.wait(4 * LIMIT)
        send(*args)

    monkeypatch.setattr(FileService, "_send", late)

    def call(timeout: float) -> None:
        with pytest.raises(CallTimeout):
            context.options(timeout=timeout).call("begin:go", "imports_call", str(tmp_path / "file"))

    call(5)
    if not asked.is_set():  # a busy machine does not come so far in that time
        call(LIMIT)
    assert asked.is_set()
    # The import ended with its call: the module is not half there, and the next import of it works.
    until(lambda: not patient.call("begin:loaded", "imports_call"))  # before the file would come after all
    monkeypatch.undo()
    release.set()
    assert patient.call("begin:go", "imports_call", str(tmp_path / "file")) == "OF THE MASTER"


def test_a_thread_that_imports_what_waits_for_it_ends_with_the_call(context: Context, tmp_path: Path) -> None:
    def call(timeout: float) -> None:
        with pytest.raises((CallTimeout, CallError)):
            context.options(timeout=timeout).call("begin:go", "imports_itself", str(tmp_path / "file"))

    runs_out(call, tmp_path / "file.begun", 2.0)
    assert context.options(timeout=LIMIT).call("begin:go", "imports_call", str(tmp_path / "file")) == "OF THE MASTER"
