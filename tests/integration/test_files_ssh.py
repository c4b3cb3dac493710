"""Files over SSH, and the commands that copy them: to a real OpenSSH server, and to this machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from remotesvc import Context, Router
from remotesvc.files.records import CHUNK
from remotesvc.files.shared import IN_MEMORY, share
from tests.integration.command_line import LIMIT, cli, start
from tests.integration.connecting import connect_to
from tests.integration.ssh_servers import OpenSSHServer
from tests.kernel.filetrees import content, described, digest, leftovers
from tests.threads import together

pytest_plugins = ("tests.integration.sshd_fixture", "tests.kernel.call_fixtures")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "sub").mkdir(parents=True)
    for number in range(200):
        (top / "sub" / f"{number}.txt").write_bytes(content(number * 50, number))
    (top / "large.bin").write_bytes(content(10 * CHUNK + 1))
    return top


@pytest.fixture
def over_ssh(router: Router, sshd: OpenSSHServer) -> Context:
    return connect_to(router, sshd)


def test_trees_and_large_files_over_ssh(over_ssh: Context, tree: Path, tmp_path: Path) -> None:
    over_ssh.push(tree, tmp_path / "pushed", times=True)
    over_ssh.pull(tmp_path / "pushed", tmp_path / "pulled", times=True)
    assert described(tmp_path / "pulled", times=True) == described(tree, times=True)
    (tmp_path / "s").write_bytes(content(64 << 20))
    assert over_ssh.push(tmp_path / "s", tmp_path / "t").digest == digest(tmp_path / "s")
    assert over_ssh.pull(tmp_path / "t", tmp_path / "u").digest == digest(tmp_path / "t") == digest(tmp_path / "u")
    assert leftovers(tmp_path) == []


def test_what_goes_to_many_is_read_once(router: Router, tree: Path, tmp_path: Path) -> None:
    contexts = [router.local() for _ in range(4)]
    (tree / "same").write_bytes(b"the same again " * 200000)
    (tree / "beyond").write_bytes(content(IN_MEMORY // 2))
    (tree / "memory").write_bytes(content(IN_MEMORY // 2, 1))
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    wires = []
    with share(tree) as source:

        def work(number: int) -> None:
            copied = contexts[number].push(source, tmp_path / str(number), durable=False)
            wires.append((copied.wire, copied.sent, copied.bytes))

        together(partial(work, number) for number in range(4))
        assert source.reads == size
    assert len(wires) == 4
    assert len(set(wires)) == 1, "all got the same messages"
    assert wires[0][0] < size - 2000000, "what shrinks was compressed"
    for number in range(4):
        assert described(tmp_path / str(number)) == described(tree)


def test_a_shared_source_that_fails_fails_for_all(router: Router, tmp_path: Path) -> None:
    from remotesvc import SourceChanged

    context = router.local()
    with share("/proc/sys/kernel/random/uuid") as source:  # each read finds another
        for name in ("a", "b"):
            with pytest.raises(SourceChanged):
                context.push(source, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


# -- the commands

FINE = "2 hosts: 2 ok\n"


@pytest.fixture
def hosts(sshd: OpenSSHServer, tmp_path: Path) -> Iterator[list[str]]:
    """A pattern with two hosts, and the options to reach them."""
    with contextlib.suppress(FileExistsError):
        (tmp_path / "bin").mkdir()
    config = tmp_path / "ssh_config"
    config.write_text(
        f"Host one two\n HostName {sshd.host}\n Port {sshd.port}\n User {sshd.user}\n IdentityFile {sshd.key_file}\n"
        f" UserKnownHostsFile {sshd.known_hosts_file}\n IdentityAgent none\n HostKeyAlias {_alias(sshd)}\n")
    yield ["one,two", "-F", str(config), "--python", sys.executable]


def _alias(sshd: OpenSSHServer) -> str:
    return Path(sshd.known_hosts_file).read_text().split()[0].split(",")[0]


def test_push_and_pull_of_one_host(tree: Path, tmp_path: Path) -> None:
    code, out, err = cli(tmp_path, "push", "local:", "tree", "copy")
    assert (code, err) == (0, "")
    assert out.startswith("201 files, ")
    assert described(tmp_path / "copy") == described(tree)
    code, out, err = cli(tmp_path, "pull", "local:", "copy/large.bin", "copy/sub", f"{tmp_path}/new/", "--json")
    assert (code, err) == (0, "")
    (result,) = json.loads(out)
    assert result["value"]["files"] == 201
    assert [each["path"] for each in result["value"]["transfers"]] == [
        f"{tmp_path}/new/large.bin", f"{tmp_path}/new/sub"]  # fmt: skip
    assert described(tmp_path / "new") == described(tree)


def test_options_of_push(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("# comment\n1*.txt\n")
    code, _, err = cli(tmp_path, "push", "local:", "tree", "copy", "--mode", "0600", "--ignore", "*.bin",
                       "--ignore-from", "rules", "--times", "--compress", "off", "--no-durable", "--rate", "100M")
    assert (code, err) == (0, "")
    copied = [path for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in copied} == {0o600}
    assert {path.name for path in copied} == {f"{number}.txt" for number in range(200) if str(number)[0] != "1"}


def test_standard_input_and_output(tmp_path: Path) -> None:
    code, out, err = cli(tmp_path, "push", "local:", "-", "got", stdin="words\n" * 100000)
    assert (code, err) == (0, "")
    code, out, err = cli(tmp_path, "pull", "local:", "got", "-")
    assert (code, out) == (0, "words\n" * 100000)
    assert "1 file, 600.0 kB" in err


def test_a_source_that_is_named_twice_is_copied_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    there = str(tmp_path / "there" / "a")
    for words in (["push", "local:", "a", "a", str(tmp_path / "there")], ["pull", "local:", there, there, "here"]):
        code, out, _ = cli(tmp_path, *words)
        assert (code, out[:7]) == (0, "1 file,")
    assert (tmp_path / "here" / "a").read_text() == "a"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["push", "local:", "absent", "t"], 64, "there is no absent here"),
        (["push", "local:", "tree", "absent/tree", "d"], 64, "tree and absent/tree would both become tree in DST"),
        (["pull", "local:", "a/b", "c/b", "d/"], 64, "a/b and c/b would both become b in DST"),
        (["push", "local:", "-", "dir/"], 64, "standard input has no name"),
        (["push", "local:", "-", "t", "-n"], 64, "not read with -n"),
        (["push", "local:", "tree", "t", "--mode", "99"], 64, "not a mode such as 0644"),
        (["push", "local:", "tree", "t", "--rate", "fast"], 64, "is no rate such as"),
        (["pull", "local:", "a", "b", "-"], 64, "takes one file"),
        (["pull", "local:", "tree", "-", "--json"], 64, "not both"),
        (["pull", "local:", "absent", "t"], 2, "No such file or directory"),
        (["push", "local:", "tree/large.bin", "no/such/t"], 2, "it is made if the destination ends with /"),
        (["pull", "local:", "tree/large.bin", "no/such/t"], 2, "it is made if the destination ends with /"),
        (["push", "local:", "tree"], 64, "where to, DST"),
        (["pull", "local:", "tree"], 64, "where to, DST"),
        (["pull", "local:", "tree", "t", "--max-bytes", "10k"], 2, "more than 10000 bytes; max_bytes"),
        (["push", "local:", "tree", "t", "--owner", "nobody-of-that-name"], 2, "no user or group"),
        (["push", "local:", "tree", "t", "-T", "0.001", "--rate", "1k"], 8, "timed out"),
    ],
)
def test_exit_codes(tree: Path, tmp_path: Path, words: list[str], code: int, said: str) -> None:
    found, _, err = cli(tmp_path, *words)
    assert said in err
    assert found == code


def test_several_hosts(hosts: list[str], tree: Path, tmp_path: Path) -> None:
    code, out, err = cli(tmp_path, "push", *hosts, "tree", f"{tmp_path}/pushed")
    assert (code, err) == (0, FINE)
    assert sorted(line.split(":")[0] for line in out.splitlines()) == ["one", "two"]
    assert described(tmp_path / "pushed") == described(tree)
    code, out, err = cli(tmp_path, "pull", *hosts, f"{tmp_path}/pushed", "backup", "--jsonl")
    assert (code, err) == (0, "")
    assert {json.loads(line)["host"] for line in out.splitlines()} == {"one", "two"}
    assert described(tmp_path / "backup" / "one" / "pushed") == described(tree)
    assert described(tmp_path / "backup" / "two" / "pushed") == described(tree)
    code, out, err = cli(tmp_path, "push", *hosts, "-", f"{tmp_path}/words", stdin="words\n" * 100000)
    assert (code, err) == (0, FINE)
    assert (tmp_path / "words").read_text() == "words\n" * 100000


def test_a_dry_run_says_what_would_be_copied(hosts: list[str], tree: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"words")
    before = described(tmp_path)
    code, out, err = cli(tmp_path, "push", *hosts, "-C", "tree", "file", f"{tmp_path}/new", "--gather")
    assert (code, err) == (0, FINE)
    lines = out.splitlines()
    assert lines[0] == "one,two (2):" and "  would send sub/7.txt" in lines and "  would send file" in lines
    assert lines[-1] == f"  would send 202 files, 3.6 MB to {tmp_path}/new/tree, {tmp_path}/new/file"
    code, out, err = cli(tmp_path, "pull", *hosts, "-C", f"{tmp_path}/tree/sub", "new", "--jsonl")
    assert (code, err) == (0, "")
    values = [json.loads(line)["value"] for line in out.splitlines()]
    assert {value["transfers"][0]["path"] for value in values} == {"new/one/sub", "new/two/sub"}
    assert [(value["files"], value["sent"]) for value in values] == [(200, 0)] * 2
    code, out, err = cli(tmp_path, "pull", "local:", "--dry-run", "file", "-")
    assert (code, out, err) == (0, "would fetch file\nwould fetch 1 file, 5 B\n", "")
    code, out, err = cli(tmp_path, "push", "local:", "--dry-run", "-", "new", stdin="not read")
    assert (code, out, err) == (0, "would send 1 file, 0 B to ./new\n", "")
    code, out, err = cli(tmp_path, "push", "local:", "-C", "file", "nowhere/file")
    assert (code, out) == (2, "") and "it is made if the destination ends with /" in err
    assert described(tmp_path) == before


def test_sync(hosts: list[str], tree: Path, tmp_path: Path) -> None:
    code, out, err = cli(tmp_path, "sync", "local:", "tree", "t", "--dry-run")
    assert (code, err) == (0, "")
    assert "would send large.bin\n" in out
    assert out.splitlines()[-1].startswith("would send 201 files, ")
    assert not (tmp_path / "t").exists()
    code, out, err = cli(tmp_path, "sync", "local:", "tree", "t")
    assert (code, err) == (0, "")
    assert described(tmp_path / "t", times=True) == described(tree, times=True)
    (tmp_path / "t" / "more").write_bytes(b"x")
    (tree / "sub" / "1.txt").write_bytes(b"new")
    code, out, err = cli(tmp_path, "sync", "local:", "tree", "t", "--delete", "--dry-run")
    assert out.splitlines() == ["would send sub/1.txt", "would delete more",
                                "would send 1 file, 3 B to t, would delete 1, 200 unchanged"]
    code, out, err = cli(tmp_path, "sync", "local:", "tree", "t", "--delete", "--json")
    value = json.loads(out)[0]["value"]
    assert (value["files"], value["deleted"], value["unchanged"]) == (1, 1, 200)
    assert described(tmp_path / "t", times=True) == described(tree, times=True)
    code, out, err = cli(tmp_path, "sync", *hosts, "tree", f"{tmp_path}/t", "--checksum")
    assert (code, err) == (0, FINE)
    assert out.count("0 files, 0 B, 201 unchanged") == 2
    code, out, err = cli(tmp_path, "sync", "local:", "tree/large.bin", "t")
    assert (code, "no directory here" in err) == (64, True)


def test_an_interrupted_push_goes_on_later(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(content(120 << 20))
    # Half a minute, so that there is something left to interrupt on a busy machine.
    with start(tmp_path, "push", "local:", "s", "t", "--rate", "4M", stderr=subprocess.PIPE) as process:
        while not any(os.path.getsize(path) > 3 << 20 for path in leftovers(tmp_path)):
            assert process.poll() is None
        process.send_signal(2)
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, err
    assert not (tmp_path / "t").exists()
    code, out, _ = cli(tmp_path, "push", "local:", "s", "t")
    assert code == 0
    assert "resumed" in out
    assert digest(tmp_path / "t") == digest(tmp_path / "s")


@pytest.mark.parametrize("command", ["push", "pull"])
def test_a_tree_that_was_interrupted_goes_on_later(tree: Path, tmp_path: Path, command: str) -> None:
    (tree / "larger.bin").write_bytes(content(60 << 20))
    words = (command, "local:", "tree" if command == "push" else str(tree), "t")
    with start(tmp_path, *words, "--rate", "4M", stderr=subprocess.PIPE) as process:
        while not any(os.path.getsize(path) > 3 << 20 for path in leftovers(tmp_path)):
            assert process.poll() is None
        process.send_signal(2)
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, err
    assert [path for path in (tmp_path / "t").rglob("*.*") if path.suffix in (".txt", ".bin")] == []
    code, out, err = cli(tmp_path, *words)
    assert (code, err) == (0, "")
    assert re.fullmatch(r"202 files, 66\.5 MB, \d+\.\d MB of it resumed in .*\n", out), out
    assert described(tmp_path / "t") == described(tree)
    assert leftovers(tmp_path) == []
