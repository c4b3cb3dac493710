"""One host of a fleet, and how a context on it is opened: the words of whoever asks, then the inventory's."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from remotesvc.bootstrap.data.record import Record
from remotesvc.bootstrap.errors import UsageError
from remotesvc.bootstrap.unreachable import ConnectError
from remotesvc.launch.engines import ENGINES
from remotesvc.ssh.configuration import hostspec

from .connection import DEFAULT_METHOD, Become, Connection, WrongVariable
from .container_variables import ADDRESSES
from .inventory.model import HostEntry, Inventory, InventoryError

NOBODY_ELSE = Become()


@dataclass(frozen=True)
class Member:
    """One host: the text that names it, what that means, and what an inventory says of it."""

    text: str
    spec: hostspec.HostSpec
    entry: HostEntry
    connection: Connection = Connection()

    @classmethod
    def of(cls, entry: HostEntry) -> Member:
        """The member an entry of an inventory stands for. Raises UsageError if it cannot be a host."""
        connection = Connection.of(entry.name, entry.variables)
        kind, address = connection.transport, connection.address or entry.name
        try:
            spec = hostspec.parse("local:" if kind == "local" else address if kind is None else f"{kind}:{address}")
        except UsageError as error:
            if connection.address is None:
                raise
            said = (name for name in ADDRESSES if str(entry.variables.get(name)) == address)
            variable = next(said, ADDRESSES[0])
            raise WrongVariable(f"{variable} of host {entry.name}: {error}", variable, address) from None
        return cls(entry.name, spec, entry, connection)

    def __str__(self) -> str:
        return self.text

    @property
    def label(self) -> str:
        """How it is named at the start of a line: `local`, not `local:`."""
        return shown_host(self.text)

    def facts(self) -> Record:
        """What a parameter annotated `remotesvc.Host` is given: name, groups, variables; passwords are left out."""
        variables = {name: value for name, value in self.entry.variables.items() if not _secret(name)}
        return Record("remotesvc.Host", {"name": self.text, "groups": list(self.entry.groups), "variables": variables})

    def ssh_arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of `Router.ssh` for this host: its text's own words win, then `given`, then the inventory.

        For the rest ssh_config decides. Raises UsageError for what cannot be.
        """
        said = self.connection
        arguments = {name: value for name, value in given.items() if value is not None}
        inventory = {
            "user": said.user,
            "port": said.port,
            "key_filename": None if said.private_key is None else os.path.expanduser(said.private_key),
            "ssh_config": None if said.ssh_config is None else os.path.expanduser(said.ssh_config),
            "python": said.python,
            "password": said.password,
            "jump": said.jump,
            "transport": said.ssh_transport,
        }
        for name, value in inventory.items():
            if value is not None:
                arguments.setdefault(name, value)
        # ssh takes the first value it is given for a keyword.
        arguments["extra_options"] = (*arguments.get("extra_options", ()), *said.ssh_options)
        if self.spec.user is not None:
            arguments["user"] = self.spec.user
        if self.spec.port is not None:
            arguments["port"] = self.spec.port
        return arguments

    def check(self, given: Mapping[str, Any], become: Become = NOBODY_ELSE) -> None:
        """Raises UsageError, before anything is connected, if any of this makes no sense."""
        from remotesvc.ssh.configuration.options import SSHOptions

        become.over(self.connection.become).check(self.text)
        unknown = sorted(set(given) - set(inspect.signature(SSHOptions.parse).parameters))
        if unknown:
            raise UsageError(f"there is no option {', '.join(unknown)}, neither of a Fleet nor of Router.ssh")
        if self.spec.kind != "ssh":
            self._check_jump(given.get("jump"))
        if self.spec.kind in ENGINES:
            ENGINES[self.spec.kind].check(self.spec.host, self.connection.options, self._user(given))
        if self.spec.kind != "ssh":
            return
        try:
            SSHOptions.parse(self.spec.host, **self.ssh_arguments(given))
        except TypeError as error:
            raise UsageError(f"{error}") from None

    def _check_jump(self, jump: object) -> None:
        """What goes through no connection of SSH would run here, on a machine that nobody meant."""
        if jump and jump != "none":
            through = f"through {jump} " if isinstance(jump, str) else ""
            raise UsageError(f"no jump host leads {through}to {self.text}, which is entered from this machine, without"
                             " SSH. Leave one of them out; for a container of another machine see via= in"
                             " docs/connecting.md")

    def open(self, router: Any, given: Mapping[str, Any], become: Become = NOBODY_ELSE) -> Any:
        """A context there, its start on the way. `given` are arguments of `Router.ssh`; blocks until authenticated,
        and until sudo, su or doas has let us in where we are to become another user. Raises ConnectError.
        """
        base = self._open(router, given)
        become = become.over(self.connection.become)
        if not become.wanted:
            return base
        limit = {name: given[name] for name in ("connect_timeout",) if given.get(name) is not None}
        try:
            method = getattr(router, become.method or DEFAULT_METHOD)  # `check` has seen it
            user = "root" if become.user is None else become.user
            return method(user, via=base, password=become.password, name=self.label, close_via=True, **limit)
        except BaseException:  # Ctrl-C, too: nobody else has it yet
            base.close()
            raise

    def _open(self, router: Any, given: Mapping[str, Any]) -> Any:
        if self.spec.kind != "ssh":
            known = {name: given[name] for name in ("connect_timeout",) if name in given}
            known.update(python=given.get("python") or self.connection.python, name=self.label)
            if self.spec.kind == "local":
                return router.local(**known)
            return router.container(self.spec.host, self.spec.kind, user=self._user(given),
                                    options=self.connection.options, **known)
        try:
            return router.ssh(self.spec.host, name=self.label, **self.ssh_arguments(given))
        except ConnectError as error:
            if error.host != self.spec.host or self.spec.host == self.label:
                raise
            # An address alone would not tell a reader which host of the fleet it is, nor the name where that lies.
            error.host, error.message = self.label, f"{error.host}: {error.message}"
            raise

    def _user(self, given: Mapping[str, Any]) -> str | None:
        """Whose process a container is to have."""
        user: str | None = given.get("user") or self.connection.user
        return user


def members_of(entries: Iterable[HostEntry], inventory: Inventory) -> list[Member]:
    """The members that entries of an inventory stand for. Raises UsageError that says where the mistake is written."""
    members = []
    for entry in entries:
        try:
            members.append(Member.of(entry))
        except UsageError as error:
            from .inventory.places import places

            wrong = error if isinstance(error, WrongVariable) else WrongVariable(str(error), entry.name, "")
            where = places(inventory.files, wrong.variable, wrong.shown)
            if not where and wrong is not error:  # the name was not read from a file
                raise
            raise InventoryError(f"{error} ({where})" if where else str(error)) from None
    return members


def nobody_logs_in(members: Iterable[Member]) -> bool:
    """Whether all of them are processes that we start ourselves on this machine, as the user that we are: a user to log
    in as means nothing there."""
    return all(member.spec.kind == "local" for member in members)


def shown_host(text: str) -> str:
    """A host's text as a label, where a colon follows."""
    return text.removesuffix(":")


def file_name(host: str) -> str:
    """A host's name as the name of a file: never another directory, never hidden."""
    name = shown_host(host).replace("/", "_").replace("\0", "_")
    return "_" + name if name.startswith(".") or not name else name


def check_file_names(members: Iterable[Member]) -> None:
    """Raises UsageError where two hosts would write to the same file, or into the same directory."""
    taken: dict[str, str] = {}
    for member in members:
        name = file_name(member.text)
        other = taken.setdefault(name, member.text)
        if other != member.text:
            raise UsageError(f"the hosts {other!r} and {member.text!r} would both be {name!r} here, and their files be "
                             "mixed: take them in two runs, to two directories")


def _secret(name: str) -> bool:
    return name.endswith(("_pass", "_password"))
