"""From nothing to a kernel: shells and profiles, what is sent, and what a target sees of it."""

from __future__ import annotations

import getpass
import os
import shutil
import stat
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Router
from remotesvc.launch.tree import process_name
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import called, called_failing, called_output
from tests.kernel.bootstrap_fixtures import Fake
from tests.kernel.contexts import LIMIT, until
from tests.kernel.shells import SHELLS, noise_of, through

pytest_plugins = ("tests.kernel.call_fixtures", "tests.kernel.bootstrap_fixtures")
FIRST_FLIGHT = 32 * 1024
CHANGES = {"open", "openat", "creat", "mkdir", "mkdirat", "mknod", "mknodat", "rename", "renameat", "renameat2", "link"}
CHANGES |= {"linkat", "symlink", "symlinkat", "truncate", "chmod", "fchmodat"}
FOR_WRITING = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND")


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
    for said in ("Welcome!", "Password: ", "read", "warning"):
        assert said in context.diagnostics
    context.close()
    assert "Welcome!" in context.diagnostics


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
        context.call(called_failing.fail, "ValueError", "x")
    assert context.call(called.double, 2) == 4
    assert context.options(isolation="process").call(called.add, 1, 2) == 3
    context.call(called_output.log, 40, "logged")
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
