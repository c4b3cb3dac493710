"""The known_hosts verifier: which lines mean a host, what they say about a key, and that no line does harm."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.ssh.hostkeys.certificate import SUFFIX
from remotesvc.ssh.hostkeys.host_names import hashed, matches, names_of
from remotesvc.ssh.hostkeys.known_hosts import Entry, KnownHosts, Problem, fingerprint, parse, parse_line


def key(kind: str, number: int = 1) -> bytes:
    """A key in wire form: its type, then anything."""
    body = bytes([number]) * 32
    return b"".join(len(part).to_bytes(4, "big") + part for part in (kind.encode(), body))


def line(names: str, kind: str = "ssh-ed25519", number: int = 1) -> str:
    return f"{names} {kind} {base64.b64encode(key(kind, number)).decode()}"


def load(tmp_path: Path, *files: str) -> KnownHosts:
    paths = []
    for number, text in enumerate(files):
        path = tmp_path / f"known_hosts{number}"
        path.write_text(text)
        paths.append(str(path))
    return KnownHosts(paths)


ED, RSA = key("ssh-ed25519"), key("ssh-rsa")


@pytest.mark.parametrize(
    ("names", "name", "expected"),
    [
        ("web1", "web1", True),
        ("WEB1", "web1", True),
        ("web1", "web11", False),
        ("web1,web2", "web2", True),
        ("web*", "web1", True),
        ("*", "[web1]:2222", True),
        ("*.example.org", "a.b.example.org", True),
        ("*.example.org", "example.org", False),
        ("web?", "web1", True),
        ("web?", "web", False),
        ("web?", "web12", False),
        ("*,!web1", "web1", False),
        ("!web1,*", "web1", False),
        ("*,!web1", "web2", True),
        ("!web1", "web2", False),
        ("[web1]:2222", "[web1]:2222", True),
        ("[web1]:2222", "web1", False),
        ("[web1]:2222", "w", False),  # brackets are no character class
        ("*a*b*c", "xxaxxbxxc", True),
        ("*a*b*c", "xxaxxbxx", False),
        ("", "web1", False),
        (hashed("web1", b"s" * 20), "web1", True),
        (hashed("web1", b"s" * 20), "web2", False),
    ],
)
def test_which_hosts_a_line_means(names: str, name: str, expected: bool) -> None:
    assert matches(names, name) is expected


def test_a_hash_made_by_openssh_is_understood() -> None:
    made = "|1|zm9cnjkqdGuzvKhpaR0FQ8GelCw=|8WKO68rAGqy19YXth4Bz1VkGv8A="  # ssh-keygen -H
    assert matches(made, "web1.example.org")
    assert not matches(made, "web2.example.org")


def test_patterns_take_no_exponential_time() -> None:
    assert not matches("*a" * 60 + "b", "a" * 250)


@pytest.mark.parametrize(
    ("host", "port", "alias", "expected"),
    [
        ("Web1", 22, None, ("web1",)),
        ("Web1", 2222, None, ("[web1]:2222", "web1")),
        ("::1", 2222, None, ("[::1]:2222", "::1")),
        ("web1", 2222, "Cluster", ("cluster",)),
    ],
)
def test_under_which_names_a_host_is_looked_up(
    host: str, port: int, alias: str | None, expected: tuple[str, ...]
) -> None:
    assert names_of(host, port, alias) == expected


@pytest.mark.parametrize(
    ("files", "names", "kind", "wire", "expected", "places"),
    [
        ([line("web1")], ["web1"], "ssh-ed25519", ED, "known", [1]),
        ([""], ["web1"], "ssh-ed25519", ED, "unknown", []),
        ([line("web2")], ["web1"], "ssh-ed25519", ED, "unknown", []),
        ([line("web1", number=2)], ["web1"], "ssh-ed25519", ED, "changed", [1]),
        ([line("web1", "ssh-rsa")], ["web1"], "ssh-ed25519", ED, "other-type", [1]),
        # Several keys of one type: any of them will do.
        ([line("web1", number=2) + "\n" + line("web1")], ["web1"], "ssh-ed25519", ED, "known", [2]),
        # ... in several files
        ([line("web1", number=2), line("web1")], ["web1"], "ssh-ed25519", ED, "known", [1]),
        # A port of its own: only its own line says "changed"; the plain name can but confirm.
        ([line("web1")], ["[web1]:2222", "web1"], "ssh-ed25519", ED, "known", [1]),
        ([line("web1", number=2)], ["[web1]:2222", "web1"], "ssh-ed25519", ED, "unknown", []),
        (
            [line("[web1]:2222", number=2) + "\n" + line("web1")],
            ["[web1]:2222", "web1"],
            "ssh-ed25519",
            ED,
            "changed",
            [1],
        ),
        # Revoked wins over known, wherever it stands, for the hosts it names.
        ([line("web1") + "\n@revoked " + line("*")], ["web1"], "ssh-ed25519", ED, "revoked", [2]),
        ([line("web1") + "\n@revoked " + line("web2")], ["web1"], "ssh-ed25519", ED, "known", [1]),
        ([line("web1") + "\n@revoked " + line("*", number=9)], ["web1"], "ssh-ed25519", ED, "known", [1]),
        # A certificate authority's key is nobody's host key.
        (["@cert-authority " + line("*")], ["web1"], "ssh-ed25519", ED, "unknown", []),
        (["@cert-authority " + line("*", number=3)], ["web1"], "ssh-ed25519", ED, "unknown", []),
        ([line("*,!web1")], ["web1"], "ssh-ed25519", ED, "unknown", []),
        ([line(hashed("web1", b"x" * 20))], ["web1"], "ssh-ed25519", ED, "known", [1]),
        (
            ["# web1\n\n  \n" + line("web1") + " a comment, with more words\r\n"],
            ["web1"],
            "ssh-ed25519",
            ED,
            "known",
            [4],
        ),
    ],
)
def test_what_the_files_say_about_a_key(
    files: list[str],
    names: list[str],
    kind: str,
    wire: bytes,
    expected: str,
    places: list[int],
    tmp_path: Path,
) -> None:
    verdict = load(tmp_path, *files).check(names, kind, wire)
    assert verdict.kind == expected
    assert [entry.line for entry in verdict.entries] == places


def test_a_key_type_on_file_is_asked_for_first(tmp_path: Path) -> None:
    supported = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"]
    lines = line("web1", "ssh-rsa"), line("web2", "ecdsa-sha2-nistp256"), "@cert-authority " + line("web3")
    known = load(tmp_path, *lines)

    def order(*names: str) -> str:
        short = {"ssh-ed25519": "ed", "ecdsa-sha2-nistp256": "ec", "rsa-sha2-512": "rsa"}
        found = known.algorithms(names, supported)
        return " ".join(short[name.removesuffix(SUFFIX)] + "+" * name.endswith(SUFFIX) for name in found)

    # A plus is the form for certificates.
    assert order("web1") == "rsa+ rsa ed+ ec+ ed ec"
    assert order("[web2]:99", "web2") == "ec+ ec ed+ rsa+ ed rsa"
    assert order("web3") == "ed+ ec+ rsa+ ed ec rsa"
    assert order("web4") == "ed+ ec+ rsa+ ed ec rsa"
    assert order("[web3]:99", "web3") == "ed+ ec+ rsa+ ed ec rsa"


@pytest.mark.parametrize(
    "text",
    [
        "web1",
        "web1 ssh-ed25519",
        "web1 ssh-ed25519 not*base64",
        "web1 ssh-ed25519 AAAA",
        "web1 ssh-rsa " + base64.b64encode(ED).decode(),  # a key of another type than it says
        "web1 1024 35 1234567890",
        "@unknown web1 ssh-ed25519 " + base64.b64encode(ED).decode(),
        "@revoked",
        "|1|notbase64!|x ssh-ed25519 " + base64.b64encode(ED).decode(),
        "|2|AAAA|AAAA ssh-ed25519 " + base64.b64encode(ED).decode(),
        "|1|AAAA ssh-ed25519 " + base64.b64encode(ED).decode(),
    ],
)
def test_a_line_that_makes_no_sense_is_reported_and_does_no_harm(text: str, tmp_path: Path) -> None:
    known = load(tmp_path, text + "\n" + line("web1") + "\n")
    assert known.check(["web1"], "ssh-ed25519", ED).kind == "known"
    (problem,) = known.problems
    assert str(problem).startswith(f"{tmp_path / 'known_hosts0'}:1: ")


def test_a_type_from_the_future_is_no_mistake(tmp_path: Path) -> None:
    known = load(tmp_path, line("web1", "ssh-ed448@example.org"))
    assert known.problems == []
    assert known.check(["web1"], "ssh-ed25519", ED).kind == "other-type"


def test_a_file_that_is_not_there_is_no_problem_and_one_that_cannot_be_read_is(tmp_path: Path) -> None:
    known = KnownHosts([str(tmp_path / "absent"), str(tmp_path)])
    assert known.check(["web1"], "ssh-ed25519", ED).kind == "unknown"
    assert [(problem.file, problem.line) for problem in known.problems] == [(str(tmp_path), 0)]


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    assert load(tmp_path, line("web1")).check(["web1"], "ssh-ed25519", ED).kind == "known"
    assert load(tmp_path, line("web1", number=2)).check(["web1"], "ssh-ed25519", ED).kind == "changed"


def test_the_fingerprint_is_the_one_ssh_shows() -> None:
    blob = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"  # github.com's
    assert fingerprint(base64.b64decode(blob)) == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"


@given(st.binary(max_size=200) | st.text("@|1*!, \nabAB=ssh-rd25519#", max_size=200).map(str.encode))
def test_no_content_raises(data: bytes) -> None:
    table = parse(data, "file")
    for name in ("web1", "[web1]:22"):
        assert all(isinstance(entry, Entry) for entry in table.named(name))
    assert all(isinstance(problem, Problem) for problem in table.problems)


@given(
    st.lists(st.tuples(st.booleans(), st.text("ab.*?[]", min_size=1, max_size=6)), min_size=1, max_size=3),
    st.text("ab.", min_size=1, max_size=8),
)
def test_patterns_match_as_a_simple_reading_of_them_does(patterns: list[tuple[bool, str]], name: str) -> None:
    def simple(rest: str, text: str) -> bool:
        if not rest:
            return not text
        if rest[0] == "*":
            return any(simple(rest[1:], text[start:]) for start in range(len(text) + 1))
        return bool(text) and rest[0] in ("?", text[0]) and simple(rest[1:], text[1:])

    fitting = [negated for negated, pattern in patterns if simple(pattern, name)]
    names = ",".join("!" * negated + pattern for negated, pattern in patterns)
    assert matches(names, name) is (bool(fitting) and not any(fitting))


def test_parse_line_keeps_what_a_line_says() -> None:
    entry = parse_line("@revoked " + line("web1,web2"), "file", 7)
    assert entry == Entry("file", 7, "@revoked", "web1,web2", "ssh-ed25519", ED)
    assert isinstance(entry, Entry)
    assert entry.place == "file:7"
    assert RSA != ED
