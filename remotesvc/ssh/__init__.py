"""Programs on other machines over SSH, as byte paths (zone M).

    configuration   what the user wrote, and what ssh_config adds to it: a host as `resolved`
    reach           a stream there: TCP, a program, or a channel of a jump host's connection
    keyexchange     algorithms that are sound, and an encrypted connection
    hostkeys        is it the right machine? known_hosts, certificates, revoked keys
    login           are we welcome? keys, agents, passwords
    terminal        questions to the person who sits there
    interview       the questions of one connection, and the time that answers take
    connect         all of these after one another: an authenticated transport, as a `peer`
    jump_hosts      the same for a host and for the jump hosts in front of it, which hosts share
    paths           streams and paramiko's transport, tamed; a program on the other side as a byte path
    once            what one thread opens and others wait for
    programs        short-lived programs of this machine that are asked on the way
    busy            servers that turn us away because too many come at once: how often to try again
    pythons         what is known of the Pythons of hosts
    openssh         everything by the ssh program instead
    contexts        contexts over either, for `Router.ssh`
    trusting        a host's key learnt without logging in, for `remotesvc trust`

`open` does it all. Nothing here imports paramiko before it is called.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.launch.times import note_times

from .configuration.options import SSHOptions as SSHOptions

if TYPE_CHECKING:
    from .jump_hosts import JumpHosts
    from .login.keyring import KeyRing
    from .paths.channel import ParamikoPath
    from .paths.packing import Buffer
    from .peer import Peer


def open(
    options: SSHOptions,
    command_for: Callable[[Peer], str],
    first: Callable[[Peer], Sequence[Buffer]] | Sequence[Buffer] = (),
    deadline: float | None = None,
    phases: dict[str, float] | None = None,
    keys: KeyRing | None = None,
    jump_hosts: JumpHosts | None = None,
    called: str = "",
) -> ParamikoPath:
    """Connect, log in, run a program and send it its first input, in one go, before `deadline`.

    `deadline` is a `time.monotonic()` instant (default: `options.connect_timeout` from now). `command_for` is
    asked for the command line once the host has proved its identity and accepted ours, then `first` for the
    input: both may depend on what is remembered of the host's key. `phases` receives the seconds of "config",
    "jump", "tcp", "kex", "auth", "open" and "exec", and of "asked" if a person was. `keys` has the private keys
    that hosts share, and who may be asked (default: nobody); `jump_hosts` the connections to
    these that they share; `called` is the host's name for questions.
    Raises a ConnectError that names the stage, or what the two callables raise; nothing is left open then.
    """
    started = time.monotonic()
    if deadline is None:
        deadline = started + options.connect_timeout
    if phases is None:
        phases = {}
    from .connect import Effort
    from .jump_hosts import JumpHosts
    from .login.keyring import KeyRing
    from .paths.session import open_path

    try:
        peer = (jump_hosts or JumpHosts()).connect(options, Effort(deadline, keys or KeyRing(), called, phases=phases))
    except ConnectError as error:
        note_times(error, started, phases)
        raise
    try:
        command = command_for(peer)
        data = first(peer) if callable(first) else first
    except BaseException:  # Ctrl-C, too, and what `first` raises: nobody else has the connection yet
        peer.close()
        raise
    try:
        return open_path(peer, command, data, deadline + phases.get("asked", 0.0), phases)
    except ConnectError as error:
        note_times(error, started, phases)
        raise
