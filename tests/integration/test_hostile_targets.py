"""Compromised targets, over real connections: what they say costs them their link, and nobody else anything."""

from __future__ import annotations

import json
import logging
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

import remotesvc
from remotesvc import CallError, Context, Router
from remotesvc.bootstrap.links import wire
from remotesvc.bootstrap.links.wire import Frame
from tests.integration.command_line import cli
from tests.integration.connecting import connect_to
from tests.integration.ssh_servers import MISSING, OpenSSHServer
from tests.integration.test_ssh_safety import everything_in_proc
from tests.kernel import called, called_rude
from tests.kernel.contexts import LIMIT, Heard, appears, usable
from tests.kernel.programs import start
from tests.stopwatch import Stopwatch

pytest_plugins = ("tests.integration.sshd_fixture", "tests.kernel.call_fixtures")

MIB = 1 << 20
NOTICED = 2.5
"""Seconds until a link is closed over which something came that is no frame: one, and what a busy machine adds."""


@pytest.fixture(params=["local", "paramiko", "openssh"])
def context(request: pytest.FixtureRequest, router: Router, sshd_if_any: OpenSSHServer | None) -> Context:
    if request.param == "local":
        return router.local()
    if sshd_if_any is None:
        pytest.skip(MISSING)
    return connect_to(router, sshd_if_any, transport=request.param)


def message(me: int, payload: bytes, stream: int = wire.OUTPUT, flags: int = 0) -> bytes:
    return Frame(wire.MESSAGE, flags, stream, 0, me, me, wire.EMIT_OUTPUT, payload=payload).pack()


BYTES: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "another magic": ("not a frame", lambda me: bytes(100)),
    "four gigabytes": ("not a frame", lambda me: Frame(wire.MESSAGE).header((1 << 32) - 1)),
    "a kind there is not": ("not a frame", lambda me: struct.pack(">HB", wire.MAGIC, 99) + bytes(wire.SIZE - 3)),
    "an acknowledgement of what was never sent": (
        "acknowledged", lambda me: Frame(wire.ACK, handle=1 << 60).pack()),
    "a message of four gigabytes": (
        "announced", lambda me: message(me, struct.pack(">I", (1 << 32) - 1), 20, wire.FIRST | wire.MORE)),
    "three words of the master's": ("broke the rules", lambda me: message(0, b"") * 3),
}


@pytest.mark.parametrize("what", BYTES)
def test_case_38_bytes_that_no_kernel_sends(context: Context, router: Router, what: str) -> None:
    other = router.local()
    usable(context)
    usable(other)
    says, make = BYTES[what]
    begun = Stopwatch()
    error = context.submit(called_rude.say_bytes, make(context.id)).exception(LIMIT)
    assert isinstance(error, remotesvc.Lost)
    assert says in str(error)
    assert begun.seconds <= NOTICED
    usable(other)


def test_a_flood_slows_down_the_one_who_makes_it(context: Context, router: Router) -> None:
    """On paramiko, the thread that waits is its own: the connection outlives that."""
    other = router.local()
    usable(context)
    flood = context.submit(called_rude.ping_at_once, 20_000)
    while not flood.done():
        usable(other)
    assert flood.result(LIMIT) == 20_000
    usable(context)


# -- text


HOSTILE = ["{0.__class__.__init__.__globals__}", "%s%n%(name)s", "{{ 7 * 7 }}", "$PATH `id` $(id)", "[bold]x[/]"]


def test_what_a_target_says_is_never_a_format(router: Router, heard: Heard) -> None:
    """As events, as values and as errors it is the text that was said."""
    context = router.local()
    for text in HOSTILE:
        assert context.call(called_rude.tell, text) == {"ansible_host": text, text: text}
        with pytest.raises(CallError) as caught:
            context.call(called_rude.fail, text)
        assert caught.value.type_name.endswith(text)
        assert caught.value.render().count(text) >= 3
        assert text in str(caught.value)
    heard.wait_until(lambda: len(heard.logs) == len(HOSTILE))
    assert [event.msg for event in heard.logs] == HOSTILE
    assert heard.text().splitlines() == heard.text("stderr").splitlines() == HOSTILE


@pytest.mark.parametrize("form", [(), ("--json",), ("--gather",), ("--timestamps",)])
def test_what_a_target_says_is_never_a_format_on_the_command_line(tmp_path: Path, form: tuple[str, ...]) -> None:
    (tmp_path / "rude.py").write_text(Path(called_rude.__file__).read_text())
    (tmp_path / "hosts").write_text("n[1:2] ansible_connection=local\n")
    text = " ".join(HOSTILE)
    code, out, err = cli(tmp_path, "run", "-i", "hosts", *form, "all", "rude:tell", text)
    assert code == 0
    assert "Traceback" not in err
    assert err.count(text) >= 3
    if form == ("--json",):
        assert [each["value"] for each in json.loads(out)] == [{"ansible_host": text, text: text}] * 2
    else:
        assert text in out
    code, out, err = cli(tmp_path, "run", "-i", "hosts", *form, "all", "rude:fail", text)
    assert code == 2
    assert text in out + err


# -- secrets


@pytest.mark.parametrize("transport", ["paramiko", "openssh"])
def test_arguments_of_calls_are_in_nobodys_words_environment_or_log(
    router: Router, sshd: OpenSSHServer, transport: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Sshd is on this machine, so /proc shows both ends."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "remotesvc")
    secret, plain = "canary-of-" + "secret", "canary-of-" + "argument"
    context = connect_to(router, sshd, transport=transport)
    begun, end = tmp_path / "begun", tmp_path / "end"
    future = context.submit(called_rude.keep, remotesvc.Secret(secret), plain, str(begun), str(end))
    apart = context.options(isolation="process").submit(
        called_rude.keep, remotesvc.Secret(secret), plain, str(tmp_path / "apart"), str(end))
    appears(begun)
    appears(tmp_path / "apart")
    seen = everything_in_proc()
    assert "remotesvc:" in seen, "who looks like this sees kernels"
    end.touch()
    for each in (future, apart):
        error = each.exception(LIMIT)
        assert isinstance(error, LookupError)
        assert "Secret(***)" in str(error)
        seen += repr(error) + error.render()  # type: ignore[attr-defined]
    seen += "\n".join(record.getMessage() for record in caplog.records) + caplog.text
    assert secret not in seen
    assert plain not in seen


# -- doors


@pytest.mark.parametrize("transport", ["local", "paramiko", "openssh"])
def test_nobody_waits_to_be_called(
    router: Router, transport: str, sshd_if_any: OpenSSHServer | None, tmp_path: Path
) -> None:
    """No port and no socket, here or there, whatever is used of it."""
    with socket.create_server(("127.0.0.1", 0)) as known, socket.socket(socket.AF_UNIX) as by_name:
        by_name.bind(str(tmp_path / "socket"))
        by_name.listen()
        assert {f"tcp 0100007F:{known.getsockname()[1]:04X}", f"unix {tmp_path}/socket"} <= set(called_rude.listening())
    before = called_rude.listening()
    if transport == "local":
        context = router.local()
    elif sshd_if_any is None:
        pytest.skip(MISSING)
    else:
        context = connect_to(router, sshd_if_any, transport=transport)
    (tmp_path / "s").write_bytes(os.urandom(MIB))
    below = router.local(via=context)
    context.push(tmp_path / "s", tmp_path / "t")
    assert list(context.call(called.count, 3)) == [0, 1, 2]
    assert context.options(isolation="process").call(called_rude.listening) == []
    assert (context.call(called_rude.listening), below.call(called_rude.listening)) == ([], [])
    assert called_rude.listening() == before


# -- memory


ROOM = 64 * MIB


def test_case_40_much_of_everything_takes_little_memory(tmp_path: Path) -> None:
    """A gigabyte of commands for terminals, an error of 100 MB, and calls for one who has stopped reading."""
    with start(
        tmp_path,
        """
        import resource
        from tests.kernel import called_rude
        router.close()
        seen = 0
        def on_output(event):
            global seen
            seen += len(event.data)
        router = remotesvc.Router(on_output=on_output)
        context, other = router.local(), router.local()
        def most():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        context.call("os:getpid"), other.call("os:getpid")
        before = most()
        assert context.call(called_rude.print_much, b"\\x1b[2J" * 16384, 16384) == 1 << 30
        assert seen == 1 << 30
        say(most() - before)
        try:
            context.call(called_rude.fail_long, 100_000_000)
        except ValueError as error:
            say(len(str(error)), most() - before)
        os.kill(context.info["pid"], signal.SIGSTOP)
        data = bytes(60_000)
        for _ in range(2000):
            context.options(timeout=0.001).submit(called.echo, data)
        assert other.call(called.add, 1, 1) == 2
        say(most() - before)
        os.kill(context.info["pid"], signal.SIGKILL)
        router.close()
        """,
    ) as script:
        assert int(script.line()) <= ROOM
        length, grown = map(int, script.line().split())
        assert length <= 200_000
        assert grown <= ROOM
        assert int(script.line()) <= ROOM
        assert script.process.wait(LIMIT) == 0, script.errors()
