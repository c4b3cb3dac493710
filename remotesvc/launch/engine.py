"""What one container engine is to us: how its program is called, and what it says when it cannot. Pure."""

import re

from ..bootstrap.errors import UsageError
from ..bootstrap.unreachable import ConnectError, PythonNotFound, UnknownHost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Type

    Place = Dict[str, str]
    Trouble = Tuple[Type[ConnectError], str]
    Reason = Tuple[Trouble, Sequence[str], str]

# What can be in the way, the same for all engines: the error, and our words for it; "%s" is the container.
MISSING: "Trouble" = (UnknownHost, "there is no %s")
NOT_RUNNING: "Trouble" = (ConnectError, "the %s is not running")
NOT_THERE_OR_NOT_RUNNING: "Trouble" = (UnknownHost, "there is no %s that runs")
DENIED: "Trouble" = (ConnectError, "you may not enter the %s")
NO_ENGINE: "Trouble" = (ConnectError, "the container engine cannot be reached, so neither can the %s")
NO_INIT: "Trouble" = (ConnectError, "the %s has nothing that would start a program there")
NO_SUCH_USER: "Trouble" = (ConnectError, "the %s has no such user")
NOT_STARTED: "Trouble" = (ConnectError, "the engine could not start a program in the %s")
NO_SHELL: "Trouble" = (ConnectError, "the %s has no shell")
NO_PYTHON: "Trouble" = (PythonNotFound, "no Python 3 was found in the %s")

SILENT = " and not a word"
"""Behind the exit status of a program that has said nothing."""

NAME = "[A-Za-z0-9][A-Za-z0-9_.-]*"
"""A container's name or id, a pod's, a namespace's... with any engine: nothing that an option parser or a shell takes
for something else."""
LONGEST = 1024
"""Characters of a place. Contexts of kubectl are the longest: Amazon's hold an account, a region and a cluster."""

# Which users a program can become: by name or number, by number alone, none.
ANY, NUMBERS, NONE = "a user", "a user's number, as in 33 or 33:33 with that of the group", "no user"


class Engine(object):
    """How one program runs a command in a container. Pure: names in, words and reasons out.

    program  what is called, of Debian's ``package``; ``noun``: what its users call a container
    form     a regular expression for the text that names a container, ``shown`` the same for people; its groups are
             the parts of a place, "name" among them
    options  further parts, which only have room in options of their own
    users    ANY, NUMBERS or NONE
    enter    from a place and a user to the words of the command line that stand ahead of the command
    reasons  (trouble, what the program says of it in lower case, what to do), the first that fits; "%s" is the name
    """

    def __init__(self, program: "str", package: "str", enter: "Callable[[Place, Optional[str]], List[str]]",
                 reasons: "Sequence[Reason]", noun: "str" = "container", form: "str" = "(?P<name>%s)" % NAME,
                 shown: "str" = "NAME", options: "Sequence[str]" = (), users: "str" = ANY) -> "None":
        self.program = program
        self.package = package
        self.noun = noun
        self.shown = shown
        self._form = form
        self._options = options
        self._users = users
        self._enter = enter
        self._reasons = reasons

    @property
    def options(self) -> "List[str]":
        """The parts of a place besides the name."""
        return sorted({*re.compile(self._form).groupindex, *self._options} - {"name"})

    def place(self, text: "str", options: "Mapping[str, str]") -> "Place":
        """Where a container is: the parts of the text that names it, and for what that leaves open ``options``. Raises
        UsageError for what neither can be."""
        found = re.match(self._form + r"\Z", text) if len(text) <= LONGEST else None
        if found is None:
            raise UsageError("not the name of any %s: %s; expected %s" % (self.noun, _quoted(text), self.shown))
        for option, value in options.items():
            if option not in self.options:
                known = "its options are %s" % ", ".join(self.options) if self.options else "it has no options"
                raise UsageError("%s has no option %s: %s" % (self.program, _quoted(option), known))
            if not isinstance(value, str) or not value.isprintable() or not value or value.startswith("-"):
                raise UsageError("no %s has the %s %s" % (self.noun, option, _quoted(value)))
        place = dict(options)
        place.update((part, each) for part, each in found.groupdict().items() if each is not None)
        return place

    def check(self, text: "str", options: "Mapping[str, str]", user: "Optional[str]") -> "None":
        """Raises UsageError for a name, options or a user that cannot be."""
        self.place(text, options)
        self.check_user(user)

    def check_user(self, user: "Optional[str]") -> "None":
        """Raises UsageError for a user that the program cannot become."""
        if user is None:
            return
        if self._users == NONE:
            raise UsageError("%s takes no user, so not %s: become one inside, with --become-user (Router.sudo)" % (
                self.program, _quoted(user)))
        if not user or user.startswith("-") or (self._users == NUMBERS and not re.match(r"[0-9]+(:[0-9]+)?\Z", user)):
            raise UsageError("%s takes %s, not %s" % (self.program, self._users, _quoted(user)))

    def argv(self, place: "Place", user: "Optional[str]", words: "List[str]") -> "List[str]":
        """The command that runs ``words`` in a container: stdin and stdout are ours, and no terminal."""
        return self._enter(place, user) + words

    def reason(self, container: "str", said: "str", status: "Optional[int]", python: "Optional[str]" = None
               ) -> "Optional[Tuple[Type[ConnectError], str, str]]":
        """(error, why there is no kernel, what to do), from what the program said and its exit status; None if that
        says nothing. ``python``: what it was to run, if not a shell."""
        low = "%s\nexit status %s%s" % (said.lower(), status, "" if said else SILENT)
        if python:
            low = low.replace(python.lower(), "sh")  # the same words, of another program
        for (error, why), signs, hint in self._reasons:
            if any(sign in low for sign in signs):
                if python and (error, why) == NO_SHELL:
                    (error, why), hint = NO_PYTHON, "There is no %s that could be run." % python
                return error, why % ("%s %s" % (self.noun, container)), hint.replace("%s", container)
        return None


def flags(place: "Place", *names: "str") -> "List[str]":
    """Parts of a place as options of the same name, where they are known."""
    return ["--%s=%s" % (name, place[name]) for name in names if name in place]


def numbers(user: "str") -> "Tuple[str, str]":
    """(user, group) of what NUMBERS allows. Without one the group has the user's number, as most users' own has: the
    programs themselves would leave it at root's."""
    uid, _, gid = user.partition(":")
    return uid, gid or uid


def _quoted(value: "object") -> "str":
    text = ascii(value)
    return text if len(text) <= 80 else text[:80] + "..."
