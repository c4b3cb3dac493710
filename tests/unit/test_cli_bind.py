"""Words of the command line to arguments, and which words are whose."""

from __future__ import annotations

from typing import Any

import pytest

from remotesvc.cli.arguments.bind import Word, bind
from remotesvc.cli.arguments.signature import parse_source, read_callee, unchecked
from remotesvc.cli.arguments.split import split_words
from remotesvc.cli.problems import BadUsage

SOURCE = """
def f(a: int, b: str = "x", *, deep: bool = False, rate: float = 1.0): ...
def g(*items: int, **others: float): ...
def h(only, /, other_name=1): ...
def s(first: str, second: bytes, third: int = 0): ...
from typing import Optional
def o(dry: "bool | None" = None, text: str = "", *, deep_too: Optional[bool] = None, n: Optional[int] = None): ...
"""


def bound(name: str, *words: str, kw: tuple[str, ...] = (), stdin: bytes = b"", **more: Any) -> Any:
    callee = read_callee(parse_source(SOURCE, "m.py"), "m", name)
    return bind(callee, [Word(word) for word in words], kw, lambda: stdin, **more)


def test_types_come_from_the_annotations() -> None:
    assert bound("f", "1", "two") == ([1, "two"], {})
    assert bound("f", "1", kw=("b=5", "rate=2")) == ([1], {"b": "5", "rate": 2.0})
    assert bound("f", kw=("a=7",)) == ([], {"a": 7})
    assert bound("g", "1", "2", kw=("x=0.5",)) == ([1, 2], {"x": 0.5})


def test_flags_are_built_from_the_signature() -> None:
    assert bound("f", "1", "--deep", "--rate", "0.5") == ([1], {"deep": True, "rate": 0.5})
    assert bound("f", "--rate=3", "1", "--no-deep") == ([1], {"rate": 3.0, "deep": False})
    assert bound("f", "1", "--deep=no") == ([1], {"deep": False})
    assert bound("h", "1", "--other-name", "2") == (["1"], {"other_name": "2"})


def test_a_bool_that_may_be_none_is_a_switch_too() -> None:
    assert bound("o", "--dry", "--no-deep-too") == ([], {"dry": True, "deep_too": False})
    assert bound("o", "--dry=None", "--deep-too=yes", "--n", "3") == ([], {"dry": None, "deep_too": True, "n": 3})


def test_what_stands_behind_a_double_dash_is_an_argument() -> None:
    callee = read_callee(parse_source(SOURCE, "m.py"), "m", "s")
    words = [Word("--deep", literal=True), Word("-", literal=True)]
    assert bind(callee, words, (), lambda: b"unread") == (["--deep", b"-"], {})


@pytest.mark.parametrize(
    ("name", "words", "kw", "message"),
    [
        ("f", (), (), "misses a"),
        ("f", ("1", "2", "3"), (), "takes 1 to 2 positional arguments, 3 given"),
        ("f", ("x",), (), "a: expected an int, got 'x'"),
        ("f", ("1",), ("nope=1",), "has no parameter 'nope'"),
        ("f", ("1",), ("rat=1",), "did you mean 'rate'"),
        ("f", ("1",), ("a=1",), "a is given twice"),
        ("f", ("1",), ("b=1", "b=2"), "b is given more than once"),
        ("f", ("1", "--deep", "false"), (), "false behind --deep is an argument of its own: write --deep=false or"),
        ("o", ("--no-deep-too", "True"), (), "write --deep-too=True or --deep-too;"),
        ("o", ("--dry", "no"), (), "no behind --dry is an argument of its own: write --dry=no or --no-dry;"),
        ("o", ("--dry", "None"), (), "None behind --dry is an argument of its own: write --dry=None;"),
        ("f", ("1", "--rate"), (), "--rate needs a value"),
        ("f", ("1", "--rate", "--deep"), (), "--rate needs a value"),
        ("f", ("1", "--jsn"), (), "has no parameter 'jsn', and --jsn is no option of ours"),
        ("f", ("1", "--rat"), (), "--rat is no option of ours; did you mean 'rate'?"),
        ("f", ("1",), ("rate",), "--kw takes name=value"),
        ("f", ("1",), ("1x=2",), "--kw takes name=value"),
        ("h", (), ("only=1",), "has no parameter 'only'"),
        ("g", ("1", "x"), (), "items: expected an int"),
        ("g", (), ("x=y",), "x: expected a float"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_signature(
    name: str, words: tuple[str, ...], kw: tuple[str, ...], message: str
) -> None:
    with pytest.raises(BadUsage) as caught:
        bound(name, *words, kw=kw)
    assert message in str(caught.value)
    if "--kw takes" not in message:
        assert f"signature: m:{name}(" in str(caught.value)


def test_stdin_is_read_once_and_only_when_asked_for() -> None:
    reads = []

    def read() -> bytes:
        reads.append(1)
        return b"text\n"

    callee = read_callee(parse_source(SOURCE, "m.py"), "m", "s")
    assert bind(callee, [Word("a"), Word("b")], (), read) == (["a", b"b"], {})
    assert not reads
    assert bind(callee, [Word("-"), Word("-")], (), read) == (["text\n", b"text\n"], {})
    assert len(reads) == 1


def test_an_unchecked_function_takes_whatever_is_given() -> None:
    words = [Word("1"), Word("--name"), Word("x"), Word("--on=y")]
    assert bind(unchecked("m:f", "why"), words, ("a=b",), bytes) == (
        ["1"],
        {"name": "x", "on": "y", "a": "b"},
    )


def test_json_arguments() -> None:
    assert bound("f", "5", "[1]", kw=("rate=null",), all_json=True) == ([5, [1]], {"rate": None})
    with pytest.raises(BadUsage, match="not JSON"):
        bound("f", "five", all_json=True)


OPTIONS = {
    "--json": False,
    "-v": False,
    "-q": False,
    "--timeout": True,
    "-T": True,
    "-n": False,
    "--help": False,
}


def words(*texts: str, literal: bool = False) -> list[Word]:
    return [Word(text, literal) for text in texts]


@pytest.mark.parametrize(
    ("line", "ours", "theirs"),
    [
        ("h m:f a b", "h m:f", words("a", "b")),
        ("--json h m:f -v a", "--json h m:f -v", words("a")),
        ("h m:f a --json --timeout 5 b", "h m:f --json --timeout 5", words("a", "b")),
        ("h m:f --timeout=5 --depth 3", "h m:f --timeout=5", words("--depth", "3")),
        ("-T5 h m:f", "-T5 h m:f", []),
        ("-vqT 5 h m:f", "-vqT 5 h m:f", []),
        ("h -T 5 m:f -", "h -T 5 m:f", words("-")),
        ("h m:f -5 -.5 -inf", "h m:f", words("-5", "-.5", "-inf", literal=True)),
        ("h m:f -- --json -x", "h m:f", words("--json", "-x", literal=True)),
        ("-- h m:f --json", "h m:f", words("--json", literal=True)),
        ("h m:f -n", "h m:f -n", []),
        ("h", "h", []),
        ("--help", "--help", []),
    ],
)
def test_words_are_split_into_ours_and_the_functions(line: str, ours: str, theirs: list[Word]) -> None:
    assert split_words(line.split(), OPTIONS)[:2] == (ours.split(), theirs)


def test_options_behind_the_target_are_told_apart() -> None:
    line = "--json h -n m:f --timeout=5 -q --depth 3 -- --json"
    assert split_words(line.split(), OPTIONS).behind == ["--timeout", "-q"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--jsom h m:f", "no such option: --jsom; did you mean --json"),
        ("h --jsom m:f", "no such option: --jsom"),
        ("h m:f -x", "no such option: -x; put it after --"),
        ("-x h m:f", "no such option: -x$"),
    ],
)
def test_split_refuses_options_of_nobody(line: str, message: str) -> None:
    with pytest.raises(BadUsage, match=message):
        split_words(line.split(), OPTIONS)
