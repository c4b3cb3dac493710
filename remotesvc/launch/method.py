"""What one program that makes us another user is like: how it is run, how it asks, what its words mean. Pure."""

import re

from ..bootstrap.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Tuple

    from .prompts import Conversation, Reasons

# The prompt of PAM's modules and of doas, in English: "Password: ", "Password for bob@REALM: ". Nothing has followed,
# for now it waits; a message with the same word goes on to the end of its line.
PASSWORD = re.compile(r"[Pp]assword[^\n]*: ?\Z")

# What asks for a new password, or for the old one once more, does so because it has to be changed.
EXPIRED = (r"required to change|no longer valid|(?:has|is) expired|(?:Current|New) password:",
           "that password, or account, has expired", "Renew it there.")
LOCKED = (r"[Aa]ccount validation failure|Account expired or PAM config", "that account has expired, or is locked",
          "Renew it there.")


def unrunnable(words: "str") -> "Tuple[str, str, str]":
    """The reason that a program's ``words`` tell where the Python is there, and the user may not run it: one in a home
    directory of somebody else, say."""
    return (words, "that user may not run the Python that is to be run",
            "Name one with python=PATH (--python PATH) that it may run, /usr/bin/python3 say.")


def nameless(words: "str") -> "Tuple[str, str, str]":
    """The reason that they tell where who runs the program is a number without a name, as in a container."""
    return (words, "the user that it is to start from has no name there",
            "Enter the container as a user that it knows (-u, user=), or take su.")


class Method(object):
    """One program. An object is made for each start: a prompt may be good for one only."""

    program = ""
    on_terminal = False
    """Does it ask on its controlling terminal? Otherwise on stderr, and it reads the answer from stdin."""
    prompt = PASSWORD
    reasons: "Reasons" = ()
    unasked = r"(?!)"
    """Its words for: it would have to ask, and must not."""
    wrong = r"(?!)"
    """Its words for: that is not the password."""
    over = r"(?!)"
    """Its words after which it goes on to something that we have no answer to."""
    token = ""
    """What in its prompt is ours, if anything is."""
    whose = ""
    """Whose password it wants, for those who gave another."""

    def check_user(self, user: "str") -> "str":
        """The name of a user as this program takes it. Raises UsageError."""
        return check_name(user)

    def argv(self, kernel: "List[str]", user: "str", asks: "bool") -> "List[str]":
        """The command line that runs ``kernel`` as ``user``; it holds no secret. ``asks``: a password may be asked
        for. What is missing is said by `env`, in English, as everything is."""
        return ["env", "LC_ALL=C", self.program] + self.arguments(kernel, user, asks)

    def arguments(self, kernel: "List[str]", user: "str", asks: "bool") -> "List[str]":
        """The words behind the program's name."""
        raise NotImplementedError

    def why(self, talk: "Conversation", status: "Optional[int]", user: "str",
            powerless: "Optional[Tuple[str, str]]" = None) -> "Tuple[str, str]":
        """(why it did not come to running ``kernel``, what to do), from what it said and its exit status. What it says
        of a password counts for nothing where it is ``powerless``, for that reason: it cannot even look it up."""
        unasked = (self.unasked, "%s asks for a password, and none was given" % self.program,
                   "Give it with -K or --become-password-file.")
        wrong = (self.wrong, "the password is wrong", self.whose)
        if talk.refused:
            # Whose password has expired is asked for it once more.
            return talk.reason([EXPIRED]) or powerless or (wrong if talk.given else unasked)[1:]
        # Of a Python that is missing `env` says the same, but with its path.
        missing = (r"env: [^/\n]*\b%s\b[^/\n]*: No such file" % self.program, "there is no %s" % self.program,
                   "Install it, or log in as %s." % user)
        # What had an answer, and was told no, may still say that it would have to ask.
        of_password = ([] if talk.given else [unasked]) + [wrong]
        return (talk.reason([missing] + list(self.reasons) + [EXPIRED, LOCKED]) or powerless
                or talk.reason(of_password)
                or ("%s ended with status %s before it ran anything" % (self.program, status), ""))


def check_name(user: "str") -> "str":
    """What can be the name of a user, whatever the method. Raises UsageError."""
    # DOMAIN\user, too: the name is a word of its own in a command line, and no shell reads it.
    if not user or len(user) > 255 or user.startswith("-") or not all(c.isalnum() or c in "_.-@$\\" for c in user):
        raise UsageError("not a user to become: %s" % ascii(user[:80]))
    return user
