"""Pure: names of jobs, such as "3f9ac2d1-7b04". The first half is common to all hosts of one run."""

import os
import re

from ..bootstrap.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, List

_WHOLE = re.compile("[0-9a-f]{8}-[0-9a-f]{4}")
_PART = re.compile("[0-9a-f]{4,8}|[0-9a-f]{8}-[0-9a-f]{0,4}")


def new_run() -> "str":
    """The half that jobs have in common which one command or call begins."""
    return os.urandom(4).hex()


def new_id(run: "str" = "") -> "str":
    """The id of a new job. No two of a user on a machine are the same: what begins second is refused."""
    return "%s-%s" % (run or new_run(), os.urandom(2).hex())


def is_id(text: "str") -> "bool":
    """Whether this can be the whole id of a job."""
    return bool(_WHOLE.fullmatch(text))


def check(text: "str") -> "str":
    """The text itself if it can be an id or the beginning of one, four characters at least. Raises UsageError."""
    if not isinstance(text, str) or not _PART.fullmatch(text):
        shown = repr(text)[:40]
        raise UsageError("%s is no id of a job, nor the beginning of one (four characters or more): they look like"
                         " 3f9ac2d1-7b04" % shown)
    return text


def matching(text: "str", ids: "Iterable[str]") -> "List[str]":
    """Those that begin so; just one if it is whole."""
    return sorted(each for each in ids if each.startswith(text))
