"""What is known of a job: the record that it begins with, how it has ended, and what both say of it now. Pure.

Nothing is ever changed: ``job`` is there from the beginning, ``result`` from the end on, and ``killed`` once somebody
has asked for that. What the process did not live to write is told by its being gone.
"""

import collections
import struct

from .errors import JobError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

RUNNING, DONE, FAILED, LOST = STATES = ("running", "done", "failed", "lost")
# Bytes of a record, and characters of a text in it: the longest are names of functions.
MOST_RECORD = 16384
MOST_TEXT = 512
# Characters of its last words, by faulthandler, that go with a job that is lost.
MOST_WORDS = 4096

# How `result` begins: that it is one, whether the function returned, when it ended (time.time()), seconds it took.
HEAD = struct.Struct(">8s?dd")
MAGIC = b"RSVJOB1\n"

JobInfo = collections.namedtuple("JobInfo", "id call state began ended took pid reason")
JobInfo.__doc__ = """What is known of a job now.

id, call      its id, and "module:function"
state         "running", "done" (it has a value), "failed" (it raised, or was ended from outside), "lost"
began, ended  seconds since 1970 by the target's clock; None where that is not known
took          seconds it took, or has taken up to now; None where that is not known
pid           of its process
reason        of one that is lost: what is known of why
"""
JobInfo.__module__ = "remotesvc"

_FIELDS = {"call": str, "began": float, "pid": int, "start": int, "boot": str, "space": str}


def checked(data: "Any") -> "Dict[str, Any]":
    """The record that a file holds. Raises JobError if it is none."""
    if type(data) is not dict or any(type(data.get(name)) is not kind for name, kind in _FIELDS.items()):
        raise JobError("its record is damaged")
    record = {name: data[name] for name in _FIELDS}
    if not 0 < record["pid"] < 1 << 31 or any(len(record[name]) > MOST_TEXT for name in ("call", "boot", "space")):
        raise JobError("its record is damaged")
    return record


def head(data: "bytes") -> "Optional[Dict[str, Any]]":
    """How a job has ended, by the beginning of its result; None if that is no result."""
    if len(data) < HEAD.size:
        return None
    magic, returned, ended, took = HEAD.unpack(data[:HEAD.size])
    return {"returned": returned, "ended": ended, "took": took} if magic == MAGIC else None


def fate(name: "str", record: "Dict[str, Any]", end: "Optional[Dict[str, Any]]", lives: "bool", killed: "bool",
         boot: "str", now: "float") -> "JobInfo":
    """What is known of a job. ``end``: what ``head`` says; ``lives``: its process runs; ``now``: the time."""
    state, ended, took, reason = LOST, None, None, ""  # type: str, Optional[float], Optional[float], str
    if end is not None:
        state, ended, took = DONE if end["returned"] else FAILED, end["ended"], end["took"]
    elif lives:
        state, took = RUNNING, max(0.0, now - record["began"])
    elif killed:
        state = FAILED
    elif record["boot"] != boot:
        reason = "the machine was started anew"
    else:
        reason = "its process, %d, is gone and left no result" % record["pid"]
    return JobInfo(name, record["call"], state, record["began"], ended, took, record["pid"], reason)


def damaged(name: "str", reason: "str") -> "JobInfo":
    """Of a job whose records cannot be read."""
    return JobInfo(name, "?", LOST, None, None, None, 0, reason)


def info_untrusted(data: "Any") -> "JobInfo":
    """What a target says of a job, whatever that is. Raises JobError."""
    kinds: "Any" = (str, str, str, (float, type(None)), (float, type(None)), (float, type(None)), int, str)
    if type(data) is not list or len(data) != len(kinds):
        raise JobError("the target's answer about a job is malformed")
    for value, kind in zip(data, kinds):
        if not isinstance(value, kind) or (isinstance(value, str) and len(value) > 2 * MOST_TEXT):
            raise JobError("the target's answer about a job is malformed")
    info = JobInfo(*data)
    if info.state not in STATES:
        raise JobError("the target's answer about a job is malformed")
    return info
