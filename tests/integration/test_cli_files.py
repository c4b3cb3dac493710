"""`push` and `pull` as a user runs them, with this machine as the target: what they say of what they refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.integration.command_line import cli


def test_what_is_refused_here_is_told_from_what_is_refused_there(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    what = "fifo is neither a file nor a directory"
    assert cli(tmp_path, "push", "local:", "fifo", "t") == (2, "", f"local: TransferRefused: here: {what}\n")
    assert cli(tmp_path, "pull", "local:", f"{tmp_path}/fifo", "t") == (
        2, "", f"local: TransferRefused: {tmp_path}/{what}\n")  # fmt: skip
    for words, message in (("push local: fifo t", f"here: {what}"),
                           (f"pull local: {tmp_path}/fifo t", f"{tmp_path}/{what}")):
        error = json.loads(cli(tmp_path, *words.split(), "--json")[1])[0]["error"]
        assert (error["type"], error["message"]) == ("TransferRefused", message)
