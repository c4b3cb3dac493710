"""Who runs this: a container may run under a number that no name belongs to."""

from __future__ import annotations

import getpass
import os
import pwd


def has_entry() -> bool:
    """Whether the system knows this user. ssh runs for nobody else."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True


def local_user() -> str:
    """The name that the environment or the system has; the number where neither has one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the latter from Python 3.13 on
        return str(os.getuid())
