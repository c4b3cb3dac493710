"""One login dialogue with a server: requests out, one answer each (RFC 4252, RFC 4256).

paramiko's own handler sends a service request before every attempt and waits for its answer, cannot ask
whether a key would be welcome, and believes any count a server announces. This one, put in its place on the
transport, asks for the service once, together with the first attempt, and takes nothing it did not ask for.
It is the one place that knows how paramiko authenticates.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.common import (
    MSG_SERVICE_ACCEPT,
    MSG_USERAUTH_BANNER,
    MSG_USERAUTH_FAILURE,
    MSG_USERAUTH_INFO_REQUEST,
    MSG_USERAUTH_SUCCESS,
    cMSG_SERVICE_REQUEST,
    cMSG_USERAUTH_INFO_RESPONSE,
    cMSG_USERAUTH_REQUEST,
)
from paramiko.message import Message

from ..hostkeys.algorithms import SUFFIX

Handler = Callable[[Message], None]
Respond = Callable[[list[tuple[str, bool]]], list[str]]
"""Prompts, each with whether the answer may be shown, to answers. Called on paramiko's transport thread."""

BANNER_LIMIT = 16 * 1024
"""Characters kept of what a server says before the login is done."""

# A server that asks on and on is not getting anywhere; PAM stacks ask once or twice.
_MOST_ROUNDS = 8
_MOST_PROMPTS = 16
_MOST_METHODS = 32
_LONGEST_METHOD = 64


@dataclass(frozen=True)
class Answer:
    """What a server said to one request. `kind` is one of

    "in"        we are logged in
    "partial"   right, but `methods` are needed as well
    "no"        wrong; `methods` may go on
    "welcome"   the key that was asked about would do
    "expired"   the password is right and has to be changed first
    "closed"    the connection is gone
    "late"      no answer before the deadline
    """

    kind: str
    methods: tuple[str, ...] = ()


class Login(AuthHandler):
    """The client's side of authentication for `user`. Used by one thread, heard by the transport's."""

    def __init__(self, transport: paramiko.Transport, user: str) -> None:
        super().__init__(transport)
        self._client = transport
        self._user = self.username = user
        self._answered = threading.Event()
        self._answer: Answer | None = None
        self._method = ""
        self._probing = False
        self._asked_for_service = False
        self._accepted = threading.Event()
        self._respond: Respond | None = None
        self._rounds = 0
        self.said = ""
        """The server's banners, one after the other; as they came, not escaped."""
        transport.auth_handler = self
        self.auth_event = self._answered  # what the transport sets when it ends

    # -- requests

    def ask_methods(self, deadline: float) -> Answer:
        """Ask to be let in for nothing, which makes a server name the methods it takes."""
        return self._request("none", deadline, lambda message: None)

    def would_do(self, algorithm: str, blob: bytes, deadline: float) -> Answer:
        """Ask whether a public key (or certificate) in wire form is worth a signature."""

        def write(message: Message) -> None:
            message.add_boolean(False)
            message.add_string(algorithm)
            message.add_string(blob)

        return self._request("publickey", deadline, write, probing=True)

    def show_key(self, key: paramiko.PKey, algorithm: str, blob: bytes, deadline: float) -> Answer:
        """Prove that we hold `key`, as the key or certificate `blob`."""

        def write(message: Message) -> None:
            message.add_boolean(True)
            message.add_string(algorithm)
            message.add_string(blob)
            signed = Message()
            signed.add_string(self._client.session_id or b"")  # set since the key exchange
            signed.add_bytes(message.asbytes())
            message.add_string(key.sign_ssh_data(signed.asbytes(), algorithm).asbytes())

        return self._request("publickey", deadline, write)

    def say_password(self, password: str, deadline: float) -> Answer:
        """Log in by the method "password"."""

        def write(message: Message) -> None:
            message.add_boolean(False)
            message.add_string(password)

        return self._request("password", deadline, write)

    def converse(self, respond: Respond, deadline: float) -> Answer:
        """Log in by "keyboard-interactive": `respond` is given what the server asks, round by round."""
        self._respond = respond
        self._rounds = 0

        def write(message: Message) -> None:
            message.add_string("")  # language
            message.add_string("")  # submethods: the server chooses

        return self._request("keyboard-interactive", deadline, write)

    def algorithm(self, ours: Sequence[str], deadline: float) -> str:
        """That of `ours`, best first, by which to sign for this server.

        Which of several the server knows, it has said by the time it accepts the service.
        """
        if len(ours) > 1 and not self._extensions():
            self._ask_for_service()
            while not self._accepted.wait(0.1) and self._client.is_active() and time.monotonic() < deadline:
                pass
        offered = self._extensions().get("server-sig-algs", b"")
        names = offered.decode("ascii", "replace").split(",") if isinstance(offered, bytes) else []
        # A server that names neither is asked with the better one: it cannot have meant SHA-1 for us.
        return next((name for name in ours if name.removesuffix(SUFFIX) in names), ours[0])

    def _extensions(self) -> dict[str, bytes]:
        return dict(vars(self._client).get("server_extensions") or {})

    def _ask_for_service(self) -> None:
        if not self._asked_for_service:
            self._asked_for_service = True
            message = Message()
            message.add_byte(cMSG_SERVICE_REQUEST)
            message.add_string("ssh-userauth")
            self._send(message)

    def _request(self, method: str, deadline: float, write: Handler, probing: bool = False) -> Answer:
        message = Message()
        message.add_byte(cMSG_USERAUTH_REQUEST)
        message.add_string(self._user)
        message.add_string("ssh-connection")
        message.add_string(method)
        write(message)
        self._answer = None
        self._answered.clear()
        self._method, self._probing = method, probing
        try:
            self._ask_for_service()
            self._send(message)
        except (OSError, EOFError, paramiko.SSHException):
            return Answer("closed")
        while True:
            # `abort` sets the event, too, when the transport ends; it may have ended before we cleared it.
            self._answered.wait(min(max(deadline - time.monotonic(), 0.0), 1.0))
            answer = self._answer
            if answer is not None:
                self._method = ""
                return answer
            if not self._client.is_active():
                return Answer("late" if time.monotonic() >= deadline else "closed")
            if time.monotonic() >= deadline:
                return Answer("late")

    def _send(self, message: Message) -> None:
        self._client.packetizer.send_message(message)

    # -- answers, on the transport's thread

    @property
    def _client_handler_table(self) -> dict[int, Handler]:
        return {
            MSG_SERVICE_ACCEPT: self._on_service,
            MSG_USERAUTH_SUCCESS: self._on_success,
            MSG_USERAUTH_FAILURE: self._on_failure,
            MSG_USERAUTH_BANNER: self._on_banner,
            MSG_USERAUTH_INFO_REQUEST: self._on_sixty,
        }

    def _on_service(self, message: Message) -> None:
        self._accepted.set()

    def _on_success(self, message: Message) -> None:
        if self._method:
            self._answer = Answer("in")
            # Begins the compression that waits for this, and wakes who waits. The stubs lack it.
            self._parse_userauth_success(message)  # type: ignore[attr-defined]

    def _on_failure(self, message: Message) -> None:
        listed = message.get_text().split(",", _MOST_METHODS)[:_MOST_METHODS]
        # They come from whoever runs the server, and go into an error message.
        methods = tuple(name for name in listed if 0 < len(name) <= _LONGEST_METHOD and _is_method(name))
        self._settle(Answer("partial" if message.get_boolean() else "no", methods))

    def _on_banner(self, message: Message) -> None:
        self.said = (self.said + message.get_binary().decode("utf-8", "replace"))[:BANNER_LIMIT]

    def _on_sixty(self, message: Message) -> None:
        """The number means another thing for each method."""
        if self._method == "publickey":
            if not self._probing:
                raise paramiko.SSHException("the server asks for a signature that it has been sent")
            self._settle(Answer("welcome"))
        elif self._method == "password":
            self._settle(Answer("expired"))
        elif self._method == "keyboard-interactive":
            self._on_questions(message)

    def _on_questions(self, message: Message) -> None:
        title, instructions = message.get_binary(), message.get_binary()
        message.get_binary()  # language
        count = message.get_int()
        self._rounds += 1
        if self._respond is None or count > _MOST_PROMPTS or self._rounds > _MOST_ROUNDS:
            raise paramiko.SSHException("the server asks too many questions")
        for text in (title, instructions):
            if text:
                self.said = (self.said + text.decode("utf-8", "replace") + "\n")[:BANNER_LIMIT]
        prompts = []
        for _ in range(count):
            prompts.append((message.get_binary()[:1000].decode("utf-8", "replace"), message.get_boolean()))
        answers = self._respond(prompts)
        reply = Message()
        reply.add_byte(cMSG_USERAUTH_INFO_RESPONSE)
        reply.add_int(len(answers))
        for answer in answers:
            reply.add_string(answer)
        self._send(reply)

    def _settle(self, answer: Answer) -> None:
        if self._method and self._answer is None:
            self._answer = answer
            self._answered.set()


def _is_method(name: str) -> bool:
    return all(character.isascii() and (character.isalnum() or character in "-_.@") for character in name)
