"""A context of another user on the same machine, by way of `sudo`."""

import binascii
import os
import sys
import threading

from ..bootstrap.current import current
from ..bootstrap.errors import UsageError
from ..bootstrap.unreachable import BecomeError, ConnectError, as_reply
from .bundle import CODE, FLAGS, safe_name
from .process import ProcessPath
from .prompts import Conversation
from .tree import process_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

UP = b"<remotesvc:up>"
# Bytes that sudo and a profile may print before it.
MOST_BEFORE = 64 * 1024
# A word first: sudo reads passwords from the same stdin as we the kernel, so nothing is sent before we are there.
_CODE = 'import os;os.write(1,b"\\n%s\\n");' % UP.decode() + CODE


def argv(bundle: "Any", python: "str", name: "str", user: "str", token: "str", ask: "bool") -> "List[str]":
    """The command line: it holds no secret. With ``ask`` a password may be asked for, on stdin and with our prompt."""
    # An environment of our own making would be dropped by sudo; its messages are in English for us to understand.
    program = ["env", "LC_ALL=C", "sudo"]
    return program + (["-S", "-p", token] if ask else ["-n"]) + [
        "-u", user, "--", python, FLAGS, _CODE, safe_name(name), bundle.stage0]


def check_user(user: "str") -> "str":
    """The name of a user, or "#" and a number. Raises UsageError."""
    plain = user[1:] if user.startswith("#") else user
    if not plain or len(plain) > 255 or plain.startswith("-") or not all(c.isalnum() or c in "_.-@$" for c in plain):
        raise UsageError("not a user to become: %s" % ascii(user[:80]))
    return user


class SudoPath(ProcessPath):
    """The byte path to a kernel behind sudo: it answers the prompt, and holds our bytes back until the kernel's Python
    is there to read them."""

    def __init__(self, bundle: "Any", python: "str", process: "str", host: "str", user: "str",
                 password: "Optional[str]") -> "None":
        token = "remotesvc-%s:" % binascii.b2a_hex(os.urandom(16)).decode()
        self._user = user
        self._talk = Conversation(token, password)
        self._up = threading.Event()
        self._seen = b""
        self._came = False
        super().__init__(argv(bundle, python, process, user, token, password is not None), host)

    def start(self, feed: "Callable[[bytes], None]", ended: "Callable[[str], None]") -> "None":
        """See ``ProcessPath.start``."""
        def watched(data: "bytes") -> "None":
            if not self._came:
                self._seen = (self._seen + data)[-MOST_BEFORE:]
                before, sign, data = self._seen.partition(UP)
                if not sign:
                    return
                self._came = True
                self._up.set()
            if data:
                feed(data)

        super().start(watched, ended)

    def write(self, buffers: "List[Any]") -> "None":
        """See ``FdPath.write``; waits until the Python behind sudo is there, or the path is closed."""
        self._up.wait()
        super().write(buffers)

    def close(self) -> "None":
        super().close()
        self._up.set()

    def _heard(self, data: "bytes") -> "None":
        if self._came:
            return
        answer = self._talk.heard(data.decode("utf-8", "replace"))
        if answer is not None:
            try:
                os.write(self._write_fd, answer.encode("utf-8"))
            except OSError:  # it has ended, which says more
                pass
        if self._talk.refused:
            self.close()  # at the end of its stdin sudo gives up by itself; we may not kill what is root's

    def explain(self, host: "str") -> "Optional[ConnectError]":
        """Why there is no kernel, if sudo is the reason."""
        if self._came:
            return None
        status, said = self.exit_status(), self._talk.text()
        found = self._talk.reason()
        if status == 127 and "sudo" in said:
            found = "there is no sudo", "Install it, or log in as %s." % self._user
        reason, hint = found or ("sudo ended with status %s before it ran anything" % status, "")
        return BecomeError("cannot become %s: %s" % (self._user, reason), host, "become", hint, said, status)


def sudo(tree: "Any", via: "Any", user: "str", password: "Any", python: "Optional[str]", name: "Optional[str]",
         connect_timeout: "float", settings: "Dict[str, Any]") -> "Any":
    """A context of ``user`` on this machine, or on that of ``via``; see ``Router.sudo``."""
    if name is None:
        name = "%s (%s)" % (tree.host if via is None else via.name, user)
    options = {"user": check_user(user), "password": password, "python": python, "name": name,
               "connect_timeout": connect_timeout, "settings": settings}
    if via is None:
        return open_sudo(tree, options)
    return tree.started_by(via, "remotesvc.launch.sudo:start_sudo", options, connect_timeout, name)


def open_sudo(tree: "Any", options: "Dict[str, Any]") -> "Any":
    """A context of another user on this machine; waits for its start. Raises BecomeError and other ConnectErrors."""
    tree.router.alive()  # before there is a process that nobody would end
    password = options["password"]
    host = options["name"]
    path = SudoPath(tree.bundle, options["python"] or sys.executable, process_name(), host, options["user"],
                    None if password is None else password.reveal())
    return tree.adopt(path, host, options["connect_timeout"], {}, options["settings"]).wait_ready()


def start_sudo(options: "Dict[str, Any]") -> "Any":
    """On a child: its id and HELLO, or the reply that stands for a ConnectError."""
    try:
        check_user(options["user"])
        context = open_sudo(current().router.tree(), options)
        return context.id, context.info
    except ConnectError as error:
        return as_reply(error)
