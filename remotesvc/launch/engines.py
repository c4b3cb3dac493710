"""The programs that run a command in a container: how each is called, and what it says when it cannot. Pure."""

from ..bootstrap.errors import UsageError
from ..bootstrap.unreachable import ConnectError, UnknownHost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Sequence, Tuple, Type

    Reason = Tuple[Tuple[str, ...], Type[ConnectError], str, str]


class Engine(object):
    """How one program runs a command in a container. Pure: names in, words and reasons out.

    ``command`` begins the command line; ``name`` are the words for a container, "%s" its name; ``user`` is the option
    for a user, of whom ``numbers`` says that only the number will do. ``reasons``: (what the program says, lower case;
    the error; our words for it; what to do), the first that fits.
    """

    def __init__(self, command: "List[str]", name: "List[str]", user: "str", numbers: "bool",
                 reasons: "Sequence[Reason]") -> "None":
        self.command = command
        self._name = name
        self._user = user
        self._numbers = numbers
        self._reasons = reasons

    def argv(self, container: "str", user: "Optional[str]", words: "List[str]") -> "List[str]":
        """The command that runs ``words`` in a container: stdin and stdout are ours, and no terminal."""
        chosen = [] if user is None else [self._user, user]
        return self.command + chosen + [word.replace("%s", container) for word in self._name] + words

    def check_user(self, user: "Optional[str]") -> "None":
        """Raises UsageError for a user that the program cannot become."""
        if user is not None and (not user or user.startswith("-") or (self._numbers and not user.isdigit())):
            raise UsageError("%s takes %s, not %s" % (
                self.command[0], "a user's number" if self._numbers else "a user", ascii(user[:80])))

    def reason(self, said: "str") -> "Optional[Tuple[Type[ConnectError], str, str]]":
        """(error, why there is no kernel, what to do), from what the program said; None if that says nothing."""
        low = said.lower()
        for signs, error, why, hint in self._reasons:
            if any(sign in low for sign in signs):
                return error, why, hint
        return None


_NO_SHELL = (('"sh": executable file not found', "failed to exec"), ConnectError, "the container %s has no shell",
             "A Python has to be there anyway: take an image that has one.")


def _oci(program: "str") -> "Engine":
    return Engine([program, "exec", "--interactive"], ["%s"], "--user", False, (
        (("no such container", "no container with name"), UnknownHost, "there is no container %s",
         "Is it up? See `%s ps`." % program),
        (("is not running", "exec sessions on running", "is paused"), ConnectError, "the container %s is not running",
         "Start it."),
        (("cannot connect to the docker daemon", "permission denied while trying to connect"), ConnectError,
         "the container engine cannot be reached, so %s neither", "Is it running, and may you use it?"),
        _NO_SHELL))


ENGINES: "Dict[str, Engine]" = {
    "docker": _oci("docker"),
    "podman": _oci("podman"),
    # It cannot tell a container that is stopped from one that never was.
    "lxc": Engine(["lxc-attach", "--clear-env"], ["--name", "%s", "--"], "--uid", True, (
        (("insufficent privileges", "insufficient privileges", "permission denied"), ConnectError,
         "you may not enter the container %s", "Become root, with -b or Router.sudo."),
        (("failed to get init pid", "is not running"), UnknownHost, "there is no container %s that runs",
         "Is it up? See `lxc-ls --fancy`."),
        _NO_SHELL)),
}
