"""What the README and the pages under docs/ show is run as it is shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import remotesvc
from remotesvc.cli import exitcodes
from remotesvc.cli.interrupt import SIGNALS
from remotesvc.cli.main import cli
from remotesvc.cli.show.jsonout import result_object
from remotesvc.fleet.outcome import Outcome, Status, classify
from tests.zones import ROOT

PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md", "benchmarks/NOTES.md")),
         *sorted((ROOT / "docs").glob("*.md"))]
# Shown as commands, and not for here: they need hosts of the reader's, or install the project (tests/integration/
# test_packaging.py does that).
ELSEWHERE = re.compile(r"\bweb[\d\[]|127\.0\.0\.1:\d|\bpip install\b|\btox\b|\bh m:f\b|HOST\b|^(sudo|docker|git|bash) ")


# Directories of the repository: a path that begins so is one of it.
TOPS = ("remotesvc/", "bootstrap/", "tests/", "docs/", "docker/", "examples/", "benchmarks/", ".ci/")
# Files of the reader's, and what names of files end in.
THEIRS = {"tasks.py", "disks.py", ".py"}


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a page: language and text."""
    yield from re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.M | re.S)


def commands(page: Path) -> list[str]:
    """The lines of a page that are commands of ours, set off by four spaces."""
    return [line.strip() for line in re.findall(r"^    (remotesvc .*)$", page.read_text(), re.M)]


def python_blocks() -> list[object]:
    return [
        pytest.param(text, id=f"{page.name}-{number}")
        for page in PAGES
        for number, (language, text) in enumerate(blocks(page))
        if language == "python" and "def test_" not in text  # a test that is shown runs in the suite it is of
    ]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with the module that the README has its reader write."""
    (module,) = [text for language, text in blocks(ROOT / "README.md") if text.startswith('"""Tasks for')]
    (tmp_path / "tasks.py").write_text(module)
    return tmp_path


def run(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{directory}"}
    return subprocess.run(
        [sys.executable, *words],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("text", python_blocks())
def test_python_that_is_shown(text: str, directory: Path) -> None:
    script = directory / "shown.py"
    script.write_text(text)
    done = run(directory, str(script))
    assert done.returncode == 0, done.stderr
    if "print(" in text:
        assert done.stdout


@pytest.mark.parametrize("line", [line for page in PAGES for line in commands(page) if not ELSEWHERE.search(line)])
def test_command_that_is_shown(line: str, directory: Path) -> None:
    done = run(directory, "-m", *shlex.split(line))
    assert done.returncode == 0, done.stderr
    assert done.stdout


def paths(text: str) -> set[str]:
    """What a text names as files or directories of the repository."""
    words = set(re.findall(r"`((?:\.?[\w-]+/)*[\w.-]+/?)`", text))
    return {word for word in words if word.startswith(TOPS) or word.endswith((".py", ".md"))} - THEIRS


def test_paths_that_are_named_exist() -> None:
    named = [(page, path) for page in PAGES for path in sorted(paths(page.read_text()))]
    missing = [f"{page.name}: {path}" for page, path in named if not (ROOT / path).exists()]
    assert missing == [], "paths are written in full, from the top of the repository"


def test_limits_stand_where_the_page_says() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = page.partition("\n## What bounds what\n")[2].partition("\n## ")[0]
    rows = [row.split(" | ")[-1] for row in re.findall(r"^\| (.*) \|$", section, re.M)[1:]]
    assert len(rows) > 20
    wrong = []
    for row in rows:
        text = "".join((ROOT / path).read_text() for path in paths(row))
        assert text, row
        names = re.findall(r"`([A-Z_]+)`", row)
        wrong += [name for name in names if not re.search(rf"^([A-Z_]+, )*{name}\b.* = ", text, re.M)]
    assert wrong == []


def options_of(name: str) -> set[str]:
    """The options of a command, as they are typed."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return {flag for each in command.params if isinstance(each, click.Option) for flag in each.opts}


def test_each_command_has_a_row_and_each_option_there_is() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    table = page.partition("\n## Commands\n")[2].partition("\n\n`hosts`")[0]
    rows = re.findall(r"^\| (`[a-z]+.*?`) \|.*\|(.*)\|$", table, re.M)
    named = {name: set(re.findall(r"`([^`]+)`", options)) for names, options in rows
             for name in re.findall(r"`([a-z]+)", names)}
    assert set(named) == set(cli.list_commands(click.Context(cli)))
    for name, options in named.items():
        flags = {flag for each in options if each.startswith("-") for flag in each.split("/")}
        assert {flag if flag.startswith("-") else f"--{flag}" for flag in flags} <= options_of(name), name
    theirs = {"--name", "--no-name", "--list"}  # of functions, and of inventories that are programs
    everywhere = set.union(*map(options_of, named)) | {"--help"} | theirs
    pages = {page.name: set(re.findall(r"`(--[a-z][a-z-]+)[` ]", page.read_text())) for page in PAGES}
    others = {"testing.md", "architecture.md", "performance.md"}
    unknown = {name: flags - everywhere for name, flags in pages.items() if name not in others}
    assert {name: flags for name, flags in unknown.items() if flags} == {}


def test_the_exit_codes_are_those_of_the_code() -> None:
    section = (ROOT / "docs" / "cli.md").read_text().partition("\n## Exit codes\n")[2].partition("\n## ")[0]
    shown = [int(code) for codes in re.findall(r"^\| ([\d, ]+) \|", section, re.M) for code in codes.split(", ")]
    ours = [value for name, value in vars(exitcodes).items() if name.isupper() and isinstance(value, int)]
    assert sorted(shown) == sorted({*ours, *map(exitcodes.of_signal, SIGNALS)})


def test_json_has_the_fields_that_are_shown() -> None:
    section = (ROOT / "docs" / "cli.md").read_text().partition("\n## JSON\n")[2].partition("\n## ")[0]
    table = section.partition("| field | is |")[2].partition("\n\n")[0]
    shown = {name for names in re.findall(r"^\| (`.*?) \|", table, re.M) for name in re.findall(r"`(\w+)`", names)}
    fine = result_object(Outcome("web1", Status.OK, value=1), stdout=b"\xff", stderr=b"\xff", truncated=True)
    failed = result_object(Outcome("web1", Status.FAILED, error=ValueError("no"), items=[1]))
    assert shown == {*fine, *failed}
    assert {f"`{status.value}`" for status in Status} <= set(re.findall(r"`\w+`", table))


def public_errors() -> dict[str, type[BaseException]]:
    """The errors of ours that a user can meet, by name."""
    from remotesvc import service
    from remotesvc.fleet.connection import WrongVariable
    from remotesvc.fleet.inventory import InventoryError
    from remotesvc.fleet.matcher import NoMatch

    found = [getattr(place, name) for place in (remotesvc, service) for name in place.__all__]
    errors = [each for each in found if isinstance(each, type) and issubclass(each, remotesvc.Error)]
    return {each.__name__: each for each in (*errors, InventoryError, NoMatch, WrongVariable)}


def test_the_tree_of_errors_is_that_of_the_code() -> None:
    (tree,) = [text for language, text in blocks(ROOT / "docs" / "errors.md") if text.startswith("Error\n")]
    errors, above, shown = public_errors(), [""], []
    for indent, name, also in re.findall(r"^( *)(\w+)(?: \((\w+)\))?$", tree, re.M):
        level = len(indent) // 4
        above[level + 1:] = [name]
        shown.append(name)
        bases = [base.__name__ for base in errors[name].__mro__]
        ours = [base for base in bases if base in errors and base != name]
        assert (ours or [""])[0] == above[level], name
        builtin = {"ValueError", "TypeError", "TimeoutError", "ExceptionGroup"}.intersection(bases)
        inherited = {"ValueError"} if "UsageError" in ours else set()
        assert builtin - inherited == ({also} if also else set()), name
    assert sorted(shown) == sorted(errors)


def test_each_error_has_a_row_and_its_exit_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\d*) ?\|$", (ROOT / "docs" / "errors.md").read_text(), re.M)
    said = {}
    for name, cls in public_errors().items():
        if issubclass(cls, remotesvc.UsageError):
            said[name] = str(exitcodes.ERROR if name == "NoMatch" else exitcodes.USAGE)
        elif name != "FleetError":
            said[name] = str(exitcodes.of_status(classify(cls("why"))))
    assert dict(rows) == {**said, "FleetError": ""}
    assert len(rows) == len(said) + 1


def test_tests_that_are_named_exist() -> None:
    named = {(file, test) for page in PAGES for file, test in re.findall(r"`([^`\s]+)::(\w+)`", page.read_text())}
    assert len(named) > 50
    assert [(file, test) for file, test in named if f"def {test}(" not in (ROOT / file).read_text()] == []


def test_the_table_of_faults_has_each_case_and_its_tests() -> None:
    page = (ROOT / "docs" / "faults.md").read_text()
    rows = re.findall(r"^\| (\d+) \|(.*)$", page, re.M)
    assert sorted(int(number) for number, _ in rows) == list(range(1, 41))
    named = {(file, test): int(number) for number, row in rows for file, test in re.findall(r"`([^`]+)::(\w+)`", row)}
    for path in (ROOT / "tests").rglob("test_*.py"):
        for test, number in re.findall(r"^def (test_case_(\d+)\w+)\(", path.read_text(), re.M):
            assert named.get((str(path.relative_to(ROOT)), test)) == int(number), test
    silences = re.findall(r'"case (\d+),', (ROOT / "tests" / "faults" / "test_silence.py").read_text())
    assert {number for number, row in rows if "::test_silence`" in row} == set(silences)


def anchors(page: Path) -> set[str]:
    """What links may say behind a #: the headings, as GitHub writes them."""
    plain = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.*)$", plain, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere() -> None:
    missing = []
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)", page.read_text()):
            path = page.parent / target if target else page
            if not path.exists() or (anchor and anchor not in anchors(path)):
                missing.append(f"{page.name}: {target}#{anchor}")
    assert missing == []
