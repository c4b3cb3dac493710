"""The master's router: the public way in. `root` is what it stands on."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import arguments as checked
from .bootstrap.bound import Bound
from .bootstrap.data.secret import Secret
from .bootstrap.failures import rebuild  # noqa: F401  # errors are rebuilt on reader threads, which must not import
from .bootstrap.failures.callerror import CallError
from .bootstrap.routing.router import Router as KernelRouter
from .calling.context import Context
from .calling.known import by_name
from .launch.tree import CONCURRENCY, CONNECT_TIMEOUT
from .modules.explain import ImportOrigin
from .modules.policy import origins
from .modules.server import ModuleServer
from .output import LogEvent, OutputEvent
from .root import OUTPUT_PATIENCE, Root
from .ssh import terminal
from .ssh.configuration.options import SSHOptions
from .ssh.contexts import SSHContexts
from .ssh.login.keyring import KeyRing
from .ssh.pythons import Pythons

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .connecting import Arguments
    from .ssh.configuration.options import Jump
    from .ssh.terminal import Questions


class Router(Bound):
    """Starts contexts and routes between them. A context manager: leaving it ends every context. One that is not closed
    stays until the program ends, though nobody refers to it: its contexts may be in use.

    path         directories that come first when a module is looked for on the master
    log_level    records of the targets' ``logging`` below this level are not sent
    on_output    called with an OutputEvent for what targets print; default: stderr, prefixed with the host
    on_log       called with a LogEvent for a target's log record; default: the logger "remotesvc.remote"
    concurrency  calls that run at once in each context
    siblings     whether contexts that are not above one another may talk, wherever in the tree they are
    allow, deny  patterns of modules that may, or may not, be sent to targets
    imports      where packages come from, over the rules: {name: "master", "target" or "deny"}; {"*": "locked"}, or
                 just "locked", also keeps installed distributions here that nothing called imports
    interactive  whether a person at the terminal, if there is one, may be asked: for the passphrase of a key, and
                 about host keys where host_keys is "ask"; or who answers instead, an object with the two methods of
                 ``ssh.terminal.Questions``
    remember     a file that keeps from run to run which bytecode the Pythons of hosts take, so that the first flight
                 to a host that is near has it; default: this router alone knows. One that cannot be read or written is
                 no error
    """

    def __init__(self, *, path: Iterable[str | os.PathLike[str]] = (), log_level: int | str = logging.WARNING,
                 on_output: Callable[[OutputEvent], object] | None = None,
                 on_log: Callable[[LogEvent], object] | None = None, concurrency: int = CONCURRENCY,
                 siblings: bool = False, allow: Iterable[str] = (), deny: Iterable[str] = (),
                 imports: Mapping[str, str] | str | None = None, interactive: bool | Questions = True,
                 remember: str | os.PathLike[str] | None = None) -> None:
        chosen, locked = origins(imports)
        self.modules = ModuleServer(
            path=checked.several("path", path), allow=checked.several("allow", allow),
            deny=checked.several("deny", deny), imports=chosen, locked=locked)
        settings = {**checked.settings(concurrency), "log_level": checked.level(log_level)}
        if siblings:  # otherwise the first flight has no word of it
            settings["siblings"] = True
        checked.check_interactive(interactive)
        self._root = Root(settings, self.modules, on_output, on_log)
        self._tree = self._root.tree()
        questions = (terminal.find() if interactive else None) if isinstance(interactive, bool) else interactive
        self._ssh = SSHContexts(self._tree, KeyRing(questions), Pythons(remember))

    def register(self, *classes: type) -> None:
        """Have exceptions, dataclasses, namedtuples and Enums of these classes come back as themselves from now on.

        Their fields are checked, their constructors do not run. Raises UsageError for other classes.
        """
        self._root.bindings.classes.update(by_name(classes, "register"))

    def connect(self, host: str, **arguments: Unpack[Arguments]) -> Context:
        """A context on any host, written as for the command line: "web1", "user@host:port", "ssh://...", "local:",
        "docker:NAME", "kubectl:POD"...

        The arguments are those of the method that it comes to, ``ssh``, ``local`` or ``container``, and so are the
        errors; one that is None says nothing. ``name`` is ``host`` unless given. Raises UsageError, before anything is
        connected, for what is no host, and for an argument that says nothing there.
        """
        from .connecting import connect

        return connect(self, host, arguments)

    def local(self, python: str | None = None, *, via: Context | None = None, name: str | None = None,
              connect_timeout: float = CONNECT_TIMEOUT, concurrency: int | None = None) -> Context:
        """Start a context on this machine, or on the machine of the context ``via``.

        python           path of the interpreter (default: the one that runs this process, or ``via``)
        name             what the context is called in output and errors
        connect_timeout  seconds until the kernel must have answered
        concurrency      calls that run there at once (default: the router's)

        Returns once the start is on its way; the first call, or ``wait_ready()``, raises the ConnectError if it fails.
        Raises BootstrapError if there is no such program.
        """
        settings = checked.settings(concurrency)
        return self._tree.local(python, via, name, connect_timeout, **settings)

    def container(self, container: str, engine: str = "docker", *, via: Context | None = None,
                  user: str | None = None, python: str | None = None, name: str | None = None,
                  connect_timeout: float = CONNECT_TIMEOUT, concurrency: int | None = None,
                  options: Mapping[str, str] | None = None) -> Context:
        """Start a context in a running container of this machine, or of that of the context ``via``.

        container        its name or id, as behind the colon of a host string: for lxd and incus "[REMOTE:]NAME", for
                         kubectl "[CONTEXT:][NAMESPACE/]POD[/CONTAINER]"
        engine           "docker", "podman", "buildah", "lxc" (`lxc-attach`), "lxd", "incus", "nspawn" (a systemd
                         machine) or "kubectl"
        user             one of the container's (default: the image's, or root): its number for lxc, lxd and incus, and
                         none for kubectl
        python           path or name of the interpreter there (default: the one that is found first)
        name             what the context is called in output and errors (default: ``container``)
        connect_timeout  seconds until the kernel must have answered
        concurrency      calls that run there at once (default: the router's)
        options          parts of ``container`` by name, where the text leaves them open, and what it has no room for:
                         {"namespace": "shop"}, {"kubeconfig": ...}, {"project": ...}

        Returns once the start is on its way; the first call, or ``wait_ready()``, raises the ConnectError if it fails:
        UnknownHost when there is no such container, PythonNotFound... Raises BootstrapError if the engine's program is
        not there.
        """
        from .launch.container import container as start

        settings = checked.settings(concurrency)
        wanted = {"user": user, "python": python, "name": name or container, "connect_timeout": connect_timeout,
                  "settings": settings, "engine": engine, "options": dict(options or {})}
        context: Context = start(self._tree, via, container, wanted)
        return context

    def docker(self, container: str, *, via: Context | None = None, user: str | None = None,
               python: str | None = None, name: str | None = None, connect_timeout: float = CONNECT_TIMEOUT,
               concurrency: int | None = None) -> Context:
        """Start a context in a running Docker container; parameters and errors as of ``container``."""
        return self.container(container, "docker", via=via, user=user, python=python, name=name,
                              connect_timeout=connect_timeout, concurrency=concurrency)

    def sudo(self, user: str = "root", *, via: Context | None = None, password: str | Secret | None = None,
             python: str | None = None, name: str | None = None, connect_timeout: float = CONNECT_TIMEOUT,
             concurrency: int | None = None, close_via: bool = False) -> Context:
        """Start a context of another user on this machine, or on that of the context ``via``, by sudo.

        user             a name, or "#" and a number
        password         that of the user whom sudo asks; goes to nobody but it. Without one, sudo must ask for none
        python           path of the interpreter (default: the one that ``via`` runs)
        name             what the context is called (default: that of ``via`` and the user, as in "web1 (root)")
        connect_timeout  seconds until the kernel must have answered
        concurrency      calls that run there at once (default: the router's)
        close_via        closing this context closes ``via`` too

        Waits until it is up. Raises BecomeError, which says what sudo said, and other ConnectErrors.
        """
        return self._become("sudo", user, via, password, python=python, name=name, connect_timeout=connect_timeout,
                            concurrency=concurrency, close_via=close_via)

    def su(self, user: str = "root", *, via: Context | None = None, password: str | Secret | None = None,
           python: str | None = None, name: str | None = None, connect_timeout: float = CONNECT_TIMEOUT,
           concurrency: int | None = None, close_via: bool = False) -> Context:
        """Like ``sudo``, by su: it asks for the password of ``user``, unless root runs it. user is a name.

        The environment is that of ``via`` but for HOME, SHELL and, unless the user is root, USER and LOGNAME.
        """
        return self._become("su", user, via, password, python=python, name=name, connect_timeout=connect_timeout,
                            concurrency=concurrency, close_via=close_via)

    def doas(self, user: str = "root", *, via: Context | None = None, password: str | Secret | None = None,
             python: str | None = None, name: str | None = None, connect_timeout: float = CONNECT_TIMEOUT,
             concurrency: int | None = None, close_via: bool = False) -> Context:
        """Like ``sudo``, by doas. With a password it is given a terminal, for it asks for one nowhere else."""
        return self._become("doas", user, via, password, python=python, name=name, connect_timeout=connect_timeout,
                            concurrency=concurrency, close_via=close_via)

    def _become(self, method: str, user: str, via: Context | None, password: str | Secret | None, *,
                concurrency: int | None, close_via: bool, **given: Any) -> Context:
        from .launch.become import become

        options = {"method": method, "user": user, "settings": checked.settings(concurrency),
                   "password": checked.password(password), **given}
        context: Context = become(self._tree, via, options)
        if close_via and via is not None:
            self._tree.keep_with(context, via)
        return context

    def ssh(self, host: str, *, user: str | None = None, port: int | None = None,
            key_filename: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
            password: str | Secret | None = None, passphrase: str | Secret | None = None,
            certificate: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
            known_hosts: str | os.PathLike[str] | None = None, host_keys: str | None = None,
            ssh_config: str | os.PathLike[str] | None = None, python: str | None = None,
            connect_timeout: float = CONNECT_TIMEOUT, extra_options: Iterable[str] = (), jump: Jump = None,
            transport: str | None = None, name: str | None = None, concurrency: int | None = None,
            fresh: bool = False) -> Context:
        """A context on a host, over SSH. What was asked for before and lives is not opened again, unless ``fresh``.

        Every argument but the host wins over ssh_config; what is not given is taken from there.

        host             a name, an alias of ssh_config, "user@host:port" or "ssh://..."
        user, port       as whom, and where
        key_filename     private key files, tried first
        password         for the methods password and keyboard-interactive
        passphrase       opens encrypted key files
        certificate      files of certificates that go with the keys
        known_hosts      the file of host keys, instead of the user's
        host_keys        "yes" (unknown keys are refused), "ask", "accept-new" or "no"; changed ones never pass
        ssh_config       the file to read instead of the user's and the system's; "none" reads none
        python           path or name of the interpreter there (default: the newest python3 that is found first)
        connect_timeout  seconds until the kernel must have answered, for all steps together
        extra_options    "Keyword=value" as of ``ssh -o``
        jump             a host to go through, several separated by commas, or "none"; each is looked up in ssh_config,
                         and hosts behind the same one share its connection
        transport        "paramiko", which speaks SSH in this process (default), or "openssh", which has the ``ssh``
                         that is installed here do it
        name             what the context is called in output and errors (default: ``host``)
        concurrency      calls that run there at once (default: the router's)

        Returns once connected and authenticated, with the kernel on its way. Raises UnknownHost, HostKeyError,
        AuthenticationError, ConnectTimeout and other ConnectErrors. What fails after that (no Python...) is raised by
        the first call, or ``wait_ready()``.
        """
        options = SSHOptions.parse(
            host, user=user, port=port, key_filename=key_filename, password=password,
            passphrase=passphrase, certificate=certificate, known_hosts=known_hosts,
            host_keys=host_keys, ssh_config=ssh_config, python=python, connect_timeout=connect_timeout,
            extra_options=tuple(extra_options), jump=jump, transport=transport)
        settings = checked.settings(concurrency)
        return self._ssh.context(options, name or host, settings, fresh)

    @property
    def kernel(self) -> KernelRouter:
        """The part that also runs in every child: what receivers and services are built on."""
        return self._root

    def explain_imports(self, context: Context) -> list[ImportOrigin]:
        """Where each module that a context has imported came from, why, and how many bytes it was; then what it asked
        for and was refused. A call like any other: it raises what calls raise."""
        return self._tree.explain(context)

    def explain_error(self, context: Context, error: CallError) -> str:
        """What lies behind an error of called code, as far as it is known here: that a package which was sent is for a
        newer Python than the context has, or opens its files by their path. Empty if nothing is known."""
        return self._tree.explain_error(context, error)

    def flush_output(self, timeout: float = OUTPUT_PATIENCE, ended: Context | None = None) -> bool:
        """Wait until ``on_output`` and ``on_log`` have been given all that has arrived; False after ``timeout``
        seconds. Of a context whose calls have ``ended``, bytes that only begin a character are handed over, too."""
        if ended is not None:
            self._tree.own(ended)
            self._root.events.run_behind(ended.id, self._root.outputs.ended, ended.id)
        return self._root.events.flush(timeout)

    def limit_output(self, most: int) -> None:
        """Give ``on_output`` no more than ``most`` bytes from now on: for programs that want to end, and not to wait
        until all that a target has printed was shown."""
        self._root.outputs.limit(most)

    @property
    def output_left_out(self) -> dict[int, int]:
        """Bytes that ``on_output`` was not given, by context id; see ``limit_output``."""
        return dict(self._root.outputs.left_out)

    def close(self) -> None:
        """End every context, release every waiter, end the threads. Idempotent."""
        if self._root.forked:
            return
        self._tree.close()
        self._ssh.close()
        self._root.events.close()
        self._root.outputs.close()

    def __enter__(self) -> Router:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
