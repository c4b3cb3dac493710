"""A context inside a running container, by way of its engine's own program: nothing is needed there but a Python."""

from ..bootstrap.calls.current import current
from ..bootstrap.errors import UsageError
from ..bootstrap.unreachable import ConnectError, as_reply
from .bundle import CANDIDATES, PROBE, safe_name
from .engines import ENGINES
from .process import ProcessPath
from .tree import process_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from .engines import Engine

def argv(bundle: "Any", engine: "str", container: "str", user: "Optional[str]", python: "Optional[str]",
         name: "str") -> "List[str]":
    """The command that starts a kernel in a container."""
    words = [safe_name(name), bundle.stage0] + ([python] if python else CANDIDATES)
    return ENGINES[engine].argv(container, user, ["sh", "-c", PROBE, "sh"] + words)


def check_container(name: "str") -> "str":
    """The name or id of a container. Raises UsageError for what neither can be."""
    plain = name.replace("_", "").replace(".", "").replace("-", "")
    if not plain.isalnum() or not name[0].isalnum() or len(name) > 255 or not name.isascii():
        raise UsageError("not the name of a container: %s" % ascii(name[:80]))
    return name


class ContainerPath(ProcessPath):
    """The byte path to a kernel in a container."""

    def __init__(self, argv: "List[str]", name: "str", engine: "Engine", container: "str") -> "None":
        self._engine = engine
        self._container = container
        super().__init__(argv, name)

    def explain(self, host: "str", noise: "str") -> "Optional[ConnectError]":
        """Why there is no kernel, if the engine is the reason. Docker's says on stdout that there is no such program:
        among the ``noise`` ahead of the kernel's marker."""
        said = (noise + "\n" + self.diagnostics()).strip()
        found = self._engine.reason(said)
        if found is None:
            return None
        error, why, hint = found
        return error(why % self._container, host, "exec", hint, said, self.exit_status())


def container(tree: "Any", via: "Any", name: "str", options: "Dict[str, Any]") -> "Any":
    """A context in a container of this machine, or of that of ``via``; see ``Router.docker``."""
    engine = ENGINES.get(options["engine"])
    if engine is None:
        raise UsageError("containers are those of %s, not of %r" % (", ".join(ENGINES), options["engine"]))
    engine.check_user(options["user"])
    options = dict(options, container=check_container(name))
    if via is None:
        return open_container(tree, options)
    return tree.started_by(via, "remotesvc.launch.container:start_container", options, options["connect_timeout"],
                           options["name"])


def open_container(tree: "Any", options: "Dict[str, Any]") -> "Any":
    """A context in a container of this machine, on its way up. Raises BootstrapError without the program."""
    tree.router.alive()  # before there is a process that nobody would end
    command = argv(tree.bundle, options["engine"], options["container"], options["user"], options["python"],
                   process_name())
    path = ContainerPath(command, options["name"], ENGINES[options["engine"]], options["container"])
    return tree.adopt(path, options["name"], options["connect_timeout"], {}, options["settings"])


def start_container(options: "Dict[str, Any]") -> "Any":
    """On a child: its id and HELLO, or the reply that stands for a ConnectError."""
    try:
        check_container(options["container"])
        context = open_container(current().router.tree(), options)
        return context.id, context.info
    except ConnectError as error:
        return as_reply(error)
