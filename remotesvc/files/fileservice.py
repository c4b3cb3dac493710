"""FileService: files of one context for others to fetch, those that were registered and no others."""

import collections
import os
import random
import stat
import threading
import time

from ..bootstrap.errors import Cancelled, Error
from ..calling.waiting import wait_in_call
from ..messages.here import context_id, kernel_of
from ..service.base import Service, expose
from ..service.callers import payer_of
from ..service.message import CALLER, Message
from ..service.policy import AllowAny
from .destination import file_sink
from .errors import RAISES, TransferBusy, TransferError, about, refusing_here
from .grants import Grants, components, open_plainly
from .inflow import Inflow
from .landing import Finish
from .options import IDLE
from .outflow import Outflow
from .records import ABANDONED
from .sink import Bounds
from .source import Sending
from .streamsink import StreamSink
from .transfer_job import call_is_over, interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Counter, Dict, List, Optional, Tuple

# Files on their way at once; each has a thread, which mostly waits for its receiver. Half of them may go to one caller,
# with all behind it, unless that commands here: it may take as long as it likes. Who wants more waits, and asks again.
MAX_TRANSFERS = 64

# Seconds between two questions whether there is a place by now: a random part of SOON at first, of LATER in the end. A
# thousand that wait ask four hundred times a second then.
SOON, LATER = 0.1, 5.0
# Seconds for which a place is waited for: a fleet's large files go through 64 at a time.
PATIENCE = 3600.0


class FileService(Service):
    """Serves registered files. Parents may register, and fetch anything; all others what is registered for them.

    A file is opened from the root name by name and no link is followed, so nothing registered leads elsewhere; what is
    no regular file is refused at once. Each transfer has a thread and a window of its own: a receiver that does not
    read holds up nobody.
    """

    def __init__(self, router: "Any" = None) -> "None":
        super().__init__(router)
        self._grants = Grants()
        self._closed = threading.Event()
        self._sending: "Counter[int]" = collections.Counter()  # by who takes them
        self._lock = threading.Lock()

    @expose
    def register(self, path: "str", contexts: "Any" = None, expires: "Any" = None, once: "bool" = False) -> "None":
        """Let a file, named by its whole path, be fetched: by these contexts (handles or ids, one or several; None: by
        all), for so many seconds, once only. Raises UsageError, TransferRefused."""
        self._grants.add(path, False, self._ids(contexts), expires, once)

    @expose
    def register_prefix(self, path: "str", contexts: "Any" = None, expires: "Any" = None) -> "None":
        """Let all files below a directory be fetched."""
        self._grants.add(path, True, self._ids(contexts), expires, False)

    def _ids(self, contexts: "Any") -> "Optional[List[Any]]":
        if contexts is None:
            return None
        several = contexts if hasattr(contexts, "__iter__") else [contexts]
        return [context_id(self._kernel, each) for each in several]

    @expose
    def unregister(self, path: "str") -> "bool":
        """Take a registration back; False if there was none. Transfers under way go on."""
        return self._grants.remove(path)

    @expose(policy=AllowAny())
    def fetch(self, path: "str", handle: "int", msg: "Message" = CALLER) -> "Any":
        """Send a file to a mailbox of the caller; answers with its metadata once all is sent."""
        components(path)
        payer = payer_of(self._kernel, msg.src)
        self._enter(payer, MAX_TRANSFERS if msg.commands else MAX_TRANSFERS // 2)
        try:
            if not msg.commands:
                self._grants.allow(path, msg.src)  # now that there is a place: it may be allowed just once
            fd = open_plainly(path)
            try:
                threading.Thread(target=self._send, args=(fd, path, handle, msg, payer),
                                 name="remotesvc-file", daemon=True).start()
            except BaseException:  # the thread that would close it has not begun
                os.close(fd)
                raise
        except BaseException:  # nor will it give the place back
            self._leave(payer)
            raise
        return Service.NO_REPLY

    @property
    def _kernel(self) -> "Any":
        return kernel_of(self.router)

    def _enter(self, payer: "int", most: "int") -> "None":
        with self._lock:
            total, own = sum(self._sending.values()), self._sending[payer]
            if total >= MAX_TRANSFERS or own >= most:
                raise TransferBusy("%d files are on their way, %d of them to context %d; the limits are %d and %d"
                                      % (total, own, payer, MAX_TRANSFERS, most))
            self._sending[payer] += 1

    def _leave(self, payer: "int") -> "None":
        with self._lock:
            self._sending[payer] -= 1
            if not self._sending[payer]:
                del self._sending[payer]

    def _send(self, fd: "int", path: "str", handle: "int", msg: "Message", payer: "int") -> "None":
        outflow = Outflow(self._kernel, msg.src, handle, IDLE, None, lambda: msg.cancelled or self._closed.is_set())
        sending = Sending("auto", lambda: outflow.window.rate)
        try:
            found = metadata(fd)
            try:
                for message in sending.regular(fd, b""):
                    outflow.send(sending.packed(message))
                for message in sending.done():
                    outflow.send(sending.packed(message))
                outflow.finish()
            except TransferError as error:
                if outflow.sent:  # what came before is no file; where nothing came, the answer says all
                    outflow.finish(ABANDONED)
                raise about(error, path) from None
            msg.reply(dict(found, size=sending.bytes, sha256=sending.digest))
        except (Error, OSError) as error:
            msg.fail(error)
        finally:
            outflow.close()
            os.close(fd)
            self._leave(payer)

    def on_shutdown(self) -> "None":
        self._closed.set()

    @classmethod
    @refusing_here
    def get(cls, context: "Any", path: "str", out: "Any", idle_timeout: "float" = IDLE,
            durable: "bool" = True) -> "Tuple[bool, Dict[str, Any]]":
        """Fetch a file from the FileService of a context into ``out``, a path or an object with ``write``.

        Returns (True, metadata): size, mode, owner and group (names), uid, gid, mtime and atime (nanoseconds), sha256.
        A path gets its content whole and verified, or keeps what it has. Raises TransferError, the OSError of either
        side, Lost, and Cancelled once the call that this is part of is over; what an object was given before an error
        has to be thrown away. Where as many are on their way as there may be, it waits for its turn, an hour at most,
        and raises TransferBusy then.
        """
        pause, end = SOON, time.monotonic() + PATIENCE
        while True:
            try:
                return cls._get(context, path, out, idle_timeout, durable)
            except TransferBusy:  # nothing has been sent
                if time.monotonic() > end:
                    raise
            wait_in_call(threading.Event().wait, random.uniform(0.0, pause))
            pause = min(2 * pause, LATER)

    @classmethod
    def _get(cls, context: "Any", path: "str", out: "Any", idle_timeout: "float", durable: "bool"
             ) -> "Tuple[bool, Dict[str, Any]]":
        router = context.tree.router
        inflow, keep = Inflow(router, context.id), False
        sink: "Any" = None
        future = context.options(raises=RAISES).call_service_async(cls, "fetch", path, inflow.handle)
        try:
            def check() -> "None":
                if call_is_over():
                    raise Cancelled("the call that wanted it is over", context.name)

            bounds = Bounds(check=check)
            sink = StreamSink(out, bounds) if hasattr(out, "write") else file_sink(
                os.fspath(out), os.fsencode(os.path.basename(path)), None, Finish(durable=durable), bounds)

            def failed() -> "None":
                if future.done() and future.exception() is not None:
                    future.result()

            future.add_done_callback(lambda done: inflow.look())
            for body in inflow.bodies(idle_timeout, call_is_over, failed):
                sink.take(body)
            found = future.result()
            sink.complete()
            return True, found
        except BaseException as error:
            keep = interrupted(error)
            raise
        finally:
            future.cancel()
            inflow.close()
            if sink is not None:
                sink.close(keep)


def metadata(fd: "int") -> "Dict[str, Any]":
    """What an open file is besides its content."""
    found = os.fstat(fd)
    return {"size": found.st_size, "mode": stat.S_IMODE(found.st_mode), "uid": found.st_uid, "gid": found.st_gid,
            "owner": _name("pwd", "getpwuid", found.st_uid), "group": _name("grp", "getgrgid", found.st_gid),
            "mtime": found.st_mtime_ns, "atime": found.st_atime_ns}


def _name(module: "str", function: "str", number: "int") -> "Optional[str]":
    """The name of a user or group here; None if it has none."""
    try:
        return str(getattr(__import__(module), function)(number)[0])
    except (KeyError, ImportError):
        return None

