"""Output of targets on the master: what is believed, how it is cut into lines, where it is shown."""

from __future__ import annotations

import io
import itertools
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.bootstrap.errors import WireError
from remotesvc.bootstrap.output.units import LINE
from remotesvc.output import LINES_BETWEEN_YIELDS, CallbackError, Console, OutputEvent, Outputs
from remotesvc.output.events import MOST_PENDING, Decoder
from tests.unit.outputs import Collector, Terminal, a_record, bare_logging, name_of, output

pytest_plugins = ("tests.unit.outputs",)


# Output records.


def test_an_event_for_each_line_and_for_the_rest(collector: Collector) -> None:
    collector.feed(b"one\n\ntwo\r\nthr\x0bee", fd=2, call=7, context=3)
    assert collector.events == [
        OutputEvent(3, "host3", "stderr", data, 7) for data in ("one\n", "\n", "two\r\n", "thr\x0bee")
    ]


def test_a_character_cut_in_two_is_put_together(collector: Collector) -> None:
    assert collector.feed("€".encode()[:1]) == []
    assert collector.feed("€".encode()[1:2]) == []
    assert collector.feed("€".encode()[2:] + b"\n") == ["€\n"]


def test_each_context_stream_and_call_has_a_decoder_of_its_own(collector: Collector) -> None:
    first, rest = "€".encode()[:1], "€".encode()[1:]
    sources: list[dict[str, int]] = [{}, {"fd": 2}, {"call": 6}, {"context": 2}]
    for source in sources:
        assert collector.feed(b"a" + first, **source) == ["a"]
    for source in sources:
        assert collector.feed(rest + b"b", **source) == ["€b"]


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"\xff\xfe\n", "\ufffd\ufffd\n"), (b"a\xc3\n", "a\ufffd\n"), (b"\xed\xa0\x80", "\ufffd" * 3), (b"", "")],
)
def test_what_is_not_utf_8_is_replaced(collector: Collector, data: bytes, text: str) -> None:
    assert "".join(collector.feed(data)) == text


def test_a_character_that_never_ends_is_replaced_on_close(collector: Collector) -> None:
    collector.feed("€".encode()[:2])
    collector.outputs.close()
    assert collector.events == [OutputEvent(1, "host1", "stdout", "\ufffd", 5, "€".encode()[:2])]
    collector.outputs.close()
    assert len(collector.events) == 1


def test_unfinished_characters_are_bounded(collector: Collector) -> None:
    for call in range(MOST_PENDING):
        collector.feed(b"\xe2", call=call)
    assert collector.events == []
    collector.feed(b"\xe2", call=MOST_PENDING)
    assert collector.events == [OutputEvent(1, "host1", "stdout", "\ufffd", 0, b"\xe2")]
    assert collector.feed("€".encode()[1:], call=1) == ["€"]


@given(st.text(), st.data())
def test_text_survives_any_chunking(text: str, draw: st.DataObject) -> None:
    data = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)))))
    decoder = Decoder()
    pieces: list[str] = []
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        pieces.append(decoder.feed_untrusted(1, [1, 0, data[start:end]])[2][0])
    assert "".join(pieces) == data.decode()
    lines = [line.data for piece in pieces for line in output(piece).lines()]
    assert "".join(lines) == data.decode()
    assert all("\n" not in line[:-1] and line for line in lines)


@given(st.binary(), st.data())
def test_bytes_survive_any_chunking(data: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)))))
    collector = Collector()
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        collector.feed(data[start:end])
    collector.outputs.close()
    assert b"".join(event.raw for event in collector.events) == data


class Sly(bytes):
    """Of a type the codec does not make; its length lies."""

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    "record",
    [
        None,
        b"data",
        {},
        (1, 0, b"tuple"),
        [1, 0],
        [1, 0, b"x", 1],
        [0, 0, b"x"],
        [3, 0, b"x"],
        [True, 0, b"x"],
        ["1", 0, b"x"],
        [[1], 0, b"x"],
        [1.0, 0, b"x"],
        [1, -1, b"x"],
        [1, 1 << 64, b"x"],
        [1, None, b"x"],
        [1, True, b"x"],
        [1, 0, "text"],
        [1, 0, bytearray(b"x")],
        [1, 0, b"x" * (LINE + 1)],
        [1, 0, Sly(b"xx")],
        [1, 0, None],
    ],
    ids=repr,
)
def test_a_hostile_output_record_is_refused(collector: Collector, record: object) -> None:
    with pytest.raises(WireError):
        collector.outputs.on_output(1, record)
    assert collector.events == []


def test_the_largest_record_is_taken(collector: Collector) -> None:
    assert collector.feed(b"x" * LINE, call=(1 << 64) - 1) == ["x" * LINE]


def test_lines_are_cut_one_by_one() -> None:
    """A record of nothing but newlines does not become a list of 65,536 events."""
    lines = output("\n" * LINE).lines()
    assert isinstance(lines, Iterator)
    assert next(lines) == output("\n")
    assert sum(1 for _ in lines) == LINE - 1


def test_who_takes_chunks_gets_what_came_together_in_one_event() -> None:
    class Taker(list[OutputEvent]):
        takes_chunks = True

        def __call__(self, event: OutputEvent) -> None:
            self.append(event)

    taken = Taker()
    outputs = Outputs(name_of, taken)
    for data in (b"one\ntwo\nthr", b"", "ee\n€".encode()[:-1], "€\n".encode()[2:] + b"\xff\nend"):
        outputs.on_output(1, [1, 5, data])
    outputs.close()
    assert [event.data for event in taken] == ["one\ntwo\nthr", "ee\n", "€\n\ufffd\nend"]
    assert taken[-1].raw == "€\n".encode() + b"\xff\nend"
    assert [(line.data, line.undecoded) for line in taken[-1].lines()] == [
        ("€\n", None), ("\ufffd\n", b"\xff\n"), ("end", None)
    ]


def test_many_lines_leave_the_interpreter_to_others_now_and_then(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they come: in one record, or one in each."""
    pauses: list[int] = []
    monkeypatch.setattr(time, "sleep", lambda seconds: pauses.append(len(collector.events)))
    collector.feed(b"\n" * 5000)
    for _ in range(5000):
        collector.feed(b"\n")
    assert len(collector.events) == 10_000
    assert len(pauses) == 10_000 // LINES_BETWEEN_YIELDS
    assert {later - earlier for earlier, later in itertools.pairwise(pauses)} == {LINES_BETWEEN_YIELDS}


def test_a_failing_callback_loses_no_line() -> None:
    seen: list[str] = []

    def fail(event: OutputEvent) -> None:
        seen.append(event.data)
        raise LookupError(event.data)

    outputs = Outputs(name_of, fail)
    with pytest.raises(CallbackError, match="on_output raised LookupError: one") as caught:
        outputs.on_output(1, [1, 0, b"one\ntwo\nthree\n"])
    assert type(caught.value.__cause__) is LookupError
    assert seen == ["one\n", "two\n", "three\n"]


def shown(*events: OutputEvent, stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    console = Console(stream)
    for event in events:
        console.output(event)
    return stream.getvalue()


def test_each_line_is_labelled() -> None:
    assert shown(output("one\n"), output("two\n", 2)) == "[host1] one\n[host2] two\n"


def test_each_line_of_many_that_came_together_is_labelled() -> None:
    both = shown(output("on"), output("e\n[host2] two\n\nlast"), output("\n"))
    assert both == "[host1] one\n[host1] [host2] two\n[host1] \n[host1] last\n"


def test_a_line_in_parts_is_one_line() -> None:
    assert shown(output("on"), output("e"), output("\n"), output("two\n")) == "[host1] one\n[host1] two\n"


@pytest.mark.parametrize(
    "other", [output("other\n", 2), output("other\n", 1, "stderr"), output("other\n", 1, "stdout", 3)]
)
def test_lines_do_not_mix(other: OutputEvent) -> None:
    label = f"[{other.host}]"
    assert shown(output("on"), other, output("e\n")) == f"[host1] on\n{label} other\n[host1] e\n"


def test_escapes_are_neutralised_where_they_meet_a_terminal_and_only_there() -> None:
    event = output("\x1b]0;evil\x07\r\n")
    assert shown(event) == "[host1] \x1b]0;evil\x07\r\n"
    assert shown(event, stream=Terminal()) == "[host1] \\x1b]0;evil\\x07\n"


def test_the_console_writes_to_the_stderr_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console()
    for stream in (io.StringIO(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        console.output(output("x\n"))
        assert stream.getvalue() == "[host1] x\n"
    monkeypatch.setattr(sys, "stderr", None)
    console.output(output("x\n"))


def test_characters_the_stream_cannot_have_are_escaped() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, "ascii", "strict")
    Console(stream).output(output("€ \udc80\n"))
    assert raw.getvalue() == b"[host1] \\u20ac \\udc80\n"


def test_a_stream_that_is_gone_is_no_error() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    Console(Broken()).output(output("x\n"))
    closed = io.StringIO()
    closed.close()
    Console(closed).output(output("x\n"))


def test_the_defaults_show_all_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = Outputs(name_of)
    with bare_logging():
        outputs.on_output(1, [1, 0, b"from stdout\n"])
        outputs.on_output(1, [2, 0, b"from stderr\n"])
        outputs.on_log(1, a_record())
    assert capsys.readouterr() == (
        "",
        "[host1] from stdout\n[host1] from stderr\n[host1] WARNING app.part: 100% of %s\n",
    )
