"""Everything that travels is compiled by the real compiler of every interpreter found, from 3.6 on.

ruff's oldest target is 3.7, and `ast.parse(feature_version=...)` accepts what an old compiler refuses.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import interpreters, zones
from tests.interpreters import Interpreter

TRAVELLING = {module: path for module, path in zones.package_modules().items() if zones.zone(module) in "KP"}

# Runs in the other interpreter: compiles what stdin names, with warnings as errors, and says what it refused.
COMPILE = """
import json, sys, warnings
warnings.simplefilter("error")
refused = []
for path in json.load(sys.stdin):
    with open(path, "rb") as file:
        source = file.read()
    try:
        compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, Warning) as error:
        refused.append("%s: %s" % (path, error))
json.dump(refused, sys.stdout)
"""


def refused_by(interpreter: Interpreter, paths: list[str]) -> list[str]:
    answer = subprocess.run(
        [interpreter.path, "-I", "-S", "-c", COMPILE],
        input=json.dumps(paths),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    refused: list[str] = json.loads(answer.stdout)
    return refused


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_what_travels_compiles(interpreter: Interpreter) -> None:
    assert len(TRAVELLING) > 2
    assert refused_by(interpreter, [str(path) for path in TRAVELLING.values()]) == []


def test_a_real_3_6_is_there() -> None:
    """A run without the oldest version promised proves less, and says so."""
    if "3.6" in interpreters.missing():
        pytest.skip("no Python 3.6 on this machine: nothing was compiled by the oldest compiler promised")
    assert interpreters.found()[0].version == (3, 6)


@pytest.mark.parametrize("interpreter", interpreters.found()[:1], ids=str)
def test_the_check_finds_what_it_is_for(interpreter: Interpreter, tmp_path: Path) -> None:
    newer = tmp_path / "newer.py"
    newer.write_text("def unfinished(:\n")
    warned = tmp_path / "warned.py"
    warned.write_text("pattern = '\\d'\n")
    assert len(refused_by(interpreter, [str(newer), str(warned)])) == 2
