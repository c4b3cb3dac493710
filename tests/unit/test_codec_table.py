"""The codec's table of values and bytes, through both implementations and in every Python found."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from remotesvc import fastcodec
from remotesvc.bootstrap.data import codec
from tests import interpreters
from tests.unit import codec_table

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("implementation", [codec, fastcodec], ids=["pure", "c"])
def test_both_codecs_agree_with_the_table(implementation: ModuleType) -> None:
    assert codec_table.check(implementation) > 250


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_the_codec_agrees_with_the_table_in_every_interpreter(interpreter: interpreters.Interpreter) -> None:
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONDONTWRITEBYTECODE="1")
    answer = subprocess.run([interpreter.path, "-W", "error", codec_table.__file__], env=environment,
                            capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr
    assert " lines hold in {}.{}".format(*interpreter.version) in answer.stdout
