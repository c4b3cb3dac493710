"""A target that dies during a call, as whoever ran the command is told of it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.command_line import cli


def test_the_last_words_of_a_target_stand_under_the_error(tmp_path: Path) -> None:
    code, out, err = cli(tmp_path, "run", "local:", "os:abort")
    assert (code, out) == (4, "")
    lines = err.splitlines()
    assert lines[:3] == [
        "local: lost: the process was killed by SIGABRT", "the target said:", "  Fatal Python error: Aborted",
    ]  # fmt: skip
    result = json.loads(cli(tmp_path, "run", "local:", "os:abort", "--json")[1])[0]
    assert (result["status"], result["error"]["type"]) == ("lost", "Lost")
    assert result["error"]["message"] == "the process was killed by SIGABRT"
    assert result["error"]["diagnostics"].startswith("Fatal Python error: Aborted\n")
