"""Are we welcome? Keys and agents, against a real OpenSSH server."""

from __future__ import annotations

import base64
import os
import re
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from paramiko.common import MSG_SERVICE_ACCEPT, MSG_SERVICE_REQUEST, MSG_USERAUTH_REQUEST
from paramiko.message import Message

from remotesvc import ssh
from remotesvc.bootstrap.data.secret import Secret
from remotesvc.bootstrap.unreachable import AuthenticationError, ConnectError, ConnectTimeout
from remotesvc.ssh import SSHOptions
from remotesvc.ssh.login.keyring import KeyRing
from remotesvc.ssh.paths.packets import GuardedPacketizer
from tests.integration.ssh_servers import OpenSSHServer, agent, connect_error, connects, make_key, openssh_server

pytest_plugins = ("tests.integration.sshd_fixture",)


SSH_AGENT_FAILURE, SSH_AGENTC_REQUEST_IDENTITIES, SSH_AGENT_IDENTITIES_ANSWER = 5, 11, 12


class Person:
    """Somebody at the terminal, who gives these answers in turn and then none."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def confirm(self, question: str) -> bool:
        raise AssertionError(question)

    def secret(self, prompt: str) -> str | None:
        self.asked.append(prompt)
        return self.answers.pop(0) if self.answers else None


def log_in(options: SSHOptions, keys: KeyRing) -> None:
    path = ssh.open(options, lambda peer: "true", keys=keys)
    path.close()
    path.join(10)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_every_kind_of_key_file_logs_in(kind: str, tmp_path: Path) -> None:
    with openssh_server(tmp_path) as server:
        public = make_key(tmp_path / "mine", kind)
        (tmp_path / "authorized_keys").write_text(public + "\n")
        connects(server.options(key_filename=tmp_path / "mine"))


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_the_agent_logs_in(kind: str, tmp_path: Path) -> None:
    with openssh_server(tmp_path) as server:
        key = tmp_path / "mine"
        (tmp_path / "authorized_keys").write_text(make_key(key, kind) + "\n")
        with agent(tmp_path, key) as path:
            key.unlink()
            options = server.options(key_filename=None, extra_options=(f"IdentityAgent={path}",))
            connects(options)
            # Only what the configuration names, and that names nothing the agent has.
            only = (f"IdentityAgent={path}", "IdentitiesOnly=yes", f"IdentityFile={tmp_path}/absent")
            error = connect_error(server.options(key_filename=None, extra_options=only))
            assert isinstance(error, AuthenticationError)
            # The public half names the key whose private half the agent has.
            only = (f"IdentityAgent={path}", "IdentitiesOnly=yes", f"IdentityFile={key}")
            connects(server.options(key_filename=None, extra_options=only))


def test_the_agent_is_not_used_when_there_is_none(sshd: OpenSSHServer, tmp_path: Path) -> None:
    connects(sshd.options(extra_options=(f"IdentityAgent={tmp_path}/absent",)))
    error = connect_error(
        sshd.options(
            key_filename=None,
            extra_options=(f"IdentityAgent={tmp_path}/absent", f"IdentityFile={tmp_path}/none"),
        )
    )
    assert f"no ssh-agent at {tmp_path}/absent" in error.message


def test_an_agent_that_is_empty_or_holds_other_keys_is_told(sshd: OpenSSHServer, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    with agent(tmp_path) as path:
        nothing = (f"IdentityAgent={path}", f"IdentityFile={tmp_path}/none")
        options = sshd.options(key_filename=None, extra_options=nothing)
        error = connect_error(options)
        assert f"tried the ssh-agent at {path} holds no key that can be used" in error.message
        subprocess.run(["ssh-add", "-q", tmp_path / "other"], env={**os.environ, "SSH_AUTH_SOCK": path}, check=True)
        error = connect_error(replace(options, extra_options=(*nothing, "IdentitiesOnly=yes")))
        assert "tried 1 agent keys left out, IdentitiesOnly" in error.message


def test_an_agent_that_never_answers_is_told_and_nothing_else_is_blamed(sshd: OpenSSHServer, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "mute"))
        listener.listen()
        error = connect_error(sshd.options(extra_options=(f"IdentityAgent={tmp_path}/mute",)), seconds=3)
    assert isinstance(error, ConnectTimeout) and error.stage == "auth"
    assert f"the ssh-agent at {tmp_path}/mute does not answer" in error.message
    assert "closed the connection" not in error.message


def test_a_full_agent_does_not_use_up_the_attempts(tmp_path: Path) -> None:
    with openssh_server(tmp_path) as server:
        others = []
        for number in range(9):
            others.append(tmp_path / f"other{number}")
            make_key(others[-1])
        with agent(tmp_path, *others) as path:
            connects(server.options(extra_options=(f"IdentityAgent={path}",)))
            error = connect_error(
                server.options(key_filename=others[0], extra_options=(f"IdentityAgent={path}",))
            )
        assert isinstance(error, AuthenticationError)
        assert "left out" in error.message
        assert error.message.count("rejected") <= 6


def test_agent_keys_that_are_not_shown_take_no_attempts(tmp_path: Path) -> None:
    """Of these the server hears nothing: ssh_config leaves them out, or the agent does not sign with them."""
    others = [tmp_path / f"other{number}" for number in range(7)]
    nothing = (f"IdentityAgent={tmp_path}/agent", f"IdentityFile={tmp_path}/none")
    with openssh_server(tmp_path / "server") as server:
        for kind, option in (("ecdsa", "PubkeyAcceptedAlgorithms=ssh-ed25519"), ("ed25519", "BatchMode=yes")):
            for other in others:
                other.unlink(missing_ok=True)
                make_key(other, kind)
            with agent(tmp_path) as path:
                environment = {**os.environ, "SSH_AUTH_SOCK": path}
                # Those of the second round want a confirmation that nobody can give.
                constraint = ["-c"] if kind == "ed25519" else []
                for key in others:
                    subprocess.run(["ssh-add", "-q", *constraint, key], env=environment, check=True)
                options = server.options(key_filename=None, extra_options=(*nothing, option))
                error = connect_error(options)
                assert ("refused to sign" in error.message) == (kind == "ed25519")
                assert "servers count attempts" not in error.message
                subprocess.run(["ssh-add", "-q", server.key_file], env=environment, check=True)
                connects(options)


def test_an_agent_key_that_is_constrained_to_a_host_logs_in_there_alone(tmp_path: Path) -> None:
    with openssh_server(tmp_path / "right") as right, openssh_server(tmp_path / "wrong") as wrong:
        (tmp_path / "wrong/authorized_keys").write_text((tmp_path / "right/user_ed25519.pub").read_text())
        with agent(tmp_path) as path:
            there = ["-h", f"[{right.host}]:{right.port}", "-H", right.known_hosts_file]
            environment = {**os.environ, "SSH_AUTH_SOCK": path}
            subprocess.run(["ssh-add", "-q", *there, right.key_file], env=environment, check=True)
            nothing = (f"IdentityAgent={path}", f"IdentityFile={tmp_path}/none")
            connects(right.options(key_filename=None, extra_options=nothing))
            error = connect_error(wrong.options(key_filename=None, extra_options=nothing))
            assert "holds no key that can be used" in error.message


def test_agent_keys_of_types_that_are_not_known_here_are_told(sshd: OpenSSHServer, tmp_path: Path) -> None:
    def answer(connection: socket.socket) -> None:
        with connection:
            while (request := connection.recv(1024)) and request[4] != SSH_AGENTC_REQUEST_IDENTITIES:
                connection.sendall(bytes([0, 0, 0, 1, SSH_AGENT_FAILURE]))
            listed = Message()
            listed.add_byte(bytes([SSH_AGENT_IDENTITIES_ANSWER]))
            listed.add_int(2)
            for number in b"ab":
                blob = Message()
                blob.add_string("webauthn-sk-ecdsa-sha2-nistp256@openssh.com")
                listed.add_string(blob.asbytes() + bytes([number]))
                listed.add_string("odd")
            connection.sendall(len(listed.asbytes()).to_bytes(4, "big") + listed.asbytes())
            connection.recv(1024)  # until it is let go of

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "odd"))
        listener.listen()
        thread = threading.Thread(target=lambda: answer(listener.accept()[0]))
        thread.start()
        options = (f"IdentityAgent={tmp_path}/odd", f"IdentityFile={tmp_path}/none")
        error = connect_error(sshd.options(key_filename=None, extra_options=options))
        thread.join()
    assert "2 agent keys: of the type webauthn-sk-ecdsa-sha2-nistp256@openssh.com, which only" in error.message
    assert "PubkeyAcceptedAlgorithms" not in error.message


def test_a_locked_agent_is_told_and_does_not_break_the_connection(
    sshd: OpenSSHServer, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    make_key(other)
    with agent(tmp_path, other) as path:
        # The key needs a confirmation that nobody can give: the agent refuses to sign.
        environment = {**os.environ, "SSH_AUTH_SOCK": path, "SSH_ASKPASS": "/bin/false", "DISPLAY": ":99"}
        subprocess.run(["ssh-add", "-q", "-c", str(other)], env=environment, check=True)
        subprocess.run(["ssh-add", "-q", "-d", str(other)], env=environment, check=True)
        subprocess.run(["ssh-add", "-q", "-c", str(other)], env=environment, check=True)
        connects(sshd.options(extra_options=(f"IdentityAgent={path}",)))
        error = connect_error(sshd.options(key_filename=other, extra_options=(f"IdentityAgent={path}",)))
        assert "refused to sign" in error.message


def test_the_error_lists_what_was_tried_and_what_the_server_takes(
    sshd: OpenSSHServer, tmp_path: Path
) -> None:
    wrong, locked, loose, text = (tmp_path / name for name in ("wrong", "locked", "loose", "text"))
    make_key(wrong)
    make_key(locked, passphrase="hunter2")
    make_key(loose)
    loose.chmod(0o644)
    text.write_text("not a key\n")
    text.chmod(0o600)
    error = connect_error(
        sshd.options(key_filename=[wrong, locked, loose, text], password="hunter3", user="nobody")
    )
    assert isinstance(error, AuthenticationError)
    assert error.stage == "auth"
    assert "login as nobody failed" in error.message
    assert re.search(rf"key {wrong} \(ssh-ed25519 SHA256:\S+\): rejected", error.message)
    # The server is asked before anybody is asked for a passphrase.
    assert re.search(rf"key {locked} \(ssh-ed25519 SHA256:\S+\): rejected", error.message)
    assert f"key {loose}: ignored, others can read it: mode 0644" in error.message
    assert f"key {text}: not a private key" in error.message
    assert "password: the server does not take one" in error.message
    assert "the server takes publickey" in error.message
    assert "hunter" not in str(error)


def test_a_login_with_nothing_to_offer_says_so(sshd: OpenSSHServer, tmp_path: Path) -> None:
    nothing = ("IdentityAgent=none", f"IdentityFile={tmp_path}/absent")
    error = connect_error(sshd.options(key_filename=None, extra_options=nothing))
    assert "tried nothing" in error.message
    assert "the server takes publickey" in error.message


def test_a_second_factor_that_we_cannot_give_is_named(tmp_path: Path) -> None:
    extra = "AuthenticationMethods publickey,keyboard-interactive\nKbdInteractiveAuthentication yes"
    with openssh_server(tmp_path, extra) as server:
        error = connect_error(server.options())
        assert "the server asks for more: keyboard-interactive" in error.message


def test_two_keys_that_are_both_needed(tmp_path: Path) -> None:
    with openssh_server(tmp_path, "AuthenticationMethods publickey,publickey") as server:
        second = make_key(tmp_path / "second")
        with open(tmp_path / "authorized_keys", "a") as file:
            file.write(second + "\n")
        assert isinstance(connect_error(server.options()), AuthenticationError)
        connects(server.options(key_filename=[server.key_file, tmp_path / "second"]))


def test_a_server_that_allows_few_attempts(tmp_path: Path) -> None:
    with openssh_server(tmp_path, "MaxAuthTries 2") as server:
        wrong = []
        for number in range(4):
            wrong.append(tmp_path / f"wrong{number}")
            make_key(wrong[-1])
        error = connect_error(server.options(key_filename=wrong))
        assert isinstance(error, AuthenticationError)
        assert "the server closed the connection after 2 attempt" in error.message
        assert "IdentitiesOnly" in error.hint


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("rsa", ["-m", "PEM"]),
        ("rsa", ["-m", "PKCS8"]),
        ("ecdsa", ["-m", "PEM", "-b", "521"]),
        ("ecdsa", ["-m", "PKCS8", "-b", "384"]),
        ("ed25519", ["-Z", "aes256-gcm@openssh.com"]),
        ("ed25519", ["-Z", "aes128-cbc"]),
        ("rsa", []),
    ],
)
def test_every_form_of_key_file_logs_in(kind: str, words: list[str], tmp_path: Path) -> None:
    with openssh_server(tmp_path) as server:
        for passphrase in ("", "hunter2"):
            key = tmp_path / f"mine{passphrase}"
            subprocess.run(
                ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, *words, "-f", str(key)], check=True
            )
            (tmp_path / "authorized_keys").write_text(key.with_name(key.name + ".pub").read_text())
            connects(server.options(key_filename=key, passphrase=Secret(passphrase) if passphrase else None))
            key.with_name(key.name + ".pub").unlink()  # nor is the public half needed
            connects(server.options(key_filename=key, passphrase=passphrase or None))


def test_a_passphrase_is_asked_for_once(tmp_path: Path) -> None:
    with openssh_server(tmp_path) as server:
        key = tmp_path / "mine"
        (tmp_path / "authorized_keys").write_text(make_key(key, passphrase="hunter2") + "\n")
        person = Person("hunter1", "hunter2")
        keys = KeyRing(person)
        options = server.options(key_filename=key)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: log_in(options, keys), range(8)))
        assert len(person.asked) == 2
        assert str(key) in person.asked[0]
        assert "does not open it" in person.asked[1]
        # Somebody else's router knows nothing of it.
        assert "no passphrase is at hand" in connect_error(options).message


def test_a_program_that_ends_while_a_key_is_decrypted_is_not_aborted(tmp_path: Path) -> None:
    make_key(tmp_path / "id", passphrase="secret")
    script = """
import sys, threading, time
from remotesvc.ssh.login import keyfile

class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(1)

def decrypt(*arguments, **options):
    begun.set()
    return really(*arguments, **options)

sys.slow = Slow()  # one of the last to go
begun = threading.Event()
really, keyfile.serialization.load_ssh_private_key = keyfile.serialization.load_ssh_private_key, decrypt
threading.Thread(target=keyfile.load, args=(sys.argv[1], "secret"), daemon=True).start()
begun.wait()
"""
    words = [sys.executable, "-c", script, str(tmp_path / "id")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fork_made_while_a_key_is_decrypted_can_decrypt_its_own(tmp_path: Path) -> None:
    make_key(tmp_path / "id", passphrase="secret")
    script = """
import os, sys, threading
from remotesvc.ssh.login import keyfile

def decrypt(*arguments, **options):
    begun.set()
    go_on.wait()
    return really(*arguments, **options)

begun, go_on = threading.Event(), threading.Event()
really, keyfile.serialization.load_ssh_private_key = keyfile.serialization.load_ssh_private_key, decrypt
other = threading.Thread(target=keyfile.load, args=(sys.argv[1], "secret"))
other.start()
begun.wait()
pid = os.fork()
go_on.set()
if pid:
    other.join()
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
keyfile.load(sys.argv[1], "secret")
"""
    words = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "id")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


def test_who_has_no_passphrase_is_not_asked_again(tmp_path: Path) -> None:
    with openssh_server(tmp_path) as server:
        key = tmp_path / "mine"
        (tmp_path / "authorized_keys").write_text(make_key(key, passphrase="hunter2") + "\n")
        person = Person("wrong", "wrong", "wrong", "hunter2")
        keys = KeyRing(person)
        for _ in range(2):
            with pytest.raises(AuthenticationError) as caught:
                log_in(server.options(key_filename=key), keys)
            assert f"key {key}: the passphrase does not open it" in caught.value.message
        assert len(person.asked) == 3
        error = connect_error(server.options(key_filename=key, passphrase="hunter3"))
        assert "the passphrase does not open it" in error.message
        assert "hunter" not in str(error)


def test_nobody_is_asked_about_a_key_the_server_does_not_want(sshd: OpenSSHServer, tmp_path: Path) -> None:
    make_key(tmp_path / "locked", passphrase="hunter2")
    person = Person("hunter2")
    log_in(sshd.options(key_filename=[tmp_path / "locked", sshd.key_file]), KeyRing(person))
    assert person.asked == []


def test_batch_mode_asks_nobody(tmp_path: Path) -> None:
    with openssh_server(tmp_path) as server:
        key = tmp_path / "mine"
        (tmp_path / "authorized_keys").write_text(make_key(key, passphrase="hunter2") + "\n")
        person = Person("hunter2")
        with pytest.raises(AuthenticationError):
            log_in(
                server.options(key_filename=key, extra_options=("IdentityAgent=none", "BatchMode=yes")),
                KeyRing(person),
            )
        assert person.asked == []


def test_keys_that_cannot_be_used_are_told_why(tmp_path: Path) -> None:
    with openssh_server(tmp_path) as server:
        own = Path(server.key_file)
        texts = {
            "putty": ("PuTTY-User-Key-File-3: ssh-ed25519\n", "puttygen"),
            "public": (own.with_name(own.name + ".pub").read_text(), "a public key"),
            "damaged": (own.read_text()[:120], "not a private key, or a damaged one"),
            "device": (SECURITY_KEY, "--transport openssh"),
        }
        for name, (text, _) in texts.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o644 if name == "public" else 0o600)
        (tmp_path / "directory").mkdir(mode=0o700)
        cipher = "chacha20-poly1305@openssh.com"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-Z", cipher, "-N", "hunter2", "-f", str(tmp_path / "odd")],
            check=True,
        )
        # The server would take it: that is what leads to reading it.
        (tmp_path / "authorized_keys").write_text((tmp_path / "odd.pub").read_text())
        names = [*texts, "odd", "directory"]
        error = connect_error(server.options(key_filename=[tmp_path / name for name in names], passphrase="hunter2"))
    tried = error.message.split("; ")
    expected = {name: words for name, (_, words) in texts.items()} | {"odd": "ssh-add", "directory": "Is a directory"}
    for name, words in expected.items():
        assert any(f"{tmp_path / name}: " in part and words in part for part in tried), (name, tried)


# A key of this type cannot be made without the device. This one was put together: type, point, application.
SECURITY_KEY = "".join(
    (
        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        base64.b64encode(
            b"openssh-key-v1\0"
            + b"".join(len(part).to_bytes(4, "big") + part for part in (b"none", b"none", b""))
            + (1).to_bytes(4, "big")
            + (0x4A).to_bytes(4, "big")
            + b"".join(
                len(part).to_bytes(4, "big") + part for part in (b"sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:")
            )
            + bytes(4)
        ).decode(),
        "\n-----END OPENSSH PRIVATE KEY-----\n",
    )
)


def test_an_rsa_key_whose_numbers_do_not_belong_together_signs_nothing(sshd: OpenSSHServer, tmp_path: Path) -> None:
    good = rsa.generate_private_key(65537, 2048).private_numbers()
    wrong = {
        "dmp1": rsa.RSAPrivateNumbers(good.p, good.q, good.d, good.dmp1 + 2, good.dmq1, good.iqmp, good.public_numbers),
        "iqmp": rsa.RSAPrivateNumbers(good.p, good.q, good.d, good.dmp1, good.dmq1, good.iqmp + 1, good.public_numbers),
    }
    for name, numbers in wrong.items():
        key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        file = tmp_path / name
        file.write_bytes(text)
        file.chmod(0o600)
        assert "damaged" in connect_error(sshd.options(key_filename=file)).message


def test_keys_that_ssh_config_leaves_out(tmp_path: Path) -> None:
    with openssh_server(tmp_path) as server:
        key = tmp_path / "mine"
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(key)], check=True)
        (tmp_path / "authorized_keys").write_text(key.with_name("mine.pub").read_text())
        for option, words in (
            ("RequiredRSASize=3072", "has 2048 bits, RequiredRSASize is 3072"),
            ("PubkeyAcceptedAlgorithms=ssh-ed25519", "left out by PubkeyAcceptedAlgorithms"),
            ("PubkeyAcceptedAlgorithms=rsa-sha2-256", ""),
        ):
            # The server's own key is judged by RequiredRSASize, too; it is no RSA key here.
            options = server.options(key_filename=key, extra_options=("IdentityAgent=none", option))
            if words:
                assert words in connect_error(options).message
            else:
                connects(options)


def test_a_refused_user_is_an_error_of_the_host(sshd: OpenSSHServer) -> None:
    error = connect_error(sshd.options(user="no-such-user-here"))
    assert isinstance(error, ConnectError)
    assert error.stage == "auth"


def test_a_login_with_a_key_takes_one_round_trip(sshd: OpenSSHServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request for the service and the signature leave together, and nothing is asked before."""
    said: list[int] = []
    signed = threading.Event()
    in_time: list[bool] = []
    send, read = GuardedPacketizer.send_message, GuardedPacketizer.read_message

    def sending(self: GuardedPacketizer, message: Message) -> None:
        said.append(message.asbytes()[0])
        send(self, message)
        if said[-1] == MSG_USERAUTH_REQUEST:
            signed.set()

    def reading(self: GuardedPacketizer) -> tuple[int, Message]:
        kind, message = read(self)
        if kind == MSG_SERVICE_ACCEPT:  # who waits for this before he signs waits in vain
            in_time.append(signed.wait(10))
        return kind, message

    monkeypatch.setattr(GuardedPacketizer, "send_message", sending)
    monkeypatch.setattr(GuardedPacketizer, "read_message", reading)
    connects(sshd.options())
    assert in_time == [True]
    assert said.count(MSG_SERVICE_REQUEST) == said.count(MSG_USERAUTH_REQUEST) == 1
