"""The house as it is built against the house as it is drawn: zones, floors, and one name for the kernel."""

from __future__ import annotations

import ast
import functools
import re
import sys

import pytest

from tests import zones
from tests.imports import Import, imports_of
from tests.zones import (
    FETCHED_BY_KERNEL,
    FLOOR_PLAN,
    KERNEL_FLOORS,
    KERNEL_STDLIB,
    ROOT,
    within,
    zone,
)

KERNEL = "remotesvc.bootstrap"
MODULES = zones.package_modules()


@functools.cache
def imports() -> list[Import]:
    """Those of all modules; not made when tests are collected, for each process collects them all."""
    return [found for module, path in MODULES.items() for found in imports_of(module, path)]


@functools.cache
def carried_out() -> list[Import]:
    """The imports that are more than a checker's."""
    return [found for found in imports() if not found.typing_only and (found.importer, found.target) != zones.STARTS]


def targets(found: Import) -> list[str]:
    """The modules an import loads: `from package import module` names modules where it looks like names."""
    below = [f"{found.target}.{name}" for name in found.names]
    modules = [name for name in below if name in MODULES]
    return modules if modules and len(modules) == len(below) else [found.target, *modules]


def place(found: Import) -> str:
    path = MODULES[found.importer].relative_to(ROOT)
    return f"{path}:{found.line} {found.importer} imports {found.target}"


def part(module: str) -> str | None:
    """The entry of the floor plan that a module belongs to; None if it has no place there."""
    fitting = [prefix for prefix in FLOOR_PLAN if prefix != "remotesvc" and within(module, prefix)]
    if module == "remotesvc":
        return module
    return max(fitting, key=len, default=None)


def test_nothing_imports_the_kernel_under_a_second_name() -> None:
    files = [path for path in zones.python_files() if path != ROOT / "setup.py"]
    assert files
    wrong = [
        f"{path.relative_to(ROOT)}:{found.line}"
        for path in files
        for found in imports_of(".".join(path.relative_to(ROOT).with_suffix("").parts), path)
        if not found.relative and within(found.target, "bootstrap")
    ]
    assert wrong == []


def test_imports_are_relative_within_a_part_and_between_parts_of_one_style() -> None:
    """CONTRIBUTING.md, Style, says which are."""
    wrong = []
    for found in imports():
        if not within(found.target, "remotesvc") or not found.names or found.importer in zones.SCRIPTS:
            continue
        own = ".".join(found.importer.split(".")[:2])
        lies_in_a_part = MODULES[found.importer].parent != ROOT / "remotesvc"
        to_another = not within(found.target, own)
        if found.relative is (to_another and lies_in_a_part and zone(found.importer) != "P"):
            wrong.append(place(found))
    assert wrong == []


def test_the_kernel_imports_nothing_of_ours_but_itself() -> None:
    wrong = [
        place(found)
        for found in carried_out()
        if zone(found.importer) == "K" and within(found.target, "remotesvc")
        if not (found.relative and within(found.target, KERNEL))
        if found.at_top or found.target not in FETCHED_BY_KERNEL
    ]
    assert wrong == []


def test_the_kernel_loads_only_cheap_standard_modules() -> None:
    wrong = [
        place(found)
        for found in carried_out()
        if zone(found.importer) == "K" and found.at_top and not found.relative
        if found.target.partition(".")[0] not in KERNEL_STDLIB
    ]
    assert wrong == []


@pytest.mark.parametrize("letter", ["K", "P"])
def test_what_travels_needs_nothing_but_the_standard_library(letter: str) -> None:
    wrong = [
        place(found)
        for found in carried_out()
        if zone(found.importer) == letter and not within(found.target, "remotesvc")
        if found.target.partition(".")[0] not in sys.stdlib_module_names
        if found.at_top or found.target not in zones.LENT
    ]
    assert wrong == []


def test_portable_parts_import_no_master_only_module() -> None:
    wrong = [
        place(found)
        for found in carried_out()
        if zone(found.importer) == "P" and within(found.target, "remotesvc")
        if any(zone(target) == "M" for target in targets(found))
    ]
    assert wrong == []


def test_every_module_of_the_kernel_has_a_floor() -> None:
    placed = {f"{KERNEL}.{name}" for names in KERNEL_FLOORS.values() for name in names}
    here = {module for module in MODULES if zone(module) == "K" and module != KERNEL}
    assert here - placed == set(), "give it a floor in tests/zones.py"


def test_imports_in_the_kernel_go_down() -> None:
    floors = enumerate(KERNEL_FLOORS.values())
    height = {f"{KERNEL}.{name}": floor for floor, names in floors for name in names}
    wrong = [
        f"{place(found)}: {target}"
        for found in carried_out()
        if zone(found.importer) == "K"
        for target in targets(found)
        if height.get(target, -1) > height.get(found.importer, len(height))
    ]
    assert wrong == []


def test_the_pure_floor_has_no_threads_clocks_or_processes() -> None:
    pure = {f"{KERNEL}.{name}" for name in KERNEL_FLOORS["pure"]}
    banned = {
        "_thread",
        "logging",
        "select",
        "selectors",
        "signal",
        "socket",
        "subprocess",
        "threading",
        "time",
    }
    wrong = [place(found) for found in carried_out() if found.importer in pure and found.target in banned]
    assert wrong == []


def test_only_the_modules_of_links_work_the_write_side_of_one() -> None:
    """Others may look whether something waits; what they need done, `bootstrap/links/outbox.py` does."""
    kept, steps = {"queues", "controls", "writing"}, {"batch", "write_own", "wrote"}
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}"
        for module, path in MODULES.items()
        if not within(module, f"{KERNEL}.links")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        if (node.attr in kept and not isinstance(node.ctx, ast.Load))
        or (isinstance(node.value, ast.Attribute) and node.value.attr in kept)
        or (node.attr in steps and ast.unparse(node.value).endswith("link"))
    ]
    assert wrong == []


def test_every_part_of_the_package_has_a_place_in_the_floor_plan() -> None:
    homeless = [module for module in MODULES if zone(module) != "K" and part(module) is None]
    assert homeless == [], "give it a place in tests/zones.py"


def test_imports_between_the_parts_follow_the_floor_plan() -> None:
    wrong = []
    for found in carried_out():
        own = part(found.importer)
        if own is None or not within(found.target, "remotesvc"):
            continue
        for target in targets(found):
            # The package itself may be asked for its version and its place; its public names are for users.
            if target == "remotesvc" and set(found.names) <= {"__version__"}:
                continue
            if own == "remotesvc.calling" and not found.at_top and any(
                within(target, prefix) for prefix in zones.FETCHED_BY_CALLING
            ):
                continue
            if not any(within(target, prefix) for prefix in (own, *FLOOR_PLAN[own])) or target == "remotesvc":
                wrong.append(f"{place(found)}: {target}")
    assert wrong == []


def test_the_floor_plan_allows_nothing_that_no_part_needs() -> None:
    taken = {(part(found.importer), target) for found in carried_out() for target in targets(found)}
    unused = [
        f"{own} does not import {below}"
        for own, allowed in FLOOR_PLAN.items()
        for below in allowed
        if not any(importer == own and within(target, below) for importer, target in taken)
    ]
    assert unused == [], "take it out of tests/zones.py"


def test_the_floor_plan_has_no_way_up() -> None:
    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for allowed in FLOOR_PLAN.get(waiting.pop(), ()):
                if allowed not in seen:
                    seen.add(allowed)
                    waiting.append(allowed)
        return seen

    assert [name for name in FLOOR_PLAN if name in reachable(name)] == []
    portable = [name for name in FLOOR_PLAN if zone(name) == "P"]
    assert [(name, below) for name in portable for below in reachable(name) if zone(below) == "M"] == []


PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def shown(module: str) -> str:
    """A module, package or part as the page about the architecture writes it: its path."""
    if module == "remotesvc":
        return "remotesvc/__init__.py"
    path = module.removeprefix("remotesvc.") if within(module, KERNEL) else module
    path = path.replace(".", "/")
    return path if (ROOT / path).is_dir() else f"{path}.py"


def test_the_page_about_the_architecture_names_the_portable_parts() -> None:
    (row,) = re.findall(r"^\| P, portable parts \|([^|]*)\|", PAGE, re.M)
    assert set(re.findall(r"`([^`]+)`", row)) == {shown(name) for name in ("remotesvc", *zones.PORTABLE)}


def test_the_page_about_the_architecture_shows_the_floor_plan() -> None:
    section = PAGE.partition("\n## Who imports whom\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", section, re.M)
    assert dict(rows) == {
        shown(part): ", ".join(f"`{shown(each)}`" for each in below) or "nothing of ours"
        for part, below in FLOOR_PLAN.items()
    }
    assert len(rows) == len(FLOOR_PLAN)
    exceptions = {shown(name) for name in (*FETCHED_BY_KERNEL, *zones.FETCHED_BY_CALLING)}
    assert exceptions <= set(re.findall(r"`([^`]+)`", section.rpartition("|\n")[2]))


def test_the_linter_knows_what_runs_on_old_interpreters() -> None:
    """pyproject.toml repeats the list of portable parts: their syntax is older than that of the rest."""
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    missing = []
    for prefix in ["remotesvc/__init__.py", *(name.replace(".", "/") for name in zones.PORTABLE)]:
        pattern = prefix if prefix.endswith(".py") else f"{prefix}.py"
        folder = f"{prefix}/**"
        for value in ('"py37"', '["UP"]'):
            if not any(f'"{name}" = {value}' in settings for name in (pattern, folder)):
                missing.append(f"{prefix}: {value}")
    assert missing == []
