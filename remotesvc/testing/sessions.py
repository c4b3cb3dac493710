"""What the client of an embedded SSH server may do, told to paramiko in its own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    MSG_CHANNEL_SUCCESS,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.message import Message
from paramiko.packet import Packetizer

from .programs import Program


@dataclass
class Stats:
    """What a server has seen so far."""

    connections: int = 0
    """TCP connections accepted."""
    logins: int = 0
    channels: int = 0
    """Programs run."""


class Server(Protocol):
    """What a session asks of its server."""

    stats: Stats

    def allows(self, user: str, key: paramiko.PKey) -> bool:
        """Whether `key` logs `user` in."""

    def execute(self, channel: paramiko.Channel, command: bytes) -> Program | None:
        """Start a program for a channel, its pipes not yet served; None if it cannot be started."""

    def serve(self, program: Program) -> None:
        """Begin to move bytes between a program and its channel."""


class Packets(Packetizer):
    """Tells when the answer to an exec request has been sent: output must not come before it."""

    on_success: Callable[[], None]

    def send_message(self, data: Message) -> None:
        super().send_message(data)
        if data.asbytes()[0] == MSG_CHANNEL_SUCCESS:
            self.on_success()


class Session(paramiko.ServerInterface):
    """What one client may do: log in with the key, open sessions, run programs."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._started: list[Program] = []

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if not self._server.allows(username, key):
            return AUTH_FAILED
        self._server.stats.logins += 1
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if kind == "session":
            return OPEN_SUCCEEDED
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        program = self._server.execute(channel, command)
        if program is not None:
            self._started.append(program)
        return program is not None

    def serve_started(self) -> None:
        """The client knows that its program runs: now it may hear of it. Called on the transport's thread."""
        started, self._started = self._started, []
        for program in started:
            self._server.serve(program)
