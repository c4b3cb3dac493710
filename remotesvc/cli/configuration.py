"""Defaults for options from files: flag > environment > the project's file > the user's > the system's.

    forks = 50                      # an option of every command that has it, by its long name
    inventory = ["hosts", "cloud.py"]

    imports = {yaml = "target"}     # a table: for each package the strongest place that names it counts

    [exec]                          # of one command
    timeout = 60

The project's file is ./remotesvc.toml, or the table [tool.remotesvc] of ./pyproject.toml; REMOTESVC_CONFIG names one
file to be read instead of all three. A file that somebody else could have put there, or may change, is ignored,
and that is said.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from remotesvc.bootstrap.errors import UsageError

from .problems import BadUsage

SYSTEM = Path("/etc/remotesvc/config.toml")
_FILES = {"inventory", "private_key", "ssh_config", "path", "password_file", "become_password_file"}
_NEVER = {"help", "list_hosts", "json", "jsonl", "no_stdin"}
"""Options that concern one run only: a file that switched these on would surprise every script."""
_TABLE = "[tool.remotesvc"


class Defaults(dict[str, "_Values"]):
    """click's default map: command -> parameter -> value. Files are read when the first value is looked for, which is
    neither for the version, nor for the script of `completion`.

    Then BadUsage is raised that names file and option; not at a shell's TAB and for a --help, which go without.
    """

    def __init__(self, group: click.Group, environment: Mapping[str, str], note: Callable[[str], object]) -> None:
        super().__init__((name, _Values(self._read)) for name in group.commands if name != "completion")
        self.files: dict[tuple[str, str], Path] = {}
        """Where the value of (command, parameter) stands."""
        self._found: dict[str, dict[str, Any]] | None = None
        self._problem: BadUsage | None = None
        self._notes: list[str] = []
        self._group = group
        self._environment = environment
        self._note = note

    def _read(self) -> None:
        if self._found is None:
            self._found = {name: {} for name in self._group.commands}
            try:
                self._read_files(self._found)
            except BadUsage as error:
                self._problem = error
            for name, values in self.items():
                values.fill(self._found[name])
        context = click.get_current_context(silent=True)
        if context is not None and context.resilient_parsing:
            return
        while self._notes:
            self._note(self._notes.pop(0))
        if self._problem is not None:
            raise self._problem

    def _read_files(self, found: dict[str, dict[str, Any]]) -> None:
        for path in _files(self._environment):
            problem = _unsafe(path, bool(self._environment.get("REMOTESVC_CONFIG")))
            if problem:
                if _concerns_us(path):
                    self._notes.append(f"{path} is ignored: {problem}")
                continue
            for name, values in _read(path, self._group).items():
                _add(found[name], values)
                self.files.update(((name, option), path) for option in values)


class _Values(dict[str, Any]):
    """Those of one command. `read` is called before one is looked for."""

    def __init__(self, read: Callable[[], None]) -> None:
        super().__init__()
        self._read = read

    def fill(self, values: Mapping[str, Any]) -> None:
        """These are all."""
        self.update(values)

    def __contains__(self, name: object) -> bool:
        self._read()
        return super().__contains__(name)

    def __getitem__(self, name: str) -> Any:
        self._read()
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """As of any dict."""
        self._read()
        return super().get(name, default)


class _Table(tuple[str, ...]):
    """What files say of an option that is a table: texts NAME=VALUE, those of stronger files last."""


def _add(found: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Add the values of a stronger file. Each replaces what weaker ones said; of a table, each name by itself."""
    for option, value in values.items():
        before = found.get(option)
        if isinstance(value, _Table) and isinstance(before, _Table):
            value = _Table((*before, *value))
        found[option] = value


def _files(environment: Mapping[str, str]) -> list[Path]:
    """The files that exist, the weakest first."""
    named = environment.get("REMOTESVC_CONFIG")
    if named:
        path = Path(named).expanduser()
        if path.is_char_device():  # /dev/null: no file at all
            return []
        if not os.path.isfile(path):
            raise BadUsage(f"REMOTESVC_CONFIG names {named}, and there is no such file")
        return [path]
    home = environment.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    project = Path("remotesvc.toml")
    if not os.path.isfile(project):
        project = Path("pyproject.toml")
    # Unlike `Path.is_file`, this is no error in a directory that we may not search, as after `sudo -u`.
    return [path for path in (SYSTEM, Path(home) / "remotesvc" / "config.toml", project) if os.path.isfile(path)]


def cache_file(environment: Mapping[str, str]) -> Path:
    """The file that keeps what makes later runs faster."""
    home = environment.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "remotesvc" / "pythons"


def _unsafe(path: Path, named: bool) -> str:
    """Why not to trust a file, and what to do; empty if we may. named: by the user, so its owner may be anybody."""
    directory, real = path.absolute().parent, path.resolve().parent
    places = ((path, "it"), (directory, "its directory"), (real, "its target's directory"))
    return next(filter(None, (_unsafe_place(place, what, named) for place, what in places)), "")


def _unsafe_place(place: Path, what: str, named: bool) -> str:
    try:
        found = place.stat()
    except OSError as error:  # we stand in a directory to which no way leads for us
        return f"cannot look at {what}: {error.strerror}"
    if found.st_mode & stat.S_IWOTH:
        return f"everybody may write to {what}"
    if named:
        return ""
    if found.st_uid not in _trusted():
        return f"{what} belongs to {_user(found.st_uid)}; {_ALL_THE_SAME}"
    if found.st_mode & stat.S_IWGRP and not _private(found.st_gid, found.st_uid):
        return f"a group may write to {what}: chmod g-w; or {_ALL_THE_SAME}"
    return ""


_ALL_THE_SAME = "to use it all the same, name it in REMOTESVC_CONFIG"


def _trusted() -> set[int]:
    """Users whose files may tell us what to do: we, root, and who made us root by sudo."""
    own = os.geteuid()
    caller = os.environ.get("SUDO_UID", "")
    return {0, own, int(caller)} if own == 0 and caller.isdecimal() else {0, own}


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # as in a container
        return f"user {number}"


def _private(group: int, owner: int) -> bool:
    """Is it a group of that user alone? Many distributions make one for each, and let it write by default."""
    import grp

    if group == owner == 0:
        return True
    name = _user(owner)
    try:
        found = grp.getgrgid(group)
    except KeyError:
        return group == owner
    return found.gr_name == name and set(found.gr_mem) <= {name}


def _concerns_us(path: Path) -> bool:
    """Whether a file that is ignored would have said anything: most pyproject.toml do not."""
    try:
        return path.name != "pyproject.toml" or _TABLE in path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return False


def _read(path: Path, group: click.Group) -> dict[str, dict[str, Any]]:
    from remotesvc.fleet.inventory.model import InventoryError
    from remotesvc.fleet.inventory.toml_file import parse_toml

    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.name == "pyproject.toml" and _TABLE not in text:
            return {}  # most have nothing to say, and reading TOML costs a start 10 ms
        table = parse_toml(text, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadUsage(f"cannot read {path}: {error}") from None
    except InventoryError as error:
        raise BadUsage(str(error)) from None
    if path.name == "pyproject.toml":
        table = table.get("tool", {}).get("remotesvc", {})
    return _values(table, path, group)


def _values(table: dict[str, Any], path: Path, group: click.Group) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {name: {} for name in group.commands}
    known = {name: _options(command) for name, command in group.commands.items()}
    written: dict[tuple[str, str], str] = {}

    def once(table: str, parameter: click.Option, option: str) -> None:
        before = written.setdefault((table, _name(parameter)), option)
        if before != option:
            raise BadUsage(f"{path}: {table}{before} and {table}{option} are one option: which is meant?")

    # What is said of one command is stronger than what is said of all, wherever in the file it stands.
    for key, value in sorted(table.items(), key=lambda item: item[0] in known and isinstance(item[1], dict)):
        if key in known and isinstance(value, dict):
            for option, inner in value.items():
                parameter = known[key].get(option.replace("-", "_"))
                if parameter is None:
                    raise _unknown(f"[{key}] {option}", option, known[key], path)
                once(f"[{key}] ", parameter, option)
                _add(found[key], {_name(parameter): _checked(parameter, inner, path, option)})
            continue
        name = key.replace("-", "_")
        having = [command for command in known if name in known[command]]
        if not having:
            raise _unknown(key, name, {option for options in known.values() for option in options}, path)
        for command in having:
            parameter = known[command][name]
            once("", parameter, key)
            _add(found[command], {_name(parameter): _checked(parameter, value, path, key)})
    return found


def _options(command: click.Command) -> dict[str, click.Option]:
    """The options of a command by their long names, as a file spells them."""
    found = {
        flag.removeprefix("--").replace("-", "_"): parameter
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for flag in parameter.opts
        if flag.startswith("--")
    }
    return {name: parameter for name, parameter in found.items() if name not in _NEVER}


def _name(parameter: click.Option) -> str:
    assert parameter.name is not None
    return parameter.name


def _checked(parameter: click.Option, value: Any, path: Path, option: str) -> Any:
    """The value as click takes it as a default; paths are taken from where the file lies."""
    if hasattr(parameter, "check_table"):
        return _Table(_table(parameter.check_table, value, path, option))
    if isinstance(value, dict) or (isinstance(value, list) and not parameter.multiple):
        raise BadUsage(f"{path}: {option} takes one value, not a {'table' if isinstance(value, dict) else 'list'}")
    if parameter.is_flag and not parameter.count and not isinstance(value, bool):
        raise BadUsage(f"{path}: {option} is true or false")
    values = value if isinstance(value, list) else [value]
    if isinstance(parameter.type, click.types.IntParamType) and not parameter.count:
        for each in values:
            if isinstance(each, (bool, float)):  # click would take 2.9 as 2, and true as 1
                raise BadUsage(f"{path}: {option} is a whole number, not {str(each).lower()}")
    if not parameter.is_flag and not parameter.count and any(isinstance(each, bool) for each in values):
        raise BadUsage(f"{path}: {option} takes a value, not {str(value).lower()}")  # which is 1 s to a limit
    if parameter.name in _FILES:
        values = [_placed(each, path) for each in values]
    return tuple(values) if parameter.multiple else values[0]


def _table(check: Callable[[Any], dict[str, str]], value: Any, path: Path, option: str) -> Iterator[str]:
    try:
        for name, said in check(value).items():
            yield f"{name}={said}"
    except UsageError as error:
        raise BadUsage(f"{path}: {option}: {error}") from None


def _placed(value: Any, path: Path) -> Any:
    if not isinstance(value, str) or value == "-" or "," in value:
        return value
    return os.path.join(path.parent, os.path.expanduser(value))


def _unknown(shown: str, name: str, known: Any, path: Path) -> BadUsage:
    if name.replace("-", "_") in _NEVER:
        return BadUsage(f"{path}: {shown} is not for files: it concerns one run, and stands on its command line")
    near = difflib.get_close_matches(name, list(known), 1)
    meant = f"; did you mean {near[0].replace('_', '-')}?" if near else ""
    return BadUsage(f"{path}: there is no option {shown}{meant}")
