"""The quick way through YAML and JSON says the same as PyYAML's own, or leaves the text to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.fleet.inventory import InventoryError, load, plain
from remotesvc.fleet.inventory.yaml_text import parse_yaml

LOADERS = [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)]

PLAIN = [
    "", "---\n", "# nothing\n", "a", "a:", "a: b", "- a\n- b: c\n-\n", "a: {b: [1, 2.5, {c: ~}], d: []}",
    "'a': \"b\\n\"", "a: |\n  one\n  two\nb: >\n  one\n  two\n", "[yes, no, True, off, null, ~, '', 'yes', \"1\"]",
    "[0x1f, 0o17, 017, 1_000, 1e5, 1.5e+5, .5, .inf, -.inf, 1:30, +12, '12', 12abc]",
    "[2026-01-02, 2026-01-02 03:04:05, 2026-01-02T03:04:05Z, '2026-01-02']", "1: a\n1.5: b\nnull: c\n2026-01-02: d\n",
    "all:\n  hosts:\n    w1: {ansible_port: 2222}\n    w2:\n      colour: \"light blue\"\n",
    "a: =b\n\"=\": c\n'<<': d\n", "ä: ö",
]  # fmt: skip
NOT_PLAIN = [
    "a: &x b\nc: *x\n", "a: &x {b: c}\n", "a: &x [b]\n", "a: {<<: {b: c}, d: e}", "a: !!str 1", "a: !!set {b}",
    "a: !vault b", "a: b\n---\nc: d\n", "a: 1\na: 2\n", "1: a\n0x1: b\n", "{a: b}: c", "? [a, b]\n: c\n",
    "a: 2026-13-01", "=: a", "[" * 200 + "]" * 200,
]  # fmt: skip


def same(one: Any, other: Any) -> bool:
    """Equal, types included: 1, 1.0 and True are not."""
    return repr(one) == repr(other)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("text", PLAIN)
def test_plain_texts(text: str, loader: Any) -> None:
    assert same(plain.read_yaml(text, loader), yaml.load(text, yaml.SafeLoader))


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("text", NOT_PLAIN)
def test_what_is_left_to_the_slower_way(text: str, loader: Any) -> None:
    with pytest.raises(plain.NotPlain):
        plain.read_yaml(text, loader)


TEXTS = st.text("ab01:-.~ yno\n'\"é", max_size=6)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.dates() | TEXTS
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))


@given(TREES, st.booleans())
def test_what_pyyaml_writes(tree: Any, flow: bool) -> None:
    text = yaml.dump(tree, Dumper=_NoAliases, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    assert same(parse_yaml(text, "here"), yaml.load(text, yaml.SafeLoader))


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


@given(st.text("ab:-[]{},&*!|>#<=~ \n'\"0", max_size=30))
def test_any_text_is_data_or_not_plain(text: str) -> None:
    try:
        data = plain.read_yaml(text, LOADERS[1])
    except (plain.NotPlain, yaml.YAMLError):
        return
    assert same(data, yaml.load(text, LOADERS[1]))  # the other parser is stricter at times


def test_json_is_json(tmp_path: Path) -> None:
    data = {"all": {"hosts": {"w1": {"a": 1e5, "b": "\U0001f600", "c": [True, None, "2026-01-02"]}}}}
    path = tmp_path / "hosts.json"
    path.write_text(json.dumps(data, indent="\t"))  # which YAML may not be indented with
    assert load([path]).entry("w1").variables == data["all"]["hosts"]["w1"]


@pytest.mark.parametrize(("name", "text", "says"), [
    ("h.json", '{"all": {"hosts": {\n"w1": {},\n"w1": {}}}}', "line 3: 'w1' stands here a second time"),
    ("h.json", '{"all":\n {"hosts": ]}', "line 2"),
    ("h.yml", "all:\n  vars:\n    since: 2026-13-01\n", "line 3: month must be in 1..12"),
])  # fmt: skip
def test_mistakes_have_their_line(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InventoryError, match=says):
        load([tmp_path / name])


def test_a_large_inventory_goes_the_quick_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No node of PyYAML's for each word: those are what takes the time. A word that comes again is not asked about."""
    names = [f"web{number}.example.com" for number in range(5000)]
    path = tmp_path / "hosts.yml"
    path.write_text("all:\n  children:\n    web:\n      hosts:\n"
                    + "".join(f"        {name}: {{ansible_port: 2222, rack: {name[-13]}}}\n" for name in names))
    made = 0

    def counted(self: Any, *args: Any, **more: Any) -> None:
        nonlocal made
        made += 1
        init(self, *args, **more)

    init = yaml.Node.__init__
    monkeypatch.setattr(yaml.Node, "__init__", counted)
    inventory = load([path])
    assert inventory.members("web") == tuple(names)
    assert inventory.entry("web7.example.com").variables == {"ansible_port": 2222, "rack": 7}
    assert made < 50
