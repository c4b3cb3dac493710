"""Where a transfer goes to on the machine that receives it, and what the files become there."""

import os
import stat

from ..bootstrap.errors import Error
from . import directories, naming
from .errors import TransferRefused
from .kept import take
from .landing import Finish
from .marker import MARKER
from .sink import Bounds, FileSink
from .tree_landing import TreeLanding
from .treesink import TreeSink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple

    from .parts import Parts

# The highest number of a user or group: the one above it says "as it is" to the system.
_HIGHEST = (1 << 32) - 2
# What is said besides the path where the directory of a file is not there.
NO_DIRECTORY = "there is no such directory (it is made if the destination ends with /)"


def place_of(dst: "str", name: "bytes", finish: "Optional[Finish]" = None) -> "Tuple[str, bytes]":
    """The directory and the final name of a single file: below ``dst`` if that is, or is written as, a directory.
    ``finish`` is how files are to be made: a directory is made then, too.

    Raises TransferRefused where a device, FIFO or socket is, or a link leads to one: a file must not take its name.
    """
    path = directories.expand(dst)
    if path.endswith("/") or os.path.isdir(path):
        directory, final = path, name
    else:
        directory, last = os.path.split(path)
        final = os.fsencode(last)
    if not final or final in (b".", b"..") or b"/" in final:
        raise TransferRefused("give the name of the file, %s is a directory" % dst)
    if path.endswith("/") and finish is not None:
        directories.make(path, finish.durable)
    _refuse_special(os.path.join(directory, os.fsdecode(final)))
    return directory or ".", final


def _refuse_special(path: "str") -> "None":
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # nothing is there, or what opens the file will say what is wrong
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise TransferRefused("%s is neither a file nor a directory" % path)


def tree_top(dst: "str", name: "bytes") -> "str":
    """The directory that a tree becomes: ``dst``, or below it if that is written with a "/" at its end and the tree has
    a name."""
    path = directories.expand(dst)
    if path.endswith("/") and name:
        path = os.path.join(path, os.fsdecode(name))
    return path


def file_sink(dst: "str", name: "bytes", identity: "Optional[bytes]", finish: "Finish", bounds: "Bounds",
              parts: "Optional[Parts]" = None) -> "FileSink":
    """Receive one file, going on with what there is of the source with this identity: in ``parts``, if that has been
    looked through. Raises OSError with the whole path."""
    directory, final = place_of(dst, name, finish)
    path = os.path.join(directory, os.fsdecode(final))
    try:
        fd = directories.open_directory(directory)
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, NO_DIRECTORY, directory) from None
    try:
        part = None if identity is None else naming.part_name(final, identity)
        return FileSink(fd, final, path, finish, bounds, part, None if parts is None else parts.take(part))
    except Error:  # of ``bounds.check``, though some are errors of the system, too
        raise
    except OSError as error:
        raise type(error)(error.errno, error.strerror, path) from None


def tree_sink(dst: "str", name: "bytes", finish: "Finish", inside: "bool", bounds: "Bounds",
              resume: "bool" = False, basis: "bool" = False,
              attributes: "Optional[Tuple[int, int]]" = None) -> "TreeSink":
    """Receive a tree, going on with what an interrupted transfer left of it, and leaving that in turn, if it is to
    ``resume``. ``attributes`` are mode and time of the directory itself, if it is not there. Raises OSError."""
    path = tree_top(dst, name)
    made = not os.path.isdir(path)
    directories.make(path, finish.durable, 0o777 if attributes is None else attributes[0] & 0o777 | 0o700)
    top = directories.open_directory(path)
    try:
        kept = take(top, made, resume, -1 if finish.owner is None else finish.owner[0])
    except BaseException:
        os.close(top)
        raise
    return TreeSink(TreeLanding(top, path, made, finish, kept, attributes), bounds, inside, basis)


def interrupted_tree(dst: "str", name: "bytes") -> "bool":
    """Did an interrupted transfer of a tree leave something here?"""
    return os.path.lexists(os.path.join(tree_top(dst, name), os.fsdecode(MARKER)))


def finish_of(wanted: "Dict[str, Any]") -> "Finish":
    """What the files become, from the options of a transfer. Raises TransferRefused for an owner unknown here."""
    return Finish(mode=wanted.get("mode"), special=bool(wanted.get("special")), owner=owner_of(wanted.get("owner")),
                  mtime=wanted.get("mtime"), times=bool(wanted.get("times")), durable=bool(wanted.get("durable", True)))


def owner_of(owner: "Optional[str]") -> "Optional[Tuple[int, int]]":
    """(uid, gid) of "user", "user:group" or ":group", names or numbers; -1 for what is not said."""
    if not owner:
        return None
    user, _, group = owner.partition(":")
    return _number(user, _user), _number(group, _group)


def _number(text: "str", look_up: "Any") -> "int":
    if not text:
        return -1
    try:
        number = int(text) if text.isdigit() else int(look_up(text))
    except (KeyError, ValueError):  # digits that make no number, or a zero in a name
        raise TransferRefused("there is no user or group %.80s" % text) from None
    if number > _HIGHEST:
        raise TransferRefused("%s is not the number of a user or group; the highest is %d" % (text, _HIGHEST))
    return number


def _user(name: "str") -> "int":
    import pwd
    return pwd.getpwnam(name).pw_uid


def _group(name: "str") -> "int":
    import grp
    return grp.getgrnam(name).gr_gid
