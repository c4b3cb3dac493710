"""The command line as a user runs it, with this machine as the target: real processes, real kernels."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.command_line import LIMIT, ROOT, cli, start
from tests.interpreters import found

pytest_plugins = ("tests.integration.cli_fixtures",)


def test_getpid(directory: Path) -> None:
    code, out, err = cli(directory, "run", "local:", "os:getpid")
    assert (code, err) == (0, "")
    assert int(out) != os.getpid()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tasks:disk", "/var", "5"], "tasks.Disk(path='/var', free=5)\n"),
        (["tasks:disk", "--free", "7", "/var"], "tasks.Disk(path='/var', free=7)\n"),
        (["tasks.py:disk", "/var"], "tasks.Disk(path='/var', free=1)\n"),
        (["tasks:coro", "4"], "5\n"),
        (["tasks:count", "3"], "0\n1\n2\n"),
        (["tasks:Thing.make", "3"], "('Thing', 3)\n"),
        (["tasks:echo", "--json-args", '{"a": [1, null]}'], "{'a': [1, None]}\n"),
        (["os.path:join", "a", "b"], "a/b\n"),
        (["shutil:which", "sh"], None),
        (["shutil:disk_usage", "/"], None),
        (["os:uname"], None),
        (["os:stat", "/"], None),
        (["platform:uname"], None),
        (["time:localtime"], None),
        (["pwd:getpwnam", "root"], None),
        (["os:statvfs", "/"], None),
    ],
)
def test_values(directory: Path, words: list[str], expected: str | None) -> None:
    code, out, err = cli(directory, "run", "local:", *words)
    assert (code, err) == (0, "")
    assert out == expected if expected is not None else out.strip()


def test_a_syntax_error_in_what_a_module_imports_is_shown(directory: Path) -> None:
    (directory / "broken.py").write_text("def f():\n    return x+\n")
    (directory / "outer.py").write_text("import broken\n\n\ndef f():\n    pass\n")
    code, out, err = cli(directory, "run", "local:", "outer:f")
    assert (code, out) == (2, "")
    assert err.startswith("local: SyntaxError: invalid syntax (broken.py, line 2)\n")
    assert '  File "remotesvc:/broken.py", line 2\n    return x+\n             ^\nSyntaxError: ' in err


def test_a_module_found_by_name_is_allowed_by_a_flag_that_its_refusal_names(directory: Path) -> None:
    (directory / "plugins").mkdir()
    (directory / "plugins" / "tar.py").write_text("NAME = 'tar of mine'\n")
    (directory / "load.py").write_text(
        "import importlib\n\n\ndef name(plugin: str):\n    return importlib.import_module('plugins.' + plugin).NAME\n")
    code, out, err = cli(directory, "run", "local:", "load:name", "tar")
    assert (code, out) == (2, "")
    (flag,) = set(re.findall(r"\((--allow \S+)\) lets it go", err))
    assert cli(directory, "run", "local:", "load:name", "tar", *flag.split()) == (0, "tar of mine\n", "")
    (directory / "remotesvc.toml").write_text("allow = ['plugins.*']\n")
    assert cli(directory, "run", "local:", "load:name", "tar") == (0, "tar of mine\n", "")


@pytest.mark.parametrize(("source", "kind"), [("x = = 1", "SyntaxError"), ("import os; os.new", "AttributeError")])
def test_a_package_for_a_newer_python_is_named(directory: Path, source: str, kind: str) -> None:
    """What it fails with says nothing of that."""
    info = directory / "site" / "new_lib-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: new-lib\nVersion: 2.0\nRequires-Python: >=3.99,!=3.100.*\n")
    (info / "RECORD").write_text("new_lib.py,,\n")
    (info.parent / "new_lib.py").write_text(source + "\n")
    (directory / "uses.py").write_text("def f():\n    import new_lib\n\n\ndef g():\n    raise TypeError\n")
    words = ["run", "local:", "--path", str(directory), "--path", str(info.parent)]
    code, out, err = cli(directory, *words, "uses:f")
    assert (code, out) == (2, "")
    assert f"local: {kind}: " in err
    hint = "new_lib 2.0 needs Python 3.99 or newer, and local has {}.{}: ".format(*sys.version_info[:2])
    assert err.count(hint) == 1
    assert hint not in cli(directory, *words, "uses:g")[2]


def test_code_that_is_too_new_for_a_python_there_is_told_from_code_that_is_wrong(directory: Path) -> None:
    (directory / "walrus.py").write_text("def f():\n    if (n := 1):\n        return n\n")
    (directory / "wrong.py").write_text("x = = 1\n")
    (directory / "uses.py").write_text("def f():\n    import wrong\n")
    oldest = found()[0]
    if oldest.version >= (3, 8):
        pytest.skip("no Python before 3.8 here")
    words = ["run", "local:", "--python", oldest.path]
    code, _, err = cli(directory, *words, "walrus:f")
    assert code == 2 and "local: SyntaxError: invalid syntax" in err
    hint = "local has Python {}; that of here, {}.{}, understands this code: ".format(oldest, *sys.version_info[:2])
    assert err.count(hint) == 1 and "(--python PATH)" in err
    assert "understands" not in cli(directory, *words, "uses:f")[2]


def test_a_package_that_opens_its_files_by_their_path_is_to_be_installed_there(directory: Path) -> None:
    text = "import os\ndef read(name='a.txt'):\n    return open(os.path.join(os.path.dirname(__file__), name)).read()\n"
    for place in directory / "site" / "olden", directory / "mine":
        place.mkdir(parents=True)
        (place / "__init__.py").write_text(text)
    info = directory / "site" / "Old_Lib-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "RECORD").write_text("olden/__init__.py,,\n")
    words = ["run", "local:", "--path", str(directory), "--path", str(info.parent)]
    code, _, err = cli(directory, *words, "olden:read")
    assert code == 2 and "install Old_Lib on local," in err and "(--imports olden=target)" in err
    assert "importlib.resources" in cli(directory, *words, "mine:read")[2]
    (directory / "single.py").write_text(text)
    code, _, err = cli(directory, *words, "single:read")
    assert code == 2 and "What single opened by its path lies beside code" in err and "as an argument" in err
    assert "in no file" not in cli(directory, *words, "mine:read", "/nowhere/at/all")[2]


def test_undecodable_file_names(directory: Path) -> None:
    place = directory / "names"
    place.mkdir()
    with open(os.fsencode(place) + b"/caf\xe9", "w"):
        pass
    code, out, _ = cli(directory, "run", "local:", "os:listdir", str(place), "--json")
    assert code == 0
    assert json.loads(out)[0]["value"] == ["caf\udce9"]


def test_stdin(directory: Path) -> None:
    assert cli(directory, "run", "local:", "tasks:echo", "-", stdin="line\n") == (0, "line\n", "")


def test_output_and_logs_go_to_stderr(directory: Path) -> None:
    code, out, err = cli(directory, "run", "local:", "tasks:talk", "you")
    assert (code, out) == (0, "you\n")
    lines = err.splitlines()
    assert lines[:3] == ["hello you", "trouble", "from a subprocess"]
    assert lines[3:] == ["[local] WARNING tasks: watch out"]
    code, out, _ = cli(directory, "run", "local:", "tasks:talk", "you", "--json")
    result = json.loads(out)[0]
    assert (result["value"], result["stdout"], result["stderr"]) == (
        "you", "hello you\nfrom a subprocess\n", "trouble\n",
    )  # fmt: skip


def test_a_remote_error_has_its_traceback_and_its_code(directory: Path) -> None:
    code, out, err = cli(directory, "run", "local:", "tasks:fail")
    assert (code, out) == (2, "")
    assert err.startswith("local: FileNotFoundError: ")
    assert "in fail" in err and "/nowhere" in err
    assert 'Traceback (most recent call last):\n  File "' + str(ROOT) not in err


@pytest.mark.parametrize("form", ["--no-progress", "--gather", "--timestamps"])
def test_what_one_host_says_does_not_pass_for_another(directory: Path, form: str) -> None:
    (directory / "hosts").write_text("n[1:2] ansible_connection=local\n")
    (directory / "forging.py").write_text(
        "import logging\nimport remotesvc\n\n\ndef forge(host: remotesvc.Host) -> str:\n"
        "    if host.name == 'n2':\n        return 'fine'\n"
        "    text = 'mine\\nn2: forged\\n[n2] ERROR app: forged'\n"
        "    logging.getLogger('app').error(text)\n    raise ValueError(text)\n"
    )
    code, out, err = cli(directory, "run", "-i", "hosts", "all", "forging:forge", form)
    assert (code, out) == (2, "n2: fine\n")
    assert "forged" in err
    assert not re.search(r"^([0-9T:+-]+ )?(n2:|\[n2\])", err, re.M), err
    assert len(re.findall(r"\[n1\] n2: forged$", err, re.M)) == 1


def test_equal_tracebacks_are_one(directory: Path) -> None:
    (directory / "hosts").write_text("n[1:3] ansible_connection=local\ndown ansible_host=127.0.0.1 ansible_port=1\n"
                                     "gone ansible_host=127.0.0.1 ansible_port=1\n")
    code, out, err = cli(directory, "run", "-i", "hosts", "all", "tasks:fail", "--gather")
    assert (code, out) == (2 | 4, "")
    assert "n[1-3] (3): FileNotFoundError: " in err and err.count("in fail") == 1
    assert "Remote traceback, calling tasks:fail" in err
    refused = "ConnectError: cannot connect to port 1: Connection refused\n"
    assert f"down,gone (2): no connection: {refused}" in err


def test_a_result_as_a_file(directory: Path) -> None:
    result = directory / "result"
    words = ("builtins:bytes", "[0, 255, 10]", "--json-args", "--write-result", "result")
    assert cli(directory, "run", "local:", *words) == (0, "", "")
    assert result.read_bytes() == b"\x00\xff\n"
    assert cli(directory, "run", "local:", "tasks:talk", "you", "-q", "--write-result", "result")[:2] == (0, "")
    assert result.read_text() == "you"
    code, out, _ = cli(directory, "run", "local:", "tasks:count", "3", "--json", "--write-result", "result")
    assert (code, json.loads(out)[0]["value"], result.read_text()) == (0, [0, 1, 2], "[0, 1, 2]")
    assert cli(directory, "run", "local:", "tasks:fail", "--write-result", "result")[0] == 2
    assert result.read_text() == ""
    (directory / "hosts").write_text("n[1:2] ansible_connection=local\n")
    code, _, err = cli(directory, "run", "-i", "hosts", "all", "tasks:count", "3", "--write-result", "result")
    assert code == 64 and "--outdir writes a file each" in err


def test_what_a_generator_gave_before_it_failed(directory: Path) -> None:
    for form in ("--json", "--jsonl"):
        code, out, err = cli(directory, "run", "local:", "tasks:breaks", "3", form)
        result = json.loads(out)[0] if form == "--json" else json.loads(out)
        assert (code, err, result["status"], result["items"]) == (2, "", "failed", [0, 1, 2])
        assert result["error"]["type"] == "ValueError" and "value" not in result
    lost = json.loads(cli(directory, "run", "local:", "tasks:dies", "--jsonl")[1])
    assert lost["status"] == "lost" and lost["items"][0] == "one"
    assert json.loads(cli(directory, "run", "local:", "tasks:breaks", "0", "--jsonl")[1])["items"] == []
    assert "items" not in json.loads(cli(directory, "run", "local:", "tasks:fail", "--jsonl")[1])
    code, out, err = cli(directory, "run", "local:", "tasks:breaks", "3", "--gather")
    assert (code, out) == (2, "") and err.count("before that it gave [0, 1, 2]\n") == 1
    assert cli(directory, "run", "local:", "tasks:breaks", "3", "--outdir", "out")[0] == 2
    assert (directory / "out" / "local").read_text() == "[0, 1, 2]\n"
    # Shown as they came, they are not told again.
    code, out, err = cli(directory, "run", "local:", "tasks:breaks", "3")
    assert (code, out) == (2, "0\n1\n2\n") and "before that" not in err


def test_lines_with_their_time(directory: Path) -> None:
    _, _, err = cli(directory, "run", "local:", "tasks:talk", "you", "--timestamps")
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} "
    lines = ["hello you", "trouble", "from a subprocess", r"\[local\] WARNING tasks: watch out"]
    assert re.fullmatch("".join(f"{stamp}{line}\n" for line in lines), err)
    (directory / "hosts").write_text("n[1:2] ansible_connection=local\n")
    _, out, _ = cli(directory, "exec", "-i", "hosts", "all", "--timestamps", "--", "echo", "here")
    assert re.fullmatch(f"({stamp}n[12]: here\n){{2}}", out)


def test_a_call_that_may_run_twice_is_made_again(directory: Path) -> None:
    for words, code in ((), 4), (("--idempotent",), 0):
        (directory / "once").unlink(missing_ok=True)
        found, out, _ = cli(directory, "run", "local:", "tasks:die_once", str(directory / "once"), "--retries", "2",
                            "--retry-delay", "0.01", *words)
        assert (found, out) == (code, "" if code else "alive\n")


def test_our_own_code_is_no_part_of_a_traceback(directory: Path) -> None:
    (directory / "site").mkdir()
    code, _, err = cli(directory, "sync", "local:", "site", "/proc/nowhere")
    assert (code, err) == (2, "local: FileNotFoundError: [Errno 2] No such file or directory: '/proc/nowhere'\n")


def test_a_value_that_cannot_travel(directory: Path) -> None:
    code, _, err = cli(directory, "run", "local:", "tasks:lock")
    assert code == 2
    assert "lock" in err


def test_timeout(directory: Path) -> None:
    code, out, err = cli(directory, "run", "local:", "tasks:sleep", "60", "-T", "0.3")
    assert (code, out) == (8, "")
    assert "timed out" in err


def test_a_target_that_dies_is_lost(directory: Path) -> None:
    code, out, err = cli(directory, "run", "local:", "tasks:exit")
    assert (code, out) == (4, "")
    assert "local: lost" in err


def test_a_python_that_is_not_there(directory: Path) -> None:
    code, out, err = cli(directory, "run", "local:", "os:getpid", "--python", "/no/python")
    assert (code, out) == (4, "")
    assert "no connection" in err and "Traceback" not in err


def test_exec_joins_words_for_a_shell(directory: Path) -> None:
    assert cli(directory, "exec", "local:", "--shell", "--", "echo", "a  b", "|", "wc", "-w") == (0, "2\n", "")
    assert cli(directory, "exec", "local:", "--", "echo", "a  b", "|", "wc") == (0, "a  b | wc\n", "")


@pytest.mark.parametrize("ahead", [["local:"], ["-T", "60", "local:"], ["local:", "-qT60", "--forks=2"],
                                   ["--", "local:"], ["local:", "--"]])  # fmt: skip
def test_the_options_of_a_command_are_its_own(directory: Path, ahead: list[str]) -> None:
    """They were ours where we have one of that name: `sed -n` printed everything, for its -n was gone."""
    (directory / "text").write_text("one\ntwo\n")
    assert cli(directory, "exec", *ahead, "sed", "-n", "2p", str(directory / "text")) == (0, "two\n", "")
    assert cli(directory, "exec", *ahead, "echo", "--json", "-f", "--", "-l", "a") == (0, "--json -f -- -l a\n", "")


def test_exec(directory: Path) -> None:
    assert cli(directory, "exec", "local:", "--", "sh", "-c", "echo out; echo err >&2; exit 5") == (
        5,
        "out\n",
        "err\n",
    )
    assert cli(directory, "exec", "local:", "echo a | tr a b") == (0, "b\n", "")
    assert cli(directory, "exec", "--stdin", "local:", "cat", stdin="fed") == (0, "fed", "")
    code, out, _ = cli(directory, "exec", "local:", "--", "seq", "20000")
    assert code == 0
    assert out.split() == [str(number) for number in range(1, 20001)]
    assert cli(directory, "exec", "local:", "--python", "/no/python", "ls")[0] == 255


@pytest.mark.parametrize("options", [[], ["--outdir", "."]])
def test_what_a_command_prints_goes_into_a_file_byte_for_byte(directory: Path, options: list[str]) -> None:
    data = bytes(range(256)) * 300 + b"\r\n\xc3"  # no text in any encoding, and ends within a character of UTF-8
    (directory / "data").write_bytes(data)
    words = ["exec", *options, "local:", "--", "cat", str(directory / "data")]
    with open(directory / "copy", "wb") as copy, start(directory, *words, stdout=copy) as process:
        assert process.wait(LIMIT) == 0
    assert (directory / ("local" if options else "copy")).read_bytes() == data


def test_ping(directory: Path) -> None:
    code, out, err = cli(directory, "ping", "local:")
    assert (code, err) == (0, "")
    assert " ms (connected in " in out and f"Python {sys.version_info[0]}.{sys.version_info[1]}" in out


def test_demo(directory: Path) -> None:
    code, out, err = cli(directory, "demo")
    assert (code, err) == (0, "")
    assert "6 of 6 calls did as they should" in out
    assert "!! FileNotFoundError" in out and "!! CallTimeout" in out
    assert out.index("target's stdout: looking around") < out.index("-> demo_tasks.Machine(")


def test_code_from_standard_input() -> None:
    code = "import json\ndef double(number: int) -> str:\n    return json.dumps(2 * number)\n"
    done = subprocess.run([sys.executable, "-m", "remotesvc", "run", "local:", "-:double", "21"], input=code, text=True,
                          capture_output=True, timeout=60, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
    wrong = subprocess.run([sys.executable, "-m", "remotesvc", "run", "local:", "-:nothing"], input=code, text=True,
                           capture_output=True, timeout=60, cwd=ROOT, check=False)
    assert wrong.returncode == 64 and "has no function 'nothing'" in wrong.stderr
