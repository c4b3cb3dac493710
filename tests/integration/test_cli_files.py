"""`push` and `pull` as a user runs them, with this machine as the target: what they say of what they refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from remotesvc import Fleet, UsageError
from tests.integration.command_line import cli


def test_what_is_refused_here_is_told_from_what_is_refused_there(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    what = "fifo is neither a file nor a directory"
    assert cli(tmp_path, "push", "local:", "fifo", "t") == (2, "", f"local: TransferRefused: here: {what}\n")
    assert cli(tmp_path, "pull", "local:", f"{tmp_path}/fifo", "t") == (
        2, "", f"local: TransferRefused: {tmp_path}/{what}\n")  # fmt: skip
    for words, message in (("push local: fifo t", f"here: {what}"),
                           (f"pull local: {tmp_path}/fifo t", f"{tmp_path}/{what}")):
        error = json.loads(cli(tmp_path, *words.split(), "--json")[1])[0]["error"]
        assert (error["type"], error["message"]) == ("TransferRefused", message)


def test_what_is_told_of_transfers_goes_where_all_answers_go(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("[g]\na ansible_connection=local\nb ansible_connection=local\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "page").write_text("hello")
    words = ["sync", "-i", "hosts", "g", "site", str(tmp_path / "there"), "--dry-run"]
    planned = f"would send page\nwould send 1 file, 5 B to {tmp_path}/there\n"
    assert cli(tmp_path, *words, "--outdir", "told", "-q") == (0, "", "")
    assert [(tmp_path / "told" / name).read_text() for name in "ab"] == [planned] * 2
    shown = "".join(f"  {line}\n" for line in planned.splitlines())
    assert cli(tmp_path, *words, "--gather", "-q") == (0, f"a,b (2):\n{shown}", "")
    assert cli(tmp_path, *words, "-N", "-q") == (0, planned * 2, "")


def test_a_slash_behind_the_destination_of_a_sync_is_none_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "page").write_text("hello")
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv" / "other").write_text("of before")
    words = ["sync", "local:", "site", f"{tmp_path}/srv/", "--delete", "--json"]
    for run, counts in enumerate([("1", "1"), ("0", "0"), ("0", "0")]):
        for more in (["--dry-run"], []):
            code, out, err = cli(tmp_path, *words, *more)
            told = json.loads(out)[0]["value"]
            assert (code, err, str(told["files"]), str(told["deleted"])) == (0, "", *counts), (run, more, told)
    assert os.listdir(tmp_path / "srv") == ["page"]


def test_hosts_with_addresses_that_fail_alike_are_shown_as_one(tmp_path: Path) -> None:
    """The address stands in front of the message, the times behind it. Nobody listens on port 1."""
    (tmp_path / "hosts").write_text(
        "[all:vars]\nansible_port=1\n[g]\na ansible_host=127.0.0.1\nb ansible_host=::1\n")
    code, _, err = cli(tmp_path, "run", "-i", "hosts", "all", "os:getpid", "--gather", "-F", "none")
    assert code == 4
    assert err.startswith("a,b (2): no connection: ConnectError: ") and "refused" in err.splitlines()[0]
    assert "(stage" not in err


@pytest.mark.parametrize(("words", "made"), [
    (["pull", "{hosts}", "/etc/hostname", "backup"], "backup"),
    (["run", "{hosts}", "os:getpid", "--outdir", "out"], "out/local"),
    (["run", "{hosts}", "os:getpid", "--errdir", "out"], "out/local"),
])  # fmt: skip
@pytest.mark.parametrize("hosts", ["local:,local", "local,local:", "local:,elsewhere,local"])
def test_hosts_that_would_share_files_are_refused(tmp_path: Path, words: list[str], made: str, hosts: str) -> None:
    code, out, err = cli(tmp_path, *(word.format(hosts=hosts) for word in words))
    assert (code, out) == (64, "")
    one, other = hosts.split(",")[0], hosts.split(",")[-1]
    assert f"the hosts '{one}' and '{other}' would both be" in err
    assert not (tmp_path / made).exists()


def test_a_fleet_refuses_hosts_that_would_share_files(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts"
    inventory.write_text("a/b ansible_connection=local\na_b ansible_connection=local\n")
    with Fleet("all", inventory=str(inventory)) as fleet:
        with pytest.raises(UsageError, match="'a/b' and 'a_b' would both be 'a_b' here"):
            fleet.pull("/etc/hostname", tmp_path / "backup")
        assert not (tmp_path / "backup").exists()
