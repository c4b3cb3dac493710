"""The first code of a job's process, given as text to ``python -c``: let go of whoever started us, find modules, run.

It is a script, as stage 0 is, for there is nothing yet that it could import; ``parcel`` came on stdin, all of it.
"""

import marshal
import os
import sys
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    parcel: "Dict[str, Any]" = {}


def start(parcel: "Dict[str, Any]") -> "None":
    """Become a process that nobody above waits for, with a session of its own, and run the job in it."""
    if os.fork():
        os._exit(0)  # whoever started us collects this one at once
    os.setsid()
    text = zlib.decompress(parcel["kernel"])
    # The first module of the kernel finds the others.
    listing, _, rest = text.partition(b"\n\n")
    finder: "Any" = type(sys)("remotesvc.bootstrap.finder")
    sys.modules[finder.__name__] = finder
    source = rest[:int(listing.split()[2])]
    exec(compile(source, "/proc/remotesvc:/remotesvc/bootstrap/finder.py", "exec"), vars(finder))
    memory = finder.install(text)
    from remotesvc.bootstrap.imports.importer import Importer
    modules, replies = marshal.loads(parcel["imports"])
    foreseen = {(kind, name, path): reply for kind, name, path, reply in replies}
    importer = Importer(lambda wanted: answer(foreseen, wanted, parcel["alone"]), memory)
    importer.deliver(parcel["ours"] + modules)
    memory.fallback = importer.find
    from remotesvc.jobs.runner import main
    main(parcel, importer)


def answer(foreseen: "Dict[Any, Any]", wanted: "Dict[str, Any]", alone: "str") -> "Any":
    """What our parent would have said to a request, if it was foreseen."""
    name = wanted["name"]
    if wanted["kind"] == "metadata":  # by the normal name of a distribution
        for mark in "_.":
            name = name.lower().replace(mark, "-")
    return foreseen.get((wanted["kind"], name, wanted["path"]), {"reason": alone})


if __name__ == "__main__":
    start(parcel)
