"""From nothing to a kernel: shells and profiles, Pythons that are missing, too old, broken or silent, cut links, and
what a child leaves on the machine: nothing."""

from __future__ import annotations

import getpass
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context, Router
from remotesvc.launch.bundle import CANDIDATES, Bundle, kernel_codes, kernel_sources
from remotesvc.launch.process import ProcessPath
from remotesvc.launch.tree import process_name
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called
from tests.kernel.contexts import LIMIT, appears, gone, until
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.kernel.call_fixtures",)

FIRST_FLIGHT = 32 * 1024
CHANGES = {"open", "openat", "creat", "mkdir", "mkdirat", "mknod", "mknodat", "rename", "renameat", "renameat2", "link"}
CHANGES |= {"linkat", "symlink", "symlinkat", "truncate", "chmod", "fchmodat"}
FOR_WRITING = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND")
SHELLS = [path for path in map(shutil.which, ("sh", "dash", "bash", "ksh", "zsh")) if path]

Fake = Callable[..., str]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """Make a program that passes for a Python: a script in which $PYTHON is the real one."""

    def make(body: str, name: str = "python3", python: str = sys.executable) -> str:
        directory = tmp_path / "bin"
        directory.mkdir(exist_ok=True)
        path = directory / name
        path.write_text(f"#!/bin/sh\nPYTHON='{python}'\n{body}\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A directory for PATH that holds nothing but sh."""
    directory = tmp_path / "empty"
    directory.mkdir()
    shell = shutil.which("sh")
    assert shell is not None
    (directory / "sh").symlink_to(shell)
    return directory


def through(router: Router, argv: list[str], python: str | None = None, budget: float = LIMIT) -> Context:
    """A context behind a command that is given what a login shell gets over SSH as its last argument."""
    tree = router._tree
    command = tree.bundle.shell_command(process_name(), python)
    return tree.adopt(ProcessPath([*argv, command], "there"), "there", budget, {})


def noise_of(context: Context) -> str:
    noise: str = context.tree.start_of(context.id).noise
    return noise


def old_pythons() -> Iterator[str]:
    """Every Python 2 of this machine."""
    roots = [Path(root) for root in (os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv") if root]
    paths = [shutil.which(name) or "" for name in ("python2.7", "python2")]
    paths += [str(path) for root in roots for path in sorted(root.glob("versions/2.*/bin/python2"))]
    for path in paths:
        command = [path, "-c", "import sys; print(sys.version_info[0])"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        except OSError:
            continue
        if answer.stdout.strip() == "2":
            yield path


@pytest.fixture
def old_python() -> str:
    path = next(old_pythons(), None)
    if path is None:
        pytest.skip("no Python 2 here: what a Python that is too old says is NOT tested")
    return path


# -- shells and profiles


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("interpreter", [interpreters.found()[0], interpreters.found()[-1]], ids=str)
def test_a_noisy_profile_that_reads_stdin(
    router: Router, tmp_path: Path, shell: str, interpreter: Interpreter
) -> None:
    profile = (
        "printf 'Welcome!\\nPassword: <remotesvc:nopython> RSVCBOOT \\033[31m\\0\\n'; echo warning >&2\n"
        "read line; echo \"read $line\"\n"
    )
    for name in (".profile", ".bash_profile", ".zprofile", ".zshenv"):
        (tmp_path / name).write_text(profile)
    argv = ["env", f"HOME={tmp_path}", f"ZDOTDIR={tmp_path}", shell, "-l", "-c"]
    context = through(router, argv, interpreter.path)
    assert context.call(called.add, 1, 2) == 3
    assert "Welcome!" in noise_of(context)
    assert "read" in noise_of(context)


def test_much_noise(router: Router, fake: Fake) -> None:
    python = fake('head -c 300000 /dev/zero | tr "\\0" "x"; echo; exec "$PYTHON" "$@"')
    context = router.local(python)
    assert context.call(called.add, 1, 2) == 3
    assert 1000 < len(noise_of(context)) <= 128 * 1024


def test_noise_on_stderr_is_kept_for_the_error(router: Router, fake: Fake) -> None:
    python = fake('echo "libfoo.so: cannot open" >&2; exit 127')
    with pytest.raises(remotesvc.BootstrapError, match="libfoo.so") as caught:
        router.local(python).call(called.add, 1, 2)
    assert caught.value.exit_status == 127
    assert caught.value.host == "local"


@pytest.mark.parametrize(
    "feed",
    ["dd bs=1 2>/dev/null", "dd bs=7 2>/dev/null", "cat"],
)
def test_delivery_in_small_pieces(router: Router, fake: Fake, feed: str) -> None:
    context = router.local(fake(f'{feed} | "$PYTHON" "$@"'))
    assert context.call(called.add, 1, 2) == 3
    assert context.call(called.echo, "x" * 100_000) == "x" * 100_000


def test_descriptors_left_non_blocking(router: Router, fake: Fake) -> None:
    python = fake(
        'exec "$PYTHON" -c "import os, sys; os.set_blocking(0, False); os.set_blocking(1, False);'
        ' os.execv(sys.argv[1], sys.argv[1:])" "$PYTHON" "$@"'
    )
    context = router.local(python)
    assert context.call(called.add, 1, 2) == 3
    assert context.call(called.echo, bytes(10 << 20)) == bytes(10 << 20)


# -- which Python


def test_no_python(router: Router, empty: Path) -> None:
    watch = Stopwatch()
    context = through(router, ["env", "-i", f"PATH={empty}", "sh", "-c"])
    with pytest.raises(remotesvc.PythonNotFound) as caught:
        context.call(called.add, 1, 2)
    assert watch.seconds < 10
    del watch  # the router keeps the error of wait_ready(), and that what is in this frame
    for candidate in CANDIDATES:
        assert candidate in str(caught.value)
    assert "python=" in caught.value.hint
    with pytest.raises(remotesvc.PythonNotFound):
        context.wait_ready()
    with pytest.raises(remotesvc.PythonNotFound):
        context.call(called.add, 1, 2)


def test_only_one_of_the_candidates(router: Router, empty: Path) -> None:
    (empty / "python3.6").symlink_to(interpreters.found()[0].path)
    context = through(router, ["env", "-i", f"PATH={empty}", "sh", "-c"])
    assert tuple(context.info["version"][:2]) == interpreters.found()[0].version


def test_a_named_python_that_is_not_there(router: Router) -> None:
    with pytest.raises(remotesvc.PythonNotFound, match="/no/such/python"):
        through(router, ["sh", "-c"], "/no/such/python").call(called.add, 1, 2)
    with pytest.raises(remotesvc.BootstrapError, match="/no/such/python"):
        router.local("/no/such/python")


@pytest.mark.parametrize("python", ["-c", "a'b", "a\nb", "a!b", "a\\b", "a\0b"])
def test_names_of_pythons_that_no_shell_takes(router: Router, python: str) -> None:
    with pytest.raises(remotesvc.UsageError):
        through(router, ["sh", "-c"], python)


def test_a_python_with_a_name_that_has_to_be_quoted(router: Router, tmp_path: Path) -> None:
    strange = tmp_path / 'a b $HOME "c" `d` ;&|*'
    strange.mkdir()
    python = strange / "python"
    python.symlink_to(sys.executable)
    context = through(router, ["sh", "-c"], str(python))
    assert context.info["executable"] == str(python)


def test_a_python_that_is_too_old(router: Router, old_python: str) -> None:
    watch = Stopwatch()
    with pytest.raises(remotesvc.PythonTooOld, match="2.7") as caught:
        router.local(old_python).call(called.add, 1, 2)
    assert watch.seconds < 10
    assert "3.6" in str(caught.value)


def test_an_old_python_is_passed_over(router: Router, empty: Path, old_python: str) -> None:
    (empty / "python3").symlink_to(old_python)
    (empty / "python3.9").symlink_to(interpreters.found()[-1].path)
    context = through(router, ["env", "-i", f"PATH={empty}", "sh", "-c"])
    assert tuple(context.info["version"][:2]) == interpreters.found()[-1].version


# -- Pythons that fail


@pytest.mark.parametrize("missing", ["zlib", "struct", "threading", "_frozen_importlib_external"])
def test_a_python_that_dies_during_bootstrap_shows_its_traceback(router: Router, fake: Fake, missing: str) -> None:
    python = fake(f"""exec "$PYTHON" "$1" "import sys;sys.modules['{missing}']=None;$2" "$3" "$4" """)
    watch = Stopwatch()
    with pytest.raises(remotesvc.BootstrapError, match=missing) as caught:
        router.local(python).call(called.add, 1, 2)
    assert watch.seconds < 10
    assert "Traceback" in caught.value.diagnostics
    assert caught.value.exit_status == 1
    assert caught.value.stage == "boot"


@pytest.mark.parametrize("body", ["exit 3", "kill -9 $$", 'exec "$PYTHON" -c "import os; os.abort()"', "exec true"])
def test_a_program_that_ends_at_once(router: Router, fake: Fake, body: str) -> None:
    context = router.local(fake(body))
    with pytest.raises(remotesvc.BootstrapError, match="status|SIG"):
        context.submit(called.add, 1, 2).result(LIMIT)
    with pytest.raises(remotesvc.BootstrapError, match="status|SIG"):
        context.call(called.add, 1, 2)
    with pytest.raises(remotesvc.BootstrapError):
        context.wait_ready()
    with pytest.raises(remotesvc.BootstrapError):
        _ = context.info


@pytest.mark.parametrize(
    "body",
    [
        "exec sleep 300",
        "sleep 300; true",
        "trap '' TERM HUP INT PIPE; while :; do sleep 1; done",
        "exec yes",
        "cat >/dev/null; sleep 300",
    ],
)
def test_a_program_that_never_answers(router: Router, fake: Fake, body: str) -> None:
    begun, watch = time.monotonic(), Stopwatch()
    context = router.local(fake(body), connect_timeout=1)
    pid = context.tree.start_of(context.id).path.pid
    with pytest.raises(remotesvc.ConnectTimeout) as caught:
        context.call(called.add, 1, 2)
    assert time.monotonic() - begun > 0.9
    assert watch.seconds < 10
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.stage == "boot"
    context.close()
    until(lambda: not in_group(pid), what="the whole group has ended")


def in_group(group: int) -> list[int]:
    """The living members of a process group."""
    members = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != b"Z":
                members.append(int(name))
    return members


# -- links that are cut


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.001, 0.1, 0.5, 0.9, 0.999, 1.0])
def test_a_link_cut_in_the_middle_of_the_bundle(router: Router, fake: Fake, share: float) -> None:
    size = int(len(router._tree.bundle.preamble(bytes(16))) * share)
    watch = Stopwatch()
    context = router.local(fake(f'head -c {size} | "$PYTHON" "$@"'))
    with pytest.raises((remotesvc.BootstrapError, remotesvc.Lost)):
        context.call(called.add, 1, 2)
    assert watch.seconds < 10


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_stage_0_ends_by_itself_when_its_link_is_cut(share: float) -> None:
    bundle = Bundle(kernel_sources(), kernel_codes)
    preamble = bundle.preamble(bytes(16))
    process = subprocess.Popen(
        bundle.argv(sys.executable, "cut"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, errors = process.communicate(preamble[: int(len(preamble) * share)], LIMIT)
    assert process.returncode == 88
    assert b"<remotesvc:ended after" in output
    assert errors == b""


@pytest.mark.parametrize("place", ["bundle", "size"])
def test_a_bundle_that_arrives_damaged(place: str) -> None:
    bundle = Bundle(kernel_sources(), kernel_codes)
    preamble = bytearray(bundle.preamble(bytes(16)))
    where = len(preamble) // 2 if place == "bundle" else preamble.index(b"RSVCBOOT") + 24
    preamble[where : where + 4] = bytes(4)
    process = subprocess.Popen(
        bundle.argv(sys.executable, "damaged"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, _errors = process.communicate(bytes(preamble), LIMIT)
    assert process.returncode == 87
    assert b"<remotesvc:damaged" in output


def test_something_that_is_no_kernel_answers(router: Router, fake: Fake) -> None:
    """Whoever echoes our own bytes, the marker among them, is no kernel."""
    with pytest.raises(remotesvc.Error) as caught:
        router.local(fake("exec cat"), connect_timeout=3).call(called.add, 1, 2)
    assert not isinstance(caught.value, remotesvc.CallTimeout)


# -- what a child is like


def test_variables_and_files_of_the_target_cannot_hijack_it(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    names = "struct zlib binascii threading os io selectors subprocess sitecustomize usercustomize site errno stat"
    for name in [*names.split(), "remotesvc"]:
        (hostile / f"{name}.py").write_text(f"open({str(tmp_path / 'hijacked')!r}, 'a').write({name!r})\n")
    monkeypatch.chdir(hostile)
    for name, value in {
        "PYTHONPATH": str(hostile),
        "PYTHONHOME": str(hostile),
        "PYTHONSTARTUP": str(hostile / "os.py"),
        "PYTHONINSPECT": "1",
        "PYTHONWARNINGS": "error",
        "PYTHONOPTIMIZE": "2",
        "PYTHONDEBUG": "1",
        "PYTHONVERBOSE": "1",
        "PYTHONIOENCODING": "utf-16",
        "PYTHONPLATLIBDIR": "hostile",
        "PYTHONNOUSERSITE": "",
        "PYTHONUSERBASE": str(hostile),
    }.items():
        monkeypatch.setenv(name, value)
    for interpreter in interpreters.found():
        context = router.local(interpreter.path)
        assert context.call(called.add, 1, 2) == 3
        assert context.call("os:getcwd") == str(hostile)
        context.close()
    assert not (tmp_path / "hijacked").exists()


def test_ps_shows_a_recognisable_name(router: Router) -> None:
    context = router.local()
    secret = remotesvc.Secret("hunter2")
    pid = context.call(called.process)
    context.call(called.echo, secret)
    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    name = f"remotesvc:{getpass.getuser()}@{os.uname().nodename}:{os.getpid()}".encode()
    assert name in command
    assert sum(map(len, command)) < 4096
    assert b"hunter2" not in b"".join(command) + Path(f"/proc/{pid}/environ").read_bytes()


def test_a_child_leads_its_session_and_has_no_terminal(router: Router) -> None:
    context = router.local()
    pid = context.call(called.process)
    assert context.call("os:getsid", 0) == context.call("os:getpgrp") == pid
    assert context.call("os:read", 0, 1) == b""
    assert context.call("builtins:eval", "__import__('sys').dont_write_bytecode") is True


def test_what_is_sent_before_the_first_result(router: Router, fake: Fake, tmp_path: Path) -> None:
    sent = bytes_before_the_first_result(router, fake, tmp_path)
    assert sent <= FIRST_FLIGHT


def bytes_before_the_first_result(router: Router, fake: Fake, tmp_path: Path) -> int:
    """What a target needs for its first answer: the command line and all that waits for it on stdin."""
    counter = tmp_path / "count.py"
    counter.write_text(
        "import fcntl, os, struct, sys, termios, time\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.005)\n"
        "(waiting,) = struct.unpack('i', fcntl.ioctl(0, termios.FIONREAD, bytes(4)))\n"
        f"open({str(tmp_path / 'count')!r}, 'w').write(str(waiting))\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    context = router.local(fake(f'exec "$PYTHON" -I {counter} "$PYTHON" "$@"'))
    future = context.submit("os:getpid")
    link = context.tree.router.links[context.id]
    until(lambda: not link.queued and not link.writing)
    (tmp_path / "go").touch()
    assert future.result(LIMIT) == context.info["pid"]
    command = context.tree.bundle.shell_command(process_name())
    return len(command) + int((tmp_path / "count").read_text())


def test_a_child_writes_no_file(
    router: Router, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, scratch, log = tmp_path / "home", tmp_path / "scratch", tmp_path / "trace"
    home.mkdir()
    scratch.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.chdir(scratch)
    tracer = shutil.which("strace") or ""
    if tracer:
        tracer += f" -f -qq -e trace=file -o '{log}'"
    context = router.local(fake(f'{tracer} "$PYTHON" "$@"'))
    assert context.call(called.add, 1, 2) == 3
    assert list(context.call(called.count, 3)) == [0, 1, 2]
    assert context.call("json:dumps", [1]) == "[1]"
    with pytest.raises(ValueError, match="x"):
        context.call(called.fail, "ValueError", "x")
    assert context.call(called.double, 2) == 4
    assert context.options(isolation="process").call(called.add, 1, 2) == 3
    context.call(called.log, 40, "logged")
    context.close()
    assert list(home.iterdir()) == []
    assert list(scratch.iterdir()) == []
    if tracer:
        assert written(log.read_text(errors="replace")) == set()


def written(trace: str) -> set[str]:
    """The paths that were made, or opened for writing, in what strace wrote; what is no file on a disk is left out."""
    paths = set()
    for line in trace.splitlines():
        call, bracket, rest = line.partition("(")
        name = call.split()[-1] if call else ""
        if not bracket or " = -1 " in line or name not in CHANGES:
            continue
        path = rest.split('"')[1] if '"' in rest else rest
        if name.startswith("open") and not any(flag in rest for flag in FOR_WRITING):
            continue
        if path.startswith("/dev/") and stat.S_ISCHR(os.stat(path).st_mode):
            continue
        if path.startswith("/proc/") and path.endswith("/comm"):
            continue
        paths.add(path)
    return paths


def test_the_end_of_a_child_that_was_not_ready(router: Router, fake: Fake, tmp_path: Path) -> None:
    """Closing does not wait for a start that takes long."""
    context = router.local(fake(f'touch "{tmp_path / "begun"}"; sleep 300; exec "$PYTHON" "$@"'))
    future = context.submit(called.add, 1, 2)
    appears(tmp_path / "begun")
    pid = context.tree.start_of(context.id).path.pid
    watch = Stopwatch()
    context.close()
    assert watch.seconds < 10
    assert isinstance(future.exception(LIMIT), remotesvc.Error)
    gone(pid)
    until(lambda: not in_group(pid))


def test_a_kernel_ends_when_its_parent_is_gone_before_it_was_ready(fake: Fake, tmp_path: Path) -> None:
    bundle = Bundle(kernel_sources(), kernel_codes)
    process = subprocess.Popen(
        bundle.argv(sys.executable, "orphan"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, _errors = process.communicate(bundle.preamble(bytes(16)), LIMIT)
    assert process.returncode == 88
    assert b"<remotesvc:ended after 0 of 40 bytes>" in output
