"""The user's ssh-agent: which keys it has, and signatures by them. The agent itself is never forwarded.

paramiko's client finds its agent in the environment only; this one takes the path of any socket, waits no longer
than it is told, and says why a key did not sign.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import paramiko
from paramiko.message import Message

from ..hostkeys.algorithms import SUFFIX

_REQUEST_IDENTITIES, _IDENTITIES_ANSWER, _SIGN_REQUEST, _SIGN_RESPONSE = 11, 12, 13, 14
_EXTENSION = 27
_FLAGS = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}
# OpenSSH's own limit for one message.
_LONGEST = 256 * 1024
_MOST_KEYS = 2048


class AgentError(Exception):
    """The agent cannot be reached or does not follow its protocol."""


class Agent:
    """A connection to the agent at `path`; no answer is waited for when `left` says that no seconds are left."""

    def __init__(self, path: str, left: Callable[[], float]) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._left = left
        try:
            self._limit()
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise AgentError(f"no ssh-agent at {path}: {error.strerror or error}") from error

    def bind(self, host_key: bytes, signature: bytes, session: bytes) -> None:
        """Tell whom the signatures of this connection are for, and prove it: keys that are constrained to
        destinations (`ssh-add -h`) sign for no other. An agent that knows no constraints refuses, and need not know.
        """
        request = Message()
        request.add_byte(bytes([_EXTENSION]))
        for field in (b"session-bind@openssh.com", host_key, session, signature):
            request.add_string(field)
        request.add_boolean(False)  # it is not forwarded
        self.ask(request.asbytes())

    def keys(self) -> list[AgentKey]:
        """The keys the agent holds now, in its order. Raises AgentError."""
        kind, answer = self.ask(bytes([_REQUEST_IDENTITIES]))
        if kind != _IDENTITIES_ANSWER:
            raise AgentError("the ssh-agent does not tell its keys")
        keys = []
        for _ in range(min(answer.get_int(), _MOST_KEYS)):
            keys.append(AgentKey(self, answer.get_binary(), answer.get_binary().decode("utf-8", "replace")))
        return keys

    def ask(self, request: bytes) -> tuple[int, Message]:
        """Send one request and return the kind and content of the answer. Raises AgentError."""
        try:
            self._limit()
            self._socket.sendall(len(request).to_bytes(4, "big") + request)
            size = int.from_bytes(self._read(4), "big")
            if not 0 < size <= _LONGEST:
                raise AgentError(f"the ssh-agent announces an answer of {size} bytes")
            answer = self._read(size)
        except OSError as error:
            raise AgentError(f"the ssh-agent at {self.path} does not answer: {error}") from error
        return answer[0], Message(answer[1:])

    def _limit(self) -> None:
        left = self._left()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            self._limit()
            piece = self._socket.recv(size - len(data))
            if not piece:
                raise AgentError("the ssh-agent closed the connection")
            data += piece
        return data

    def close(self) -> None:
        """Let go of the agent; its keys cannot sign any more."""
        self._socket.close()


class AgentKey(paramiko.PKey):
    """A key (or certificate) whose private half stays in the agent."""

    def __init__(self, agent: Agent, blob: bytes, comment: str) -> None:
        self.agent = agent
        self.blob = blob
        self.comment = comment
        self.name = Message(blob).get_binary().decode("ascii", "replace")
        self.public_blob = None

    def asbytes(self) -> bytes:
        return self.blob

    def get_name(self) -> str:
        return self.name

    def sign_ssh_data(self, data: object, algorithm: str | None = None) -> Message:
        """Sign for authentication. Raises AgentError, also if the agent's user refuses."""
        request = Message()
        request.add_byte(bytes([_SIGN_REQUEST]))
        request.add_string(self.blob)
        request.add_string(data)  # type: ignore[arg-type]
        request.add_int(_FLAGS.get((algorithm or "").removesuffix(SUFFIX), 0))
        kind, answer = self.agent.ask(request.asbytes())
        if kind != _SIGN_RESPONSE:
            raise AgentError("the ssh-agent refused to sign")
        return Message(answer.get_binary())
