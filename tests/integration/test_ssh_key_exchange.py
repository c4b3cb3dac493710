"""What a server may not do in a key exchange, or by compression, although paramiko would let it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from paramiko.kex_group14 import KexGroup14SHA256

from remotesvc.ssh import SSHOptions
from remotesvc.ssh.paths.packets import PACKET_LIMIT
from tests.integration.ssh_servers import connect_error, one_client_server, running
from tests.integration.test_ssh_farewells import Says

Greet = Callable[[paramiko.Transport], None]

# The second group of RFC 2409, in which discrete logarithms have come within reach.
SMALL = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B"
    "302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6"
    "49286651ECE65381FFFFFFFFFFFFFFFF",
    16,
)


def failure(greet: Greet, directory: Path) -> str:
    """Why the key exchange with such a server fails."""
    with one_client_server(Says(""), directory, greet) as reach:
        error = connect_error(SSHOptions.parse("127.0.0.1", extra_options=("IdentityAgent=none",), **reach))
    assert error.stage == "kex"
    return error.message


def test_a_group_of_few_bits_is_refused(tmp_path: Path) -> None:
    class Groups:
        def get_modulus(self, fewest: int, preferred: int, most: int) -> tuple[int, int]:
            asked.append(fewest)
            return 2, SMALL

    def greet(transport: paramiko.Transport) -> None:
        vars(transport)["_modulus_pack"] = Groups()
        transport.get_security_options().kex = ("diffie-hellman-group-exchange-sha256",)

    asked: list[int] = []
    assert "the server chose a group of 1024 bits" in failure(greet, tmp_path)
    assert asked == [2048]


@pytest.mark.parametrize("value", [1, KexGroup14SHA256.P - 1], ids=["1", "p - 1"])
def test_a_value_that_gives_the_secret_away_is_refused(
    value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def greet(transport: paramiko.Transport) -> None:
        transport.get_security_options().kex = ("diffie-hellman-group14-sha256",)

    def exchange(self: KexGroup14SHA256) -> None:
        choose(self)
        if self.transport.server_mode:
            vars(self).update(G=value, x=1)

    choose = vars(KexGroup14SHA256)["_generate_x"]
    monkeypatch.setattr(KexGroup14SHA256, "_generate_x", exchange)
    assert "anybody would know the secret" in failure(greet, tmp_path)


def test_the_host_key_signs_by_the_algorithm_that_was_agreed_on(tmp_path: Path) -> None:
    class Older(paramiko.RSAKey):
        def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> paramiko.Message:
            signature = paramiko.Message()
            signature.add_string("rsa-sha2-256")
            signature.add_string(pair.sign(data, padding.PKCS1v15(), hashes.SHA256()))
            return signature

    pair = rsa.generate_private_key(65537, 2048)
    key = Older(key=pair)

    def greet(transport: paramiko.Transport) -> None:
        vars(transport)["server_key_dict"].clear()
        transport.add_server_key(key)

    assert "signed by rsa-sha2-256, where rsa-sha2-512 was agreed on" in failure(greet, tmp_path)


def test_another_host_key_in_a_later_key_exchange_ends_the_connection(tmp_path: Path) -> None:
    other = paramiko.ECDSAKey.generate()
    transports: list[paramiko.Transport] = []

    def exchange(transport: paramiko.Transport) -> None:
        try:
            transport.renegotiate_keys()
        except (paramiko.SSHException, EOFError):
            pass

    for changes in (False, True):
        with one_client_server(Says(""), tmp_path, transports.append) as reach:
            options = SSHOptions.parse("127.0.0.1", extra_options=("IdentityAgent=none",), **reach)
            with running(options, "true") as got:
                if changes:
                    vars(transports[-1])["server_key_dict"] = {other.get_name(): other}
                thread = threading.Thread(target=exchange, args=transports[-1:])
                thread.start()
                if changes:
                    assert "the server showed another host key than before" in got.wait_end()
                thread.join()
                assert changes or not got.reasons


def test_a_compressed_packet_is_no_larger_than_another(tmp_path: Path) -> None:
    size = PACKET_LIMIT + 1
    rules = Says("running", b"\x02", size, bytes(size))

    def greet(transport: paramiko.Transport) -> None:
        transport.use_compression()
        rules.greet(transport)

    with one_client_server(rules, tmp_path, greet) as reach:
        options = SSHOptions.parse("127.0.0.1", extra_options=("IdentityAgent=none", "Compression=yes"), **reach)
        with running(options, "true") as got:
            rules.now("running")
            assert f"compressed a packet of more than {PACKET_LIMIT} bytes" in got.wait_end()


def test_nothing_is_compressed_before_the_login(tmp_path: Path) -> None:
    def greet(transport: paramiko.Transport) -> None:
        transport.get_security_options().compression = ("zlib", "none")

    with one_client_server(Says(""), tmp_path, greet) as reach:
        options = SSHOptions.parse("127.0.0.1", extra_options=("IdentityAgent=none", "Compression=yes"), **reach)
        with running(options, "true") as got:
            assert vars(got.path.peer.transport)["remote_compression"] == "none"
