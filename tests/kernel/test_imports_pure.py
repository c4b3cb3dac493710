"""Every kind of module that is pure Python, made by the test: each imports and behaves on a child as it does here."""

from __future__ import annotations

import sys
import types
import zipfile
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from urllib.parse import quote

import pytest

import remotesvc
from tests.interpreters import Interpreter, found
from tests.kernel.contexts import LIMIT
from tests.kernel.importing import PROBE, probe, write

METADATA = "Metadata-Version: 2.1\nName: Some.Dist\nVersion: 4.2\nSummary: for a test\n"

FILES: dict[str, str | bytes] = {
    "site-packages/somedist/__init__.py": "VERSION = 4.2\n",
    "site-packages/somedist/plug.py": "def plug():\n    return 'plugged'\n",
    "site-packages/somedist/notes.txt": "noted",
    "site-packages/some_dist-4.2.dist-info/METADATA": METADATA,
    "site-packages/some_dist-4.2.dist-info/entry_points.txt": "[some.group]\nplug = somedist.plug:plug\n",
    "site-packages/some_dist-4.2.dist-info/top_level.txt": "somedist\n",
    "site-packages/some_dist-4.2.dist-info/direct_url.json": '{"url": "https://user:password@host/"}',
    "site-packages/some_dist-4.2.dist-info/RECORD": "somedist/__init__.py,,\nsomedist/plug.py,,\n",
    "site-packages/spread/one.py": "WHERE = 'site'\n",
    "more/spread/two.py": "WHERE = 'more'\n",
    "more/spread/deep/three.py": "WHERE = 'deep'\n",
    "more/attributes.py": "def __getattr__(name):\n    return {'made': 'up'}[name]\n",
    "more/lazy.py": """
import importlib.util, sys
def loaded():
    spec = importlib.util.find_spec('slow')
    loader = importlib.util.LazyLoader(spec.loader)
    spec.loader = loader
    module = importlib.util.module_from_spec(spec)
    sys.modules['slow'] = module
    loader.exec_module(module)
    return module
""",
    "more/slow.py": "VALUE = 'slowly'\n",
    "more/warns.py": "import warnings\ndef warn():\n    warnings.warn('careful')  # this line\n",
    "more/plugins/__init__.py": "import pkgutil\nNAMES = [each.name for each in pkgutil.iter_modules(__path__)]\n",
    "more/plugins/first.py": "",
    "more/plugins/second/__init__.py": "",
    "more/beside.py": "import os\nHERE = os.path.dirname(__file__)\nLINES = __loader__.get_data(__file__)\n",
    "more/plugins/0002_next.py": "DEPENDS = '0001'\n",
    "more/plugins/my-own/__init__.py": "",
    "more/plugins/my-own/part.py": "MINE = 1\n",
    "more/oneself/__init__.py": "VERSION = '1.5'\nfrom . import told\n",
    "more/oneself/told.py": "from .__init__ import VERSION\n",
    "more/task.py": "import somedist, spread.one, spread.two, spread.deep.three, attributes, lazy, slow, warns\n"
    "import oneself, plugins, plugins.first, beside, zipped, zipped.inner, generated\n" + PROBE,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pure")
    write(root, FILES)
    with zipfile.ZipFile(root / "lib.zip", "w") as archive:
        archive.writestr("zipped/__init__.py", "from .inner import VALUE\n")
        archive.writestr("zipped/inner.py", "VALUE = 'zipped'\n")
        archive.writestr("zipped/data/file.txt", "in the archive")
    return root


class Generated:
    """A loader of a module that was never a file."""

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        return None

    @staticmethod
    def exec_module(module: types.ModuleType) -> None:
        exec(Generated.get_source(module.__name__), module.__dict__)

    @staticmethod
    def get_source(name: str) -> str:
        return "VALUE = 'generated'\n"


@pytest.fixture
def router(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[remotesvc.Router]:
    module = types.ModuleType("generated")
    module.__spec__ = ModuleSpec("generated", Generated)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "generated", module)
    path = [root / "more", root / "site-packages", root / "lib.zip"]
    with remotesvc.Router(path=path, allow=["plugins.*"]) as made:
        yield made


@pytest.fixture(params=found(), ids=str)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def context(router: remotesvc.Router, interpreter: Interpreter) -> remotesvc.Context:
    return router.local(python=interpreter.path).options(timeout=LIMIT)


def run(context: remotesvc.Context, text: str) -> object:
    return probe(context, "task", text)


def test_kinds_of_modules(context: remotesvc.Context, interpreter: Interpreter) -> None:
    assert run(context, "import spread.one as a, spread.two as b, spread.deep.three as c\n"
                        "result = [a.WHERE, b.WHERE, c.WHERE]") == ["site", "more", "deep"]
    assert run(context, "import zipped; result = [zipped.VALUE, zipped.inner.__name__]") == ["zipped", "zipped.inner"]
    assert run(context, "import generated; result = generated.VALUE") == "generated"
    assert run(context, "import lazy; result = lazy.loaded().VALUE") == "slowly"
    assert run(context, "import plugins; result = sorted(plugins.NAMES)") == ["0002_next", "first", "my-own", "second"]
    assert run(context, "from importlib import import_module as load\n"
               "result = [load('plugins.0002_next').DEPENDS, load('plugins.my-own.part').MINE]") == ["0001", 1]
    assert run(context, "import oneself; result = oneself.told.VERSION") == "1.5"
    assert run(context, "import beside; result = beside.LINES.decode().count('HERE')") == 1
    if interpreter.version >= (3, 7):
        assert run(context, "import attributes; result = attributes.made") == "up"


def test_modules_describe_themselves(context: remotesvc.Context) -> None:
    text = """
import importlib, zipped.inner as m
result = [m.__file__, m.__package__, m.__spec__.origin, m.__spec__.parent, m.__loader__ is m.__spec__.loader,
          importlib.import_module(".inner", "zipped") is m, importlib.reload(m) is m, m.__cached__ if 0 else None]
"""
    label = "/proc/remotesvc:/zipped/inner.py"
    assert run(context, text) == [label, "zipped", label, "zipped", True, True, True, None]


def test_data_in_an_archive(context: remotesvc.Context, interpreter: Interpreter) -> None:
    assert run(context, "import pkgutil; result = pkgutil.get_data('zipped', 'data/file.txt')") == b"in the archive"
    if interpreter.version >= (3, 9):
        text = "import importlib.resources as r; result = (r.files('zipped') / 'data' / 'file.txt').read_text()"
        assert run(context, text) == "in the archive"


def test_data_as_a_file_writes_none(context: remotesvc.Context, interpreter: Interpreter) -> None:
    if interpreter.version < (3, 10):
        return  # 3.9 takes every package that is no directory for a zip archive, older ones have no files() at all
    text = """
import importlib.resources as r, os, subprocess, tempfile
def no_file(*a, **k):
    raise AssertionError("a temporary file")
tempfile.mkstemp = no_file
with r.as_file(r.files('somedist') / 'notes.txt') as path:
    result = [path.read_text(), str(path)[:6], subprocess.check_output(["cat", str(path)]).decode()]
"""
    assert run(context, text) == ["noted", "/proc/", "noted"]


def test_metadata(context: remotesvc.Context, interpreter: Interpreter) -> None:
    if interpreter.version < (3, 8):
        return  # importlib.metadata came with 3.8
    text = """
import importlib.metadata as m
every = {each.metadata["Name"]: each for each in m.distributions()}
points = [each for each in every["Some.Dist"].entry_points if each.group == "some.group"]
result = [m.version("some-dist"), m.version("Some.Dist"), m.metadata("some_dist")["Summary"], points[0].load()(),
          m.distribution("some-dist").read_text("direct_url.json")]
try:
    m.version("not-there")
except m.PackageNotFoundError:
    result.append("not there")
import sys
for path in [], ["/no/such"], [*sys.path, "/no/such"]:
    result.append(len([each for each in m.distributions(name="Some.Dist", path=path)]))
"""
    told = ["4.2", "4.2", "for a test", "plugged", None, "not there"]
    assert run(context, text) == [*told, 0, 0, 1]


def test_entry_points_of_many_distributions_are_one_question(tmp_path: Path, interpreter: Interpreter) -> None:
    if interpreter.version < (3, 8):
        return
    lines = [f"import dist{number}\n" for number in range(20)]
    write(tmp_path, {"site/all.py": "".join(lines) + PROBE})
    for number in range(20):
        info = f"site/Dist.{number}-1.{number}.dist-info"
        write(tmp_path, {
            f"site/dist{number}.py": f"VALUE = {number}\n", f"{info}/RECORD": f"dist{number}.py,,\n",
            f"{info}/METADATA": f"Name: Dist.{number}\nVersion: 1.{number}\nSummary: no. {number}\n\nName: no",
            f"{info}/entry_points.txt": f"[many]\nvalue{number} = dist{number}:VALUE\n",
        })  # fmt: skip
    text = """
import importlib.metadata as m
points = m.entry_points()
many = points.select(group="many") if hasattr(points, "select") else points["many"]
result = sorted(each.load() for each in many), sorted(each.version for each in m.distributions() if each.entry_points)
"""
    with remotesvc.Router(path=[tmp_path / "site"]) as router:
        context = router.local(python=interpreter.path).options(timeout=LIMIT)
        loaded, versions = probe(context, "all", text)
        assert loaded == list(range(20)) and {"1.0", "1.19"} <= set(versions)
        assert router.modules.statistics()["requests"]["metadata"] == 2
        every = "import importlib.metadata as m\nresult = {d.metadata['Name']: d.metadata['Summary'] for d in %s}\n"
        assert probe(context, "all", every % "m.distributions()")["Dist.7"] == "no. 7"


def test_metadata_by_a_call_of_its_own(router: remotesvc.Router) -> None:
    assert router.local().options(timeout=LIMIT).call("importlib.metadata:version", "some.dist") == "4.2"


def test_metadata_of_what_is_denied(root: Path) -> None:
    with remotesvc.Router(path=[root / "site-packages"], deny=["somedist"]) as router:
        context = router.local().options(timeout=LIMIT)
        with pytest.raises(remotesvc.CallError, match="PackageNotFoundError"):
            context.call("importlib.metadata:version", "some.dist")


def test_warning_shows_its_line(context: remotesvc.Context) -> None:
    text = """
import warnings, warns
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    warns.warn()
(one,) = caught
result = warnings.formatwarning(one.message, one.category, one.filename, one.lineno)
"""
    written = str(run(context, text))
    assert "/proc/remotesvc:/warns.py:3: UserWarning: careful" in written
    assert "warnings.warn('careful')  # this line" in written


def test_pdb_post_mortem_shows_source(context: remotesvc.Context) -> None:
    text = """
import io, pdb, sys, generated, warns, warnings
warnings.simplefilter("error")
try:
    warns.warn()
except UserWarning:
    trace = sys.exc_info()[2]
output = io.StringIO()
debugger = pdb.Pdb(stdin=io.StringIO("list\\nquit\\n"), stdout=output, nosigint=True, readrc=False)
debugger.use_rawinput = False
debugger.reset()
debugger.interaction(None, trace)
result = output.getvalue()
"""
    assert "warnings.warn('careful')  # this line" in str(run(context, text))


def test_what_is_here_stays_here(context: remotesvc.Context) -> None:
    """Nothing of all this was imported on the master."""
    run(context, "import zipped, somedist; result = 1")
    assert not {"zipped", "somedist", "spread", "warns", "task"} & set(sys.modules)


def test_editable_install_by_a_finder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As setuptools makes them: a finder in a module whose name says so, a mapping to directories."""
    write(tmp_path, {"checkout/src/edited/__init__.py": "from . import part\n",
                     "checkout/src/edited/part.py": "def value():\n    return 'edited'\n"})
    module = types.ModuleType("__editable___edited_1_finder")
    package = tmp_path / "checkout" / "src" / "edited"

    class EditableFinder:
        __module__ = module.__name__

        @classmethod
        def find_spec(cls, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
            if fullname != "edited":
                return None
            return spec_from_file_location(
                fullname, package / "__init__.py", submodule_search_locations=[str(package)]
            )

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, EditableFinder])
    with remotesvc.Router() as router:
        assert router.local().options(timeout=LIMIT).call("edited.part:value") == "edited"
    assert "edited" not in sys.modules


def test_editable_install_with_parts_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As setuptools makes one of a `package-dir` that maps packages inside others."""
    write(tmp_path, {
        "src/mixed/__init__.py": "def value():\n    import mixed.sub, acme.tool\n    from mixed import one\n"
                                 "    return [mixed.sub.VALUE, acme.tool.VALUE, one.VALUE]\n",
        "other/sub/__init__.py": "VALUE = 1\n", "tools/tool/__init__.py": "VALUE = 2\n", "more/one.py": "VALUE = 3\n",
    })  # fmt: skip
    module = types.ModuleType("__editable___mixed_1_finder")
    mapping = {"mixed": "src/mixed", "mixed.sub": "other/sub", "acme.tool": "tools/tool", "mixed.one": "more/one"}
    module.MAPPING = {name: str(tmp_path / path) for name, path in mapping.items()}  # type: ignore[attr-defined]

    class EditableFinder:
        __module__ = module.__name__

        @classmethod
        def find_spec(cls, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
            if fullname == "acme":
                spec = ModuleSpec(fullname, None, is_package=True)
                spec.submodule_search_locations = ["__editable__.placeholder"]
                return spec
            if fullname not in mapping:
                return None
            place = Path(module.MAPPING[fullname])
            return spec_from_file_location(
                fullname, place / "__init__.py" if place.is_dir() else place.with_suffix(".py"))

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, EditableFinder])
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with remotesvc.Router() as router:
        assert router.local().options(timeout=LIMIT).call("mixed:value") == [1, 2, 3]


@pytest.mark.parametrize("name", ["edited", "acme.edited"])
def test_metadata_of_an_editable_install(tmp_path: Path, interpreter: Interpreter, name: str) -> None:
    """As hatchling, poetry and others make one: of a path to the checkout, and nothing that names a package."""
    if interpreter.version < (3, 8):
        return
    checkout, info = tmp_path / "my checkout", "site/my_edited-1.5.dist-info"
    source = "import importlib.metadata as m\nVERSION = m.version('my-edited')\n" + PROBE
    url = f'{{"url": "file://{quote(str(checkout))}", "dir_info": {{"editable": true}}}}'
    write(checkout, {f"{name.replace('.', '/')}/__init__.py": source})
    write(tmp_path, {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: my-edited\nVersion: 1.5\n", f"{info}/direct_url.json": url,
        f"{info}/entry_points.txt": "[ours]\none = edited:VERSION\n", f"{info}/RECORD": "my_edited.pth,,\n",
        "site/other.py": PROBE,
    })  # fmt: skip
    ask = "import importlib.metadata as m\nresult = [m.version('my-edited'), [d.version for d in m.distributions()]]\n"
    paths = [checkout, tmp_path / "site"]
    with remotesvc.Router(path=paths) as router, remotesvc.Router(path=paths, deny=[name]) as denying:
        context = router.local(python=interpreter.path).options(timeout=LIMIT)
        with pytest.raises(ImportError, match="my-edited"):
            probe(context, "other", ask)
        version, every = probe(context, name, ask)
        assert version == "1.5" and "1.5" in every
        with pytest.raises(ImportError, match=name):
            probe(denying.local(python=interpreter.path), name, ask)
        with pytest.raises(ImportError, match="my-edited"):
            probe(denying.local(python=interpreter.path), "other", ask)


def test_optional_native_part_and_one_that_is_needed(tmp_path: Path, interpreter: Interpreter) -> None:
    native = "_quick" + EXTENSION_SUFFIXES[0]  # the master's: what is for another Python is nothing to it
    write(tmp_path, {
        "fast/__init__.py": "try:\n    from . import _quick\nexcept ModuleNotFoundError as e:\n    MISSING = e.name\n",
        f"fast/{native}": b"\x7fELF", "needs.py": "def go():\n    import slowfast._quick\n",
        "slowfast/__init__.py": "", f"slowfast/{native}": b"\x7fELF",
        "tell.py": "import fast\ndef missing():\n    return fast.MISSING\n",
    })  # fmt: skip
    with remotesvc.Router(path=[tmp_path]) as router:
        context = router.local(python=interpreter.path).options(timeout=LIMIT)
        assert context.call("tell:missing") == "fast"
        with pytest.raises(ImportError, match="_quick.*compiled code") as caught:
            context.call("needs:go")
        assert native in str(caught.value)
