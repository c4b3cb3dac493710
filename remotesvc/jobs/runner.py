"""In the process of a job: its records, its output, the call, and what that came to."""

import faulthandler
import marshal
import os
import signal
import sys
import time

from ..bootstrap.calls.awaiting import from_async, run
from ..bootstrap.calls.current import Call, enter
from ..bootstrap.calls.execute import Refused, parts, run_function
from ..bootstrap.calls.outcome import error_reply
from ..bootstrap.calls.unfold import iterates
from ..bootstrap.data import codec
from ..bootstrap.data.limits import MAX_NODES
from ..bootstrap.data.marshalled import FORMAT
from ..bootstrap.errors import EncodeError, Error
from ..bootstrap.output.capture import Capture
from ..bootstrap.shutdown import end_group
from ..calling.isolation import adapt
from . import outcome
from .alone import Alone, Said
from .books import expire
from .lines import fill_in
from .place import Place
from .printed import Writer
from .process import identity
from .record import HEAD, MAGIC, MOST_TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

    from .folder import Folder

_ENDED = "the job was ended from outside"


def main(parcel: "Dict[str, Any]", importer: "Any") -> "None":
    """Run the job. Whoever started us has been told that it has begun, or why not, before its function runs."""
    report = os.dup(1)
    try:
        job = Running(parcel, importer)
    except BaseException as error:
        os.write(report, marshal.dumps(_reply(error), FORMAT))
        os._exit(1)
    try:
        os.write(report, marshal.dumps(None, FORMAT))
        os.close(report)
    except OSError:  # nobody is there any more: who was not told that it has begun must be right
        job.drop()
        os._exit(1)
    try:
        job.run()
    finally:
        end_group(os.getpid())
        os._exit(0)


def _reply(error: "BaseException") -> "List[Any]":
    return error_reply(error, None if issubclass(type(error), (Error, OSError)) else 1)


class TooMany(EncodeError):
    """More items of a generator than are kept: an error of ours rather than of the function."""

    ours = True


class Running(object):
    """One job, which has begun once this is made. Raises what is in its way."""

    def __init__(self, parcel: "Dict[str, Any]", importer: "Any") -> "None":
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
        target, args, kwargs, options, modules = parts(Said(*parcel["call"]))
        importer.deliver(modules)
        self._alone = Alone(importer)
        self._called = target, args, kwargs, options
        self._strict = options.get("strict_types", False)
        self._name = parcel["id"]
        self._call = Call(self._alone, 0, 0)
        self._call.name = parcel["name"]
        adapt(parcel["settings"])
        self._output: "Any" = None  # until there is a place for it, nothing of ours prints
        self._place = Place.make(parcel["where"])
        self._place.sweep()
        expire(self._place)
        self._capture = Capture(self._emit, lambda: 0)
        self._capture.keeps = True
        self._capture.install()
        record = dict(identity(os.getpid()), call=parcel["name"][:MOST_TEXT], began=time.time())
        self._began = time.monotonic()
        self._folder: "Folder" = self._place.begin(self._name, codec.encode(record).data)
        self._output = Writer(self._folder, parcel["limit"])
        self._words = self._folder.open_to_write("crash")
        faulthandler.enable(self._words, False)
        signal.signal(signal.SIGTERM, self._terminated)
        try:
            with open("/proc/self/comm", "w") as file:
                file.write("remotesvc-job")
        except OSError:
            pass  # cosmetic, and Linux only

    def drop(self) -> "None":
        """It has not begun after all."""
        self._place.forget(self._name)

    def _emit(self, fd: "int", _call: "int", data: "bytes") -> "None":
        if self._output is not None:
            self._output.write(fd, data)

    def _terminated(self, *_signal: "Any") -> "None":
        self._call.cancel()
        if self._call.tasks is None:  # coroutines are cancelled where they wait
            raise SystemExit(128 + signal.SIGTERM)

    def run(self) -> "None":
        """Run the function and keep what it came to; then exit functions, as at the end of a program."""
        enter(self._call)
        try:
            self._keep(*self._came_to())
        finally:
            enter(None)
            _exit_functions()
            self._capture.close()
            self._output.close()
            self._folder.remove("crash")
            self._folder.remove("spare")

    def _came_to(self) -> "Tuple[bool, List[bytes]]":
        """Whether the function returned, and what it came to, as it is kept."""
        items: "List[Any]" = []
        try:
            try:
                kind, value = self._value(items)
            finally:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it has ended by itself
                self._capture.flush_call(0)  # a fork ends here
        except BaseException as error:  # SystemExit included: that is how the function ended
            if self._call.cancelled:
                return False, self._failure(["cancelled", _ENDED], items)
            # Without our two frames, here and in `_value`.
            return False, self._failure(error_reply(error, None if issubclass(type(error), Refused) else 2), items)
        try:
            return True, outcome.pieces(kind, self._encoded(value))
        except EncodeError as error:
            return False, self._failure(error_reply(error, None), [])

    def _value(self, items: "List[Any]") -> "Tuple[int, Any]":
        """What the function returned; of a generator all its ``items``, which are those up to an error otherwise."""
        value = run_function(self._alone, *self._called)
        if hasattr(type(value), "__await__"):
            return outcome.VALUE, run(value)
        if not iterates(value):
            return outcome.VALUE, value
        for item in from_async(value) if hasattr(type(value), "__anext__") else value:
            if len(items) >= MAX_NODES:
                raise TooMany("a job keeps no more than %d items of a generator" % MAX_NODES, "return value",
                              type(value).__name__)
            items.append(item)
        return outcome.ITEMS, items

    def _encoded(self, value: "Any") -> "Any":
        return outcome.open_value(codec.encode(value, None, self._strict, "return value"))

    def _failure(self, reply: "List[Any]", items: "List[Any]") -> "List[bytes]":
        fill_in(reply, self._alone.importer())
        pieces = outcome.pieces(outcome.ERROR, codec.encode(reply))
        if items:
            try:
                return outcome.pieces(outcome.ITEMS, self._encoded(items)) + pieces
            except EncodeError:
                pass  # the error says more
        return pieces

    def _keep(self, returned: "bool", pieces: "List[bytes]") -> "None":
        head = HEAD.pack(MAGIC, returned, time.time(), time.monotonic() - self._began)
        try:
            self._folder.write("result", [head] + pieces)
        except OSError as error:
            self._folder.remove("spare")  # on a full disk there is room for this much now
            reply = ["refused", "it has ended, but its result could not be kept: %s" % error.strerror]
            head = HEAD.pack(MAGIC, False, time.time(), time.monotonic() - self._began)
            self._folder.write("result", [head] + outcome.pieces(outcome.ERROR, codec.encode(reply)))


def _exit_functions() -> "None":
    import atexit
    try:
        atexit._run_exitfuncs()
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
