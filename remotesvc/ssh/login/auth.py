"""Proving who we are, in OpenSSH's order and within what servers allow.

The methods come in the order of PreferredAuthentications, keys in that of `candidates`. A server that wants
two proofs gets them. Nothing is asked of the person at the terminal before the server has said that the
answer would be of use.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain

import paramiko

from remotesvc.bootstrap.unreachable import AuthenticationError, ConnectTimeout

from ..configuration.resolved import ResolvedHost
from ..interview import Interview
from ..paths.packets import farewell_of
from ..paths.transport import ClientTransport
from . import keyfile
from .agent import Agent, AgentError, AgentKey
from .candidates import MAX_TRIES, Candidate, arrange, objection
from .dialogue import Answer, Login, Respond
from .keyring import KeyRing
from .record import PASSWORD_METHODS, Record
from .tried import empty_agent


def authenticate(
    transport: ClientTransport, host: ResolvedHost, deadline: float, keys: KeyRing, interview: Interview
) -> None:
    """Log in as `host.user` before `deadline` (monotonic; the time that answers take does not count).

    Raises AuthenticationError or ConnectTimeout.
    """
    with ExitStack() as stack:
        attempts = _Attempts(transport, host, deadline, keys, interview, stack)
        if not attempts.succeed():
            raise attempts.failure()


class _Attempts:
    """One login, attempt by attempt."""

    def __init__(
        self,
        transport: ClientTransport,
        host: ResolvedHost,
        deadline: float,
        keys: KeyRing,
        interview: Interview,
        stack: ExitStack,
    ) -> None:
        self._transport = transport
        self._host = host
        self._limit = deadline
        self._keys = keys
        self._interview = interview
        self._stack = stack
        self._login = Login(transport, host.user)
        self._record = Record()
        # Made when first needed, and gone on with when a server wants a second key.
        self._candidates: Iterator[Candidate] = self._arranged()
        self._spent: set[str] = set()

    @property
    def _deadline(self) -> float:
        return self._limit + self._interview.seconds

    def succeed(self) -> bool:
        """Try all there is; True once we are in."""
        while (method := self._next_method()) is not None:
            if self._record.offered is None and method != "publickey":
                # Passwords are few and attempts counted: first hear which method takes them. That is free.
                if self._record.take(self._login.ask_methods(self._deadline)):
                    return True
                continue
            if self._try(method):
                return True
        if self._record.offered is None and self._transport.is_active():
            return self._record.take(self._login.ask_methods(self._deadline))
        return False

    def _next_method(self) -> str | None:
        if not self._transport.is_active() or self._record.late:
            return None
        offered = self._record.offered
        for method in self._methods():
            if method not in self._spent and (offered is None or method in offered):
                return method
        return None

    def _methods(self) -> list[str]:
        """What we have something for, in the order asked for."""
        host = self._host
        able = {
            "publickey": host.public_keys,
            "password": host.passwords and host.options.password is not None,
            "keyboard-interactive": host.keyboard_interactive and host.options.password is not None,
        }
        return [method for method in host.preferred_authentications if able.get(method)]

    def _try(self, method: str) -> bool:
        if method == "publickey":
            candidate = next(self._candidates, None)
            if candidate is None:
                self._spent.add(method)
                return False
            if time.monotonic() >= self._deadline:  # an agent may have used it up
                self._record.late = True
                return False
            return self._show(candidate)
        self._spent.add(method)
        password = self._host.options.password
        assert password is not None  # `_methods` would not have named it
        if method == "password":
            return self._record.take(self._login.say_password(password.reveal(), self._deadline), "password")
        answer = self._login.converse(self._responder(password.reveal()), self._deadline)
        return self._record.take(answer, "password by keyboard-interactive", self._record.question)

    # -- keys

    def _arranged(self) -> Iterator[Candidate]:
        record = self._record
        named, others, files = arrange(self._host, self._held(), self._load, record.tried)
        kept = sum(not objection(candidate, self._host) for candidate in files)
        for group, behind in ((named, 0), (others, kept), (files, 0)):
            for position, candidate in enumerate(group):
                # By what was counted so far: nobody knows before which keys will be shown.
                if record.failures + behind >= self._tries():
                    left = len(group) - position
                    which = f"{left} agent keys" if group is others else ", ".join(c.label for c in group[position:])
                    record.tried.append(f"{which} left out, servers count attempts")
                    break
                yield candidate

    def _tries(self) -> int:
        """How often a server may say no before it is the password's turn, if there is one to say."""
        return MAX_TRIES - any(method in PASSWORD_METHODS and method not in self._spent for method in self._methods())

    def _held(self) -> list[AgentKey]:
        if self._host.identity_agent is None:
            return []
        try:
            agent = Agent(self._host.identity_agent, lambda: self._deadline - time.monotonic())
            self._stack.callback(agent.close)
            if self._transport.session_id is not None and self._transport.proof is not None:
                agent.bind(*self._transport.proof, self._transport.session_id)
            keys = agent.keys()
            if not keys:
                self._record.tried.append(empty_agent(agent.path))
            return keys
        except AgentError as error:
            self._record.tried.append(str(error))
            return []

    def _load(self, path: str) -> paramiko.PKey:
        return self._keys.load(path, self._host.options.passphrase, self._interview, self._host.password_prompts)

    def _show(self, candidate: Candidate) -> bool:
        try:
            if candidate.blob is None:  # a PEM file: what key it is only its content tells
                candidate = candidate.with_key(candidate.load())
            blob = candidate.blob or b""
            if why := objection(candidate, self._host):
                raise keyfile.Unusable(why)
            algorithms = candidate.algorithms(self._host.public_key_algorithms)
            algorithm = self._login.algorithm(algorithms, self._deadline)
            answer = Answer("welcome")
            if candidate.costly:
                answer = self._login.would_do(algorithm, blob, self._deadline)
            if answer.kind == "welcome":
                answer = self._login.show_key(candidate.load(), algorithm, blob, self._deadline)
        except (keyfile.Unusable, AgentError) as error:
            self._record.tried.append(f"{candidate.label}: {error}")
            return False
        named = answer.methods if answer.kind == "no" and self._record.offered is None else ()
        early = bool(named) and "publickey" not in named
        if early:  # shown before the server had named its methods, and not looked at: keys may have their turn later
            self._candidates = chain([candidate], self._candidates)
        return self._record.take(answer, candidate.shown, early=early)

    # -- passwords

    def _responder(self, password: str) -> Respond:
        """What answers the first hidden question with the password. Any other (for a code, a new password) is noted."""
        record = self._record
        said: list[str] = []

        def respond(prompts: list[tuple[str, bool]]) -> list[str]:
            if len(prompts) == 1 and not prompts[0][1] and not said:
                said.append(prompts[0][0])
                return [password]
            if prompts:
                record.question = ascii(prompts[0][0][:100])
            return [""] * len(prompts)

        return respond

    # -- what came of it

    def failure(self) -> AuthenticationError | ConnectTimeout:
        """The error for the caller."""
        if self._record.failures >= MAX_TRIES:
            next(self._candidates, None)  # there is none: it notes those that are left out
        if self._record.late or time.monotonic() >= self._deadline:
            return self._record.timeout(self._host, self._said())
        return self._record.failure(self._host, self._said(), self._transport.is_active(), self._methods())

    def _said(self) -> str:
        """The server's own words, which may well explain it. ConnectError takes the escapes out."""
        return "\n".join(filter(None, (self._login.said.strip(), farewell_of(self._transport))))
