"""PATTERN, -i, -l and --exclude on the command line: who is worked on, and how each is reached."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from remotesvc.cli.main import main
from tests.unit.cli_backend import FakeBackend

HOSTS = """\
[web]
web[01:03] ansible_user=deploy ansible_port=2200
[db]
db1 ansible_host=10.0.0.7 ansible_ssh_private_key_file=/keys/db ansible_ssh_common_args='-o Compression=yes'
here ansible_connection=local ansible_python_interpreter=/usr/bin/python3
"""


@pytest.fixture(name="hosts")
def fixture_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hosts"
    path.write_text(HOSTS)
    return path


def opened(line: str) -> list[str]:
    backend = FakeBackend()
    assert main(line.split(), backend) == 0
    return sorted(host for host, _ in backend.opened)


@pytest.mark.parametrize(("options", "expected"), [
    ("all", "10.0.0.7 local: web01 web02 web03"),
    ("web", "web01 web02 web03"),
    ("all -l web[0:1]", "web01 web02"),
    ("all --limit @./retry", "web02"),
    ("all --exclude web,db1", "local:"),
    ("web,local:", "local: web01 web02 web03"),
])  # fmt: skip
def test_the_pattern_says_who(hosts: Path, options: str, expected: str) -> None:
    (hosts.parent / "retry").write_text("# failed\nweb02\n")
    pattern, *more = options.split()
    assert opened(f"run -i hosts {' '.join(more)} {pattern} m:f") == expected.split()


def test_the_inventory_may_come_from_the_environment(hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMOTESVC_INVENTORY", str(hosts))
    assert opened("run web01 m:f") == ["web01"]


def test_what_the_inventory_says_reaches_the_connection(hosts: Path) -> None:
    backend = FakeBackend()
    assert main(["run", "-i", "hosts", "all", "m:f", "--host-keys", "no"], backend) == 0
    options = dict(backend.opened)
    assert (options["web01"]["user"], options["web01"]["port"]) == ("deploy", 2200)
    assert options["10.0.0.7"]["key_filename"] == "/keys/db"
    assert options["10.0.0.7"]["extra_options"] == ("Compression=yes",)
    assert options["10.0.0.7"]["name"] == "db1"
    assert options["local:"]["python"] == "/usr/bin/python3"


def test_the_command_line_wins_over_the_inventory(hosts: Path) -> None:
    backend = FakeBackend()
    (hosts.parent / "k").write_text("")
    line = "run -i hosts -u me -p 22 --private-key k -o Compression=no web01,db1 m:f"
    assert main(line.split(), backend) == 0
    options = dict(backend.opened)
    assert (options["web01"]["user"], options["web01"]["port"]) == ("me", 22)
    assert options["10.0.0.7"]["key_filename"] == "k"
    assert options["10.0.0.7"]["extra_options"] == ("Compression=no", "Compression=yes")


def test_results_bear_the_inventorys_name(hosts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-i", "hosts", "db", "m:f", "--jsonl"], FakeBackend()) == 0
    assert '"host":"db1"' in capsys.readouterr().out


def test_list_hosts_connects_nothing(hosts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backend = FakeBackend()
    assert main(["run", "-i", "hosts", "web:!web02", "m:f", "--list-hosts"], backend) == 0
    assert capsys.readouterr().out == "web01\nweb03\n"
    assert backend.opened == []


@pytest.mark.parametrize("command", ["run {} m:f", "exec {} -- true", "ping {}", "facts {}", "pull {} /etc/motd ."])
def test_hosts_are_listed_as_json_where_json_is_wanted(
    hosts: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *rest = command.format("db").split()
    backend = FakeBackend()
    assert main([name, "-i", "hosts", "--list-hosts", "--json", *rest], backend) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(each["schema"], each["event"], each["host"], each["groups"]) for each in listed] == [
        (1, "host", "db1", ["db"]), (1, "host", "here", ["db"]),
    ]  # fmt: skip
    assert listed[1]["variables"]["ansible_connection"] == "local"
    assert main([name, "-i", "hosts", "--list-hosts", "--jsonl", *rest], backend) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == listed
    assert backend.opened == []


def test_hosts_from_standard_input(hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("web01\n# none\nweb03\n"))
    assert opened("run -i hosts @- m:f") == ["web01", "web03"]


def test_a_byte_order_mark_is_no_part_of_a_host(hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\ufeffweb01\nweb03\n"))
    assert opened("run -i hosts @- m:f") == ["web01", "web03"]
    Path("some").write_text("\ufeffweb01\n", encoding="utf-8")
    assert opened("run -i hosts @./some m:f") == opened("run -i hosts web m:f -l @some") == ["web01"]


@pytest.mark.parametrize(("line", "code", "message"), [
    ("run -i hosts wbe01 m:f", 1, "did you mean web01"),
    ("run -i hosts web:&db m:f", 1, "no host is left"),
    ("run all m:f", 1, "give one with -i"),
    ("run -i none web01 m:f", 64, "there is no such file"),
    ("run -i bad x m:f", 64, "bad, line 1"),
    ("run -i odd x m:f", 64, "ansible_port of host x must be a TCP port"),
    ("run -i hosts @- m:f -n", 64, "-n forbids reading"),
    ("run web[3-1] m:f", 64, "backwards"),
])  # fmt: skip
def test_a_selection_that_cannot_be_says_why_and_connects_nothing(
    hosts: Path, line: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (hosts.parent / "bad").write_text("[web\n")
    (hosts.parent / "odd").write_text("x ansible_port=http\n")
    backend = FakeBackend()
    assert main(line.split(), backend) == code
    assert message in capsys.readouterr().err
    assert backend.opened == []


def test_the_failed_and_the_untried_are_written_for_the_next_run(
    hosts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = FakeBackend(refuse="web02")
    line = "run -i hosts web m:f --forks 1 --fail-fast --failed-to failed.txt"
    assert main(line.split(), backend) == 4 | 8
    assert Path("failed.txt").read_text() == "web02\nweb03\n"
    assert "stopped: a host failed; 1 not tried" in capsys.readouterr().err
    assert opened("run -i hosts all m:f -l @./failed.txt --failed-to failed.txt") == ["web02", "web03"]
    assert Path("failed.txt").read_text() == ""


def test_a_host_that_is_down_is_tried_again() -> None:
    backend = FakeBackend(refuse="web1")
    assert main(["run", "web1", "m:f", "--retries", "2", "--retry-delay", "0"], backend) == 4
    assert len(backend.opened) == 3


@pytest.mark.parametrize("source", [
    "import remotesvc\ndef f(size: int, host: remotesvc.Host): ...\n",
    "from remotesvc import Host\ndef f(size: int, host: Host): ...\n",
    "from remotesvc import Host as H\ndef f(size: int, *, host: 'H'): ...\n",
    "import remotesvc\ndef f(host: remotesvc.Host, size: int): ...\n",
])  # fmt: skip
def test_a_function_that_asks_for_its_host_is_given_it(hosts: Path, source: str) -> None:
    (hosts.parent / "tasks.py").write_text(source)
    backend = FakeBackend(lambda context, *args, **kwargs: None)
    assert main(["run", "-i", "hosts", "db1", "tasks:f", "--size", "3"], backend) == 0
    facts = backend.calls[0][3]["host"]
    assert (facts.name, facts.groups, backend.calls[0][3]["size"]) == ("db1", ["db"], 3)
    assert facts.variables["ansible_host"] == "10.0.0.7"


@pytest.mark.parametrize(("signature", "words", "places"), [
    ("host: remotesvc.Host, size: int", "3", ["db1", 3]),
    ("a: int, host: Host, *rest: int", "1 2 3", [1, "db1", 2, 3]),
    ("host: Optional[Host], /, size: int = 1", "", ["db1"]),
    ("host: 'Host | None', /, size: int = 1", "3", ["db1", 3]),
    ("size: int, host: Optional[remotesvc.Host] = None", "3 --json", [3]),
])  # fmt: skip
def test_the_host_stands_where_the_function_has_it(
    hosts: Path, signature: str, words: str, places: list[Any]
) -> None:
    source = f"import remotesvc\nfrom remotesvc import Host\nfrom typing import Optional\ndef f({signature}): ...\n"
    (hosts.parent / "tasks.py").write_text(source)
    backend = FakeBackend(lambda context, *args, **kwargs: None)
    assert main(["run", "-i", "hosts", "db1", "tasks:f", *words.split()], backend) == 0
    _, _, args, kwargs, _ = backend.calls[0]
    assert [getattr(each, "name", each) for each in args] == places
    assert [each.name for each in kwargs.values()] == ([] if "db1" in places else ["db1"])


def test_another_class_named_host_is_the_users_to_give(hosts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (hosts.parent / "tasks.py").write_text("from other import Host\ndef f(host: Host): ...\n")
    assert main(["run", "-i", "hosts", "db1", "tasks:f"], FakeBackend()) == 64
    assert "misses host" in capsys.readouterr().err
