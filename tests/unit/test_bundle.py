"""What starts a kernel: the line for the login shell, stage 0 on whatever Python answers, the modules that follow."""

from __future__ import annotations

import inspect
import marshal
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from remotesvc.bootstrap import stage0
from remotesvc.bootstrap.errors import UsageError
from remotesvc.bootstrap.finder import MemoryFinder, label_of
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.unreachable import BootstrapError, ConnectError, PythonNotFound, PythonTooOld
from remotesvc.jobs import start as job_start
from remotesvc.launch import bundle as module
from remotesvc.launch.bundle import (
    KERNEL,
    Bundle,
    kernel_sources,
    needed,
    own_bundle,
    pack,
    pack_small,
    quote_word,
    safe_name,
)
from remotesvc.launch.handshake import Handshake
from remotesvc.launch.start import near
from remotesvc.modules import codes
from tests import interpreters
from tests.kernel.shells import EVERY_SHELL
from tests.scripts import shell_script

ROOT = Path(__file__).parents[2]
LIMIT = 60
MARKER = bytes(range(16))

# Stands in for the kernel: says that it was reached, with what, and that what follows on stdin was left for it.
ENTRY = b"""
import os, sys
def main(marker, read):
    rest = b""
    while True:
        data = os.read(0, 65536)
        if not data:
            break
        rest += data
    text = "%s|%s|%d" % (sys.argv[1], rest.decode(), len(sys.argv))
    os.write(1, marker + text.encode())
"""


Sources = dict[str, tuple[bool, bytes]]


def no_codes(sources: Sources) -> dict[str, bytes]:
    return {}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle(kernel_sources(), codes.kernel_codes)


@pytest.fixture(scope="module")
def small() -> Bundle:
    """A bundle whose kernel only says hello."""
    sources = kernel_sources()
    return Bundle({
        "remotesvc": (True, b""),
        KERNEL: (True, b""),
        KERNEL + ".finder": sources[KERNEL + ".finder"],
        KERNEL + ".stage0": sources[KERNEL + ".stage0"],
        KERNEL + ".entry": (False, ENTRY),
    }, no_codes)


def run(argv: list[str], stdin: bytes, path: str | None = None) -> tuple[Handshake, bytes | None, int]:
    environment = dict(os.environ, PATH=path) if path else None
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=LIMIT, env=environment, check=False)
    handshake = Handshake(MARKER)
    return handshake, handshake.feed_untrusted(done.stdout + done.stderr), done.returncode


def failure(argv: list[str], stdin: bytes, path: str | None = None) -> ConnectError:
    handshake, kernel, status = run(argv, stdin, path)
    assert kernel is None
    error = handshake.failure("host", "it ended", status, "")
    assert isinstance(error, ConnectError)
    return error


# Stands in for the kernel: says how many seconds are left before the start would end by itself.
LEFT = b"""
import os, _signal
def main(marker, read):
    os.write(1, marker + b"%d" % _signal.alarm(0))
"""


@pytest.mark.parametrize(("budget", "least"), [(5, 6), (300.5, 300), (1e12, 86400)])
def test_a_start_has_as_long_as_its_parent_waits(budget: float, least: int) -> None:
    """And a little longer: the parent's error says more than a process that has ended."""
    sources = {name: source for name, source in kernel_sources().items() if name.endswith((".finder", ".stage0"))}
    modules = {"remotesvc": (True, b""), KERNEL: (True, b""), KERNEL + ".entry": (False, LEFT), **sources}
    bundle = Bundle(modules, no_codes)
    _, left, _ = run(bundle.argv(sys.executable, "x"), bundle.preamble(MARKER, budget))
    assert left is not None
    assert least <= int(left) <= least + 6


# -- the line for the login shell


def test_the_line_is_the_same_to_every_shell(bundle: Bundle) -> None:
    line = bundle.shell_command("ann@host:1")
    before, quoted, words = line.split("'")
    assert before == "exec sh -c "
    assert not set("'!\\\n\r") & set(quoted)
    assert re.fullmatch(r"[A-Za-z0-9 _@.:/=+-]+", words), "a shell may see something of its own there"
    assert len(line) < 4096


def test_no_interpreter_is_tried_that_cannot_be_enough() -> None:
    versions = [name for name in module.CANDIDATES if "." in name]
    assert "python3.6" in versions
    assert not {"python3.5", "python2"} & set(module.CANDIDATES)
    assert module.CANDIDATES[-1] == "python", "which may be any version"


@pytest.mark.parametrize("shell", EVERY_SHELL)
def test_the_line_runs_unchanged_under_every_shell(shell: str, small: Bundle) -> None:
    line = small.shell_command("ann@host:1", sys.executable)
    _, kernel, status = run([shell, "-c", line], small.preamble(MARKER) + b"frames")
    assert (kernel, status) == (b"remotesvc:ann@host:1|frames|4", 0)


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_stage_0_runs_in_every_interpreter(interpreter: interpreters.Interpreter, small: Bundle) -> None:
    _, kernel, status = run(small.argv(interpreter.path, "x"), small.preamble(MARKER) + b"frames")
    assert (kernel, status) == (b"remotesvc:x|frames|4", 0)


def test_arguments_are_short_and_constant(bundle: Bundle) -> None:
    argv = bundle.argv("/usr/bin/python3", "ann@host:1")
    assert sum(len(word) + 1 for word in argv) < 4096
    assert bundle.argv("/usr/bin/python3", "ann@host:1") == argv


def link_interpreter(directory: Path, name: str, old: bool = False) -> None:
    """An interpreter on a PATH of our own; an old one is ours saying that it is old."""
    lie = "import sys; sys.version_info = (3, 5, 9, 'final', 0)\n" if old else ""
    shell_script(directory / name, f'shift\ncode=$1\nshift\nexec {sys.executable} -ESsc "{lie}$code" "$@"')


@pytest.fixture
def own_path(tmp_path: Path) -> Path:
    for name in ("sh", "echo", "test"):
        found = shutil.which(name)
        if found:
            (tmp_path / name).symlink_to(found)
    return tmp_path


def test_candidates_are_tried_in_order(small: Bundle, own_path: Path) -> None:
    link_interpreter(own_path, "python3.8")
    link_interpreter(own_path, "python3.7", old=True)
    line = small.shell_command("x")
    _, kernel, _ = run(["sh", "-c", line], small.preamble(MARKER), str(own_path))
    assert kernel is not None
    assert kernel.startswith(b"remotesvc:x||")


@pytest.mark.parametrize("shell", EVERY_SHELL)
def test_a_shim_without_a_python_behind_it_is_passed_over(shell: str, small: Bundle, own_path: Path) -> None:
    shims = own_path / "shims"
    shims.mkdir()
    shell_script(shims / "python3", "echo 'pyenv: python3: command not found' >&2\nexit 127")
    link_interpreter(shims, "python3.12")
    line, search = small.shell_command("x", None), f"{shims}:{own_path}"
    _, kernel, status = run([str(shutil.which(shell)), "-c", line], small.preamble(MARKER) + b"frames", search)
    assert kernel is not None
    assert kernel.startswith(b"remotesvc:x|frames|")
    assert status == 0


def test_no_python_at_all(small: Bundle, own_path: Path) -> None:
    line = small.shell_command("x", "python-that-is-not-there")
    error = failure(["sh", "-c", line], small.preamble(MARKER), str(own_path))
    assert type(error) is PythonNotFound
    assert "python-that-is-not-there" in error.message
    assert error.exit_status == 127


def test_a_python_that_is_too_old(small: Bundle, own_path: Path) -> None:
    link_interpreter(own_path, "python3", old=True)
    error = failure(["sh", "-c", small.shell_command("x", "python3")], small.preamble(MARKER), str(own_path))
    assert type(error) is PythonTooOld
    assert "3.5" in error.message
    assert error.exit_status == 86


def test_behind_several_that_are_too_old_comes_one_that_is_not(small: Bundle, own_path: Path) -> None:
    for name in ("python3", "python3.14", "python3.11"):
        link_interpreter(own_path, name, old=True)
    link_interpreter(own_path, "python3.9")
    _, kernel, _ = run(["sh", "-c", small.shell_command("x")], small.preamble(MARKER) + b"frames", str(own_path))
    assert kernel is not None
    assert kernel.startswith(b"remotesvc:x|frames|")


# -- what stage 0 reads


@pytest.mark.parametrize("eaten", range(len(module.SACRIFICE) + 1))
def test_lines_that_a_profile_eats_are_ours_to_lose(small: Bundle, eaten: int) -> None:
    _, kernel, status = run(small.argv(sys.executable, "x"), small.preamble(MARKER)[eaten:] + b"frames")
    assert (kernel, status) == (b"remotesvc:x|frames|4", 0)


def test_a_preamble_that_lost_a_line_too_many_is_damage(small: Bundle) -> None:
    preamble = small.preamble(MARKER)[len(module.SACRIFICE) + 1 :]
    error = failure(small.argv(sys.executable, "x"), preamble + bytes(stage0.LONGEST_NOISE + 8))
    assert type(error) is BootstrapError
    assert "damaged" in error.message
    assert error.exit_status == 87


def test_a_byte_that_changed_is_damage(small: Bundle) -> None:
    preamble = bytearray(small.preamble(MARKER))
    preamble[-20] ^= 0xFF
    error = failure(small.argv(sys.executable, "x"), bytes(preamble))
    assert type(error) is BootstrapError
    assert "damaged" in error.message


@pytest.mark.parametrize("size", [0, 3, len(module.SACRIFICE) + 10, 200])
def test_an_end_in_the_middle_is_told(small: Bundle, size: int) -> None:
    error = failure(small.argv(sys.executable, "x"), small.preamble(MARKER)[:size])
    assert type(error) is BootstrapError
    assert error.exit_status == 88


# -- modules


def loaded_with(name: str) -> set[str]:
    """The modules of ours that a fresh interpreter has once this one is imported."""
    code = f"import sys, {name}; print(*[name for name in sys.modules if name.startswith('remotesvc')])"
    done = subprocess.run([sys.executable, "-Sc", code], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT,
                          check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", ["entry", "data.codec", "failures.rebuild", "imports.importer", "routing.hub"])
def test_what_is_needed_is_what_is_imported(name: str) -> None:
    assert needed(kernel_sources(), f"{KERNEL}.{name}") == loaded_with(f"{KERNEL}.{name}")


def test_every_import_at_the_top_has_the_form_that_is_searched_for() -> None:
    """All kernel modules together: what the search finds in a module is what importing it loads."""
    sources = kernel_sources()
    own = [name for name in sources if name.startswith(KERNEL + ".") and name != KERNEL + ".stage0"]
    code = (
        "import sys, importlib\n"
        "for name in sys.argv[1:]:\n"
        "    for old in [old for old in sys.modules if old.startswith('remotesvc')]:\n"
        "        del sys.modules[old]\n"
        "    importlib.import_module(name)\n"
        "    print(name, *[new for new in sys.modules if new.startswith('remotesvc')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *own], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT,
                          check=True)
    for line in done.stdout.splitlines():
        name, *loaded = line.split()
        assert needed(sources, name) == set(loaded), name


def unpacked(packed: bytes, known: bytes = b"") -> MemoryFinder:
    found = MemoryFinder([])
    found.add(zlib.decompressobj(zlib.MAX_WBITS, known).decompress(packed))
    return found


@pytest.mark.parametrize("code", [False, True], ids=["source", "code"])
def test_the_two_parts_are_the_whole_kernel(bundle: Bundle, code: bool) -> None:
    sources = kernel_sources()
    first, rest = unpacked(bundle.first(code), sources[KERNEL + ".stage0"][1]), unpacked(bundle.rest(code))
    assert {**first.sources, **rest.sources} == sources
    assert not set(first.sources) & set(rest.sources)
    assert next(iter(first.sources)) == KERNEL + ".finder"
    assert needed(sources, KERNEL + ".entry") <= set(first.sources)
    assert set(first.codes) == (set(first.sources) if code else set())
    assert set(rest.codes) <= set(rest.sources)
    assert bool(rest.codes) is code


@pytest.mark.parametrize("script", [stage0, job_start])
def test_the_finder_that_a_script_runs_by_hand_has_its_label(script: ModuleType) -> None:
    """The one place that cannot take it from the finder."""
    assert f'exec(compile(source, "{label_of(KERNEL + ".finder", False)}", "exec")' in inspect.getsource(script)


@pytest.mark.parametrize("code", [False, True], ids=["source", "code"])
def test_the_second_part_is_one_frame(bundle: Bundle, code: bool) -> None:
    assert len(bundle.rest(code)) <= wire.MAX_PAYLOAD


def test_each_part_of_the_kernel_is_made_once() -> None:
    asked: list[object] = []

    def codes(sources: Sources) -> dict[str, bytes]:
        asked.append(sources)
        return {}

    bundle = Bundle(kernel_sources(), codes)
    bundle.first()
    bundle.rest()
    assert not asked, "nobody wanted bytecode"
    assert bundle.first(True) is bundle.first(True)
    assert bundle.rest(True) is bundle.rest(True)
    assert len(asked) == 2


def test_a_process_has_one_bundle_and_a_fork_of_it_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_own", {})
    own = own_bundle(codes.kernel_codes)
    assert own_bundle(codes.kernel_codes) is own
    assert own_bundle(no_codes) is not own
    own = own_bundle(codes.kernel_codes)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    forked = own_bundle(codes.kernel_codes)
    assert forked is not own
    assert own_bundle(codes.kernel_codes) is forked
    assert forked.stage0 == own.stage0


def test_packing_and_unpacking() -> None:
    sources = {KERNEL + ".finder": (False, b"f"), "remotesvc": (True, b""), "remotesvc.x": (False, b"\n\nname 1 2\n\n")}
    backwards = dict(reversed(sources.items()))
    assert unpacked(pack(sources, {})).sources == unpacked(pack_small(sources, b"")).sources == sources
    assert pack(sources, {}) == pack(backwards, {})
    assert pack_small(sources, b"") == pack_small(backwards, b"")
    known = sources["remotesvc.x"][1]
    assert unpacked(pack_small(sources, known), known).sources == unpacked(pack(sources, {}, known), known).sources


def value_of(code: CodeType) -> object:
    space: dict[str, object] = {}
    exec(code, space)
    return space["VALUE"]


def test_bytecode_is_taken_by_the_python_it_is_for() -> None:
    sources = {KERNEL + ".finder": (False, b"f"), "remotesvc.x": (False, b"VALUE = 1")}
    code = marshal.dumps(compile("VALUE = 2", "x", "exec"))
    ours = unpacked(pack(sources, {"remotesvc.x": code}))
    assert (ours.sources, ours.codes) == (sources, {"remotesvc.x": code})
    assert value_of(ours.get_code("remotesvc.x")) == 2
    theirs = unpacked(pack(sources, {"remotesvc.x": code}, magic=b"\x01\x02\r\n"))
    assert (theirs.sources, theirs.codes) == (sources, {})
    assert value_of(theirs.get_code("remotesvc.x")) == 1


def test_bytecode_of_the_kernel_has_labels_for_paths() -> None:
    def paths(code: CodeType) -> set[str]:
        return {code.co_filename}.union(*(paths(each) for each in code.co_consts if isinstance(each, CodeType)))

    sources = kernel_sources()
    found = codes.kernel_codes(sources)
    assert set(found) == set(sources)
    for name, code in found.items():
        assert paths(marshal.loads(code)) == {label_of(name, sources[name][0])}


@pytest.mark.parametrize(
    ("phases", "round_trip", "short"),
    [
        ({}, None, True),
        ({"config": 0.1}, None, True),
        ({"tcp": 0.0001, "kex": 0.03, "auth": 0.02, "open": 0.002, "exec": 0.001}, None, True),
        ({"tcp": 0.0001, "kex": 0.3, "auth": 0.2, "open": 0.1, "exec": 0.1}, None, False),
        ({"kex": 0.2, "auth": 0.1, "open": 0.02, "exec": 0.02}, 0.0001, True),
        ({"kex": 0.2, "auth": 0.1, "open": 0.02, "exec": 0.02}, 0.018, False),
        ({"kex": 0.2, "auth": 0.1, "open": 0.02, "exec": 0.02}, None, False),
        ({"kex": 0.3, "auth": 0.2, "open": 0.1, "exec": 0.1}, 0.0001, False),
    ],
)
def test_a_line_is_as_short_as_its_shortest_phase_unless_both_ends_are_busy(
    phases: dict[str, float], round_trip: float | None, short: bool
) -> None:
    assert near(phases, round_trip) is short


# -- words


@pytest.mark.parametrize("name", ["ann@host:1", "a b;c'd", "$(id)", "ü\n", "", "-x", "a" * 500])
def test_names_for_ps(name: str) -> None:
    safe = safe_name(name)
    assert re.fullmatch(r"remotesvc:[A-Za-z0-9@.:_/-]{0,100}", safe)
    assert safe_name(safe[len("remotesvc:") :]) == safe


@pytest.mark.parametrize("path", ["/usr/bin/python3", "python3.9", "/opt/my python/bin/python", "/opt/$HOME`x`/p"])
@pytest.mark.parametrize("shell", EVERY_SHELL)
def test_a_path_is_one_word(path: str, shell: str) -> None:
    command = [shell, "-c", f"printf %s {quote_word(path)}"]
    done = subprocess.run(command, capture_output=True, timeout=LIMIT, check=True)
    assert done.stdout.decode() == path


@pytest.mark.parametrize("path", ["", "-c", "a'b", "a\\b", "a!b", "a\nb", "a\0b", "a\rb"])
def test_a_path_that_no_shell_hands_over(path: str) -> None:
    with pytest.raises(UsageError, match="python="):
        quote_word(path)
