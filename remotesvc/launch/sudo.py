"""Becoming another user by `sudo`, or by sudo-rs under that name.

The prompt is a random token of ours (`-p`), so it is found in any language and in nothing else that is printed; sudo-rs
wraps its own words around it.
"""

import binascii
import os
import re

from .method import Method, check_name, nameless, unrunnable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List


class Sudo(Method):
    """sudo 1.8 or newer; it reads the password from the same stdin as we the kernel."""

    program = "sudo"
    reasons = (
        (r"must have a tty|a terminal is required|no tty present",
         "sudo wants a terminal, and there is none", "Take requiretty out of its sudoers file."),
        (r"is not in the sudoers file|may not run sudo|is not allowed to|I'm sorry .*afraid I can't",
         "sudo does not allow that", "Ask for the right in its sudoers file, or take another user."),
        nameless(r"you do not exist in the passwd database|user 'current user' not found"),
        (r"invalid shell for user", "sudo takes no user with such a shell",
         "Enter it in /etc/shells there, or take another user."),
        (r"no valid sudoers sources found", "sudo cannot read its rules",
         "`visudo -c` there, as root, says what is wrong with them."),
        (r"unknown user|user '.*' not found|user not found", "there is no such user",
         "Name another with --become-user."),
        unrunnable(r"unable to execute [^\n]*Permission denied"),
        (r"command not found|No such file or directory", "sudo cannot find the Python to run",
         "Name one with python=PATH (--python PATH)."),
        (r"unexpected argument|invalid option|unknown option|unrecognized option",
         "sudo does not know the options we need", "A sudo 1.8 or newer, or sudo-rs, is needed."),
    )
    unasked = r"a password is required|interactive authentication is required|no password was provided"
    wrong = r"try again|incorrect password|incorrect authentication|Authentication fail|Maximum .*attempts"
    whose = "It is that of the user who logs in, unless sudo says otherwise."

    over = r"Account or password is expired, reset your password"

    def __init__(self) -> "None":
        self.token = "remotesvc-%s:" % binascii.b2a_hex(os.urandom(16)).decode()
        self.prompt = re.compile(re.escape(self.token))

    def check_user(self, user: "str") -> "str":
        """A name, or "#" and a number."""
        check_name(user[1:] if user.startswith("#") else user)
        return user

    def arguments(self, kernel: "List[str]", user: "str", asks: "bool") -> "List[str]":
        """See ``Method.arguments``."""
        return (["-S", "-p", self.token] if asks else ["-n"]) + ["-u", user, "--"] + kernel
