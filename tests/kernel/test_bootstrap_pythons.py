"""Pythons that are missing, too old, broken or oddly named, and what is said of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Router, shell
from remotesvc.launch.bundle import CANDIDATES
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called
from tests.kernel.bootstrap_fixtures import Fake
from tests.kernel.contexts import LIMIT
from tests.kernel.shells import through
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.kernel.call_fixtures", "tests.kernel.bootstrap_fixtures")


def old_pythons() -> Iterator[str]:
    """Every Python 2 of this machine."""
    roots = [Path(root) for root in (os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv") if root]
    paths = [shutil.which(name) or "" for name in ("python2.7", "python2")]
    paths += [str(path) for root in roots for path in sorted(root.glob("versions/2.*/bin/python2"))]
    for path in paths:
        command = [path, "-c", "import sys; print(sys.version_info[0])"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        except OSError:
            continue
        if answer.stdout.strip() == "2":
            yield path


@pytest.fixture
def old_python() -> str:
    path = next(old_pythons(), None)
    if path is None:
        pytest.skip("no Python 2 here: what a Python that is too old says is NOT tested")
    return path


def test_no_python(router: Router, empty: Path) -> None:
    watch = Stopwatch()
    context = through(router, ["env", "-i", f"PATH={empty}", "sh", "-c"])
    with pytest.raises(remotesvc.PythonNotFound) as caught:
        context.call(called.add, 1, 2)
    assert watch.seconds < 10
    del watch  # the router keeps the error of wait_ready(), and that what is in this frame
    for candidate in CANDIDATES:
        assert candidate in str(caught.value)
    assert "python=" in caught.value.hint
    with pytest.raises(remotesvc.PythonNotFound):
        context.wait_ready()
    with pytest.raises(remotesvc.PythonNotFound):
        context.call(called.add, 1, 2)


def test_only_one_of_the_candidate_pythons_is_there(router: Router, empty: Path) -> None:
    (empty / "python3.6").symlink_to(interpreters.found()[0].path)
    context = through(router, ["env", "-i", f"PATH={empty}", "sh", "-c"])
    assert tuple(context.info["version"][:2]) == interpreters.found()[0].version


def test_a_named_python_that_is_not_there(router: Router) -> None:
    with pytest.raises(remotesvc.PythonNotFound, match="/no/such/python"):
        through(router, ["sh", "-c"], "/no/such/python").call(called.add, 1, 2)
    with pytest.raises(remotesvc.BootstrapError, match="/no/such/python"):
        router.local("/no/such/python")


@pytest.mark.parametrize("python", ["-c", "a'b", "a\nb", "a!b", "a\\b", "a\0b"])
def test_names_of_pythons_that_no_shell_takes(router: Router, python: str) -> None:
    with pytest.raises(remotesvc.UsageError):
        through(router, ["sh", "-c"], python)


def test_a_python_with_a_name_that_has_to_be_quoted(router: Router, tmp_path: Path) -> None:
    strange = tmp_path / 'a b $HOME "c" `d` ;&|*'
    strange.mkdir()
    python = strange / "python"
    python.symlink_to(sys.executable)
    context = through(router, ["sh", "-c"], str(python))
    assert context.info["executable"] == str(python)


def test_a_python_that_is_too_old(router: Router, old_python: str) -> None:
    watch = Stopwatch()
    with pytest.raises(remotesvc.PythonTooOld, match="2.7") as caught:
        router.local(old_python).call(called.add, 1, 2)
    assert watch.seconds < 10
    assert "3.6" in str(caught.value)


def test_an_old_python_is_passed_over(router: Router, empty: Path, old_python: str) -> None:
    (empty / "python3").symlink_to(old_python)
    (empty / "python3.9").symlink_to(interpreters.found()[-1].path)
    context = through(router, ["env", "-i", f"PATH={empty}", "sh", "-c"])
    assert tuple(context.info["version"][:2]) == interpreters.found()[-1].version


# -- Pythons that fail


@pytest.mark.parametrize("missing", ["zlib", "struct", "threading", "_frozen_importlib_external"])
def test_a_python_that_dies_during_bootstrap_shows_its_traceback(router: Router, fake: Fake, missing: str) -> None:
    python = fake(f"""exec "$PYTHON" "$1" "import sys;sys.modules['{missing}']=None;$2" "$3" "$4" """)
    watch = Stopwatch()
    with pytest.raises(remotesvc.BootstrapError, match=missing) as caught:
        router.local(python).call(called.add, 1, 2)
    assert watch.seconds < 10
    assert "Traceback" in caught.value.diagnostics
    assert caught.value.exit_status == 1
    assert caught.value.stage == "boot"


@pytest.mark.parametrize("body", ["exit 3", "kill -9 $$", 'exec "$PYTHON" -c "import os; os.abort()"', "exec true"])
def test_a_program_that_ends_at_once(router: Router, fake: Fake, body: str) -> None:
    context = router.local(fake(body))
    with pytest.raises(remotesvc.BootstrapError, match="status|SIG"):
        context.submit(called.add, 1, 2).result(LIMIT)
    with pytest.raises(remotesvc.BootstrapError, match="status|SIG"):
        context.call(called.add, 1, 2)
    with pytest.raises(remotesvc.BootstrapError):
        context.wait_ready()
    with pytest.raises(remotesvc.BootstrapError):
        _ = context.info


@pytest.mark.parametrize("setting", ["unset LC_ALL LC_CTYPE LANG", "unset LC_ALL LANG; export LC_CTYPE=none.UTF-8"])
def test_files_have_names_in_the_c_locale(
    interpreter: Interpreter, router: Router, fake: Fake, tmp_path: Path, setting: str
) -> None:
    """Of a Python 3.6 they were ASCII: sshd sets no locale, and neither does a container."""
    context = router.local(fake(f'{setting}; exec "$PYTHON" "$@"', python=interpreter.path))
    place = tmp_path / "gruß €"
    context.call("os:mkdir", str(place))
    assert context.call(shell.run, ["touch", str(place / "für")]) == 0
    context.push(b"text", str(place / "straße"))
    assert sorted(os.listdir(place)) == ["für", "straße"]
    assert sorted(context.call("os:listdir", str(place))) == ["für", "straße"]


def test_a_locale_that_was_asked_for_stays(interpreter: Interpreter, router: Router, fake: Fake) -> None:
    context = router.local(fake('LC_ALL=C exec "$PYTHON" "$@"', python=interpreter.path))
    assert context.call("os:getenv", "LC_ALL") == "C"
    assert context.call("os:getenv", "LC_CTYPE") is None
