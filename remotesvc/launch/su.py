"""Becoming another user by `su`, as util-linux has it. Pure."""

from ..bootstrap.errors import UsageError
from .bundle import quote_word
from .method import Method, check_name, unrunnable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List


class Su(Method):
    """su: root is not asked; others are for the password of the user they want to be, on stdin where that is no
    terminal."""

    program = "su"
    reasons = (
        (r"must be run from a terminal", "su wants a terminal, and there is none",
         "Take sudo, or log in as that user."),
        (r"does not exist|Unknown id|No passwd entry|unknown user", "there is no such user",
         "Name another with --become-user."),
        unrunnable(r"exec: [^\n]*[Pp]ermission denied"),
        (r"Permission denied|permission denied|not allowed|may not", "su does not allow that",
         "Ask for the right (often that of a group, see /etc/pam.d/su), or take another way."),
        # Who is not root gets that user's own, /bin/false or the like, whatever was asked for.
        (r"using restricted shell|account is (currently )?not available", "that user has no shell to log in with",
         "Become it by way of sudo, or of root."),
        (r"No such file or directory|not found|Unknown command", "su cannot find the Python to run",
         "Name one with python=PATH (--python PATH)."),
    )
    wrong = r"Authentication fail|incorrect password|Sorry"
    whose = "su wants the password of the user to become, not that of the one who logs in."

    def check_user(self, user: "str") -> "str":
        """A name: su takes no numbers."""
        if user.startswith("#"):
            raise UsageError("su takes the name of a user, not a number: %s" % ascii(user[:80]))
        return check_name(user)

    def arguments(self, kernel: "List[str]", user: "str", asks: "bool") -> "List[str]":
        """See ``Method.arguments``. There is no "do not ask": a question without an answer ends it."""
        # The shell is -s's, but for a user whose own is not in /etc/shells: so the line is one that any shell takes. Of
        # its words only the first may hold what cannot be between quotes.
        words = [quote_word(kernel[0])] + ["'%s'" % each for each in kernel[1:]]
        return ["-s", "/bin/sh", "-c", "exec " + " ".join(words), "--", user]
