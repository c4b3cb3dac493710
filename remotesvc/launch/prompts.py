"""What `sudo` says before it runs us, and what we answer. Pure: text in, answers and reasons out.

The prompt is a random token of ours (`-p`), so it is found in any language and in nothing else that is printed; sudo-rs
wraps its own words around it. Messages are read only to say why it failed.
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple

# Characters of what it says that are kept: a lecture, a few messages.
MOST = 16 * 1024

# (what it says with LC_ALL=C, our word for it, what to do); the first that fits.
_REASONS = (
    (r"must have a tty|a terminal is required|no tty present",
     "sudo wants a terminal, and there is none", "Take requiretty out of its sudoers file."),
    (r"is not in the sudoers file|may not run sudo|is not allowed to|I'm sorry .*afraid I can't",
     "sudo does not allow that", "Ask for the right in its sudoers file, or take another user."),
    (r"unknown user|user '.*' not found|user not found", "there is no such user", "Name another with --become-user."),
    (r"a password is required|interactive authentication is required|no password was provided",
     "sudo asks for a password, and none was given", "Give it with -K or --become-password-file."),
    (r"try again|incorrect password|incorrect authentication|Authentication fail|Maximum .*attempts",
     "the password is wrong", "It is that of the user who logs in, unless sudo says otherwise."),
    (r"command not found|No such file or directory", "sudo cannot find the Python to run", "Name one with --python."),
    (r"unexpected argument|invalid option|unknown option|unrecognized option",
     "sudo does not know the options we need", "A sudo 1.8 or newer, or sudo-rs, is needed."),
)


class Conversation(object):
    """One sudo: ``heard(text)`` takes what it says, and gives what to write on its stdin."""

    def __init__(self, token: "str", password: "Optional[str]") -> "None":
        self._token = token
        self._password = password
        self._said = ""
        self._seen = 0
        self._asked = 0
        self.refused = False
        """It asked again, or asks and we have nothing to say: there is no use in going on."""

    def heard(self, text: "str") -> "Optional[str]":
        """What to answer to what has been said so far; None for nothing. Each prompt is answered once."""
        self._said = (self._said + text)[-MOST:]
        asked = self._said.count(self._token)
        if asked <= self._seen:
            return None
        self._seen = asked
        self._asked += 1
        if self._password is None or self._asked > 1:
            self.refused = True
            return None
        return self._password + "\n"

    def reason(self) -> "Optional[Tuple[str, str]]":
        """(why it did not come to running us, what to do), from what was said; None if that says nothing."""
        if self.refused:
            return _REASONS[3][1:] if self._password is None else _REASONS[4][1:]
        for pattern, reason, hint in _REASONS:
            if re.search(pattern, self._said):
                return reason, hint
        return None

    def text(self) -> "str":
        """What it said, without our token."""
        return self._said.replace(self._token, "[prompt]").strip()
