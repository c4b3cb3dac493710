"""The command line where a user's surroundings are odd: no directory, closed or full streams."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.integration.command_line import shell


@pytest.mark.parametrize("words", ["run local: os:getpid", "exec local: -- true", "push local: {file} {file}.copy",
                                   "services local:"])  # fmt: skip
def test_the_directory_one_is_in_may_have_been_deleted(words: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    done = shell(f"mkdir gone; cd gone; rmdir ../gone; remotesvc {words.format(file=file)}", tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize(("words", "message"), [
    ("pull local: /etc/passwd - >&-", "a DST of - is standard output, and that is closed"),
    ("push local: - there <&-", "a SRC of - is standard input, and that is closed"),
    ("exec --stdin local: -- cat <&-", "--stdin reads standard input, and that is closed"),
])  # fmt: skip
def test_a_closed_stream_is_no_file(words: str, message: str, tmp_path: Path) -> None:
    done = shell(f"remotesvc {words}", tmp_path)
    assert (done.returncode, done.stderr) == (64, f"remotesvc: {message}\n")


@pytest.mark.parametrize(("words", "one", "other"), [
    ("exec --stdin - -- cat", "the hosts", "the input of the command"),
    ("push - - there", "the hosts", "a SRC"),
    ("push -l - local: - there", "the hosts", "a SRC"),
    ("run - builtins:print -", "the hosts", "an argument"),
    ("run - -:f", "the module", "the hosts"),
    ("run local: -:f -", "the module", "an argument"),
    ("ping --password-file - -o IdentityAgent=none -l - a.invalid", "the hosts", "a password"),
])  # fmt: skip
def test_standard_input_is_one_thing_only(words: str, one: str, other: str, tmp_path: Path) -> None:
    """The second was empty: a file that was to be replaced by it was, too."""
    (tmp_path / "there").write_text("old")
    (tmp_path / "input").write_text("a.invalid\n" if "ping" in words else "local:\n" if "-:f" not in words else
                                    "def f(x=None):\n    return x\n")
    done = shell(f"remotesvc {words} < input", tmp_path)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == f"remotesvc: standard input cannot be both {one} and {other}\n"
    assert (tmp_path / "there").read_text() == "old"


@pytest.mark.parametrize("option", ["--failed-to", "--write-result"])
@pytest.mark.parametrize(("place", "why"), [("gone/file", "No such file or directory"), ("there", "Is a directory")])
def test_what_cannot_be_written_is_told_before_anything_is_done(
    option: str, place: str, why: str, tmp_path: Path
) -> None:
    """A call runs once: its answer has to have a place."""
    (tmp_path / "there").mkdir()
    done = shell(f"remotesvc run local: os:mkdir ran {option} {place}", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"remotesvc: cannot write {place}: {why}\n"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("option", ["--failed-to", "--write-result", "--outdir", "--errdir"])
def test_a_file_that_is_to_be_written_is_not_standard_output(option: str, tmp_path: Path) -> None:
    done = shell(f"remotesvc run local: os:mkdir ran {option} -", tmp_path)
    assert (done.returncode, done.stdout) == (64, "")
    assert f"{option} is never standard output" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("group", "why"), [
    ('"n[1-2]', "unexpected end of stream"), ('"n[1-x]"', "1-x"), ('"n[1-2]"', ""),
])  # fmt: skip
def test_groups_of_clustershell_that_cannot_be_read_are_told(group: str, why: str, tmp_path: Path) -> None:
    place = tmp_path / "clustershell"
    place.mkdir()
    (place / "groups.conf").write_text(f"[Main]\ndefault: mine\nautodir: {place}\n")
    (place / "groups.yaml").write_text(f"mine:\n  rack: {group}\n")
    done = shell(f"HOME={tmp_path} XDG_CONFIG_HOME={tmp_path} remotesvc hosts @rack --fold", tmp_path)
    if why:
        assert (done.returncode, done.stdout) == (64, "")
        assert done.stderr.startswith("remotesvc: ClusterShell cannot read its groups, for @rack: ")
        assert why in done.stderr
    else:
        assert (done.returncode, done.stdout) == (0, "n[1-2]\n")


def test_failed_hosts_go_through_links_and_to_pipes(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "file").write_text("before")
    (tmp_path / "file").chmod(0o640)
    for place in ("link", "/dev/stdout", "/dev/null"):
        done = shell(f"remotesvc run local: os:no_such_name --failed-to {place}", tmp_path)
        assert (done.returncode, done.stdout) == (2, "local:\n" if "stdout" in place else "")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_text() == "local:\n"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_failed_hosts_stays_its_owners(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.chown(tmp_path / "file", 4711, 4711)  # as under sudo
    assert shell("remotesvc run local: os:no_such_name --failed-to file", tmp_path).returncode == 2
    assert (tmp_path / "file").read_text() == "local:\n" and (tmp_path / "file").stat().st_uid == 4711


def test_a_line_that_no_shell_can_be_given(tmp_path: Path) -> None:
    # Together they are one argument, and longer than Linux lets one be.
    done = shell("remotesvc exec local: --shell -- echo $(seq 30000)", tmp_path)
    assert (done.returncode, done.stderr) == (126, "/bin/sh: Argument list too long\n")


@pytest.mark.parametrize("before", ["REMOTESVC_GATHER=1", "REMOTESVC_REGROUP=1", "REMOTESVC_CONFIG=gathering.toml"])
def test_what_is_typed_overrules_a_default_that_says_the_opposite(before: str, tmp_path: Path) -> None:
    (tmp_path / "gathering.toml").write_text("gather = true\ndiff = true\n")
    done = shell(f"{before} remotesvc run local: os:getcwd --jsonl", tmp_path)
    assert (done.returncode, json.loads(done.stdout)["value"], done.stderr) == (0, str(tmp_path), "")
    done = shell("remotesvc run local: os:getcwd --jsonl --gather", tmp_path)
    assert done.returncode == 64 and "are for people" in done.stderr


def test_a_password_file_overrules_a_default_to_ask(tmp_path: Path) -> None:
    words = "ping a.invalid -F none --transport paramiko"
    done = shell(f"echo secret > word; REMOTESVC_ASK_PASS=1 remotesvc {words} --password-file word", tmp_path)
    assert done.returncode == 4 and "does not resolve" in done.stderr
    done = shell(f"REMOTESVC_PASSWORD_FILE=word remotesvc {words} --ask-pass < /dev/null", tmp_path)
    assert done.returncode == 64 and "--ask-pass needs a terminal" in done.stderr


def test_a_configuration_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "remotesvc.toml").write_text("nonsense = 3\n")
    done = shell("REMOTESVC_CONFIG=/dev/null remotesvc hosts a,", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a\n", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, as Linux has it")
@pytest.mark.parametrize("words", [
    "--help", "hosts a,b", "exec local: -- echo x", "doctor local:", "doctor local: --json", "completion bash",
])  # fmt: skip
def test_a_full_disk_behind_stdout_is_told(words: str, tmp_path: Path) -> None:
    done = shell(f"remotesvc {words} > /dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr == "remotesvc: cannot write the results: [Errno 28] No space left on device\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, as Linux has it")
def test_a_full_disk_behind_a_file_on_stdout_is_told_from_one_there(tmp_path: Path) -> None:
    done = shell("remotesvc pull local: /etc/passwd - > /dev/full", tmp_path)
    assert (done.returncode, done.stderr) == (2, "local: OSError: [Errno 28] here: No space left on device\n")


@pytest.mark.parametrize(("source", "named"), [("site/large", "copy/large"), ("site", "copy/site/large")])
def test_a_disk_here_that_takes_no_more_is_named(source: str, named: str, tmp_path: Path) -> None:
    """In place of a full disk, which only root could make: a limit on the size of files."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "large").write_bytes(bytes(range(256)) * 5000)
    done = shell(f"ulimit -f 100; remotesvc pull local: {tmp_path}/{source} copy/", tmp_path)
    assert (done.returncode, done.stderr) == (2, f"local: OSError: [Errno 27] here: File too large: '{named}'\n")


def test_help_into_a_reader_that_left_is_fine(tmp_path: Path) -> None:
    done = shell("(sleep 0.3; remotesvc --help; echo $? >&2) | true", tmp_path)
    assert done.stderr == "0\n"


@pytest.mark.parametrize("words", ["run -J bastion docker:web1 os:getpid", "exec -J bastion local:,web1 -- hostname",
                                   "pull -J bastion kubectl:shop/web-0 /etc/app .", "doctor -J bastion local:",
                                   "jobs -J bastion docker:web1"])  # fmt: skip
def test_a_jump_host_to_what_is_no_ssh_host_is_refused(words: str, tmp_path: Path) -> None:
    """It was ignored: what was meant for a container of another machine happened in one of this machine."""
    done = shell(f"remotesvc {words}", tmp_path)
    host = "local:" if "local:" in words else "docker:web1" if "docker" in words else "kubectl:shop/web-0"
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith(f"remotesvc: no jump host leads through bastion to {host}, which is entered")


def test_a_jump_host_that_is_a_default_is_for_ssh_hosts(tmp_path: Path) -> None:
    (tmp_path / "remotesvc.toml").write_text('jump = "bastion.invalid"\nuser = "bob"\n')
    for script in ("remotesvc run local: builtins:len a", "remotesvc run -J none local: builtins:len a",
                   "REMOTESVC_JUMP=other.invalid remotesvc run local: builtins:len a"):
        done = shell(script, tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_nobody_logs_in_where_nobody_is_asked_who_it_is(tmp_path: Path) -> None:
    """It ran as whoever called it, and said nothing."""
    done = shell("remotesvc run -u nobody local: os:getuid", tmp_path)
    assert (done.returncode, done.stdout) == (64, "")
    assert "-u says who logs in" in done.stderr and "--become-user nobody" in done.stderr


def test_a_standard_output_that_nobody_gave_ends_nothing(tmp_path: Path) -> None:
    """What the first host printed ended what the others were doing, with no word why."""
    (tmp_path / "inventory").write_text("one ansible_connection=local\ntwo ansible_connection=local\n")
    done = shell("remotesvc exec -i inventory all -- 'echo a; touch $$.ran' >&-", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("2 hosts: 2 ok\nremotesvc: cannot write the results: standard output is closed")
    assert len(list(tmp_path.glob("*.ran"))) == 2
    done = shell("remotesvc exec -i inventory all -- true >&-", tmp_path)
    assert (done.returncode, done.stderr) == (0, "2 hosts: 2 ok\n")


def test_an_empty_name_is_not_root(tmp_path: Path) -> None:
    """As of a variable that is not set."""
    done = shell("remotesvc run --become-user '' local: os:getuid", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (64, "", "remotesvc: not a user to become: ''\n")


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    done = shell("remotesvc run --path nowhere local: tasks:free", tmp_path)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == "remotesvc: there is no nowhere, which --path names\n"


def test_what_travels_as_text_is_said_where_it_may_be_the_reason(tmp_path: Path) -> None:
    for words, hint in (("builtins:abs 4", True), ("os:getcwd --bogus 1", False), ("os:kill 1", False)):
        done = shell(f"remotesvc run local: {words}", tmp_path)
        assert done.returncode == 2 and "TypeError" in done.stderr
        assert ("travel as strings" in done.stderr) == hint


@pytest.mark.parametrize("option", ["--outdir", "--errdir"])
def test_a_disk_that_is_full_leaves_no_part_of_an_answer_and_all_is_told(option: str, tmp_path: Path) -> None:
    (tmp_path / "inventory").write_text("".join(f"h{number} ansible_connection=local\n" for number in range(4)))
    script = f"ulimit -f 100; remotesvc exec -i inventory all -f1 --failed-to again {option} told -- " + (
        "'head -c 300000 /dev/zero'" if option == "--outdir" else "'head -c 300000 /dev/zero >&2'")
    done = shell(script, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    summary, reason = done.stderr.splitlines()[-2:]
    assert reason == "remotesvc: cannot write told/h0: File too large"
    # The second may have begun while the first was told of.
    assert summary in ("4 hosts: 1 ok, 3 not run (h[1-3])", "4 hosts: 1 ok, 1 cancelled (h1), 2 not run (h[2-3])")
    assert (tmp_path / "again").read_text().split() == ["h1", "h2", "h3"]
    assert all(not path.stat().st_size for path in (tmp_path / "told").iterdir())


def test_more_input_than_a_call_can_carry(tmp_path: Path) -> None:
    for words in ("run elsewhere.invalid builtins:len -", "run elsewhere.invalid -:f"):
        done = shell(f"yes | remotesvc {words}", tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert "more than 127 MiB" in done.stderr and "remotesvc push" in done.stderr
