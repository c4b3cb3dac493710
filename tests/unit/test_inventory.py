"""Inventories: each format, how sources add up, and what a bad one says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remotesvc.fleet.inventory import Inventory, InventoryError, load
from remotesvc.fleet.inventory.ini import parse_value
from remotesvc.fleet.inventory.model import Group
from remotesvc.fleet.inventory.ranges import expand
from remotesvc.fleet.member import members_of

INI = """\
# a comment
jumper ansible_host=10.0.0.1:22   # behind a name
[web]
web[01:03].example.com ansible_user=deploy colour="light blue"
other.example.com:2222
[web:vars]
rack = 7
colour = red
; another comment
[db]
db-[a:c]
[prod:children]
web
db
[prod:vars]
colour = green
tier = {"name": "gold"}
"""


def write(path: Path, text: str, executable: bool = False) -> str:
    path.write_text(text, encoding="utf-8")
    if executable:
        path.chmod(0o755)
    return str(path)


def test_ini(tmp_path: Path) -> None:
    inventory = load([write(tmp_path / "hosts", INI)])
    web = ("web01.example.com", "web02.example.com", "web03.example.com", "other.example.com")
    assert tuple(inventory) == ("jumper", *web, "db-a", "db-b", "db-c")
    assert inventory.groups == ("web", "db", "prod")
    assert inventory.members("prod") == (*web, "db-a", "db-b", "db-c")
    assert inventory.members("ungrouped") == ("jumper",)
    first = inventory.entry("web01.example.com")
    assert first.groups == ("prod", "web")
    assert first.variables == {"colour": "light blue", "rack": 7, "tier": {"name": "gold"}, "ansible_user": "deploy"}
    assert inventory.entry("other.example.com").variables["ansible_port"] == 2222
    assert inventory.entry("other.example.com").variables["colour"] == "red"  # the inner group wins
    assert inventory.entry("db-a").variables["colour"] == "green"
    assert inventory.entry("jumper").variables == {"ansible_host": "10.0.0.1:22"}


def test_variables_are_not_shown_in_a_repr(tmp_path: Path) -> None:
    inventory = load([write(tmp_path / "hosts", "web1 ansible_password=secret\n")])
    assert "secret" not in repr(inventory.entry("web1"))


@pytest.mark.parametrize(("text", "value"), [
    ("7", 7), ("007", "007"), ("-3", -3), ("1.5", 1.5), ("True", True), ("None", None), ("yes", "yes"), ("", ""),
    ("[1, 'a']", [1, "a"]), ("web1", "web1"), ("'quoted'", "quoted"), ("/usr/bin/python3", "/usr/bin/python3"),
    ("1 + 1", "1 + 1"), ("__import__('os')", "__import__('os')"), ("[" * 3000, "[" * 3000),
])  # fmt: skip
def test_values_are_literals_or_text(text: str, value: Any) -> None:
    assert parse_value(text) == value


@pytest.mark.parametrize(("text", "names"), [
    ("web", ["web"]),
    ("web[1:3]", ["web1", "web2", "web3"]),
    ("web[08:10]", ["web08", "web09", "web10"]),
    ("n[0:6:3]", ["n0", "n3", "n6"]),
    ("n[0-6/3]", ["n0", "n3", "n6"]),
    ("n[1-2,12]x", ["n1x", "n2x", "n12x"]),
    ("[a:c]1", ["a1", "b1", "c1"]),
    ("r[1:2]n[1:2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
])  # fmt: skip
def test_ranges(text: str, names: list[str]) -> None:
    assert expand(text) == names


@pytest.mark.parametrize(("text", "says"), [
    ("web[3:1]", "backwards"), ("web[a:3]", "neither"), ("web[1:3", "do not close"), ("web[1:3:0]", "step"),
    ("web[01:3]", "digits"), ("web[1:99999999]", "more than"), ("w[1:999][1:999]", "stands for"), ("w[!]", "range"),
])  # fmt: skip
def test_bad_ranges(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        expand(text)


def test_yaml(tmp_path: Path) -> None:
    text = """
all:
  vars: {colour: red}
  hosts:
    alone: {ansible_port: 2222}
  children:
    web:
      hosts:
        web[01:02]:
        web09: {colour: blue}
      vars: {rack: 7}
      children:
        edge: {hosts: {edge1: null}}
"""
    inventory = load([write(tmp_path / "hosts.yml", text)])
    assert tuple(inventory) == ("alone", "web01", "web02", "web09", "edge1")
    assert inventory.members("web") == ("web01", "web02", "web09", "edge1")
    assert inventory.entry("web09").variables == {"colour": "blue", "rack": 7}
    assert inventory.entry("edge1").groups == ("web", "edge")
    assert inventory.entry("alone").variables == {"colour": "red", "ansible_port": 2222}


def test_toml(tmp_path: Path) -> None:
    text = """
[groups.web]
hosts = ["web[01-02]", "extra"]
vars = {colour = "blue"}
user = "deploy"
[groups.prod]
children = ["web"]
[hosts.extra]
address = "10.0.0.7"
port = 2222
vars = {colour = "green"}
"""
    inventory = load([write(tmp_path / "hosts.toml", text)])
    assert inventory.members("prod") == ("web01", "web02", "extra")
    assert inventory.entry("extra").variables == {
        "ansible_host": "10.0.0.7", "ansible_port": 2222, "ansible_user": "deploy", "colour": "green"}  # fmt: skip


def script(body: dict[str, Any], hosts: dict[str, Any] | None = None) -> str:
    return (
        "#!/usr/bin/env python3\nimport json, sys\n"
        f"body, hosts = json.loads({json.dumps(body)!r}), json.loads({json.dumps(hosts or {})!r})\n"
        "print(json.dumps(body if sys.argv[1] == '--list' else hosts.get(sys.argv[2], {})))\n"
    )


def test_script_with_meta(tmp_path: Path) -> None:
    body = {
        "web": {"hosts": ["w1", "w2"], "vars": {"colour": "red"}},
        "db": ["d1"],
        "prod": {"children": ["web", "db"]},
        "_meta": {"hostvars": {"w1": {"ansible_port": 2222}}},
    }
    inventory = load([write(tmp_path / "hosts.sh", script(body), executable=True)])
    assert inventory.members("prod") == ("w1", "w2", "d1")
    assert inventory.entry("w1").variables == {"colour": "red", "ansible_port": 2222}


def test_script_without_meta_is_asked_for_each_host(tmp_path: Path) -> None:
    text = script({"web": {"hosts": ["w1", "w2"]}}, {"w2": {"rack": 3}})
    inventory = load([write(tmp_path / "hosts", text, executable=True)])
    assert inventory.entry("w2").variables == {"rack": 3}


@pytest.mark.parametrize(("text", "says"), [
    ("#!/bin/sh\nexit 3\n", "code 3: it said nothing"),
    ("#!/bin/sh\necho no credentials >&2\nexit 1\n", "no credentials"),
    ("#!/bin/sh\necho '[web]'\n", "must print JSON"),
    ("#!/bin/sh\necho '[1]'\n", "must be a mapping"),
    ("#!/nonexistent/interpreter\n", "the program that its first line names is not there"),
])  # fmt: skip
def test_bad_scripts(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path / "hosts", text, executable=True)
    with pytest.raises(InventoryError, match=says) as caught:
        load([path])
    assert path in str(caught.value)


def test_sources_add_up_and_the_later_wins(tmp_path: Path) -> None:
    first = write(tmp_path / "a.ini", "[web]\nw1 colour=red size=1\n")
    second = write(tmp_path / "b.toml", '[groups.web]\nhosts = ["w2"]\n[hosts.w1]\nvars = {colour = "blue"}\n')
    inventory = load([first, second, "x1,x[2:3],"])
    assert tuple(inventory) == ("w1", "w2", "x1", "x2", "x3")
    assert inventory.members("web") == ("w1", "w2")
    assert inventory.entry("w1").variables == {"colour": "blue", "size": 1}


def test_a_directory_with_variables_beside(tmp_path: Path) -> None:
    write(tmp_path / "10-web", "[web]\nw1\n")
    write(tmp_path / "20-db.yml", "db: {hosts: {d1: null}}")
    write(tmp_path / "notes.md", "not an inventory [")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "host_vars" / "d1").mkdir(parents=True)
    write(tmp_path / "group_vars" / "all.yml", "colour: red\nrack: 1")
    write(tmp_path / "group_vars" / "web", "colour: blue")
    write(tmp_path / "host_vars" / "d1" / "main.yml", "rack: 2")
    inventory = load([tmp_path])
    assert inventory.entry("w1").variables == {"colour": "blue", "rack": 1}
    assert inventory.entry("d1").variables == {"colour": "red", "rack": 2}


def test_files_of_group_vars_win_over_the_groups_of_a_source(tmp_path: Path) -> None:
    """What `ansible-inventory --list` (2.19) says of these."""
    text = (
        "[parent:children]\nweb\n[web]\nh1 own=host z=host\n[web:vars]\nansible_user=web\nx=web\ny=web\nown=web\n"
        "w=web\n[all:vars]\ny=all\nw=all\n"
    )
    hosts = write(tmp_path / "hosts", text)
    for directory in ("group_vars", "host_vars"):
        (tmp_path / directory).mkdir()
    write(tmp_path / "group_vars" / "all", "ansible_user: all file\ny: all file\nown: all file\n")
    write(tmp_path / "group_vars" / "parent", "x: parent file\n")
    write(tmp_path / "host_vars" / "h1", "z: host file\n")
    write(tmp_path / "group_vars" / "parent.yml", "x: there is another file for it\n")
    assert load([hosts]).entry("h1").variables == {
        "ansible_user": "all file", "own": "host", "w": "web", "x": "parent file", "y": "all file",
        "z": "host file"}  # fmt: skip


def test_an_encrypted_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    write(tmp_path / "group_vars" / "all", "$ANSIBLE_VAULT;1.1;AES256\n3133\n")
    with pytest.raises(InventoryError, match="ansible-vault"):
        load([write(tmp_path / "hosts", "w1\n")])


@pytest.mark.parametrize(("name", "text", "says"), [
    ("hosts", "[web\nw1\n", "line 1"),
    ("hosts", "[web:hots]\nw1\n", r"line 1: a section is"),
    ("hosts", "w1\nw2 colour\n", r"line 2: after a host come name=value pairs, not 'colour'"),
    ("hosts", "w1 a='b\n", "line 1"),
    ("hosts", "[web:vars]\ncolour\n", "line 2: expected name = value"),
    ("hosts", "[a:children]\nb\n[b:children]\na\n", "line 4: group 'a' cannot be in group 'b'"),
    ("hosts", "[a:children]\na\n", "cannot be in group 'a'"),
    ("hosts", "w1\n[web server]\nw2\n", "line 2: a section is"),
    ("hosts", "[web]\nw1\n[prod:children]\nwbe\n", "line 4: there is no group 'wbe'"),
    ("hosts", "w1\n[web:vars]\ncolour=red\n", "line 2: there is no group 'web'"),
    ("h.yml", "all:\n  host: {}\n", "line 2: group 'all' holds hosts, vars and children, not host"),
    ("h.yml", "all: {hosts: [a]}", "line 1: the hosts of 'all' must be a mapping, not list"),
    ("h.yml", "all:\n  children:\n    web:\n      hosts:\n        w1: 3\n", "line 5: host 'w1' must be a mapping"),
    ("h.yml", "all:\n  hosts:\n    w1:\n    w[1-: {}\n", "line 4: the brackets"),
    ("h.yml", "web: {hosts: {w1: }}\ndb:\n  hosts:\nweb: {hosts: {w2: }}\n", "line 4: 'web' stands here a second time"),
    ("h.yml", "all:\n  hosts:\n    8:\n    010:\n", "line 4: YAML reads the name 010 as the number 8: write '010'"),
    ("h.yml", "all: {hosts: {1_000: }}", "YAML reads the name 1_000 as the number 1000"),
    ("h.yml", "all: {hosts: {0x10: {a: [1]}}}", "YAML reads the name 0x10 as"),
    ("h.yml", "all: {hosts: {on: }}", "a name must be text, not True: write it in quotes"),
    ("h.yml", "012: {hosts: {w1: }}", "line 1: YAML reads the name 012 as"),
    ("h.yml", "8:\n  children:\n    007: {hosts: {w1: }}", "line 3: YAML reads the name 007 as"),
    ("hosts", "w1\nweb:\n", "line 2: a host's name does not end in a colon: 'web:'"),
    ("hosts", "w1\n[web:Vars]\nx=1\n", r"line 2: a section is .*, not \[web:Vars\]"),
    ("h.yml", "a: b: c", "line 1"),
    ("h.yml", "- a", "expected groups at the top"),
    ("h.yml", "all: {vars: {x: !vault abc}}", "tagged values"),
    ("h.yml", "x: !!python/object/apply:os.system [id]", "h.yml"),
    ("h.toml", "[hots.x]", "not hots"),
    ("h.toml", "[hosts.x]\nport = 1 2\n", "line 2"),
    ("h.toml", "[hosts.x]\ncolour = 1", "'colour' belongs under vars"),
    ("h.toml", "[groups.x]\nhosts = 'a'", "must be a list of names"),
    ("h.toml", "[groups.x]\nchildren = ['web']", "groups.x.children: there is no group 'web'"),
])  # fmt: skip
def test_bad_files_are_named_with_their_place(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = write(tmp_path / name, text)
    with pytest.raises(InventoryError, match=says) as caught:
        load([path])
    assert path in str(caught.value)


def test_groups_of_an_earlier_source_may_be_named(tmp_path: Path) -> None:
    first = write(tmp_path / "a", "[web]\nw1\n")
    second = write(tmp_path / "b", "[prod:children]\nweb\nlater\n[web:vars]\nrack=7\n[later]\nw2\n")
    inventory = load([first, second])
    assert inventory.members("prod") == ("w1", "w2")
    assert inventory.entry("w1").variables == {"rack": 7}


@pytest.mark.parametrize(("name", "text"), [
    ("hosts", "w1 rack=1\n"), ("h.yml", "all: {hosts: {w1: {rack: 1}}}"),
    ("h.json", '{"all": {"hosts": {"w1": {"rack": 1}}}}'),
    ("h.toml", "[hosts.w1]\nvars = {rack = 1}"),
])  # fmt: skip
def test_a_mark_that_says_utf_8_is_no_part_of_a_name(tmp_path: Path, name: str, text: str) -> None:
    inventory = load([write(tmp_path / name, "\ufeff" + text)])
    assert tuple(inventory) == ("w1",) and inventory.entry("w1").variables == {"rack": 1}


@pytest.mark.parametrize("text", [
    "web:\n  hosts:\n    w1:\n      rack: 1\n", "# first\n\nweb: # second\n    hosts: {w1: {rack: 1}}\n",
    "web: {hosts: {w1: {rack: 1}}}\n", "'web':\n  hosts: {w1: {rack: 1}}\n", "local:\n  hosts: {w1: {rack: 1}}\n",
])  # fmt: skip
def test_yaml_is_told_by_its_looks(tmp_path: Path, text: str) -> None:
    inventory = load([write(tmp_path / "hosts", text)])
    assert tuple(inventory) == ("w1",) and inventory.entry("w1").variables == {"rack": 1}


def test_ini_may_begin_with_this_machine(tmp_path: Path) -> None:
    assert tuple(load([write(tmp_path / "hosts", "local:\nweb1:22\n")])) == ("local:", "web1")


def test_addresses_in_brackets(tmp_path: Path) -> None:
    text = "[::1]:22 rack=1\n[fe80::1%eth0]\n[web]\n[2001:db8::1]:2222\nme@[::2]:23\n2001:db8::9\n"
    inventory = load([write(tmp_path / "hosts", text)])
    assert tuple(inventory) == ("::1", "fe80::1%eth0", "2001:db8::1", "me@::2", "2001:db8::9")
    assert inventory.entry("::1").variables == {"rack": 1, "ansible_port": 22}
    assert inventory.entry("2001:db8::1").variables == {"ansible_port": 2222}
    assert inventory.members("web") == ("2001:db8::1", "me@::2", "2001:db8::9")
    assert tuple(load(["[::1]:22,n[1:2],"])) == ("[::1]:22", "n1", "n2")
    named = load([write(tmp_path / "h.yml", "all: {hosts: {'[::1]:22': }}")])
    assert [str(member.spec) for member in members_of([named.entry(name) for name in named], named)] == ["[::1]:22"]


def test_yaml_merges_keys(tmp_path: Path) -> None:
    text = "all:\n  hosts:\n    w1: &one {rack: 1, row: 2}\n    w2: {<<: *one, row: 3}\n"
    assert load([write(tmp_path / "h.yml", text)]).entry("w2").variables == {"rack": 1, "row": 3}


@pytest.mark.parametrize(("files", "says"), [
    ({"hosts": "w0 ansible_port=22\nw1 ansible_port=many\n"}, "w1 must be a TCP port, not 'many' ({}/hosts, line 2)"),
    ({"hosts": "w1\n", "host_vars/w1.yml": "x: 1\nansible_port: 0\n"}, "not 0 ({}/host_vars/w1.yml, line 2)"),
    ({"hosts.toml": '[hosts.w1]\n# port\nport = "x"\n'}, "not 'x' ({}/hosts.toml, line 3)"),
    ({"hosts": "[web]\nw1\n[web:vars]\nansible_password=[]\n"},
     "ansible_password of host w1 must be text ({}/hosts, line 4)"),
    ({"hosts": "w0 ansible_host=w9\nw1 ansible_host=-oProxyCommand=x\n"},
     "ansible_host of host w1: not a host name or address: '-oProxyCommand=x' ({}/hosts, line 2)"),
    ({"hosts.toml": '[hosts.w1]\naddress = "a b"\n'},
     "ansible_host of host w1: not a host name or address: 'a b' ({}/hosts.toml, line 2)"),
    ({"h.yml": "all:\n hosts:\n  w0: {ansible_user: x}\n  w1: {ansible_user: a b}\n"},
     "ansible_user of host w1: not a user name: 'a b': ' ' may not be in it ({}/h.yml, line 4)"),
    ({"h.yml": "all:\n hosts:\n  w0: {ansible_host: x}\n  w1: {ansible_host: '{{ x }}'}\n"},
     "ansible_host of host w1 must be a plain value; templates are Ansible's own ({}/h.yml, line 4)"),
    ({"hosts": 'w0\n"quoted host" rack=1\n'}, "not a host name or address: 'quoted host' ({}/hosts, line 2)"),
])  # fmt: skip
def test_a_variable_that_cannot_be_is_named_with_its_place(
    tmp_path: Path, files: dict[str, str], says: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, text)
    inventory = load([tmp_path])
    with pytest.raises(InventoryError) as caught:
        members_of([inventory.entry(name) for name in inventory], inventory)
    assert str(caught.value).endswith(says.format(tmp_path))


def test_missing_and_unreadable_sources(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="no such file"):
        load([tmp_path / "none"])
    (tmp_path / "bytes").write_bytes(b"w1 \xff\n")
    with pytest.raises(InventoryError, match="not UTF-8"):
        load([tmp_path / "bytes"])


def test_fifty_thousand_lines_are_one_pass_each() -> None:
    """What makes large inventories slow is work per host that grows with the inventory; counted, not timed."""
    looked = 0

    class Counted(Inventory):
        def _inside(self, name: str) -> dict[str, None]:
            nonlocal looked
            looked += 1
            return super()._inside(name)

    inventory = Counted()
    for number in range(2000):
        inventory.add_host(f"h{number}", f"g{number % 20}")
    for name in inventory:
        inventory.entry(name)
    assert looked == 20


def test_thousands_of_groups_are_one_pass_each(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0

    class Looked(dict[str, Group]):
        def items(self) -> Any:
            nonlocal looked
            looked += len(self)
            return super().items()

        def values(self) -> Any:
            nonlocal looked
            looked += len(self)
            return super().values()

    inventory = Inventory()
    monkeypatch.setattr(inventory, "_groups", Looked())
    for number in range(2000):
        inventory.add_host(f"h{number}", f"g{number}")
        inventory.add_child(f"p{number}", f"g{number}")
    for name in inventory:
        assert len(inventory.entry(name).groups) == 2
    for group in inventory.groups:
        assert len(inventory.members(group)) == 1
    assert looked < 10 * 4000


ALIASES = "".join(f"    v{n}: &v{n} {{p: *v{n - 1}, q: *v{n - 1}}}\n" for n in range(1, 26))


@pytest.mark.parametrize("variables", [
    "    v0: &v0 {a: 1}\n" + ALIASES,  # two to the power of 25, to whoever follows them all
    "    v0: &v0 {a: [*v0, *v0]}\n",  # in itself
    "    modes: {010: x}\n",
])  # fmt: skip
def test_keys_of_variables_are_no_names_of_hosts(tmp_path: Path, variables: str) -> None:
    path = write(tmp_path / "h.yml", "all:\n  hosts:\n    7:\n  vars:\n" + variables)
    assert list(load([path])) == ["7"]
