"""A context inside a running container, by way of `docker exec` (or podman's): nothing is needed there but a Python."""

from ..bootstrap.current import current
from ..bootstrap.errors import UsageError
from ..bootstrap.unreachable import ConnectError, UnknownHost, as_reply
from .bundle import CANDIDATES, PROBE, safe_name
from .process import ProcessPath
from .tree import process_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

PROGRAMS = ("docker", "podman")


def argv(bundle: "Any", program: "str", container: "str", user: "Optional[str]", python: "Optional[str]",
         name: "str") -> "List[str]":
    """The command that starts a kernel in a container: stdin and stdout are ours, and no terminal."""
    command = [program, "exec", "--interactive"]
    if user is not None:
        command += ["--user", user]
    words = [safe_name(name), bundle.stage0] + ([python] if python else CANDIDATES)
    return command + [container, "sh", "-c", PROBE, "sh"] + words


def check_container(name: "str") -> "str":
    """The name or id of a container. Raises UsageError for what neither can be."""
    plain = name.replace("_", "").replace(".", "").replace("-", "")
    if not plain.isalnum() or not name[0].isalnum() or len(name) > 255 or not name.isascii():
        raise UsageError("not the name of a container: %s" % ascii(name[:80]))
    return name


class ContainerPath(ProcessPath):
    """The byte path to a kernel in a container."""

    def __init__(self, argv: "List[str]", name: "str", container: "str") -> "None":
        self._container = container
        super().__init__(argv, name)

    def explain(self, host: "str") -> "Optional[ConnectError]":
        """Why there is no kernel, if the engine is the reason."""
        said, status = self.diagnostics(), self.exit_status()
        low = said.lower()
        if "no such container" in low or "no container with name" in low:
            return UnknownHost("there is no container %s" % self._container, host, "exec", "Is it up? See `docker ps`.",
                               said, status)
        if "is not running" in low or "can only create exec sessions on running" in low or "is paused" in low:
            return ConnectError("the container %s is not running" % self._container, host, "exec", "Start it.", said,
                                status)
        if "cannot connect to the docker daemon" in low or "permission denied while trying to connect" in low:
            return ConnectError("the container engine cannot be reached", host, "exec",
                                "Is it running, and may you use it?", said, status)
        if '"sh": executable file not found' in low:
            return ConnectError("the container %s has no shell" % self._container, host, "exec",
                                "A Python has to be there anyway: take an image that has one.", said, status)
        return None


def container(tree: "Any", via: "Any", name: "str", options: "Dict[str, Any]") -> "Any":
    """A context in a container of this machine, or of that of ``via``; see ``Router.docker``."""
    if options["program"] not in PROGRAMS:
        raise UsageError("program is one of %s, not %r" % (", ".join(PROGRAMS), options["program"]))
    options = dict(options, container=check_container(name))
    if via is None:
        return open_container(tree, options)
    return tree.started_by(via, "remotesvc.launch.container:start_container", options, options["connect_timeout"],
                           options["name"])


def open_container(tree: "Any", options: "Dict[str, Any]") -> "Any":
    """A context in a container of this machine, on its way up. Raises BootstrapError without the program."""
    tree.router.alive()  # before there is a process that nobody would end
    command = argv(tree.bundle, options["program"], options["container"], options["user"], options["python"],
                   process_name())
    path = ContainerPath(command, options["name"], options["container"])
    return tree.adopt(path, options["name"], options["connect_timeout"], {}, options["settings"])


def start_container(options: "Dict[str, Any]") -> "Any":
    """On a child: its id and HELLO, or the reply that stands for a ConnectError."""
    try:
        check_container(options["container"])
        context = open_container(current().router.tree(), options)
        return context.id, context.info
    except ConnectError as error:
        return as_reply(error)
