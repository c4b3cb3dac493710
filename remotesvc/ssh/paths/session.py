"""Starting a program at the other end of an authenticated connection, and its first input with it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import paramiko

from remotesvc.bootstrap.unreachable import ConnectError, ConnectTimeout

from ..peer import Peer
from .channel import WINDOW, ParamikoPath
from .packets import farewell_of
from .packing import Buffer


def open_path(
    peer: Peer, command: str, first: Sequence[Buffer], deadline: float, phases: dict[str, float]
) -> ParamikoPath:
    """Run `command` at the other end and write `first` to it before `deadline`; seconds go into `phases`.

    Raises a ConnectError (stage "open" or "exec"); the connection is closed then. A program that ends at once
    is not an error here: the path's `ended` tells, with the exit status and what it said.
    """
    started = time.monotonic()
    stage = "open"
    path: ParamikoPath | None = None
    try:
        channel = peer.transport.open_session(window_size=WINDOW, timeout=max(deadline - started, 0.001))
        path = ParamikoPath(peer, channel)
        phases["open"] = -started + (started := time.monotonic())
        stage = "exec"
        for name, value in peer.host.environment:
            channel.set_environment_variable(name, value)  # no answer is asked for, so none is waited for
        channel.exec_command(command)
        phases["exec"] = time.monotonic() - started
        try:
            path.write(first)
        except OSError:
            if peer.socket.expired:
                raise
        peer.socket.settle()
        return path
    except (paramiko.SSHException, EOFError, OSError) as error:
        explained = _explain(peer, stage, error, path.reason if path else "")
        peer.close()
        raise explained from error
    except BaseException:  # Ctrl-C, too: nobody else has the connection yet
        peer.close()
        raise


def _explain(peer: Peer, stage: str, error: Exception, reason: str) -> ConnectError:
    host = peer.host.name
    doing = "opening a session" if stage == "open" else "starting the program"
    if peer.socket.expired or "Timeout" in str(error):
        return ConnectTimeout(
            f"the server did not finish {doing} within the time allowed", host=host, stage=stage
        )
    if isinstance(error, paramiko.ChannelException):
        return ConnectError(
            f"the server refused {doing}: {error.text}",
            host=host,
            stage=stage,
            hint="MaxSessions 0 in sshd_config, or a key that may forward ports only, looks like this.",
        )
    farewell = farewell_of(peer.transport)
    if stage == "exec" and peer.transport.is_active() and not farewell:
        return ConnectError("the server does not let this user run a program", host=host, stage=stage)
    why = "" if farewell else reason  # which repeats it
    return ConnectError(
        f"the connection broke while {doing}: {why or str(error) or type(error).__name__}",
        host=host,
        stage=stage,
        diagnostics=farewell,
    )
