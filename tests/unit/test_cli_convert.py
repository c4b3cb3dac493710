"""Text to value, by annotation."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.cli.arguments.convert import convert, convert_bytes
from remotesvc.cli.arguments.scalars import Unconvertible
from remotesvc.cli.arguments.typespec import Annotations, TypeSpec


def spec(annotation: str, aliases: dict[str, str] | None = None, assigned: dict[str, str] | None = None) -> TypeSpec:
    known = {name: ast.parse(text, mode="eval").body for name, text in (assigned or {}).items()}
    return Annotations(aliases or {}, known).read(ast.parse(annotation, mode="eval").body)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("str", "5", "5"),
        ("str", "", ""),
        ("int", "-5", -5),
        ("int", "0x1F", 31),
        ("int", "007", 7),
        ("int", "1_000", 1000),
        ("float", "2", 2.0),
        ("float", "-1e-3", -0.001),
        ("bool", "Yes", True),
        ("bool", "0", False),
        ("datetime.timedelta", "1h30m", timedelta(minutes=90)),
        ("datetime.timedelta", "-1h30m", timedelta(minutes=-90)),
        ("datetime.timedelta", "-1:30:00", timedelta(minutes=-90)),
        ("datetime.timedelta", "-1.5", timedelta(seconds=-1.5)),
        ("datetime.timedelta", "-1 day, 23:00:00", timedelta(hours=-1)),
        ("bytes", "é", "é".encode()),
        ("Path", "/var/x", Path("/var/x")),
        ("pathlib.Path", "a", Path("a")),
        ("None", "None", None),
        ("Any", "5", "5"),
        ("Colour", "red", "red"),
        ("list", '[1, "a", null]', [1, "a", None]),
        ("list[int]", "[1, 2]", [1, 2]),
        ("List[Path]", '["a"]', [Path("a")]),
        ("Sequence[float]", "[1, 2.5]", [1.0, 2.5]),
        ("tuple[int, str]", '[1, "a"]', (1, "a")),
        ("tuple[int, ...]", "[1, 2, 3]", (1, 2, 3)),
        ("tuple", "[1]", (1,)),
        ("set[str]", '["a", "a"]', {"a"}),
        ("frozenset", "[1]", frozenset({1})),
        ("dict", '{"a": [1]}', {"a": [1]}),
        ("dict[int, list[Path]]", '{"1": ["x"]}', {1: [Path("x")]}),
        ("Mapping[str, Any]", '{"a": {"b": 1}}', {"a": {"b": 1}}),
        ("Literal['fast', 'slow']", "slow", "slow"),
        ("Literal[1, 2, None]", "2", 2),
        ("Optional[int]", "null", None),
        ("Optional[int]", "3", 3),
        ("int | None", "None", None),
        ("int | str", "3", 3),
        ("str | int", "3", 3),
        ("str | int", "x", "x"),
        ("Union[bool, int]", "1", 1),
        ("Union[bool, int]", "true", True),
        ("list[int] | str", "[1]", [1]),
        ("list[int] | str", "[oops", "[oops"),
        ("Annotated[int, 'metres']", "3", 3),
        ("'int'", "3", 3),
        ("'Optional[list[int]]'", "[3]", [3]),
    ],
)
def test_text_is_converted_by_its_annotation(annotation: str, text: str, value: Any) -> None:
    result = convert(text, spec(annotation))
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("annotation", "text", "message"),
    [
        ("int", "5.0", "expected an int, got '5.0'"),
        ("int", "", "expected an int"),
        ("int", "9" * 5000, "expected an int"),
        ("float", "x", "expected a float"),
        ("bool", "maybe", "expected true or false"),
        ("list", "a,b", "expected a JSON array"),
        ("list", '{"a": 1}', "expected list"),
        ("list", "[" * 100_000, "expected a JSON array"),
        ("list[int]", '[1, "2"]', "expected int at [1]"),
        ("list[int]", "[true]", "expected int at [0]"),
        ("dict[str, int]", '{"a": "b"}', "expected int at ['a']"),
        ("dict[int, str]", '{"a": "b"}', "expected an int, got 'a'"),
        ("dict", "[]", "expected dict"),
        ("tuple[int, int]", "[1]", "with 2 items, got 1"),
        ("set", "[[1]]", "unhashable"),
        ("Literal['fast', 'slow']", "medium", "expected one of 'fast', 'slow'"),
        ("Optional[int]", "x", "expected Optional[int], got 'x'"),
        ("int | float", "x", "expected int | float"),
    ],
)
def test_text_that_does_not_fit_its_annotation_is_refused(annotation: str, text: str, message: str) -> None:
    with pytest.raises(Unconvertible) as caught:
        convert(text, spec(annotation))
    assert message in str(caught.value)


def test_imported_names_and_type_aliases_are_followed() -> None:
    assert convert("[1]", spec("L[int]", aliases={"L": "List"})) == [1]
    assert convert("[1]", spec("Ids", assigned={"Ids": "list[int]"})) == [1]
    assert spec("Loop", assigned={"Loop": "Loop"}).kind == "any"


def test_a_class_of_the_module_itself_is_not_pathlibs() -> None:
    path, node = ast.parse("Path", mode="eval").body, ast.parse("class Path: pass").body[0]
    assert isinstance(node, ast.ClassDef)
    assert Annotations({}, {}, {"Path": node}).read(path).kind == "any"


def test_stdin_is_bytes_for_bytes_and_text_for_the_rest() -> None:
    assert convert_bytes(b"\xff\n", spec("bytes")) == b"\xff\n"
    assert convert_bytes(b"\xff\n", spec("bytes | None")) == b"\xff\n"
    assert convert_bytes(b"hello\n", spec("str")) == "hello\n"
    assert convert_bytes(b"hello\n", spec("Any")) == "hello\n"
    assert convert_bytes(b"5\n", spec("int")) == 5
    assert convert_bytes(b"[1]\n", spec("list")) == [1]


@given(st.text(), st.sampled_from(["int", "float", "bool", "list[int]", "dict[str, int]", "int | None"]))
def test_any_text_is_converted_or_refused(text: str, annotation: str) -> None:
    try:
        convert(text, spec(annotation))
    except Unconvertible:
        pass


@given(st.lists(st.integers()))
def test_json_lists_round_trip(values: list[int]) -> None:
    assert convert(str(values), spec("list[int]")) == values
