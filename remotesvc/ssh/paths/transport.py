"""paramiko's transport with the host key algorithms exactly as asked for, and a thread that never waits for itself.

paramiko appends a certificate algorithm for each plain one, behind all of them, so that a server with both
always shows its plain key. Here the list is ours: certificates come first where an authority is known for the
host, and do not come at all where none is.

While keys are exchanged anew nothing else may be sent (RFC 4253, 7.1), and paramiko makes every sender wait. Its own
thread answers what the server still says meanwhile, the end of a channel for one: it would wait 30 seconds for keys
that only it could take, and then end the connection.

Of a server's key exchanges paramiko takes what ssh does not: another host key in a later one, signatures by another
algorithm than was agreed on, groups and values by which anybody could know the secret. Each ends the connection here.

Why a channel was refused paramiko keeps in one place for the whole connection. Behind a jump host many are opened at
the same time: each has its own answer here.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from typing import Any

import paramiko
from paramiko.common import CONNECTION_FAILED_CODE, cMSG_CHANNEL_REQUEST
from paramiko.compress import ZlibCompressor
from paramiko.kex_gex import KexGexSHA256

from ..hostkeys import certificate
from .packets import PACKET_LIMIT, GuardedPacketizer
from .socket import Stream

# When keys are exchanged a server has a few messages under way for each channel: windows, ends of programs, closes.
_MOST_HELD_BACK = 10_000


# What the same key exchange has been called since it is a standard (RFC 8731): paramiko has the older name only.
_OLD_NAME, _NAME = "curve25519-sha256@libssh.org", "curve25519-sha256"
_EXCHANGES = vars(paramiko.Transport)["_kex_info"]


# Of the groups that a server chooses: OpenSSH's limits.
_FEWEST_BITS, _MOST_BITS = 2048, 8192


class _GroupExchange(KexGexSHA256):
    min_bits = _FEWEST_BITS


class Inflater:
    """Decompresses packets, and none beyond the limit of a plain one: 250 KB could become 250 MB."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()

    def __call__(self, data: bytes) -> bytes:
        plain = self._stream.decompress(data, PACKET_LIMIT + 1)
        if len(plain) > PACKET_LIMIT:
            raise paramiko.SSHException(f"the server compressed a packet of more than {PACKET_LIMIT} bytes")
        return plain


class ClientTransport(paramiko.Transport):
    """A client's side of an SSH connection on a stream; `host_key_algorithms` go to the server as given."""

    _kex_info = {
        **_EXCHANGES,
        **({_NAME: _EXCHANGES[_OLD_NAME]} if _OLD_NAME in _EXCHANGES else {}),
        _GroupExchange.name: _GroupExchange,
    }
    _preferred_kex = tuple(_kex_info)
    # Not "zlib", which begins before the host key is judged.
    _compression_info = {"zlib@openssh.com": (ZlibCompressor, Inflater), "none": (None, None)}

    def __init__(self, socket: Stream, host_key_algorithms: tuple[str, ...]) -> None:
        super().__init__(socket, packetizer_class=GuardedPacketizer)  # type: ignore[arg-type]
        self._algorithms = host_key_algorithms
        self.proof: tuple[bytes, bytes] | None = None
        """The host key of the first exchange, in wire form, and its signature of the session's id."""
        self._held_back: list[paramiko.Message] = []  # what this thread has to say once there are new keys
        self._refused: dict[int, paramiko.ChannelException | None] = {}  # by the numbers of channels being opened
        self._own = threading.local()  # `number` of the channel that a thread opens
        self.proposed: Callable[[], None] | None = None
        """Called by this thread once the server has sent what it proposes for the first key exchange, which it does
        unasked. What it raises ends the connection."""

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """Public in paramiko, which asks it for what goes into the key exchange and for what came of it."""
        return self._algorithms

    def host_certificate(self) -> bytes | None:
        """The certificate that the server showed as its key, in wire form; None if it showed a plain key."""
        blob = getattr(self.get_remote_server_key().public_blob, "key_blob", None)
        # What was agreed on decides: a certificate nobody asked for proves no more than the key in it.
        agreed = str(vars(self)["host_key_type"])
        return blob if isinstance(blob, bytes) and agreed.endswith(certificate.SUFFIX) else None

    def _set_K_H(self, secret: object, exchange_hash: bytes) -> None:
        engine: Any = self.kex_engine
        modulus = getattr(engine, "p", 0) or getattr(engine, "P", 0)  # what the others call P is a key
        if modulus and isinstance(modulus, int):
            if not _FEWEST_BITS <= modulus.bit_length() <= _MOST_BITS:
                raise paramiko.SSHException(f"the server chose a group of {modulus.bit_length()} bits")
            if not all(1 < value < modulus - 1 for value in (engine.e, engine.f)):
                raise paramiko.SSHException("the server sent a value by which anybody would know the secret")
        super()._set_K_H(secret, exchange_hash)  # type: ignore[misc]

    def _verify_key(self, host_key: bytes, signature: bytes) -> None:
        if self.proof is not None and self.proof[0] != host_key:
            raise paramiko.SSHException("the server showed another host key than before")
        algorithm = paramiko.Message(signature).get_binary().decode("ascii", "replace")
        agreed = str(vars(self)["host_key_type"]).removesuffix(certificate.SUFFIX)
        if algorithm != agreed:
            raise paramiko.SSHException(f"the server signed by {algorithm[:64]}, where {agreed} was agreed on")
        super()._verify_key(host_key, signature)  # type: ignore[misc]
        self.proof = self.proof or (host_key, signature)

    def get_exception(self) -> Exception | None:
        """What the thread died of, for paramiko to raise it where somebody waits: as one of those errors that it
        documents, or nobody could tell it from what a signal's handler raises there."""
        error = super().get_exception()
        if error is None or isinstance(error, (paramiko.SSHException, EOFError, OSError)):
            return error
        died = paramiko.SSHException(str(error) or type(error).__name__)
        died.__cause__ = error
        return died

    def kill(self, channel: paramiko.Channel) -> None:
        """Ask the server to kill what it runs for a channel (RFC 4254, 6.9), for which paramiko has no method."""
        request = paramiko.Message()
        request.add_byte(cMSG_CHANNEL_REQUEST)
        request.add_int(channel.remote_chanid)
        request.add_string("signal")
        request.add_boolean(False)
        request.add_string("KILL")
        self._send_user_message(request)

    def open_channel(self, *arguments: Any, **keywords: Any) -> paramiko.Channel:
        """As paramiko's. Raises ChannelException for what the server has refused of this channel, and of no other."""
        self._own.number = None
        try:
            return super().open_channel(*arguments, **keywords)
        except paramiko.SSHException:
            refused = self._refused.get(self._own.number)
            if refused is not None:
                raise refused from None
            raise
        finally:
            with self.lock:
                self._refused.pop(self._own.number, None)

    def _next_channel(self) -> int:
        number: int = super()._next_channel()  # type: ignore[misc]
        self._own.number = number
        self._refused[number] = None
        return number

    def _parse_channel_open_failure(self, m: paramiko.Message) -> None:
        number, code = m.get_int(), m.get_int()
        m.rewind()
        with self.lock:
            if number in self._refused:
                self._refused[number] = paramiko.ChannelException(code, CONNECTION_FAILED_CODE.get(code, "unknown"))
        super()._parse_channel_open_failure(m)  # type: ignore[misc]
        self.saved_exception = None  # it is that of one channel, and would be given to whoever asks first

    def _negotiate_keys(self, m: paramiko.Message) -> None:
        proposed, self.proposed = self.proposed, None
        if proposed is not None:
            proposed()
        super()._negotiate_keys(m)  # type: ignore[misc]

    def _send_user_message(self, data: paramiko.Message) -> None:
        if threading.current_thread() is self and not self.clear_to_send.is_set():
            if len(self._held_back) >= _MOST_HELD_BACK:
                raise paramiko.SSHException("the server asks for answers instead of exchanging keys")
            self._held_back.append(data)
        else:
            super()._send_user_message(data)  # type: ignore[misc]

    def _parse_newkeys(self, m: paramiko.Message) -> None:
        super()._parse_newkeys(m)  # type: ignore[misc]
        held_back, self._held_back = self._held_back, []
        for data in held_back:
            super()._send_user_message(data)  # type: ignore[misc]
