"""Certificates: what they say, that no byte of one can be changed, and that none does harm. Made by `cryptography`."""

from __future__ import annotations

import base64
import functools

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.ssh.hostkeys.certificate import (
    FOR_EVER,
    HOST,
    USER,
    Certificate,
    Malformed,
    is_certificate,
    objection,
    parse,
)

Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
NOW = 2_000_000_000


@functools.cache
def private(kind: str) -> Key:
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    curves = {"nistp256": ec.SECP256R1(), "nistp384": ec.SECP384R1(), "nistp521": ec.SECP521R1()}
    return ec.generate_private_key(curves[kind]) if kind in curves else ed25519.Ed25519PrivateKey.generate()


def wire(key: Key) -> bytes:
    """Its public half as SSH has it."""
    text = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return base64.b64decode(text.split()[1])


@functools.cache
def made(
    host: str = "ed25519",
    authority: str = "nistp256",
    kind: int = HOST,
    names: tuple[str, ...] = ("web1",),
    after: int = NOW - 100,
    before: int = NOW + 100,
    critical: bytes = b"",
) -> bytes:
    builder = (
        serialization.SSHCertificateBuilder()
        .public_key(private(host).public_key())
        .serial(7)
        .type(serialization.SSHCertificateType.HOST if kind == HOST else serialization.SSHCertificateType.USER)
        .key_id(b"id")
        .valid_after(after)
        .valid_before(before)
    )
    if names:
        builder = builder.valid_principals([name.encode() for name in names])
    else:
        builder = builder.valid_for_all_principals()  # type: ignore[no-untyped-call]
    if critical:
        builder = builder.add_critical_option(critical, b"")
    return base64.b64decode(builder.sign(private(authority)).public_bytes().split()[1])


KINDS = ("ed25519", "nistp256", "nistp384", "nistp521", "rsa")


@pytest.mark.parametrize("host", KINDS)
@pytest.mark.parametrize("authority", KINDS)
def test_every_kind_of_key_and_authority(host: str, authority: str) -> None:
    blob = made(host, authority)
    found = parse(blob)
    assert is_certificate(blob)
    assert not is_certificate(found.key)
    assert found.key == wire(private(host))
    assert found.authority == wire(private(authority))
    assert (found.kind, found.key_id, found.principals) == (HOST, "id", ("web1",))
    assert objection(found, "web1", NOW) == ""


@pytest.mark.parametrize(
    ("changes", "host", "now", "expected"),
    [
        ({}, "web1", NOW, ""),
        ({"names": ("WEB1",)}, "web1", NOW, "for WEB1, not for web1"),  # as ssh, which has host names in lower case
        ({}, "web2", NOW, "for web1, not for web2"),
        ({"names": ()}, "web2", NOW, ""),
        ({"names": ("web*",)}, "web2", NOW, "for web*"),  # patterns are for files, not for certificates
        ({"names": ("\x1b[2J",)}, "web2", NOW, r"for \x1b[2J"),
        ({"kind": USER}, "web1", NOW, "not a host's"),
        ({}, "web1", NOW - 101, "not valid before"),
        ({}, "web1", NOW - 100, ""),
        ({}, "web1", NOW + 99, ""),
        ({}, "web1", NOW + 100, "expired on 2033-05-18"),
        ({"before": FOR_EVER}, "web1", FOR_EVER, ""),
        ({"before": FOR_EVER - 1}, "web1", FOR_EVER, "expired"),
        ({"critical": b"force-command"}, "web1", NOW, "critical option"),
    ],
)
def test_what_a_certificate_must_say(changes: dict[str, object], host: str, now: float, expected: str) -> None:
    found = objection(parse(made(**changes)), host, now)
    assert expected in found if expected else found == ""


def judged(blob: bytes) -> str:
    try:
        found: Certificate = parse(blob)
    except Malformed as error:
        return str(error)
    return objection(found, "web1", NOW)


@given(st.sampled_from(KINDS), st.data())
def test_no_byte_of_a_certificate_can_be_changed(authority: str, data: st.DataObject) -> None:
    blob = bytearray(made("ed25519", authority))
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] ^= data.draw(st.integers(1, 255))
    assert judged(bytes(blob)) != ""


@given(st.data())
def test_no_certificate_can_be_cut_or_extended(data: st.DataObject) -> None:
    blob = made()
    assert judged(blob[: data.draw(st.integers(0, len(blob) - 1))]) != ""
    assert judged(blob + data.draw(st.binary(min_size=1, max_size=9))) != ""


@given(st.binary(max_size=300))
def test_no_content_of_a_certificate_raises_another_error(data: bytes) -> None:
    assert judged(data) != ""
    start = len(name := b"ssh-ed25519-cert-v01@openssh.com").to_bytes(4, "big") + name
    assert judged(start + data) != ""
    assert is_certificate(start + data)


def test_a_certificate_of_too_many_principals_is_refused() -> None:
    blob = made(names=tuple(f"web{number}" for number in range(256)))
    assert len(parse(blob).principals) == 256
    names = b"".join(len(name).to_bytes(4, "big") + name for name in [b"w"] * 257)
    start = blob.index(b"\0\0\0\4web0") - 4  # the length of the list
    assert "too many principals" in judged(blob[:start] + len(names).to_bytes(4, "big") + names)
