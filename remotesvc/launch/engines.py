"""The container engines: one row each. Pure."""

from ..bootstrap.errors import UsageError
from .engine import (
    DENIED,
    MISSING,
    NAME,
    NO_ENGINE,
    NO_INIT,
    NO_PYTHON,
    NO_SHELL,
    NO_SUCH_USER,
    NONE,
    NOT_RUNNING,
    NOT_STARTED,
    NOT_THERE_OR_NOT_RUNNING,
    NUMBERS,
    SILENT,
    Engine,
    flags,
    numbers,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional

    from .engine import Place, Reason

_TAKE_ANOTHER = ("If it has a Python, name that: with python=PATH (--python PATH) no shell is needed. Else take an"
                 " image that has one.")
_SHELL_OF_OCI: "Reason" = (NO_SHELL, ('"sh": executable file not found', 'sh\\": executable file not found',
                                      "stat sh: no such file", "executable file `sh` not found", "failed to exec"),
                           _TAKE_ANOTHER)
_USER_OF_OCI: "Reason" = (NO_SUCH_USER, ("unable to find user", "unable to find group", "unknown user error",
                                         "uids and gids must be in range"), "Name one of its own, by name or number.")
_ENTER_AS_ROOT = "Start it by way of a context of root's: Router.sudo, and via= that."


def _oci(program: "str", package: "str") -> "Engine":
    def enter(place: "Place", user: "Optional[str]") -> "List[str]":
        chosen = [] if user is None else ["--user", user]
        return [program, "exec", "--interactive", *chosen, place["name"]]

    return Engine(program, package, enter, (
        (MISSING, ("no such container", "no container with name"), "Is it up? See `%s ps`." % program),
        (NOT_RUNNING, ("is paused",), "Resume it: `%s unpause %%s`." % program),
        (NOT_RUNNING, ("is not running",), "Start it: `%s start %%s`." % program),
        # Podman does not tell a container that is paused from one that is stopped.
        (NOT_RUNNING, ("exec sessions on running",),
         "Start it: `%s start %%s`; one that is paused: `%s unpause %%s`." % (program, program)),
        (NO_ENGINE, ("cannot connect to the docker daemon", "error during connect",
                     "unable to resolve docker endpoint"),
         "Is it running, and is it the one that is meant? See `%s info`." % program),
        (DENIED, ("permission denied while trying to connect",),
         "Be one of those who may use the engine, or start it by way of a context that is: via=."),
        _USER_OF_OCI,
        _SHELL_OF_OCI,
        (NOT_STARTED, ("oci runtime",), "It says why: look at the container's settings and limits."),
        # Podman loses the last words of what ends without having read its stdin: here, of the line that looks for one.
        (NO_PYTHON, ("exit status 127" + SILENT,), "Install Python 3.6 or newer there, or name one with python=PATH"
                                                   " (--python PATH).")))


def _buildah(place: "Place", user: "Optional[str]") -> "List[str]":
    chosen = [] if user is None else ["--user", user]
    return ["buildah", "run", *chosen, place["name"], "--"]


def _lxc(place: "Place", user: "Optional[str]") -> "List[str]":
    chosen = [] if user is None else ["--uid=%s" % numbers(user)[0], "--gid=%s" % numbers(user)[1]]
    return ["lxc-attach", "--clear-env", *chosen, "--name", place["name"], "--"]


def _lxd(program: "str", package: "str") -> "Engine":
    """LXD and Incus, which was made from it: the same words but for the program's name."""
    def enter(place: "Place", user: "Optional[str]") -> "List[str]":
        chosen = [] if user is None else ["--user=%s" % numbers(user)[0], "--group=%s" % numbers(user)[1]]
        remote = place["remote"] + ":" if "remote" in place else ""
        return [program, "exec", "--mode=non-interactive", *flags(place, "project"), *chosen, remote + place["name"],
                "--"]

    return Engine(program, package, enter, (
        (MISSING, ("instance not found", "project not found", "error: not found", "the remote \""),
         "See `%s list`, and for other servers `%s remote list`." % (program, program)),
        (NOT_RUNNING, ("instance is not running", "instance is frozen", "container is not running"),
         "Start it: `%s start %%s`." % program),
        (DENIED, ("connect: permission denied", "config.yml: permission denied", "needed permissions to talk to",
                  "not authorized", "error: forbidden"),
         "Be in the group that may use it, or start it by way of a context that is: via=."),
        (NO_ENGINE, ("unix.socket: connect: ", "connection refused", "daemon doesn't appear to be started"),
         "Is it running? See `%s info`." % program),
        (NO_SHELL, ("command not found",), _TAKE_ANOTHER)),
        noun="instance", form="(?:(?P<remote>%s):)?(?P<name>%s)" % (NAME, NAME), shown="[REMOTE:]NAME",
        options=("project",), users=NUMBERS)


def _nspawn(place: "Place", user: "Optional[str]") -> "List[str]":
    # A service of the machine's own systemd: in its cgroup and with its capabilities. `machinectl shell` would be a
    # terminal; who enters the leader's namespaces by nsenter keeps the host's cgroup and, unless the machine has users
    # of its own, all that root may do on the host.
    chosen = [] if user is None else ["--uid=" + user]
    return ["systemd-run", "--machine=" + place["name"], "--pipe", "--wait", "--quiet", "--collect", *chosen, "--"]


def _kubectl(place: "Place", user: "Optional[str]") -> "List[str]":
    return ["kubectl", "exec", "--stdin", *flags(place, "kubeconfig", "context", "namespace", "container"),
            place["name"], "--"]


ENGINES: "Dict[str, Engine]" = {
    "docker": _oci("docker", "docker.io"),
    "podman": _oci("podman", "podman"),
    "buildah": Engine("buildah", "buildah", _buildah, (
        (MISSING, ("container not known",), "Made by `buildah from`? See `buildah containers`."),
        _USER_OF_OCI,
        _SHELL_OF_OCI)),
    # It cannot tell a container that is stopped from one that never was.
    "lxc": Engine("lxc-attach", "lxc", _lxc, (
        (DENIED, ("insufficent privileges", "insufficient privileges", "permission denied", "you lack access"),
         _ENTER_AS_ROOT),
        (NOT_THERE_OR_NOT_RUNNING, ("failed to get init pid", "is not running"),
         "Is it up? See `lxc-ls --fancy`."),
        _SHELL_OF_OCI), users=NUMBERS),
    "lxd": _lxd("lxc", "lxd-client"),
    "incus": _lxd("incus", "incus-client"),
    # It cannot tell a machine that is stopped from one that never was.
    "nspawn": Engine("systemd-run", "systemd", _nspawn, (
        (NOT_THERE_OR_NOT_RUNNING, ("connect to bus: host is down",),
         "Is it up? See `machinectl list`; start it: `machinectl start %s`."),
        (NO_INIT, ("connect to bus: no such file or directory", "connect to bus: connection refused"),
         "It has to be booted, with systemd and D-Bus inside (Debian packages systemd and dbus)."),
        (DENIED, ("connect to bus: permission denied", "access denied", "authentication required"), _ENTER_AS_ROOT),
        (NO_SUCH_USER, ("exit status 217",), "Name one of its own, by name or number."),  # systemd's EXIT_USER
        (NO_SHELL, ("exit status 203",), _TAKE_ANOTHER)),  # EXIT_EXEC
        noun="machine"),
    "kubectl": Engine("kubectl", "kubernetes-client", _kubectl, (
        (DENIED, ("(forbidden)", "is forbidden"),
         "Your account needs get on pods and create on pods/exec there: see `kubectl auth can-i --list`."),
        (DENIED, ("(unauthorized)", "must be logged in"),
         "Log in to the cluster anew: it does not take your credentials."),
        (MISSING, ("(notfound)", "is not valid for pod", "not found in pod"),
         "A pod is written [CONTEXT:][NAMESPACE/]POD[/CONTAINER]; see `kubectl get pods --all-namespaces`."),
        (NOT_RUNNING, ("completed pod", "container not found (", "does not have a host assigned", "is not running"),
         "See `kubectl describe pod` for why."),
        (NO_ENGINE, ("unable to connect to the server", "was refused - did you specify", "error loading config",
                     "error: context \"", "context was not found"),
         "Is it the right context? See `kubectl config get-contexts` and `kubectl cluster-info`."),
        _SHELL_OF_OCI),
        noun="pod", form="(?:(?P<context>[A-Za-z0-9][A-Za-z0-9_.@:/+-]*):)?(?:(?P<namespace>%s)/)?(?P<name>%s)"
                         "(?:/(?P<container>%s))?" % (NAME, NAME, NAME),
        shown="[CONTEXT:][NAMESPACE/]POD[/CONTAINER]", options=("kubeconfig",), users=NONE),
}


def engine_of(name: "str") -> "Engine":
    """An engine by its name. Raises UsageError if there is none."""
    if name not in ENGINES:
        raise UsageError("containers are those of %s, not of %r" % (", ".join(ENGINES), name))
    return ENGINES[name]
