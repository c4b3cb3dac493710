"""Patterns: which hosts each form stands for, and what one that stands for none says."""

from __future__ import annotations

from typing import Any

import pytest

from remotesvc.bootstrap.errors import UsageError
from remotesvc.fleet.inventory import Inventory
from remotesvc.fleet.matcher import Matcher, NoMatch, cluster_group
from remotesvc.fleet.pattern import Term, split

FILES = {"./list": "web01  # first\n\n# none\ndb*\n", "./nested": "@./list\nweb03\n", "./loop": "@./loop\n",
         "list": "web02\n", "-": "web03\nweb01\n", "./empty": "# nothing\n", "./but": "web\n!web01\n!canary\n",
         "./cut": "web\n&canary\n", "./signs": "!web\n&prod\n", "./within": "web\n@./notdb\ndb\n", "./notdb": "!db-a\n",
         "./misspelt": "wbe\n!db\n"}  # fmt: skip


@pytest.fixture(name="inventory")
def fixture_inventory() -> Inventory:
    inventory = Inventory()
    for number in range(1, 6):
        inventory.add_host(f"web{number:02d}", "web")
    for letter in "ab":
        inventory.add_host(f"db-{letter}", "db")
    inventory.add_host("web03", "canary")
    inventory.add_host("db-a", "canary")
    inventory.add_host("lonely.example.com")
    inventory.add_child("prod", "web")
    inventory.add_child("prod", "db")
    return inventory


def matcher(inventory: Inventory, closed: bool = True, **more: Any) -> Matcher:
    return Matcher(inventory, closed, FILES.__getitem__, exists=FILES.__contains__, **more)


def test_a_file_of_names_means_those_names(inventory: Inventory) -> None:
    """What `--failed-to` writes is read again, whatever a pattern would make of it."""
    odd = ["rack#1", "a,b", "!not", "web*", "~x"]
    for name in odd:
        inventory.add_host(name)
    found = Matcher(inventory, True, lambda file: "\n".join(odd)).hosts("@./failed")
    assert [entry.name for entry in found] == odd


@pytest.mark.parametrize(("pattern", "expected"), [
    ("web01", "web01"),
    ("web01,db-a,web01", "web01 db-a"),
    ("db", "db-a db-b"),
    ("db:canary", "db-a db-b web03"),
    ("prod:&canary", "web03 db-a"),
    ("prod:!web", "db-a db-b"),
    ("!web,prod", "db-a db-b"),
    ("prod:&canary:!db", "web03"),
    ("&canary,prod", "web03 db-a"),
    ("&canary", "web03 db-a"),
    ("web0[1-3]", "web01 web02 web03"),
    ("web0[1,4]", "web01 web04"),
    ("web0[14]", "web01 web04"),
    ("web[01-02,05]", "web01 web02 web05"),
    ("web[04-09]", "web04 web05"),
    ("web[0:1]", "web01 web02"),
    ("web[0]", "web01"),
    ("web[-1]", "web05"),
    ("web[3:]", "web04 web05"),
    ("web[-2:]", "web04 web05"),
    ("web[:1]", "web01 web02"),
    ("web0*[0:1]", "web01 web02"),
    ("web*", "web01 web02 web03 web04 web05"),
    ("*.example.com", "lonely.example.com"),
    ("~web0[12]", "web01 web02"),
    ("~.*-(a|b)$", "db-a db-b"),
    ("~d.:!db-a", "db-b"),
    ("~web.*:&canary", "web03"),
    ("canary:~(?:w|x)eb0[1:2]:!~.*1", "web03 db-a web02"),
    ("ungrouped", "lonely.example.com"),
    ("@canary", "web03 db-a"),
    ("@./list", "web01 db-a db-b"),
    ("@./nested", "web01 db-a db-b web03"),
    ("@list", "web02"),
    ("-", "web03 web01"),
    ("@./but", "web02 web04 web05"),
    ("db,@./but", "db-b web02 web04 web05"),
    ("@./cut", "web03"),
    ("@./cut,db", "web03 db-a"),
    ("@./signs", "db-a db-b"),
    ("prod:!@./but", "web01 web03 db-a db-b"),
    ("prod:&@./but", "web02 web04 web05"),
    ("@./within", "web01 web02 web03 web04 web05 db-b"),
    ("@-", "web03 web01"),
    ("all:!web:!db", "lonely.example.com"),
    ("!prod", "lonely.example.com"),
    (" web01 , db-b ", "web01 db-b"),
])  # fmt: skip
def test_patterns(inventory: Inventory, pattern: str, expected: str) -> None:
    if not expected:
        with pytest.raises(UsageError):
            matcher(inventory).hosts(pattern)
        return
    assert " ".join(entry.name for entry in matcher(inventory).hosts(pattern)) == expected


def test_the_pattern_all_is_everybody_in_order(inventory: Inventory) -> None:
    assert [entry.name for entry in matcher(inventory).hosts("all")] == list(inventory)


def test_limit_and_exclude(inventory: Inventory) -> None:
    hosts = matcher(inventory).hosts("prod", limits=["web0[1-3],db", "canary"], excludes=["db", "nobody"])
    assert [entry.name for entry in hosts] == ["web03"]
    assert hosts[0].groups == ("canary", "prod", "web")


@pytest.mark.parametrize(("pattern", "terms"), [
    ("user@web1:2222", ["user@web1:2222"]),
    ("local:,web1", ["local:", "web1"]),
    ("ssh://deploy@web1:22", ["ssh://deploy@web1:22"]),
    ("[::1]:2222,fe80::1%eth0", ["[::1]:2222", "fe80::1%eth0"]),
    ("docker:box", ["docker:box"]),
    ("incus:far:box,kubectl:prod:shop/web-0/app", ["incus:far:box", "kubectl:prod:shop/web-0/app"]),
    ("kubectl:arn:aws:eks:eu-1:7:cluster/a:web-0:!x", ["kubectl:arn:aws:eks:eu-1:7:cluster/a:web-0:!x"]),
    ("web:db", ["web", "db"]),
    ("n[1:3]:m[1-2,4]", ["n[1:3]", "m[1-2,4]"]),
])  # fmt: skip
def test_host_strings_keep_their_colons(pattern: str, terms: list[str]) -> None:
    assert split(pattern) == [Term("", text) for text in terms]


def test_without_an_inventory_names_are_hosts() -> None:
    open_matcher = matcher(Inventory(), closed=False)
    names = [entry.name for entry in open_matcher.hosts("web[01-02],deploy@db:2222,local:")]
    assert names == ["web01", "web02", "deploy@db:2222", "local:"]


def test_what_is_no_port_is_not_taken_for_a_host(inventory: Inventory) -> None:
    for known in (Inventory(), inventory):
        open_to_all = matcher(known, closed=False)
        with pytest.raises(UsageError, match="'ssh' in 'me@web1:ssh' is no port; write me@web1,ssh for two hosts"):
            open_to_all.hosts("x,me@web1:ssh")
        with pytest.raises(UsageError, match="'x' in 'rkt:x' is no port; .* behind docker:, .* or kubectl:"):
            open_to_all.hosts("rkt:x")
        with pytest.raises(UsageError, match="hosts have no 'ftp://' address"):
            open_to_all.hosts("ftp://x")
        with pytest.raises(UsageError, match="write 'docker:x', and the user with -u"):
            open_to_all.hosts("ann@docker:x")
        assert [host.name for host in open_to_all.hosts("podman:x,docker:y")] == ["podman:x", "docker:y"]
    assert [host.name for host in open_to_all.hosts("db-a:elsewhere")] == ["db-a", "elsewhere"]


def test_with_an_open_inventory_its_hosts_and_others_both_count(inventory: Inventory) -> None:
    names = [entry.name for entry in matcher(inventory, closed=False).hosts("canary,elsewhere")]
    assert names == ["web03", "db-a", "elsewhere"]


@pytest.mark.parametrize(("pattern", "says"), [
    ("wbe01", r"'wbe01' matches no host or group; did you mean web0"),
    ("zzz", r"matches no host or group$"),
    ("localhost", r"'localhost' matches no host or group; this machine is local:$"),
    ("web4", r"did you mean web04\?"),
    ("Web01", r"did you mean web01\?"),
    ("web01 web02", r"; names are joined by commas: web01,web02$"),
    ("prdo", "did you mean prod"),
    ("nothing*", "matches no host"),
    ("web0[01-03]", r"'web0\[01-03\]' matches no host or group; did you mean web0"),  # as a glob it is web01 and web03
    ("web0[007,02]", "matches no host or group"),
    ("web:&nobody", "no host is left"),
    ("web[7]", r"'web\[7\]' matches no host"),
    ("@nobody", "is no file and no group"),
    ("@./missing", "cannot read hosts from ./missing"),
    ("@./empty", "names no host"),
    ("@./loop", "more than 8 deep"),
    ("web,@./misspelt", "misspelt names no host"),
    ("", "names no host"),
    ("web:&", "nothing behind '&'"),
    ("~web[", "no regular expression"),
    ("x[3-1]", "backwards"),
])  # fmt: skip
def test_what_matches_nothing_says_what_is_near(inventory: Inventory, pattern: str, says: str) -> None:
    def read(name: str) -> str:
        if name not in FILES:
            raise FileNotFoundError(2, "No such file or directory", name)
        return FILES[name]

    with pytest.raises(UsageError, match=says):
        Matcher(inventory, True, read, exists=FILES.__contains__).hosts(pattern)


def test_the_pattern_all_needs_an_inventory() -> None:
    with pytest.raises(NoMatch, match="give one with -i"):
        matcher(Inventory(), closed=False).hosts("all")


def test_groups_of_clustershell(inventory: Inventory) -> None:
    groups = {"racks": ["web01", "n9"]}
    names = matcher(inventory, closed=False, cluster_group=groups.get).hosts("@racks")
    assert [entry.name for entry in names] == ["web01", "n9"]


def test_what_limits_leave_nothing_of_is_named(inventory: Inventory) -> None:
    with pytest.raises(NoMatch, match="no host is left of 'web', limited to 'db-a', without 'db-b'"):
        matcher(inventory).hosts("web", ["db-a"], ["db-b"])


def test_a_group_that_clustershell_does_not_know() -> None:
    assert cluster_group("there-is-no-such-group") is None
    assert cluster_group("no-such-source:group") is None


@pytest.mark.parametrize(("closed", "says"), [(True, "the inventory has no hosts"), (False, "give one with -i")])
def test_an_inventory_without_hosts_is_not_one_that_was_not_given(closed: bool, says: str) -> None:
    with pytest.raises(NoMatch, match=says):
        matcher(Inventory(), closed=closed).hosts("all")


def test_a_name_to_leave_out_that_nobody_has_is_told(inventory: Inventory) -> None:
    told: list[str] = []
    hosts = matcher(inventory, note=told.append).hosts("web:!web09:!db-*:!~x", (), ["prdo", "canary", "z*"])
    assert [entry.name for entry in hosts] == ["web01", "web02", "web04", "web05"]
    assert len(told) == 2 and told[0].startswith("'web09' matches no host or group; did you mean web0")
    assert told[1].startswith("'prdo' matches no host or group; did you mean prod")


def test_the_names_of_a_node_set_that_nobody_has_are_told(inventory: Inventory) -> None:
    told: list[str] = []
    hosts = matcher(inventory, note=told.append).hosts("web0[1-9]", (), ["web0[1,7]"])
    assert [entry.name for entry in hosts] == ["web02", "web03", "web04", "web05"]
    assert told == ["'web0[1-9]': the inventory has no web[06-09]", "'web0[1,7]': the inventory has no web07"]
    assert len(matcher(inventory, False, note=told.append).hosts("web0[1-9]")) == 9 and len(told) == 2


def test_near_names_are_looked_for_of_the_first_only(inventory: Inventory) -> None:
    told: list[str] = []
    matcher(inventory, note=told.append).hosts("web", (), [f"web{number}" for number in range(11, 31)])
    assert len(told) == 20 and ["did you mean" in text for text in told] == [True] * 3 + [False] * 17
