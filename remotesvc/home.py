"""The home directory of whoever this process runs as. HOME may be that of whoever called sudo: what is done there by a
name that its owner can put anywhere would be done with our rights."""

import os


def home() -> "str":
    """The directory that HOME names, unless it is another user's: then our own. Not absolute where none is known."""
    found = os.path.expanduser("~")
    try:
        if os.stat(found).st_uid != os.geteuid():
            import pwd
            found = pwd.getpwuid(os.geteuid())[5]
    except (OSError, KeyError):
        pass  # what is wrong with it is said when it is used
    return found


def expand(path: "str") -> "str":
    """A path that may begin with "~", as ``os.path.expanduser`` has it, but with ``home``."""
    if path.partition("/")[0] != "~":
        return os.path.expanduser(path)
    own = home()
    return own.rstrip("/") + path[1:] or "/" if os.path.isabs(own) else path
