"""What a target knows of its jobs: each with its fate, and those removed that ended long ago."""

import time

from ..bootstrap.data import codec
from ..bootstrap.errors import DecodeError
from .errors import JobError
from .place import KEPT
from .process import boot, here, lives
from .record import HEAD, MOST_RECORD, RUNNING, checked, damaged, fate, head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    from .folder import Folder
    from .place import Place
    from .record import JobInfo


def record_in(folder: "Folder") -> "Dict[str, Any]":
    """The record of a job. Raises JobError if it is damaged."""
    try:
        return checked(codec.decode(folder.read("job", MOST_RECORD)))
    except DecodeError:
        raise JobError("its record is damaged") from None


def known(place: "Place", name: "str") -> "JobInfo":
    """What is known of a job. Raises JobError if there is none."""
    with place.job(name) as folder:
        try:
            record = record_in(folder)
        except JobError as error:
            return damaged(name, error.message)
        # In this order: what has ended between the two looks is no loss.
        living = lives(record) if here(record) else folder.held("job")
        end = head(folder.read("result", HEAD.size))
        return fate(name, record, end, living, "killed" in folder.names(), boot(), time.time())


def expire(place: "Place") -> "None":
    """Forget what ended longer ago than records are kept."""
    for name in place.ids():
        try:
            info = known(place, name)
        except JobError:
            continue  # somebody is faster, or may not be meddled with
        last = info.ended if info.ended is not None else info.began
        if info.state != RUNNING and last is not None and time.time() - last > KEPT:
            place.forget(name)
