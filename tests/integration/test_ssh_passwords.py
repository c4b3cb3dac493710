"""Passwords, by each method a server may have for them."""

from __future__ import annotations

from pathlib import Path

import paramiko
import pytest
from paramiko.common import (
    AUTH_FAILED,
    AUTH_PARTIALLY_SUCCESSFUL,
    AUTH_SUCCESSFUL,
    cMSG_EXT_INFO,
    cMSG_USERAUTH_INFO_REQUEST,
)
from paramiko.message import Message
from paramiko.server import InteractiveQuery

from remotesvc.bootstrap.unreachable import AuthenticationError
from remotesvc.ssh import SSHOptions
from tests.integration.password_server import PasswordServer
from tests.integration.ssh_servers import connect_error, make_key, one_client_server, running


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
@pytest.mark.parametrize("password", ["open sesame", "wrong"])
def test_a_password(method: str, password: str, tmp_path: Path) -> None:
    rules = PasswordServer(method)
    with one_client_server(rules, tmp_path) as settings:
        nothing = ("IdentityAgent=none", f"IdentityFile={tmp_path}/absent")
        options = SSHOptions.parse("127.0.0.1", password=password, extra_options=nothing, **settings)
        if password == "wrong":
            error = connect_error(options)
            assert isinstance(error, AuthenticationError)
            assert "password" in error.message
            assert "wrong" not in str(error)
            assert f"the server takes {method}" in error.message
        else:
            with running(options, "true"):
                pass
        assert rules.heard[-1] == method


def test_a_password_that_nobody_gave_is_hinted_at(tmp_path: Path) -> None:
    rules = PasswordServer("password")
    with one_client_server(rules, tmp_path) as settings:
        nothing = ("IdentityAgent=none", f"IdentityFile={tmp_path}/absent")
        error = connect_error(SSHOptions.parse("127.0.0.1", extra_options=nothing, **settings))
        assert "the server takes password" in error.message
        assert "password" in error.hint
        assert rules.heard == []


class _Talkative(PasswordServer):
    """Keyboard-interactive in rounds: each is a list of (prompt, may be shown); the first expects the password."""

    def __init__(self, *rounds: list[tuple[str, bool]], takes: str = "keyboard-interactive") -> None:
        super().__init__(takes)
        self.rounds = list(rounds)
        self.answers: list[list[str]] = []

    def check_auth_interactive(self, username: str, submethods: str) -> InteractiveQuery | int:
        return self._ask()

    def check_auth_interactive_response(self, responses: list[str]) -> InteractiveQuery | int:
        self.answers.append(list(responses))
        return self._ask() if self.rounds else AUTH_FAILED

    def _ask(self) -> InteractiveQuery:
        return InteractiveQuery("title\x1b]0;owned\x07", "line\r\nFORGED", *self.rounds.pop(0))


def nothing_but_a_password(directory: Path, **settings: object) -> SSHOptions:
    none = ("IdentityAgent=none", f"IdentityFile={directory}/absent")
    extra = (*none, *settings.pop("extra_options", ()))  # type: ignore[misc]
    return SSHOptions.parse("127.0.0.1", extra_options=extra, **settings)  # type: ignore[arg-type]


def failure(rules: paramiko.ServerInterface, directory: Path, **changes: object) -> AuthenticationError:
    with one_client_server(rules, directory) as settings:
        error = connect_error(nothing_but_a_password(directory, password="open sesame", **{**settings, **changes}))
    assert isinstance(error, AuthenticationError)
    assert "sesame" not in str(error) + repr(error)
    return error


@pytest.mark.parametrize(
    ("rounds", "answers", "question"),
    [
        ([[("Password: ", False)], [("Code: ", False)]], [["open sesame"], [""]], "'Code: '"),
        ([[("Password: ", False)], [("New: ", False), ("Again: ", False)]], [["open sesame"], ["", ""]], "'New: '"),
        ([[("Name: ", True)]], [[""]], "'Name: '"),
        ([[("Password: ", False), ("Code: ", False)]], [["", ""]], "'Password: '"),
        ([[], [("Password: ", False)]], [[], ["open sesame"]], ""),
        ([[("\x1b]0;owned\x07", True)]], [[""]], r"'\x1b]0;owned\x07'"),
    ],
)
def test_only_the_one_question_is_answered(
    rounds: list[list[tuple[str, bool]]], answers: list[list[str]], question: str, tmp_path: Path
) -> None:
    rules = _Talkative(*rounds)
    error = failure(rules, tmp_path)
    assert rules.answers == answers
    assert ("the server asked " + question in error.message) is bool(question)
    assert "\x1b" not in str(error)
    assert "\r" not in str(error)
    if question:
        assert "--transport openssh" in error.hint


def test_a_server_that_asks_without_end_is_left(tmp_path: Path) -> None:
    rules = _Talkative(*[[("Password: ", False)]] * 1000)
    error = failure(rules, tmp_path)
    assert 1 < len(rules.answers) < 20
    assert rules.answers.count(["open sesame"]) == 1
    assert "closed the connection" in error.message


def test_a_count_that_a_server_announces_is_not_believed(tmp_path: Path) -> None:
    class Liar(PasswordServer):
        def check_auth_interactive(self, username: str, submethods: str) -> int:
            message = Message()
            message.add_byte(cMSG_USERAUTH_INFO_REQUEST)
            for _ in range(3):
                message.add_string("")
            message.add_int(2**32 - 1)
            transports[0].packetizer.send_message(message)
            return AUTH_FAILED

    transports: list[paramiko.Transport] = []
    with one_client_server(Liar("keyboard-interactive"), tmp_path, transports.append) as settings:
        assert isinstance(
            connect_error(nothing_but_a_password(tmp_path, password="x", **settings), seconds=20), AuthenticationError
        )


def test_extensions_that_a_server_announces_are_not_believed(tmp_path: Path) -> None:
    def greet(transport: paramiko.Transport) -> None:
        message = Message()
        message.add_byte(cMSG_EXT_INFO)
        message.add_int(2**32 - 1)
        rules.send = lambda: transport.packetizer.send_message(message)

    class Liar(PasswordServer):
        send = staticmethod(lambda: None)

        def check_auth_none(self, username: str) -> int:
            self.send()
            return AUTH_FAILED

    rules = Liar("password")
    with one_client_server(rules, tmp_path, greet) as settings:
        error = connect_error(nothing_but_a_password(tmp_path, password="x", **settings), seconds=20)
    assert isinstance(error, AuthenticationError)


def test_a_password_that_has_expired(tmp_path: Path) -> None:
    class Expired(PasswordServer):
        def check_auth_password(self, username: str, password: str) -> int:
            message = Message()
            message.add_byte(cMSG_USERAUTH_INFO_REQUEST)  # the number means "change it" here
            message.add_string("Your password has expired")
            message.add_string("")
            transports[0].packetizer.send_message(message)
            return AUTH_FAILED

    transports: list[paramiko.Transport] = []
    with one_client_server(Expired("password"), tmp_path, transports.append) as settings:
        error = connect_error(nothing_but_a_password(tmp_path, password="x", **settings))
    assert "password: right, but it has expired" in error.message


def test_methods_come_in_the_order_asked_for(tmp_path: Path) -> None:
    both = "password,keyboard-interactive"
    for preferred, expected in (
        (None, ["keyboard-interactive", "password"]),
        ("password,keyboard-interactive", ["password", "keyboard-interactive"]),
        ("password", ["password"]),
        ("publickey", []),
    ):
        rules = PasswordServer(both)
        with one_client_server(rules, tmp_path) as settings:
            extra = () if preferred is None else (f"PreferredAuthentications={preferred}",)
            error = connect_error(
                nothing_but_a_password(tmp_path, password="wrong", extra_options=extra, **settings)
            )
        assert rules.heard == expected
        if not expected:
            assert "ssh_config forbids" in error.hint


def test_what_ssh_config_forbids_is_not_done(tmp_path: Path) -> None:
    for option in ("PasswordAuthentication=no", "KbdInteractiveAuthentication=no"):
        rules = PasswordServer("password,keyboard-interactive")
        with one_client_server(rules, tmp_path) as settings:
            connect_error(nothing_but_a_password(tmp_path, password="wrong", extra_options=(option,), **settings))
        assert rules.heard == (["keyboard-interactive"] if option.startswith("Password") else ["password"])


def test_a_method_only_the_ssh_program_has_is_hinted_at(tmp_path: Path) -> None:
    assert "--transport openssh" in failure(PasswordServer("gssapi-with-mic,hostbased"), tmp_path).hint


def test_what_a_server_says_reaches_no_terminal_as_a_command(tmp_path: Path) -> None:
    class Rude(PasswordServer):
        def get_banner(self) -> tuple[str, str]:
            return "\x1b]0;owned\x07\x1b[2J\u202eevil\rFORGED\nsecond line", "en"

        def get_allowed_auths(self, username: str) -> str:
            return "\x1b[2J,pass word,password," + "x" * 100

    error = failure(Rude("nothing"), tmp_path)
    shown = str(error)
    assert "second line" in shown  # it may well explain the failure
    assert not any(sign in shown for sign in "\x1b\x07\r\u202e")
    assert r"\x1b]0;owned\x07" in shown
    assert "the server takes password" in error.message
    assert "xxx" not in shown


def test_a_key_and_a_password_are_both_needed(tmp_path: Path) -> None:
    class Both(PasswordServer):
        def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
            self.takes = "password"
            return AUTH_PARTIALLY_SUCCESSFUL

    make_key(tmp_path / "mine")
    for password in ("open sesame", None):
        rules = Both("publickey")
        with one_client_server(rules, tmp_path) as settings:
            options = SSHOptions.parse(
                "127.0.0.1",
                password=password,
                key_filename=tmp_path / "mine",
                extra_options=("IdentityAgent=none",),
                **settings,
            )
            if password is None:
                assert "the server asks for more: password" in connect_error(options).message
            else:
                with running(options, "true"):
                    pass


def test_a_server_that_wants_the_password_first_gets_the_key_after_it(tmp_path: Path) -> None:
    class First(PasswordServer):
        def check_auth_password(self, username: str, password: str) -> int:
            right = super().check_auth_password(username, password) == AUTH_SUCCESSFUL
            if right:
                self.takes = "publickey"
            return AUTH_PARTIALLY_SUCCESSFUL if right else AUTH_FAILED

        def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
            self.heard.append("publickey")
            return AUTH_SUCCESSFUL if self.takes == "publickey" and key.asbytes() == right_key else AUTH_FAILED

    make_key(tmp_path / "right")
    make_key(tmp_path / "wrong")
    right_key = paramiko.Ed25519Key.from_private_key_file(str(tmp_path / "right")).asbytes()
    for key, password in (("right", "open sesame"), ("wrong", "open sesame"), ("right", "wrong")):
        rules = First("password")
        with one_client_server(rules, tmp_path) as settings:
            options = SSHOptions.parse(
                "127.0.0.1",
                password=password,
                key_filename=tmp_path / key,
                extra_options=("IdentityAgent=none",),
                **settings,
            )
            if (key, password) == ("right", "open sesame"):
                with running(options, "true"):
                    pass
                assert rules.heard == ["publickey", "password", "publickey"]
                continue
            error = connect_error(options)
        assert "not looked at, for the server takes password" in error.message
        assert ("SHA256:" in error.message.rpartition(": rejected")[0].rpartition("; ")[2]) == (key == "wrong")
        assert "the server does not take one" not in error.message
