"""From what `-i` names to an Inventory: files of every format, directories, scripts, and literal lists of hosts."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from shutil import which
from typing import Any

from . import ini, toml_file, tree
from .model import EVERYONE, UNGROUPED, Inventory, InventoryError
from .ranges import LOCAL, expand
from .yaml_text import parse_yaml

LARGEST = 64 * 1024 * 1024
"""Bytes of one source: far above 50,000 hosts with variables, far below what parsing would choke on."""
SCRIPT_SECONDS = 120.0
"""Limit of an inventory script: those that ask a cloud take a while, one that hangs must not take for ever."""
MOST_ASKED = 1000
"""Hosts that a script without `_meta` is asked for one by one."""
_PASSED_OVER = {".bak", ".cfg", ".ini~", ".orig", ".pyc", ".pyo", ".retry", ".rst", ".md", ".txt~", ".swp"}
_TEXTS = {".ini", ".yml", ".yaml", ".json", ".toml"}
_BEGINS_YAML = re.compile(r"[^\s\[=#;]+:(\s+\{.*|\s*(#.*)?)\Z")
"""A group, `web:` or `web: {hosts: ...`."""
_VARIABLES = ("", ".yml", ".yaml", ".json")


def load(sources: Iterable[str | os.PathLike[str]]) -> Inventory:
    """The inventory that these sources together make; later ones win.

    A source is a file (Ansible INI or YAML, or TOML of ours), a directory of such files, an executable that prints
    JSON for `--list`, or a list of hosts with a comma in it: "web1,web2,". Raises InventoryError.
    """
    inventory = Inventory()
    beside: dict[Path, None] = {}
    for source in sources:
        text = os.fspath(source)
        if "," in text and not os.path.exists(text):
            _literal(text, inventory)
            continue
        path = Path(text).expanduser()
        if not path.exists():
            raise InventoryError(f"inventory {text}: there is no such file (a list of hosts has a comma: '{text},')")
        beside[path if path.is_dir() else path.parent] = None
        for file in _files(path) if path.is_dir() else [path]:
            _file(file, inventory)
    for directory in beside:
        _variables_beside(directory, inventory)
    return inventory


def _literal(text: str, inventory: Inventory) -> None:
    for part in (each.strip() for each in text.split(",")):
        if part:
            try:
                names = expand(part)
            except ValueError as error:
                raise InventoryError(str(error)) from None
            for name in names:
                inventory.add_host(name)


def _files(directory: Path) -> list[Path]:
    """The sources in an inventory directory, by name, as Ansible reads them."""
    return [
        path
        for path in sorted(directory.iterdir())
        if path.is_file() and not path.name.startswith(".") and not path.name.endswith("~")
        and path.suffix not in _PASSED_OVER
    ]  # fmt: skip


def _file(path: Path, inventory: Inventory) -> None:
    source = str(path)
    if path.suffix not in _TEXTS and os.access(path, os.X_OK) and _is_program(path):
        _script([os.path.abspath(path)], source, inventory)
        return
    text = _read(path)
    inventory.files.append(source)
    if path.suffix == ".toml":
        toml_file.read(text, source, inventory)
    elif path.suffix in (".yml", ".yaml", ".json") or (path.suffix != ".ini" and _is_yaml(text)):
        _yaml(path, text, source, inventory)
    else:
        ini.read(text, source, inventory)


def _yaml(path: Path, text: str, source: str, inventory: Inventory) -> None:
    if any(line.startswith("plugin:") for line in text.splitlines()):
        program = which("ansible-inventory")
        if program is None:
            raise InventoryError(f"{source} configures a plugin of Ansible's, and there is no ansible-inventory here")
        _script([program, "-i", source], source, inventory)
        return
    tree.read_yaml(text, source, inventory)


def _is_yaml(text: str) -> bool:
    """Whether a file that does not say so by its name is YAML, as in Ansible: no INI begins with `web:`."""
    if text.lstrip().startswith(("---", "{")):
        return True
    lines = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", ";")))
    first, second = next(lines, ""), next(lines, "")
    if first.strip() == LOCAL and not second.startswith(" "):
        return False
    return _BEGINS_YAML.match(first) is not None


def _is_program(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4).startswith((b"#!", b"\x7fELF"))


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise InventoryError(f"inventory {path} has more than {LARGEST // 2**20} MiB")
        return path.read_text(encoding="utf-8-sig")  # editors on Windows begin files with a mark
    except UnicodeDecodeError as error:
        raise InventoryError(f"inventory {path} is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise InventoryError(f"inventory {path}: {error.strerror}") from None


def _script(command: list[str], source: str, inventory: Inventory) -> None:
    asked = 0

    def ask(host: str) -> Any:
        nonlocal asked
        asked += 1
        if asked > MOST_ASKED:
            raise InventoryError(f"{source} prints no _meta.hostvars, and has more than {MOST_ASKED} hosts")
        return _output([*command, "--host", host], source)

    tree.read_script(_output([*command, "--list"], source), source, inventory, ask)


def _output(command: list[str], source: str) -> Any:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SCRIPT_SECONDS)
    except subprocess.TimeoutExpired:
        raise InventoryError(f"inventory script {source} did not end within {SCRIPT_SECONDS:g} s") from None
    except OSError as error:
        there = isinstance(error, FileNotFoundError) and os.path.exists(command[0])
        why = "the program that its first line names is not there" if there else error.strerror
        raise InventoryError(f"inventory script {source}: {why}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise InventoryError(f"inventory script {source} ended with code {done.returncode}: {said[0][:500]}")
    if len(done.stdout) > LARGEST:
        raise InventoryError(f"inventory script {source} printed more than {LARGEST // 2**20} MiB")
    try:
        return json.loads(done.stdout)
    except (ValueError, RecursionError) as error:
        raise InventoryError(f"inventory script {source} must print JSON: {error}") from None


def _variables_beside(directory: Path, inventory: Inventory) -> None:
    """`group_vars` and `host_vars` directories, as Ansible reads them beside an inventory."""
    for name in (EVERYONE, UNGROUPED, *inventory.groups):
        found = _variables(directory / "group_vars", name, inventory.files)
        if found:
            inventory.add_group(name).beside.update(found)
    if (directory / "host_vars").is_dir():
        for name in list(inventory):
            inventory.add_host(name).update(_variables(directory / "host_vars", name, inventory.files))


def _variables(directory: Path, name: str, read: list[str]) -> dict[str, Any]:
    if os.sep in name or name in (".", "..") or not directory.is_dir():
        return {}
    paths = (directory / (name + suffix) for suffix in _VARIABLES)
    path = next((path for path in paths if path.exists()), None)  # just one of them, as Ansible
    found: dict[str, Any] = {}
    for file in () if path is None else _files(path) if path.is_dir() else (path,):
        text = _read(file)
        read.append(str(file))
        if text.startswith("$ANSIBLE_VAULT"):
            raise InventoryError(f"{file} is encrypted by ansible-vault; decrypt it, or give the values otherwise")
        data = parse_yaml(text, str(file))
        if data is not None and not isinstance(data, dict):
            raise InventoryError(f"{file}: variables are a mapping, not {type(data).__name__}")
        found.update(data or {})
    return found
