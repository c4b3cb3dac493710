"""On the target, in its kernel: what whoever asks wants to know of jobs, or do with them. Called by `job`."""

import os
import signal
import time

from ..bootstrap.calls.current import current
from .books import known, record_in
from .errors import JobError
from .folder import read_up_to
from .ids import matching
from .outcome import MOST
from .place import Place
from .printed import START, read
from .process import here, lives
from .record import MOST_WORDS, RUNNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Optional, Tuple

    from .folder import Folder

# Bytes of output and of results in one message.
PIECE = 256 * 1024
# Seconds between two looks at a job that runs: few at first, for many take no longer, then more.
SOON, LATER = 0.05, 0.5


def listed(where: "Optional[str]") -> "List[Any]":
    """All jobs, as lists of the fields of JobInfo, those that began last at the end."""
    place = Place.open(where)
    if place is None:
        return []
    with place:
        found = []
        for name in place.ids():
            try:
                found.append(list(known(place, name)))
            except JobError:
                pass  # forgotten just now
    return sorted(found, key=lambda info: info[3] or 0.0)


def told(where: "Optional[str]", name: "str") -> "List[Any]":
    """One job: the fields of its JobInfo, with its whole id. Raises JobError."""
    place, name = _found(where, name)
    with place:
        return list(known(place, name))


def ended(where: "Optional[str]", name: "str", timeout: "Optional[float]") -> "List[Any]":
    """One job, as ``told`` gives it, once it has ended or after ``timeout`` seconds. Raises JobError."""
    call = current()
    until = None if timeout is None else time.monotonic() + timeout
    place, name = _found(where, name)
    with place:
        pause = SOON
        while True:
            info = known(place, name)
            left = pause if until is None else until - time.monotonic()
            if info.state != RUNNING or left <= 0:
                return list(info)
            call.wait(min(left, pause))
            call.check()
            pause = min(2 * pause, LATER)


def printed(where: "Optional[str]", name: "str", follow: "bool", timeout: "Optional[float]") -> "Iterator[Any]":
    """What it has printed, in lists as `printed.read` gives them; with ``follow`` until it has ended, or ``timeout``
    seconds are over."""
    call = current()
    until = None if timeout is None else time.monotonic() + timeout
    place, name = _found(where, name)
    with place, place.job(name) as folder:
        position, pause = START, SOON
        while True:
            over = not follow or known(place, name).state != RUNNING  # before the look: what is printed last counts
            items, position = read(folder, position, PIECE)
            while items:
                yield items
                items, position = read(folder, position, PIECE)
                pause = SOON
            left = pause if until is None else until - time.monotonic()
            if over or left <= 0:
                return
            call.wait(min(left, pause))
            call.check()
            pause = min(2 * pause, LATER)


def result(where: "Optional[str]", name: "str") -> "Iterator[bytes]":
    """The file with its result, in pieces."""
    place, name = _found(where, name)
    with place, place.job(name) as folder:
        try:
            fd = folder.open("result")
        except OSError as error:
            raise JobError("the result of job %s cannot be read: %s" % (name, error.strerror)) from None
        try:
            if os.fstat(fd).st_size > MOST:
                raise JobError("the result of job %s is larger than any can be" % name)
            piece = read_up_to(fd, PIECE)
            while piece:
                yield piece
                piece = read_up_to(fd, PIECE)
        finally:
            os.close(fd)


def words(where: "Optional[str]", name: "str") -> "str":
    """What the interpreter said of a crash, if it did."""
    place, name = _found(where, name)
    with place, place.job(name) as folder:
        return folder.read("crash", MOST_WORDS).decode("utf-8", "replace")


def kill(where: "Optional[str]", name: "str", grace: "float") -> "List[Any]":
    """End a job and its process group: by SIGTERM, and after ``grace`` seconds by SIGKILL; what is known of it then."""
    call = current()
    place, name = _found(where, name)
    with place, place.job(name) as folder:
        record = record_in(folder)
        if not here(record) and folder.held("job"):
            raise JobError("job %s runs where nothing here can end it: in another container, or on another machine of"
                           " the same name" % name)
        if lives(record):
            _note(folder)
            _signal(record, signal.SIGTERM)
            until = time.monotonic() + grace
            while lives(record) and time.monotonic() < until:
                call.wait(SOON)
                call.check()
            _signal(record, signal.SIGKILL)
            while lives(record):
                call.wait(SOON)
                call.check()
        return list(known(place, name))


def _note(folder: "Folder") -> "None":
    """Note in its records that somebody ends it: a job that is gone without a result was killed then, and not lost."""
    try:
        os.close(folder.create("killed"))
    except OSError:
        pass  # there is one already; and a full disk must not keep it alive


def _signal(record: "Dict[str, Any]", number: "int") -> "None":
    """A signal to its group, if it is still that very process; it leads a group of its own from the beginning."""
    if lives(record):
        try:
            os.killpg(record["pid"], number)
        except ProcessLookupError:
            pass


def forget(where: "Optional[str]", names: "List[str]") -> "List[str]":
    """Remove the records of jobs, or of all that have ended if none is named; returns which. Raises JobError for one
    that runs."""
    place = Place.open(where)
    if place is None:
        if names:
            raise JobError("there is no job %s" % names[0])
        return []
    with place:
        chosen = [_whole(place, name) for name in names] or place.ids()
        gone = []
        for name in chosen:
            if known(place, name).state != RUNNING:
                place.forget(name)
                gone.append(name)
            elif names:
                raise JobError("job %s is running: wait for it, or end it first" % name)
        return gone


def _found(where: "Optional[str]", name: "str") -> "Tuple[Place, str]":
    """The place of the jobs, open, and the whole id of one."""
    place = Place.open(where)
    if place is None:
        raise JobError("there is no job %s" % name)
    try:
        return place, _whole(place, name)
    except BaseException:
        place.__exit__()
        raise


def _whole(place: "Place", name: "str") -> "str":
    fitting = matching(name, place.ids())
    if not fitting:
        raise JobError("there is no job %s" % name)
    if len(fitting) > 1:
        raise JobError("%s stands for %d jobs: %s" % (name, len(fitting), ", ".join(fitting[:5])))
    return fitting[0]
