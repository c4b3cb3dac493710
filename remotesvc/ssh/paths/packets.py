"""paramiko's packet layer with what it lacks: limits on what a peer may make us read, and signals that end
programs.

A `packetizer_class` is paramiko's public way to do this. Everything here runs on its transport thread.
"""

from __future__ import annotations

import signal
import time
from typing import Any

import paramiko
from paramiko.common import (
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_REQUEST,
    MSG_DISCONNECT,
    MSG_EXT_INFO,
    MSG_NAMES,
    cMSG_UNIMPLEMENTED,
)
from paramiko.message import Message
from paramiko.packet import NeedRekeyException, Packetizer

from .socket import Stream

GREETING_LIMIT = 32 * 1024
"""Bytes a server may send before its SSH greeting."""

PACKET_LIMIT = 256 * 1024 + 1024
"""The largest packet OpenSSH accepts, too; paramiko would go on collecting up to 4 GiB."""

# The numbers whose meaning the method of a key exchange defines.
_EXCHANGING = range(30, 50)

# OpenSSH knows four.
_MOST_EXTENSIONS = 64

# We open few channels; a server may name any number of them.
_MOST_SIGNALS = 64


class GuardedPacketizer(Packetizer):
    """Reads for one transport on a stream of ours."""

    def __init__(self, socket: Stream) -> None:
        super().__init__(socket)  # type: ignore[arg-type]
        self._socket = socket
        self.greeting: list[str] = []
        """The lines in front of the SSH greeting."""
        self.farewell = ""
        """What the server said when it closed the connection; as it came, not escaped."""
        self._keys_last = self._keys_since = float("inf")
        self.signals: dict[int, str] = {}
        """Channel number -> name of the signal ("KILL") that ended its program."""

    def rekey_after(self, size: int, seconds: int) -> None:
        """Exchange keys anew after so many bytes in one direction, if paramiko would not sooner, and after so many
        seconds, at the next packet that comes; 0 sets no limit. paramiko knows none in time."""
        if size:
            self.REKEY_BYTES = min(size, Packetizer.REKEY_BYTES)
        self._keys_last = seconds or float("inf")

    def set_outbound_cipher(self, *args: Any, **kwargs: Any) -> None:
        super().set_outbound_cipher(*args, **kwargs)
        self._keys_since = time.monotonic()

    def start_handshake(self, timeout: float) -> None:
        """No timer thread: the socket's deadline covers the handshake."""

    def readline(self, timeout: float) -> str:
        try:
            line = super().readline(timeout)
        except UnicodeDecodeError as error:  # the line has been taken; only its characters are unknown
            line = bytes(error.object).decode("utf-8", "replace")
        if line.startswith("SSH-"):
            self._socket.allowance = None
        else:
            self.greeting.append(line[:500])
        return line

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        if n > PACKET_LIMIT or n < 0:
            raise paramiko.SSHException(f"the server announces a packet of {n} bytes")
        return super().read_all(n, check_rekey)

    def read_message(self) -> tuple[int, Message]:
        if time.monotonic() - self._keys_since > self._keys_last:
            self._keys_since = float("inf")  # once: until there are new keys
            self._trigger_rekey()  # type: ignore[attr-defined]  # the stubs do not have it
            raise NeedRekeyException  # which has the transport's loop look whether it should
        kind, message = super().read_message()
        if kind == MSG_CHANNEL_DATA:  # nearly all of them
            return kind, message
        if kind not in MSG_NAMES and kind not in _EXCHANGING and vars(self)["_initial_kex_done"]:
            self._refuse(message)
            raise NeedRekeyException  # the transport's loop goes on
        if kind == MSG_CHANNEL_REQUEST:
            self._note_signal(message)
        elif kind == MSG_DISCONNECT:
            code = message.get_int()
            self.farewell = message.get_binary()[:500].decode("utf-8", "replace")
            message = Message()  # what paramiko cannot decode it dies of
            message.add_int(code)
            message.add_string(self.farewell)
            message.rewind()
        elif kind == MSG_EXT_INFO:
            # paramiko goes through as many as are announced, be there ever so few.
            if message.get_int() > _MOST_EXTENSIONS:
                raise paramiko.SSHException("the server announces too many extensions")
            message.rewind()
        return kind, message

    def _refuse(self, message: Message) -> None:
        """Answer what has a number that paramiko does not know, and dies of, as RFC 4253, 11.4, wants it."""
        answer = Message()
        answer.add_byte(cMSG_UNIMPLEMENTED)
        answer.add_int(message.seqno)
        self.send_message(answer)

    def _note_signal(self, message: Message) -> None:
        """paramiko has no handler for "exit-signal": without this a killed program has no status at all."""
        channel = message.get_int()
        if message.get_binary() == b"exit-signal" and len(self.signals) < _MOST_SIGNALS:
            message.get_boolean()
            self.signals[channel] = message.get_binary()[:32].decode("ascii", "replace")
        message.rewind()


def farewell_of(transport: paramiko.Transport) -> str:
    """What the server said when it closed the connection; as it came, not escaped."""
    packetizer = transport.packetizer
    return packetizer.farewell if isinstance(packetizer, GuardedPacketizer) else ""


def signal_number(name: str) -> int | None:
    """The number of a signal named as SSH does, without "SIG"; None if this system has no such signal."""
    found = signal.Signals.__members__.get("SIG" + name)
    return None if found is None else int(found)
