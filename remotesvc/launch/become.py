"""A context of another user on the same machine, by way of a program that makes us one: sudo, su or doas."""

import os
import re
import stat
import sys
import threading

from ..bootstrap.errors import UsageError
from ..bootstrap.unreachable import BecomeError
from . import terminal
from .bundle import BARE, CODE, FLAGS, LOAD, quote_word, safe_name
from .by_way import started, started_by, up
from .connection import Connection
from .doas import Doas
from .process import ProcessPath
from .prompts import Conversation
from .su import Su
from .sudo import Sudo
from .tree import magic_of, process_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple, Type

    from ..bootstrap.unreachable import ConnectError
    from ..calling.context import Context
    from .method import Method
    from .tree import Tree

METHODS: "Dict[str, Type[Method]]" = {each.program: each for each in (Sudo, Su, Doas)}
UP = b"<remotesvc:up>"
# Bytes that the program and a profile may print before it.
MOST_BEFORE = 64 * 1024
# A word first: the program reads passwords from the same stdin as we the kernel, so nothing is sent before.
_HERE = 'os.write(1,b"%s");' % UP.decode()


def method_of(name: "str") -> "Method":
    """A new one of that name. Raises UsageError if there is none."""
    if name not in METHODS:
        raise UsageError("become_method is one of %s, not %s" % (", ".join(METHODS), ascii(name)[:80]))
    return METHODS[name]()


def _language(before: "str") -> "str":
    """Code that gives LC_ALL the value it had ``before``. `Method.argv` sets it to C, so that we can read what the
    program says; su and sudo hand that on to our Python, doas only if its rule says so."""
    # What is no name of a locale meant nothing before, and is not worth quoting.
    known = re.match(r"[A-Za-z0-9_.@-]+\Z", before)
    undo = 'update(LC_ALL="%s")' % before if known else 'pop("LC_ALL")'
    return 'import os;os.environ.get("LC_ALL")=="C"and os.environ.%s;' % undo


def powerless(program: "str") -> "Optional[Tuple[str, str]]":
    """Why that program can make nobody another user here, whatever it is told, and what to do; None if it can."""
    if os.geteuid() == 0:
        return None
    places = [os.path.join(each, program) for each in os.get_exec_path()]
    where = next((each for each in places if os.access(each, os.X_OK)), places[0])
    try:
        with open("/proc/self/status") as status:
            if re.search(r"^NoNewPrivs:\s*1$", status.read(), re.M):
                return "no process there may gain rights (no-new-privileges)", (
                    "Enter the container as that user (-u, user=), or have it, or the service, started without that.")
        if os.stat(where).st_mode & stat.S_ISUID and not os.statvfs(where).f_flag & os.ST_NOSUID:
            return None
        with open(where, "rb") as file:
            if file.read(2) == b"#!":  # it runs another
                return None
    except OSError:
        return None
    return "%s has no setuid bit there, or must not use it (nosuid)" % where, (
        "Mend that, or log in, or enter the container (-u, user=), as that user.")


class BecomePath(ProcessPath):
    """The byte path to a kernel behind such a program: it answers the prompt, and holds our bytes back until the
    kernel's Python is there to read them."""

    def __init__(self, bundle: "Any", method: "Method", python: "str", process: "str", host: "str", user: "str",
                 password: "Optional[str]") -> "None":
        self._method = method
        self._user = user
        self._talk = Conversation(method.prompt, password, method.over)
        self._up = threading.Event()
        self._seen = b""
        self._came = False
        asks = password is not None
        self._terminal = terminal.Terminal(host) if asks and method.on_terminal else None
        here = _HERE if self._terminal is None else terminal.SURVIVE + _HERE + terminal.SURVIVED
        code = BARE + _language(os.environ.get("LC_ALL", "")) + here + LOAD
        argv = method.argv([python, FLAGS, code, safe_name(process), bundle.stage0, CODE], user, asks)
        try:
            super().__init__(argv if self._terminal is None else self._terminal.argv(argv), host)
        except BaseException:
            if self._terminal is not None:
                self._terminal.close()
            raise
        if self._terminal is not None:
            self.listen(self._terminal.fd, self._look_at_terminal)

    def start(self, feed: "Callable[[bytes], None]", ended: "Callable[[str], None]") -> "None":
        """See ``ProcessPath.start``."""
        def watched(data: "bytes") -> "None":
            if not self._came:
                self._seen = (self._seen + data)[-MOST_BEFORE:]
                before, sign, data = self._seen.partition(UP)
                if not sign:
                    return
                self._came = True
                self._hang_up()
                self._up.set()
            if data:
                feed(data)

        super().start(watched, ended)

    def _look_at_terminal(self) -> "None":
        if self._terminal is not None and not self._terminal.closed:
            self._answer(self._talk.asked(self._terminal.read()))

    def write(self, buffers: "List[Any]") -> "None":
        """See ``FdPath.write``; waits until the Python behind the program is there, or the path is closed."""
        try:
            self._up.wait()
        except BaseException:  # Ctrl-C: what is not written now would be missed
            self.close()
            raise
        super().write(buffers)

    @property
    def stage(self) -> "str":
        """How far it has come."""
        return "boot" if self._came else "become"

    def close(self) -> "None":
        super().close()
        self._up.set()

    def drop_copies(self) -> "None":
        if self._terminal is not None:
            self._terminal.close()
        super().drop_copies()

    def _close(self, fds: "Any") -> "None":
        if fds is self._reading:
            self._hang_up()
        super()._close(fds)

    def _see_it_end(self) -> "None":
        self._hang_up()  # who waits for an answer there does not see the end of stdin
        super()._see_it_end()

    def _hang_up(self) -> "None":
        if self._terminal is not None and not self._terminal.closed:
            self.ignore(self._terminal.fd)
            self._terminal.close()

    def _heard(self, data: "bytes") -> "None":
        if not self._came:
            self._answer(self._talk.heard(data.decode("utf-8", "replace")))

    def _answer(self, answer: "Optional[str]") -> "None":
        if answer is not None:
            try:
                if self._terminal is not None:
                    self._terminal.write(answer)
                else:
                    with self._lock:  # once closed, the number may be another file's
                        if not self._closed:
                            os.write(self._write_fd, answer.encode("utf-8"))
            except OSError:  # it has ended, which says more
                pass
        if self._talk.refused:
            self.close()  # at the end of its stdin it gives up by itself; we may not kill what is root's

    def diagnostics(self) -> "str":
        """See ``ProcessPath.diagnostics``; a token of ours says nothing to anybody."""
        said, token = super().diagnostics(), self._method.token
        return said.replace(token, "[prompt]") if token else said

    def explain(self, host: "str", noise: "str") -> "Optional[ConnectError]":
        """Why there is no kernel, if the program between is the reason; what it says is not among the ``noise``."""
        if self._came:
            return None
        status = self.exit_status()
        reason, hint = self._method.why(self._talk, status, self._user, powerless(self._method.program))
        message = "cannot become %s: %s" % (self._user, reason)
        return BecomeError(message, host, "become", hint, self._talk.text(), status)


def become(tree: "Tree", via: "Optional[Context]", options: "Dict[str, Any]") -> "Context":
    """A context of another user on this machine, or on that of ``via``; see ``Router.sudo``.

    ``options`` are method, user, password (a Secret, or None), python, name, connect_timeout and settings.
    """
    _check(options)
    name = options["name"] or "%s (%s)" % (tree.host if via is None else via.name, options["user"])
    options = dict(options, name=name)
    if via is None:
        return up(open_become(tree, options))
    return started_by(tree, via, "remotesvc.launch.become:start_become", options, name)


def _check(options: "Dict[str, Any]") -> "Method":
    """The method, if all that is given to it can be. Raises UsageError."""
    method = method_of(options["method"])
    method.check_user(options["user"])
    if options["python"] is not None:
        quote_word(options["python"])
    return method


def open_become(tree: "Tree", options: "Dict[str, Any]") -> "Context":
    """A context of another user on this machine, on its way up."""
    tree.router.alive()  # before there is a process that nobody would end
    password = options["password"]
    host = options["name"]
    path = BecomePath(tree.bundle, _check(options), options["python"] or sys.executable, process_name(), host,
                      options["user"], None if password is None else password.reveal())
    connection = Connection(path, host, options["connect_timeout"], magic=magic_of(options["python"]))
    return tree.adopt(connection, options["settings"])


def start_become(options: "Dict[str, Any]") -> "Any":
    """On a child, see ``by_way.started``."""
    return started(open_become, options)
