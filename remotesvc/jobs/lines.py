"""Source lines in the traceback of a job: whoever fetches it later may not have sent the code, or not as it is now."""

import zlib

from ..bootstrap.finder import ROOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List


def fill_in(reply: "List[Any]", importer: "Any") -> "None":
    """Give the frames of an error reply the lines of those modules whose source is here."""
    if reply[0] != "raised":
        return
    entries = {entry.label: entry for entry in list(importer.entries.values()) if entry.magic is None and entry.data}
    lines: "Dict[str, List[bytes]]" = {}
    todo = [reply[1]]
    while todo:
        one = todo.pop()
        for frame in one["frames"]:
            file, number, _function, source = frame
            if source or not file.startswith(ROOT) or file not in entries:
                continue
            if file not in lines:
                lines[file] = zlib.decompress(entries[file].data).splitlines()  # not of str: form feeds end none
            if 0 < number <= len(lines[file]):
                frame[3] = lines[file][number - 1].decode("utf-8", "replace").strip()
        todo += [each for each in [one["cause"], one["context"]] + list(one["members"]) if each]
