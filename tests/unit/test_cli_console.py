"""What meets a terminal, and what meets a file."""

from __future__ import annotations

import concurrent.futures
import errno
import io
import os
import tracemalloc
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from remotesvc.cli.settings import Settings, use_color, use_progress
from remotesvc.cli.show.console import Console
from remotesvc.cli.show.live import Live
from remotesvc.cli.show.stream import Stream
from remotesvc.fleet.printed import KEPT
from remotesvc.output import OutputEvent
from tests.unit.outputs import Terminal

HOSTILE = "a\x1b]0;owned\x07\rb\n"
SHOWN = "a\\x1b]0;owned\\x07\\rb\n"


def console(out: Any = None, err: Any = None, color: bool = False, **options: Any) -> Console:
    return Console(Stream(out or io.StringIO(), color), Stream(err or io.StringIO(), color), **options)


def test_escapes_of_a_target_are_shown_on_a_terminal_and_kept_in_a_file() -> None:
    terminal, file = Terminal(), io.StringIO()
    console(out=terminal).result(HOSTILE)
    console(out=file).result(HOSTILE)
    assert terminal.getvalue() == SHOWN
    assert file.getvalue() == HOSTILE
    for stream in (terminal, file):
        stream.truncate(0)
        stream.seek(0)
    console(err=terminal).remote(HOSTILE)
    console(err=file).remote(HOSTILE)
    assert (terminal.getvalue(), file.getvalue()) == (SHOWN, HOSTILE)


def test_errors_and_labels_are_escaped_too_and_our_own_colours_are_not() -> None:
    terminal = Terminal()
    both = console(out=terminal, err=terminal, color=True)
    both.error("ho\x1bst", "what\x1b\nmore\x1b")
    both.labelled_result("h", "v\x1b")
    assert terminal.getvalue() == (
        "\x1b[1mho\\x1bst: \x1b[0m\x1b[31mwhat\\x1b\x1b[0m\nmore\\x1b\n\x1b[1mh:\x1b[0m v\\x1b\n"
    )


def test_values_of_several_lines_are_indented_below_their_label() -> None:
    out = io.StringIO()
    target = console(out=out)
    target.labelled_result("h", "one\n")
    target.labelled_result("h", "one\ntwo\n")
    target.labelled_result("h", "")
    assert out.getvalue() == "h: one\nh:\n  one\n  two\nh:\n"


def test_quiet_says_nothing_but_errors() -> None:
    err = io.StringIO()
    quiet = console(err=err, quiet=True)
    quiet.note("a note")
    quiet.error("", "an error")
    assert err.getvalue() == "an error\n"


def test_progress_gets_out_of_the_way() -> None:
    out, err = io.StringIO(), Terminal()
    target = console(out=out, err=err, progress=True)
    target.progress("1/3 done")
    target.result("value\n")
    target.remote("line\n")
    target.progress("2/3 done")
    target.progress("")
    erase = "\r\x1b[K"
    assert err.getvalue() == (f"{erase}1/3 done{erase}1/3 done{erase}line\n1/3 done{erase}2/3 done{erase}")
    assert out.getvalue() == "value\n"


def test_progress_waits_for_the_end_of_a_line_and_is_cut_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stream, "columns", 13)
    err = Terminal()
    target = console(err=err, progress=True)
    target.remote("begun ")
    target.progress("1/3 done, waiting for x")
    target.remote("ended\n")
    target.progress("")
    erase = "\r\x1b[K"
    assert err.getvalue() == f"begun ended\n1/3 done, {erase}"


def test_what_else_draws_is_taken_away_for_what_is_written() -> None:
    err = Terminal()
    target = console(err=err)
    target.aside = (lambda: err.write("<"), lambda: err.write(">"))
    target.remote("line\n")
    target.error("", "bad")
    assert err.getvalue() == "<line\n><bad\n>"


def test_what_is_written_waits_for_the_answer_to_a_question() -> None:
    out, err = io.StringIO(), Terminal()
    target = console(out=out, err=err, progress=True)
    target.progress("1/3 done")
    with target.asked("Really? "):
        err.write("Really? ")
        target.result("value\n")
        assert out.getvalue() == "value\n"  # no terminal: it disturbs nobody
        target.remote("line\n")
        target.progress("2/3 done")
        err.write("yes\n")
    erase = "\r\x1b[K"
    assert err.getvalue() == f"{erase}1/3 done{erase}Really? yes\nline\n2/3 done{erase}2/3 done"


def test_of_what_waits_for_an_answer_only_so_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remotesvc.cli.show.console._MOST_HELD", 10)
    err = Terminal()
    target = console(err=err)
    target.remote("begun")
    with target.asked("Really? "):
        err.write("Really? ")
        target.remote("123456\n")
        target.remote("1234\n")
        target.remote("more\n")
        err.write("no\n")
    assert err.getvalue() == "begun\nReally? \n123456\n1234\nReally? no\nmore\n"


def test_after_a_stop_nothing_waits_for_an_answer() -> None:
    err = Terminal()
    target = console(err=err)
    with target.asked("Really? "):
        err.write("Really? ")
        target.remote("line\n")
        target.give_up_question()
        target.note("interrupted")
    assert err.getvalue() == "Really? \nline\ninterrupted\n"


def test_bars_are_gone_while_a_question_is_open() -> None:
    err = Terminal()
    target = console(err=err)
    target.aside = (lambda: err.write("<"), lambda: err.write(">"))
    with target.asked("Really? "):
        target.remote("line\n")
    assert err.getvalue() == "<><line\n>"
    with target.asked("Really? "):
        target.aside = None  # the transfers are over
    assert err.getvalue() == "<><line\n><"


class Failing(io.StringIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


def test_a_reader_that_is_gone_is_told_once_to_whom_it_concerns() -> None:
    told: list[int] = []
    target = console(out=Failing(BrokenPipeError()), on_broken=lambda: told.append(1))
    target.result("x\n")
    assert told == [1]
    assert target.out.broken and target.out.failure is None
    assert not target.out.write("y\n")


def test_a_write_error_other_than_a_reader_that_is_gone_is_remembered() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    target = console(out=Failing(full))
    target.result("x\n")
    assert target.out.failure is full and not target.out.broken


@pytest.mark.parametrize("buffering", [0, -1], ids=["unbuffered", "buffered"])
def test_a_pipe_that_does_not_block_gets_everything(buffering: int) -> None:
    """Whoever shares it with us may have set that; and where nothing is buffered, a short write is no error."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    data = b"".join(b"%07d\n" % number for number in range(100_000))
    with open(reading, "rb") as reader, concurrent.futures.ThreadPoolExecutor(1) as pool:
        got = pool.submit(reader.read)
        with io.TextIOWrapper(open(writing, "wb", buffering)) as file:
            assert Stream(file, color=False).write(data)
        assert got.result(20) == data


def test_a_closed_stdout_is_survived() -> None:
    target = Stream(None, color=False)
    assert not target.is_terminal and target.write("") and not target.missed
    assert target.write("x") and not target.broken and target.missed


@pytest.mark.parametrize(
    ("flag", "environment", "terminal", "colour"),
    [
        (None, {}, True, True),
        (None, {}, False, False),
        ("auto", {}, True, True),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"CLICOLOR_FORCE": "1"}, True, False),
        (None, {"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, True, False),
        (None, {"NO_COLOR": ""}, True, True),
        (None, {"CLICOLOR_FORCE": "1", "CLICOLOR": "0"}, False, True),
        (None, {"CLICOLOR_FORCE": "0"}, False, False),
        (None, {"CLICOLOR": "0"}, True, False),
        (None, {"CLICOLOR": "1"}, False, False),
        (None, {"TERM": "dumb"}, True, False),
    ],
)
def test_when_colour_is_used(flag: str | None, environment: dict[str, str], terminal: bool, colour: bool) -> None:
    assert use_color(flag, environment, terminal) is colour


def test_when_progress_is_drawn() -> None:
    assert use_progress(Settings(), {}, True)
    assert not use_progress(Settings(), {}, False)
    assert not use_progress(Settings(), {"TERM": "dumb"}, True)
    assert not use_progress(Settings(), {"CI": "true"}, True)
    assert not use_progress(Settings(no_progress=True), {}, True)
    assert not use_progress(Settings(quiet=True), {}, True)


def printed(data: str, host: str = "h", stream: Literal["stdout", "stderr"] = "stdout") -> OutputEvent:
    return OutputEvent(ord(host), host, stream, data, 1)


@pytest.fixture
def streams() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    yield io.StringIO(), io.StringIO()


def test_lines_of_hosts_do_not_mix(streams: tuple[io.StringIO, io.StringIO]) -> None:
    live = Live(console(*streams), keep=(), labels=True, own_streams=False)
    for data, host in (("one ", "a"), ("two ", "b"), ("more\n", "a"), ("last", "a"), ("end\n", "b")):
        live(printed(data, host))
    live.finish("a")
    live.finish("b")
    assert streams[1].getvalue() == "[a] one more\n[b] two end\n[a] last\n"
    assert streams[0].getvalue() == ""


@pytest.mark.parametrize(("labels", "shown"), [(False, "one\ntwo\nthree\n"), (True, "h: one\nh: two\nh: three\n")])
def test_lines_that_came_together_are_one_write(labels: bool, shown: str) -> None:
    class Counting(io.StringIO):
        writes = 0

        def write(self, text: str) -> int:
            self.writes += 1
            return super().write(text)

    out = Counting()
    live = Live(console(out), keep=(), labels=labels, own_streams=True)
    live(printed("one\ntwo\nthree\n"))
    assert (out.getvalue(), out.writes) == (shown, 1)


def test_an_endless_line_is_not_kept_in_memory(streams: tuple[io.StringIO, io.StringIO]) -> None:
    live = Live(console(*streams), keep=(), labels=True, own_streams=True)
    for _ in range(100):
        live(printed("x" * 1000))
    assert len(streams[0].getvalue()) > 60_000


def test_what_is_kept_for_json_is_bounded(streams: tuple[io.StringIO, io.StringIO]) -> None:
    live = Live(console(*streams), keep=("stdout", "stderr"), labels=False, own_streams=False)
    live(printed("x" * (KEPT - 1)))
    live(printed("yz"))
    live(printed("more"))
    live(printed("e", stream="stderr"))
    kept = live.finish("h")
    assert kept.truncated
    assert kept.text("stdout") == "x" * (KEPT - 1) + "y"
    assert kept.text("stderr") == "e"
    assert streams[1].getvalue() == ""
    assert live.finish("h").text("stdout") == ""


def test_stream_falls_back_when_a_surrogate_cannot_be_encoded() -> None:
    raw = io.BytesIO()
    stream = Stream(io.TextIOWrapper(raw, "ascii"), color=False)
    stream.write("é\udce9\n")
    assert raw.getvalue() == b"\\xe9\\udce9\n"


def test_what_a_target_says_is_escaped_on_a_real_terminal() -> None:
    leader, follower = os.openpty()
    with open(follower, "w") as file:
        console(out=file).result(HOSTILE)
    shown = os.read(leader, 1000)
    os.close(leader)
    assert b"\x1b" not in shown and b"\\x1b]0;owned" in shown


def test_long_labelled_text_is_one_text_though_written_in_pieces() -> None:
    file = io.StringIO()
    both = Console(Stream(file, False), Stream(None, False))
    text = "".join(f"{'x' * (number % 90)}\r\n" for number in range(20_000)) + "\nlast\n\n"
    both.labelled_result("h", text)
    assert file.getvalue() == "h:\n" + "".join(f"  {line}\n" for line in text.rstrip("\n").split("\n"))


def test_long_labelled_text_takes_little_more_than_itself() -> None:
    class Nowhere(io.StringIO):
        def write(self, text: str) -> int:
            return len(text)

    both = Console(Stream(Nowhere(), False), Stream(None, False))
    text = "1234567\n" * 1_000_000
    tracemalloc.start()
    try:
        both.labelled_result("h", text)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(text)
    finally:
        tracemalloc.stop()
