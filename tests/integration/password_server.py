"""What an SSH server of paramiko's does that lets people in by password, for `one_client_server`."""

from __future__ import annotations

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.server import InteractiveQuery


class PasswordServer(paramiko.ServerInterface):
    """Lets anybody in who says "open sesame", by the methods of its `takes`."""

    def __init__(self, takes: str) -> None:
        self.takes = takes
        self.heard: list[str] = []

    def get_allowed_auths(self, username: str) -> str:
        return self.takes

    def _result(self, method: str, password: str) -> int:
        self.heard.append(method)
        right = method in self.takes and password == "open sesame"
        return AUTH_SUCCESSFUL if right else AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        return self._result("password", password)

    def check_auth_interactive(self, username: str, submethods: str) -> InteractiveQuery | int:
        if "keyboard-interactive" not in self.takes:
            return AUTH_FAILED
        return InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> InteractiveQuery | int:
        return self._result("keyboard-interactive", responses[0])

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        return True
