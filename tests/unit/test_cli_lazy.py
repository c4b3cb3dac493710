"""`--help` imports no command, and says of each what the command itself says."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from remotesvc.cli.main import _PLACES, cli


@pytest.mark.parametrize("name", _PLACES)
def test_the_list_of_commands_says_what_the_command_says(name: str) -> None:
    command = cli.commands[name]
    assert command.name == name
    assert _PLACES[name][1].removesuffix(".") == command.get_short_help_str(300).removesuffix(".")
    assert name in CliRunner().invoke(cli, ["--help"]).output


def test_all_commands_are_there_for_whoever_looks() -> None:
    assert list(cli.commands) == list(_PLACES)
    assert {name: command.name for name, command in cli.commands.items()} == {name: name for name in _PLACES}
    assert len(list(cli.commands.values())) == len(_PLACES)
    assert cli.commands.get("no such command") is None
    assert CliRunner().invoke(cli, ["pinng"]).exit_code == 2


def test_help_imports_no_more_than_it_shows() -> None:
    code = (
        "import sys\n"
        "from remotesvc.cli.main import main\n"
        "main(['--help'])\n"
        "heavy = 'paramiko rich yaml msgpack ClusterShell remotesvc.router remotesvc.launch.tree remotesvc.modules"
        " asyncio'\n"
        "sys.exit(str([name for name in heavy.split() if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == "[]\n"
