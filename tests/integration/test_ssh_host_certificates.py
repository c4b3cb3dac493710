"""Host certificates, RevokedHostKeys and odd known_hosts lines, on a real sshd; real ssh and ssh-keygen judge, too."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from remotesvc.bootstrap.unreachable import ConnectError, HostKeyError
from remotesvc.ssh import SSHOptions
from remotesvc.ssh.hostkeys import host_names, known_hosts
from tests.integration.ssh_servers import OpenSSHServer, connect_error, make_key, openssh_server, running

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh here: nobody to compare with")


@dataclass
class Certified:
    """A server that shows a certificate, and what signed it."""

    server: OpenSSHServer
    directory: Path

    @property
    def authority(self) -> str:
        return public(self.directory / "ca")

    @property
    def key(self) -> str:
        return public(self.directory / "host_ed25519")

    def known_as(self, *lines: str) -> Path:
        """A known_hosts file: {ca}, {key}, {other} and {port} are filled in."""
        file = self.directory / "known_by_test"
        other = public(self.directory / "other")
        values = {"ca": self.authority, "key": self.key, "other": other, "port": self.server.port}
        file.write_text("".join(line.format(**values) + "\n" for line in lines))
        return file

    def options(self, file: Path, *extra: str, **changes: object) -> SSHOptions:
        return self.server.options(known_hosts=file, extra_options=("IdentityAgent=none", *extra), **changes)

    def ssh_accepts(self, file: Path, *extra: str) -> bool:
        """What the ssh program thinks."""
        words = ["ssh", "-F", "none", "-p", str(self.server.port), "-i", self.server.key_file]
        for option in (
            f"UserKnownHostsFile={file}",
            "GlobalKnownHostsFile=none",
            "StrictHostKeyChecking=yes",
            "BatchMode=yes",
            "IdentityAgent=none",
            "UpdateHostKeys=no",
            *extra,
        ):
            words += ["-o", option]
        done = subprocess.run(
            [*words, f"{self.server.user}@127.0.0.1", "true"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or "Host key verification failed" in done.stderr, done.stderr
        return done.returncode == 0


def public(path: Path) -> str:
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


@contextlib.contextmanager
def certified(
    directory: Path, *signing: str, authority: str = "ed25519", host: str = "ed25519"
) -> Iterator[Certified]:
    """A server whose host key is signed by ssh-keygen with these words, by a CA key of that type."""
    make_key(directory / "ca", authority)
    make_key(directory / "other")
    if host != "ed25519":
        make_key(directory / f"host_{host}", host)

    def sign() -> str:
        subprocess.run(
            ["ssh-keygen", "-q", "-s", str(directory / "ca"), "-I", "test", "-h", *signing]
            + [str(directory / f"host_{host}.pub")],
            check=True,
        )
        return f"HostCertificate {directory}/host_{host}-cert.pub"

    # The server makes its ed25519 key when it starts, so that one is made here first and given another name there.
    if host == "ed25519":
        make_key(directory / "host_ed25519")
        lines = f"HostKey {directory}/host_ed25519\n{sign()}"
        directory_of_server = directory / "server"
    else:
        lines = f"HostKey {directory}/host_{host}\n{sign()}"
        directory_of_server = directory
    with openssh_server(directory_of_server, lines) as server:
        yield Certified(server, directory)


def verdict(options: SSHOptions) -> str:
    """ "known", or the words of the error."""
    try:
        with running(options, "echo fine") as got:
            assert got.wait_size(5) == b"fine\n"
            assert got.path.peer.notices == ()
    except ConnectError as error:
        assert isinstance(error, HostKeyError)
        assert error.stage == "hostkey"
        return error.message
    return "known"


CA = "@cert-authority 127.0.0.1 {ca}"


@pytest.mark.parametrize(
    ("lines", "extra", "expected"),
    [
        ([CA], (), "known"),
        (["@cert-authority * {ca}"], (), "known"),
        (["@cert-authority [127.0.0.1]:{port} {ca}"], (), "known"),
        (["@cert-authority *,!127.0.0.1 {ca}"], (), "known"),  # with its port it is another name
        (["@cert-authority *,!127.0.0.1,![127.0.0.1]:{port} {ca}"], (), "not known"),
        (["@cert-authority web1 {ca}"], (), "not known"),
        (["@cert-authority 127.0.0.1 {other}"], (), "not known"),
        (["@cert-authority 127.0.0.1 {other}", CA], (), "known"),
        ([f"@cert-authority {host_names.hashed('127.0.0.1', b's' * 20)} {{ca}}"], (), "known"),
        # The authority's key is not the host's.
        (["127.0.0.1 {ca}"], (), "not known"),
        (["[127.0.0.1]:{port} {ca}"], (), "HAS CHANGED"),
        ([CA, "[127.0.0.1]:{port} {other}"], (), "known"),
        # Without an authority the key in the certificate counts.
        (["[127.0.0.1]:{port} {key}"], (), "known"),
        ([CA, "@revoked * {ca}"], (), "revoked"),
        ([CA, "@revoked * {key}"], (), "revoked"),
        (["@revoked * {ca}", "[127.0.0.1]:{port} {key}"], (), "revoked"),
        (["@revoked * {other}", CA], (), "known"),
        # The certificate is for 127.0.0.1; an alias takes the name's place.
        (["@cert-authority cluster {ca}"], ("HostKeyAlias=cluster",), "for 127.0.0.1, not for cluster"),
        ([CA], ("HostKeyAlias=cluster",), "not known"),
    ],
)
def test_who_vouches_for_whom(
    lines: list[str], extra: tuple[str, ...], expected: str, one: Certified
) -> None:
    file = one.known_as(*lines)
    found = verdict(one.options(file, *extra))
    assert (found == "known") is one.ssh_accepts(file, *extra)
    assert found.startswith("known") if expected == "known" else expected in found


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    with certified(tmp_path_factory.mktemp("certified"), "-n", "127.0.0.1") as server:
        yield server


@pytest.mark.parametrize(
    ("signing", "expected"),
    [
        (["-n", "web1,127.0.0.1"], "known"),
        (["-n", "web1,web2"], "for web1, web2, not for 127.0.0.1"),
        ([], "known"),
        (["-n", "127.0.0.1", "-V", "20200101:20210101"], "expired on 20"),
        (["-n", "127.0.0.1", "-V", "20400101:20410101"], "not valid before 20"),
        (["-n", "127.0.0.1", "-V", "-1h:+1h"], "known"),
        (["-n", "127.0.0.1", "-O", "critical:purpose=test"], "critical option"),
    ],
)
def test_what_a_certificate_must_say(signing: list[str], expected: str, tmp_path: Path) -> None:
    with certified(tmp_path, *signing) as one:
        file = one.known_as(CA)
        found = verdict(one.options(file))
        assert expected in found
        assert (found == "known") is one.ssh_accepts(file)
        if found != "known":
            # Not a matter of the mode: an authority is known for this host.
            before = file.read_text()
            assert expected in verdict(one.options(file, host_keys="accept-new"))
            assert file.read_text() == before
            assert f"{file}:1" in found
            # The key itself is as good as without a certificate.
            assert verdict(one.options(one.known_as(CA, "[127.0.0.1]:{port} {key}"))) == "known"


@pytest.mark.parametrize("host", ["ecdsa", "rsa"])
@pytest.mark.parametrize("authority", ["ecdsa", "rsa"])
def test_every_type_of_key_and_authority(host: str, authority: str, tmp_path: Path) -> None:
    with certified(tmp_path, "-n", "127.0.0.1", authority=authority, host=host) as one:
        file = one.known_as(CA)
        with running(one.options(file), "true") as got:
            # The server has a plain ed25519 key as well: the certificate was asked for first.
            assert got.path.peer.host_key_type == ("ssh-rsa" if host == "rsa" else "ecdsa-sha2-nistp256")
        assert one.ssh_accepts(file)


def test_an_authority_that_signs_with_sha1_is_none(tmp_path: Path) -> None:
    with certified(tmp_path, "-n", "127.0.0.1", "-t", "ssh-rsa", authority="rsa") as one:
        file = one.known_as(CA)
        assert "ssh-rsa', which is not accepted" in verdict(one.options(file))
        assert not one.ssh_accepts(file)


def test_a_certificate_is_noted_nowhere(one: Certified) -> None:
    file = one.known_as(CA)
    before = file.read_text()
    assert verdict(one.options(file, host_keys="accept-new")) == "known"
    assert file.read_text() == before


def test_revoked_host_keys(one: Certified) -> None:
    file = one.known_as("[127.0.0.1]:{port} {key}", CA)
    revoked = one.directory / "revoked"
    option = f"RevokedHostKeys={revoked}"
    for text, expected in (
        (public(one.directory / "other"), "known"),
        (f"# stolen\n{one.key} of web1", f"{revoked}:2"),
        (one.authority, f"{revoked}:1"),
        ("nonsense", f"{revoked}:1 is not a public key"),
        (None, "cannot be read"),
    ):
        revoked.unlink(missing_ok=True)
        if text is not None:
            revoked.write_text(text + "\n")
        found = verdict(one.options(file, option))
        assert expected in found
        assert (found == "known") is one.ssh_accepts(file, option)
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", str(revoked), str(one.directory / "other.pub")], check=True)
    assert "--transport openssh" in verdict(one.options(file, option))


def test_lines_are_found_where_ssh_keygen_finds_them(one: Certified) -> None:
    patterns = [
        "web1", "WEB1,web2", "*.example.org", "web?", "*,!web1", "!web1,*", "!web1", "[web1]:2222", "[web*]:22?2",
        "10.0.0.*", "2001:db8::1", "[2001:db8::1]:2222", "@cert-authority *.example.org", "@revoked web1",
        "@cert-authority [*]:2222", host_names.hashed("web1", b"a" * 20),
        "@revoked " + host_names.hashed("[web1]:2222", b"b" * 20), "[web1]:22", "*", "web1,", "web1*,!web12",
    ]  # fmt: skip
    file = one.known_as(*(pattern + " {other}" for pattern in patterns))
    known = known_hosts.KnownHosts([str(file)])
    assert known.problems == []
    for name in (
        "web1", "web2", "web12", "a.example.org", "example.org", "[web1]:2222", "[web1]:22", "10.0.0.7",
        "2001:db8::1", "[2001:db8::1]:2222", "[a.example.org]:2222", "nothing",
    ):  # fmt: skip
        done = subprocess.run(
            ["ssh-keygen", "-F", name, "-f", str(file)], capture_output=True, text=True, check=False
        )
        theirs = sorted(map(int, re.findall(r"found: line (\d+)", done.stdout)))
        assert sorted(entry.line for entry in known.named(name)) == theirs, name


def test_a_wildcard_line_that_is_wrong_is_named_for_removal(one: Certified) -> None:
    file = one.known_as("# first", "*.1,[127.0.0.?]:* {other}")
    error = connect_error(one.options(file))
    assert "CHANGED" in error.message
    assert f"remove {file}:2" in error.hint
