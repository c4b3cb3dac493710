"""From a resolved host and a way to it to an authenticated SSH transport, every stage timed, every failure explained.

tcp       a stream to the server, with the deadline built in
kex       greeting and key exchange with algorithms that are still sound
hostkey   is it the right host?
auth      are we welcome?

An attempt that a busy server turned away is made again, but only as long as nothing has been said of the user.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import paramiko

from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.escape import one_line

from .busy import LONGEST_PAUSE, patient_until
from .configuration.resolved import ResolvedHost
from .hostkeys import known_hosts
from .hostkeys.host_key import HostKeys
from .interview import Interview
from .keyexchange import Again, Connected, Dial, Turn, handshake
from .login import auth
from .login.keyring import KeyRing
from .peer import Peer


@dataclass(frozen=True)
class Effort:
    """What one connection may take, what it may use, and where the time goes."""

    deadline: float
    """`time.monotonic()` until which to try, if nobody is asked anything."""
    keys: KeyRing
    called: str = ""
    """The host as its user named it, if that is known."""
    log_in: bool = True
    """If not, only the host's key is checked, and nothing is said of the user."""
    turn: Callable[[], Turn] | None = None
    """When keys may be exchanged, for each attempt; None: at once."""
    phases: dict[str, float] = field(default_factory=dict)
    """Seconds by stage, filled in on the way; "asked" are those that a person took to answer, by which the deadline is
    later."""

    def add_asked(self, seconds: float) -> None:
        """A person took so many more to answer."""
        if seconds:
            self.phases["asked"] = self.phases.get("asked", 0.0) + seconds


def connect(host: ResolvedHost, dial: Dial, effort: Effort) -> Peer:
    """Connect to a host, check its key, and log in.

    The stream keeps the deadline until its `settle` is called. Raises a ConnectError naming the stage; nothing is left
    open then.
    """
    deadline, phases = effort.deadline, effort.phases
    patience = patient_until(time.monotonic(), deadline)
    trusted = HostKeys(host, deadline)

    def attempt() -> Connected:
        return handshake(host, dial, trusted, deadline, phases, effort.turn() if effort.turn else None)

    try:
        try:
            transport, sock = attempt()
        except Again as again:
            if again.attempts < 2:
                raise
            transport, sock = _try_again(attempt, again, deadline, patience)
    except Again as again:
        raise again.error from again.error.__cause__
    try:
        started = time.monotonic()
        key = transport.get_remote_server_key()
        sock.deadline = deadline
        _check_size(key, host)
        interview = Interview(None if host.batch_mode else effort.keys.questions, sock, effort.keys.asking,
                              effort.called)
        try:
            trusted.verify(key.get_name(), key.asbytes(), transport.host_certificate(), interview)
            verified, asked = time.monotonic(), interview.seconds
            phases["hostkey"] = verified - started - asked
            if effort.log_in:
                auth.authenticate(transport, host, deadline, effort.keys, interview)
                phases["auth"] = time.monotonic() - verified - (interview.seconds - asked)
        finally:
            effort.add_asked(interview.seconds)
        return Peer(
            host,
            transport,
            sock,
            key.get_name(),
            known_hosts.fingerprint(key.asbytes()),
            one_line(transport.remote_version),
            tuple(trusted.notices),
            trusted.new,
        )
    except BaseException:  # Ctrl-C, too: nobody else has the connection yet
        sock.close()
        transport.close()
        raise


def _try_again(attempt: Callable[[], Connected], first: Again, deadline: float, patience: float) -> Connected:
    """Go on after a first attempt that failed, with random pauses that grow, while there is time: until `patience` if
    the server says it has no room."""
    import tenacity  # costs 30 ms, which those who are let in at once need not pay

    pause = tenacity.wait_random_exponential(multiplier=0.2, max=LONGEST_PAUSE)

    busy = first.busy

    def is_last(state: tenacity.RetryCallState) -> bool:
        nonlocal busy
        error = state.outcome.exception() if state.outcome else None
        attempts = error.attempts if isinstance(error, Again) else 0
        # Its words may be lost on the way: once it has said so, its silence means the same.
        busy = busy or (isinstance(error, Again) and error.busy)
        at = time.monotonic() + state.upcoming_sleep
        if busy and attempts > 1:
            return at >= patience
        return state.attempt_number + 1 >= attempts or at >= deadline

    left = deadline - time.monotonic()
    time.sleep(max(min(pause(tenacity.RetryCallState(None, None, (), {})), left), 0))  # type: ignore[arg-type]
    retrying = tenacity.Retrying(retry=tenacity.retry_if_exception_type(Again), wait=pause, stop=is_last, reraise=True)
    return retrying(attempt)


def _check_size(key: paramiko.PKey, host: ResolvedHost) -> None:
    """ssh_config's RequiredRSASize."""
    if key.get_name() == "ssh-rsa" and key.get_bits() < host.required_rsa_size:
        raise ConnectError(
            f"the server's RSA key has {key.get_bits()} bits, RequiredRSASize is {host.required_rsa_size}",
            host=host.name,
            stage="kex",
            hint="Give the server a larger key, or one of another type.",
        )
