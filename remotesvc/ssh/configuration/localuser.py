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


def tilde(path: str) -> str:
    """A path of ssh_config with its ~ replaced as ssh does, which does not look at HOME."""
    if has_entry() and (path == "~" or path.startswith("~/")):
        return pwd.getpwuid(os.getuid()).pw_dir + path[1:]
    return os.path.expanduser(path)


def local_user() -> str:
    """The name that the environment or the system has; the number where neither has one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the latter from Python 3.13 on
        return str(os.getuid())
