"""A context inside a running container, by way of its engine's own program: nothing is needed there but a Python."""

import os
import signal

from ..bootstrap.unreachable import BootstrapError
from .bundle import CANDIDATES, NO_CORE, PROBE, safe_name
from .by_way import started, started_by
from .connection import Connection
from .engines import engine_of
from .process import ProcessPath
from .tree import process_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from ..bootstrap.unreachable import ConnectError
    from ..calling.context import Context
    from .engine import Engine
    from .tree import Tree


_KILLED = " (SIGKILL: it was out of memory, or the container was killed)"


class ContainerPath(ProcessPath):
    """The byte path to a kernel in a container."""

    def __init__(self, argv: "List[str]", name: "str", engine: "Engine", container: "str",
                 python: "Optional[str]") -> "None":
        self._engine = engine
        self._container = container
        self._python = python
        try:
            # What an engine says is told by its words: they are to be the English ones.
            super().__init__(argv, name, dict(os.environ, LC_ALL="C.UTF-8", LANGUAGE="C"))
        except BootstrapError as error:
            if isinstance(error.__context__, FileNotFoundError):
                error.hint = "Install it on the machine that enters the container (Debian package %s)." % engine.package
            raise

    def _why(self, reason: "str") -> "str":
        why = super()._why(reason)
        # The status of what an engine has run: of what a signal has ended, as a shell would tell it. A kernel that ends
        # itself so has said why.
        killed = self._process.returncode == 128 + signal.SIGKILL and not self._said
        return why + _KILLED if killed else why

    def explain(self, host: "str", noise: "str") -> "Optional[ConnectError]":
        """Why there is no kernel, if the engine is the reason. Docker's says on stdout that there is no such program:
        among the ``noise`` ahead of the kernel's marker."""
        said, status = (noise + "\n" + self.diagnostics()).strip(), self.exit_status()
        found = self._engine.reason(self._container, said, status, self._python)
        if found is None:
            return None
        error, why, hint = found
        return error(why, host, "exec", hint, said, status)


def container(tree: "Tree", via: "Optional[Context]", name: "str", options: "Dict[str, Any]") -> "Context":
    """A context in a container of this machine, or of that of ``via``; see ``Router.container``."""
    engine_of(options["engine"]).check(name, options["options"], options["user"])
    options = dict(options, container=name)
    if via is None:
        return open_container(tree, options)
    return started_by(tree, via, "remotesvc.launch.container:start_container", options, options["name"])


def open_container(tree: "Tree", options: "Dict[str, Any]") -> "Context":
    """A context in a container of this machine, on its way up. Raises BootstrapError without the program."""
    tree.router.alive()  # before there is a process that nobody would end
    engine, container = engine_of(options["engine"]), options["container"]
    python, name = options["python"], process_name()
    # Nobody has to look for one that is named: so an image without a shell will do.
    words = tree.bundle.argv(python, name, NO_CORE) if python else (
        ["sh", "-c", PROBE, "sh", safe_name(name), tree.bundle.stage0] + CANDIDATES)
    command = engine.argv(engine.place(container, options["options"]), options["user"], words)
    path = ContainerPath(command, options["name"], engine, container, python)
    return tree.adopt(Connection(path, options["name"], options["connect_timeout"]), options["settings"])


def start_container(options: "Dict[str, Any]") -> "Any":
    """On a child, see ``by_way.started``."""
    return started(open_container, options)
