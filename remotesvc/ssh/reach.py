"""A stream to one host: by TCP, through a program, or through a jump host. Every failure is explained."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable

import paramiko

from remotesvc.bootstrap.unreachable import ConnectError, ConnectTimeout, UnknownHost

from .configuration.hops import NO_FORWARDING
from .configuration.resolved import ResolvedHost
from .keyexchange import Again
from .paths import dial
from .paths.packets import farewell_of
from .paths.proxy import CommandSocket
from .paths.socket import Stream
from .paths.tunnel import WINDOW, Tunnel
from .peer import Peer

_PROHIBITED, _UNREACHABLE = 1, 2
"""SSH_OPEN_ADMINISTRATIVELY_PROHIBITED and SSH_OPEN_CONNECT_FAILED of RFC 4254: the server does not do that for us;
nothing answered there, which may pass. The others will not."""

_REASONS = {
    _PROHIBITED: "it does not forward this connection",
    _UNREACHABLE: "refused or unreachable from there, or a name unknown there",
    4: "it has no resources left",
}


def directly(host: ResolvedHost, deadline: float) -> Stream:
    """A stream to a host that nothing is in front of, or only a program, before `deadline` (monotonic).

    Raises ConnectError, or Again where another attempt may help.
    """
    where = f"port {host.port}" if host.hostname == host.name else f"{host.hostname} port {host.port}"
    try:
        if host.proxy_command is not None:
            return CommandSocket.start(host.proxy_command, deadline)
        return dial.connect(
            host.hostname, host.port, deadline, host.address_family, host.bind_address, host.bind_interface
        )
    except socket.gaierror as error:
        raise UnknownHost(
            f"the name {host.hostname} does not resolve: {error.strerror}",
            host=host.name,
            stage="tcp",
            hint="This machine is local:, with a colon." if host.name == "local" else
            "Is it spelt right? A short name may need a HostName line in ssh_config.",
        ) from error
    except TimeoutError as error:
        timeout = ConnectTimeout(
            f"{where} did not answer within the time allowed",
            host=host.name,
            stage="tcp",
            hint="The host may be down, or a firewall drops the packets.",
        )
        raise Again(timeout, host.connection_attempts) from error
    except OSError as error:
        hint = ""
        if error.errno == errno.ECONNREFUSED:
            hint = "The host is up, but no SSH server listens there. Is the port right?"
        refused = ConnectError(
            f"cannot connect to {where}: {error.strerror or error}", host=host.name, stage="tcp", hint=hint
        )
        refused.__cause__ = error
        raise Again(refused, host.connection_attempts) from error


def through(peer: Peer, host: ResolvedHost, deadline: float, release: Callable[[], None]) -> Stream:
    """A stream to a host through an open connection to the jump host in front of it, before `deadline` (monotonic).

    `release` is called once, when the stream is closed. Raises ConnectError, or Again where another attempt may help;
    nothing is released then.
    """
    left = max(deadline - time.monotonic(), 0.001)
    jump_host = f"jump host {peer.host.name}"
    try:
        channel = peer.transport.open_channel(
            "direct-tcpip", (host.hostname, host.port), ("127.0.0.1", 0), window_size=WINDOW, timeout=left
        )
    except paramiko.ChannelException as error:
        reason = _REASONS.get(error.code, error.text)
        refused = ConnectError(
            f"{jump_host} cannot reach {host.hostname} port {host.port}: {reason}",
            host=host.name,
            stage="tcp",
            hint=NO_FORWARDING if error.code == _PROHIBITED else "",
        )
        raise Again(refused, host.connection_attempts if error.code == _UNREACHABLE else 1) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        if "Timeout" in str(error) and peer.transport.is_active():
            raise ConnectTimeout(
                f"{jump_host} did not reach {host.hostname} port {host.port} within the time allowed",
                host=host.name,
                stage="tcp",
                hint=f"The host may be down, or a firewall between it and {peer.host.name} drops the packets.",
            ) from error
        raise ConnectError(
            f"the connection to {jump_host} broke: {str(error) or type(error).__name__}",
            host=host.name,
            stage="jump",
            diagnostics=farewell_of(peer.transport),
        ) from error
    tunnel = Tunnel(channel, release)
    tunnel.deadline = deadline
    return tunnel
