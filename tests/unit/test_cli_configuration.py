"""Configuration files: what wins over what, and what is wrong with one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from remotesvc.cli import configuration
from remotesvc.cli.main import main
from tests.unit.cli_backend import FakeBackend


@pytest.fixture(name="places")
def fixture_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    for name in ("project", "home/remotesvc", "etc"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("REMOTESVC_CONFIG", raising=False)
    monkeypatch.setattr(configuration, "SYSTEM", tmp_path / "etc" / "config.toml")
    return {
        "project": tmp_path / "project" / "remotesvc.toml",
        "pyproject": tmp_path / "project" / "pyproject.toml",
        "user": tmp_path / "home" / "remotesvc" / "config.toml",
        "system": tmp_path / "etc" / "config.toml",
        "other": tmp_path / "other.toml",
    }


def user(line: str) -> str | None:
    backend = FakeBackend()
    assert main(line.split(), backend) == 0
    found: str | None = backend.opened[0][1].get("user")
    return found


def test_files_environment_and_flags_win_in_their_order(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert user("run web1 m:f") is None
    for name in ("system", "user", "pyproject", "project"):
        text = f'user = "{name}"\n'
        places[name].write_text("[tool.remotesvc]\n" + text if name == "pyproject" else text)
        assert user("run web1 m:f") == name
    places["other"].write_text('user = "other"\n')
    monkeypatch.setenv("REMOTESVC_CONFIG", str(places["other"]))
    assert user("run web1 m:f") == "other"
    monkeypatch.setenv("REMOTESVC_USER", "environment")
    assert user("run web1 m:f") == "environment"
    assert user("run -u flag web1 m:f") == "flag"


def test_files_add_up_and_commands_have_their_own(places: dict[str, Path]) -> None:
    places["system"].write_text('port = 2200\nhost-keys = "no"\n')
    places["user"].write_text('user = "me"\n[ping]\nuser = "pinger"\n')
    backend = FakeBackend()
    assert main(["run", "web1", "m:f"], backend) == 0
    options = backend.opened[0][1]
    assert (options["user"], options["port"], options["host_keys"]) == ("me", 2200, "no")
    assert user("ping web1") == "pinger"


def test_paths_are_taken_from_where_the_file_lies(places: dict[str, Path]) -> None:
    places["user"].with_name("hosts").write_text("[web]\nw1\n")
    places["user"].write_text('inventory = ["hosts"]\nprivate_key = "hosts"\n')
    backend = FakeBackend()
    assert main(["run", "web", "m:f"], backend) == 0
    host, options = backend.opened[0]
    assert host == "w1" and options["key_filename"] == str(places["user"].with_name("hosts"))


def test_what_anybody_can_write_is_ignored_with_a_word(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    places["project"].write_text('user = "intruder"\n')
    places["project"].parent.chmod(0o777)
    assert user("run web1 m:f") is None
    assert "remotesvc.toml is ignored: everybody may write to its directory" in capsys.readouterr().err
    places["project"].parent.chmod(0o755)
    places["project"].chmod(0o666)
    assert user("run web1 m:f") is None
    assert "everybody may write to it" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("what", ["file", "directory", "target", "directory of the target"])
def test_what_belongs_to_somebody_else_is_ignored_with_a_word(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    there = places["project"]
    if "target" in what:
        there = places["user"]
        places["project"].symlink_to(there)
        monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")
    there.write_text('user = "intruder"\n')
    assert user("run web1 m:f") == "intruder"
    os.chown(there.parent if "directory" in what else there, 4711, 4711)
    assert user("run web1 m:f") is None
    said = capsys.readouterr().err
    assert "remotesvc.toml is ignored: " in said
    assert "belongs to user 4711; to use it all the same, name it in REMOTESVC_CONFIG" in said
    monkeypatch.setenv("SUDO_UID", "4711")
    assert user("run web1 m:f") == "intruder"
    monkeypatch.delenv("SUDO_UID")
    monkeypatch.setenv("REMOTESVC_CONFIG", str(places["project"]))
    assert user("run web1 m:f") == "intruder"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to any group")
@pytest.mark.parametrize("what", ["file", "directory"])
def test_what_a_group_may_write_is_ignored_unless_it_is_the_owners_own(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str], what: str
) -> None:
    places["project"].write_text('user = "member"\n')
    place = places["project"] if what == "file" else places["project"].parent
    place.chmod(0o775)
    assert user("run web1 m:f") == "member"
    os.chown(place, 0, 4711)
    assert user("run web1 m:f") is None
    assert "a group may write to it" in capsys.readouterr().err


def origins(line: str) -> dict[str, str]:
    backend = FakeBackend()
    assert main(line.split(), backend) != 64
    found: dict[str, str] = backend.made["imports"]
    return found


def test_origins_of_packages_add_up_package_by_package(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert origins("run web1 m:f") == {}
    places["system"].write_text('imports = {secretlib = "deny", yaml = "master", numpy = "master", x = "master"}\n')
    places["user"].write_text('[imports]\nyaml = "target"\n"ruamel.yaml" = "deny"\n')
    system = {"secretlib": "deny", "numpy": "master", "x": "master"}
    assert origins("run web1 m:f") == {**system, "yaml": "target", "ruamel.yaml": "deny"}
    places["pyproject"].write_text(
        '[tool.remotesvc.run.imports]\nnumpy = "target"\n[tool.remotesvc.imports]\nnumpy = "deny"\n"*" = "locked"\n'
    )
    files = {**system, "yaml": "target", "ruamel.yaml": "deny", "numpy": "target", "*": "locked"}
    assert origins("run web1 m:f") == files
    assert origins("services --json web1") == {**files, "numpy": "deny"}
    monkeypatch.setenv("REMOTESVC_IMPORTS", "x=target yaml=deny")
    assert origins("run web1 m:f") == {**files, "x": "target", "yaml": "deny"}
    assert origins("run --imports yaml=master web1 m:f") == {**files, "yaml": "master"}


def test_locked_is_a_word_in_files_and_flags(places: dict[str, Path]) -> None:
    assert origins("run --imports locked web1 m:f") == {"*": "locked"}
    places["user"].write_text('imports = "locked"\n')
    places["project"].write_text('imports = {yaml = "target"}\n')
    assert origins("run --imports x=deny web1 m:f") == {"*": "locked", "yaml": "target", "x": "deny"}


@pytest.mark.parametrize("text", ["yaml", "yaml=", "yaml=nowhere", "=master", "a-b=master", "*=master"])
def test_an_origin_typed_wrong_is_named(text: str, places: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--imports", text, "web1", "m:f"], FakeBackend()) == 64
    assert 'a package comes from "master" or "target", or "deny"' in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(("text", "message"), [
    ("imports = {yaml = 'nowhere'}", "config.toml: imports: imports={'yaml': 'nowhere'}: a package comes from"),
    ("imports = {yaml = ['master']}", "config.toml: imports: imports={'yaml': ['master']}: a package comes from"),
    ("imports = {'a-b' = 'master'}", "imports={'a-b': 'master'}"),
    ("imports = 'master'", 'config.toml: imports: \'master\': give "locked", or a table of packages'),
    ("imports = ['yaml=master']", 'give "locked", or a table of packages'),
    ("[run.imports]\nyaml = true", "imports={'yaml': True}"),
    ("frks = 5", "there is no option frks; did you mean forks?"),
    ("[exec]\ntimeot = 5", r"there is no option [exec] timeot; did you mean timeout?"),
    ("forks = [1, 2]", "forks takes one value, not a list"),
    ("become = 'yes'", "become is true or false"),
    ("password = 'x'", "there is no option password"),
    ("forks = ", "line 1"),
    ("forks = 'many'", "it stands in {path}."),
    ("serial = [1, 'x']", "it stands in {path}."),
    ("[run]\ntimeout = -1", "it stands in {path}."),
    ("port = 22.9", "{path}: port is a whole number, not 22.9"),
    ("forks = true", "{path}: forks is a whole number, not true"),
    ("timeout = true", "{path}: timeout takes a value, not true"),
    ("json = true", "{path}: json is not for files: it concerns one run"),
    ("[run]\nno-stdin = true", "{path}: [run] no-stdin is not for files"),
    ("connect-timeout = 5\nconnect_timeout = 6", "{path}: connect-timeout and connect_timeout are one option"),
    ("[run]\nforks = 5\nfanout = 6", "{path}: [run] forks and [run] fanout are one option"),
    ("user = false", "{path}: user takes a value, not false"),
])  # fmt: skip
def test_what_is_wrong_is_named(
    places: dict[str, Path], text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    places["system"].write_text("[run]\nforks = 7\nuser = 'weaker'\n")
    places["user"].write_text(text + "\n")
    backend = FakeBackend()
    assert main(["run", "web1", "m:f"], backend) == 64
    assert message.replace("{path}", str(places["user"])) in capsys.readouterr().err
    assert backend.opened == []


@pytest.mark.parametrize("line", ["-V", "--help", "run --help", "completion bash"])
def test_what_needs_no_file_does_without_a_broken_one(
    places: dict[str, Path], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    places["project"].write_text("forks = \n")
    assert main(line.split(), FakeBackend()) == 0
    out, err = capsys.readouterr()
    assert out and not err
    assert main(["hosts", "web1"], FakeBackend()) == 64
    assert str(places["project"].name) in capsys.readouterr().err


def test_a_shell_completes_without_a_broken_file(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    places["project"].write_text("forks = \n")
    monkeypatch.setenv("_REMOTESVC_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_LINE", "remotesvc run --ser")
    monkeypatch.setenv("COMP_LAST", "--ser")
    main([], FakeBackend())
    assert capsys.readouterr() == ("plain,--serial\n", "")


def test_help_shows_the_defaults_of_files(places: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    places["project"].write_text("forks = 77\n")
    assert main(["run", "--help"], FakeBackend()) == 0
    assert "default: 77" in capsys.readouterr().out


def test_a_named_file_must_be_there(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REMOTESVC_CONFIG", "/nonexistent")
    assert main(["run", "web1", "m:f"], FakeBackend()) == 64
    assert "there is no such file" in capsys.readouterr().err


def test_a_byte_order_mark_is_no_part_of_an_option(places: dict[str, Path]) -> None:
    places["project"].write_text("\ufeffuser = 'deploy'\n", encoding="utf-8")
    assert user("run web1 m:f") == "deploy"


@pytest.mark.parametrize("owner", [None, 4711])
def test_a_pyproject_of_somebody_else_says_nothing(
    places: dict[str, Path], owner: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    places["pyproject"].write_text("[project]\nname = 'x'\n")
    if owner is not None:  # as in a container, of each project that lies outside
        if os.geteuid():
            pytest.skip("only root gives files away")
        os.chown(places["pyproject"], owner, owner)
    assert user("run web1 m:f") is None
    assert "ignored" not in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
@pytest.mark.parametrize("closed", ["", ".."])
def test_who_may_not_look_where_the_command_stands_has_no_file_there(
    closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `sudo -u`: the directory is another user's, or one above it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")
    there = tmp_path / "home" / "project"
    there.mkdir(parents=True)
    (there / "remotesvc.toml").write_text('user = "intruder"\n')
    (there / closed).resolve().chmod(0o700)

    def run() -> int:
        os.chdir(there)
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        return 1 if user("run web1 m:f") is not None else 0

    child = os.fork()
    if not child:
        code = 2
        try:
            code = run()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_wrong_value_in_the_environment_is_traced(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REMOTESVC_FORKS", "many")
    assert main(["run", "web1", "m:f"], FakeBackend()) == 64
    assert "it stands in REMOTESVC_FORKS of the environment" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["FORKS", "FANOUT", "PARALLEL"])
def test_each_long_name_of_an_option_is_one_in_the_environment(
    places: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"REMOTESVC_{name}", "many")
    assert main(["run", "web1", "m:f"], FakeBackend()) == 64
    assert f"it stands in REMOTESVC_{name} of the environment" in capsys.readouterr().err


def test_of_several_files_that_is_named_whose_value_is_wrong(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    places["system"].write_text("forks = 'many'\nretries = 'some'\n")
    places["user"].write_text("forks = 7\n[ping]\nforks = 'more'\n")
    assert main(["run", "web1", "m:f"], FakeBackend()) == 64
    assert capsys.readouterr().err.endswith(f"it stands in {places['system']}.\n")
    assert main(["ping", "web1"], FakeBackend()) == 64
    assert capsys.readouterr().err.endswith(f"it stands in {places['user']}.\n")
