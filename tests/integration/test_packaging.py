"""What is shipped: wheel, sdist and editable install, each tried in an environment of its own.

The environments are empty but for a path entry that lends them what this test run has installed, so that no
index is asked and nothing is built twice.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import remotesvc
from tests import zones
from tests.interpreters import EXPECTED, OLDEST_MASTER
from tests.zones import ROOT

# Each test installs, and the first one builds: seconds, or minutes on a machine that is busy.
pytestmark = pytest.mark.timeout(300)

SHIPPED = {
    module.replace(".", "/") + ("/__init__.py" if path.name == "__init__.py" else ".py")
    for module, path in zones.package_modules().items()
} | {"remotesvc/py.typed", "remotesvc/__init__.pyi"}
IMPORT = "import remotesvc.bootstrap.errors as errors; print(errors.__file__)"

# What a user of the package writes: every public name is typed, so are calls; misspelt names and wrong arguments are
# found, by their line.
PROGRAM = """
import shutil
from collections.abc import Iterator

import remotesvc
from remotesvc.bootstrap import errors
from remotesvc.files import FileService
from remotesvc.service import Pool

problem: remotesvc.Error = errors.UsageError("what was wrong")
reveal_type(errors.UsageError)
remotesvc.Ruoter  # wrong


async def later(text: str) -> int:
    return int(text)


def count(most: int) -> Iterator[int]:
    yield from range(most)


def program(context: remotesvc.Context) -> None:
    free: int = context.call(shutil.disk_usage, "/").free
    soon: int = context.submit(later, "3").result()
    first: int = next(context.call(count, 3))
    context.call(count, 3).close()
    text: str = context.call("platform:node")
    message: remotesvc.Message = remotesvc.Receiver().get()
    events: list[remotesvc.Event] = list(remotesvc.Select([]))
    with context.chain() as chain:
        ordered: remotesvc.CallFuture[int] = chain.submit(later, "3")
    files: FileService = Pool(remotesvc.Router()).get_service(FileService)
    with remotesvc.Fleet("local:").executor() as executor:
        value: int = executor.submit(later, "3").result()
        every: list[int] = executor.submit(count, 3).result()
        mapped: list[int] = list(executor.map(later, ["3"]))
        next(executor.map(count, [3], chunksize=2)).pop().bit_length()
        next(executor.map(len, ["3"])).length  # wrong
    message.valeu  # wrong
    chain.call(later, 3)  # wrong
    context.call(later, 3)  # wrong
    context.submit(count, most="3")  # wrong
"""


def run(*command: str | Path, cwd: Path, status: int = 0) -> str:
    """Run a program as if there were no tree around this test; returns what it printed."""
    environment = dict(os.environ, PIP_NO_INDEX="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    environment.pop("PYTHONPATH", None)
    answer = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=250,
        check=False,
    )
    assert answer.returncode == status, answer.stdout
    return answer.stdout


def copy_of_the_tree(target: Path) -> Path:
    """A checkout without its history and without what earlier runs left in it."""
    left = ".git", ".tox", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist"
    ignored = shutil.ignore_patterns(*left)
    shutil.copytree(ROOT, target, symlinks=True, ignore=ignored)
    return target


def build(tree: Path, kind: str, target: Path) -> None:
    run(sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", target, tree, cwd=target.parent)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_tree(tmp_path_factory.mktemp("checkout") / "remotesvc")


@pytest.fixture(scope="module")
def sdist(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    dist = tmp_path_factory.mktemp("sdist") / "dist"
    build(tree, "--sdist", dist)
    (path,) = dist.glob("*.tar.gz")
    return path


def test_what_an_earlier_build_left_is_not_built_in(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "remotesvc")
    (tree / "build" / "lib" / "remotesvc").mkdir(parents=True)
    (tree / "build" / "lib" / "remotesvc" / "long_gone.py").touch()
    build(tree, "--wheel", tmp_path / "dist")
    (path,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        assert "remotesvc/router.py" in archive.namelist()
        assert "remotesvc/long_gone.py" not in archive.namelist()


@pytest.fixture(scope="module")
def unpacked(sdist: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(sdist.parent, filter="data")
    return sdist.parent / sdist.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the unpacked sdist, as an index would have it."""
    dist = tmp_path_factory.mktemp("wheel") / "dist"
    build(unpacked, "--wheel", dist)
    (path,) = dist.glob("*.whl")
    return path


class Environment:
    """A virtual environment of its own, which finds what it lacks among what this test run has installed."""

    def __init__(self, directory: Path) -> None:
        venv.create(directory, symlinks=True, with_pip=False)
        self.bin = directory / "bin"
        self.python = self.bin / "python"
        (site,) = directory.glob("lib/python3*/site-packages")
        # The last of the .pth files by name. Those of the lending environment are not read through it, so an
        # editable install there is not seen here.
        (site / "zz_lent.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def install(self, *what: str | Path) -> None:
        pip = (sys.executable, "-m", "pip", "--python", self.python)
        run(*pip, "install", "--no-deps", "--no-build-isolation", "--ignore-installed", *what, cwd=self.bin)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "environment")


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_a_wheel_has_every_module_and_nothing_else(wheel: Path) -> None:
    assert names_in(wheel) ^ SHIPPED == set()
    assert wheel.name == f"remotesvc-{remotesvc.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        (licence,) = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
        assert "remotesvc contributors" in archive.read(licence).decode()


def test_it_runs_from_a_zip_archive(wheel: Path, tmp_path: Path) -> None:
    """As `zipapp` makes one; where a kernel finds all that it needs, and a job all that it imports."""
    archive = tmp_path / "remotesvc.pyz"
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(archive, "w") as packed:
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
        packed.writestr("__main__.py", "import sys\nfrom remotesvc.__main__ import main\nsys.exit(main())\n")
    assert int(run(sys.executable, archive, "run", "local:", "os:getpid", cwd=tmp_path)) > 1
    assert run(sys.executable, archive, "exec", "local:", "--", "echo", "hello", cwd=tmp_path) == "hello\n"
    jobs = "--jobs-dir", str(tmp_path / "jobs")
    job = run(sys.executable, archive, "run", "--detach", *jobs, "local:", "operator:add", "1", "2", cwd=tmp_path)
    assert run(sys.executable, archive, "jobs", *jobs, "local:", job.strip(), "--wait", cwd=tmp_path) == "12\n"
    (shown,) = run(sys.executable, "-c", STAND_IN, archive, cwd=tmp_path).splitlines()
    assert shown == "contextvars.py"


STAND_IN = """
import sys
sys.path.insert(0, sys.argv[1])
from remotesvc.modules.standins import stand_in
source, file = stand_in("_contextvars")
print(source and file.startswith(sys.argv[1]) and file.rpartition("/")[2])
"""


def test_the_pythons_that_are_named_are_those_that_are_tested(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        said = archive.read(metadata).decode()
    named = re.findall(r"^Classifier: Programming Language :: Python :: 3\.(\d+)$", said, re.M)
    assert [int(minor) for minor in named] == list(range(OLDEST_MASTER, EXPECTED.stop))


def test_an_sdist_is_a_checkout(unpacked: Path) -> None:
    link = unpacked / "remotesvc" / "bootstrap"
    assert link.is_symlink()
    assert os.readlink(link) == "../bootstrap"
    tops = [ROOT / "bootstrap", ROOT / "remotesvc", ROOT / "tests"]
    expected = {str(path.relative_to(ROOT)) for top in tops for path in zones.python_files(top)}
    here = {str(path.relative_to(unpacked)) for path in zones.python_files(unpacked)}
    assert expected - here == set()
    files = [path.relative_to(ROOT) for top in ("docker", "docs") for path in (ROOT / top).rglob("*") if path.is_file()]
    files += map(Path, ("tox.ini", ".ci/run", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"))
    assert [name for name in files if not (unpacked / name).is_file()] == []


def test_a_tree_that_lost_its_symlink_still_gives_the_whole_wheel(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "remotesvc")
    link = tree / "remotesvc" / "bootstrap"
    link.unlink()
    link.write_text("../bootstrap")  # what is left of a symlink in an unpacked zip archive
    build(tree, "--wheel", tmp_path / "dist")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert names_in(wheel) ^ SHIPPED == set()


def test_an_installed_wheel(wheel: Path, environment: Environment, tmp_path: Path) -> None:
    environment.install(wheel)
    imported = Path(run(environment.python, "-c", IMPORT, cwd=tmp_path).strip())
    assert imported.is_relative_to(environment.bin.parent)
    for command in ([environment.bin / "remotesvc"], [environment.python, "-m", "remotesvc"]):
        assert remotesvc.__version__ in run(*command, "--version", cwd=tmp_path)


def test_pytest_beside_an_installed_wheel(wheel: Path, environment: Environment, tree: Path) -> None:
    """`python -m pytest` puts the checkout first, and the kernel must be found in it too."""
    environment.install(wheel)
    beside = tree / "tests" / "unit" / "test_beside.py"
    beside.write_text(f"def test_it():\n    {IMPORT}\n    assert errors.__file__.startswith({str(tree)!r})\n")
    try:
        said = run(environment.python, "-m", "pytest", "-p", "no:cacheprovider", beside, cwd=tree)
        assert "1 passed" in said
    finally:
        beside.unlink()


def test_an_installed_sdist(sdist: Path, environment: Environment, tmp_path: Path) -> None:
    environment.install(sdist)
    imported = Path(run(environment.python, "-c", IMPORT, cwd=tmp_path).strip())
    assert imported.is_relative_to(environment.bin.parent)


@pytest.mark.parametrize("kind", ["tree", "unpacked"])
def test_an_editable_install(
    kind: str, environment: Environment, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    where: Path = request.getfixturevalue(kind)
    environment.install("--editable", where)
    imported = run(environment.python, "-c", IMPORT, cwd=tmp_path).strip()
    assert imported == str(where / "remotesvc" / "bootstrap" / "errors.py")


def test_mypy_on_an_editable_install(environment: Environment, tree: Path, tmp_path: Path) -> None:
    environment.install("--editable", tree)
    (tmp_path / "program.py").write_text(PROGRAM)
    said = run(environment.python, "-m", "mypy", "--strict", "program.py", cwd=tmp_path, status=1)
    assert "UsageError" in said.partition("Revealed type is")[2]
    errors = [line for line in said.splitlines() if ": error: " in line]
    wrong = [number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# wrong")]
    assert [int(line.split(":")[1]) for line in errors] == wrong, said
    assert "Ruoter" in errors[0]
