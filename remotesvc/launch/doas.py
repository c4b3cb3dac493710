"""Becoming another user by `doas`, OpenBSD's or its port. Pure."""

from .method import Method, check_name, nameless, unrunnable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List


class Doas(Method):
    """doas: it asks on its controlling terminal and nowhere else. The environment is its own."""

    program = "doas"
    on_terminal = True
    reasons = (
        (r"not enabled", "doas is not set up there", "It needs a doas.conf, and root's rights."),
        nameless(r"no passwd entry for self"),
        (r"unknown user", "there is no such user", "Name another with --become-user."),
        unrunnable(r"doas: /[^\n]*: Permission denied"),
        (r"command not found|No such file or directory", "doas cannot find the Python to run",
         "Name one with python=PATH (--python PATH)."),
        (r"Operation not permitted", "doas does not allow that",
         "Ask for a rule in its doas.conf, or take another user."),
    )
    unasked = r"Auth\w+ required"
    wrong = r"Auth\w+ failed|incorrect password"
    whose = "It is that of the user who logs in."

    def check_user(self, user: "str") -> "str":
        """A name, or "#" and a number."""
        check_name(user[1:] if user.startswith("#") else user)
        return user

    def arguments(self, kernel: "List[str]", user: "str", asks: "bool") -> "List[str]":
        """See ``Method.arguments``."""
        return ([] if asks else ["-n"]) + ["-u", user.lstrip("#"), "--"] + kernel
