"""Metadata of distributions whose packages come from the master, for `importlib.metadata`.

Where the target has a distribution of its own and runs its code, the target's own metadata count. Loaded when something
first asks for distributions.
"""

import sys

from ..finder import ROOT
from .modules import METADATA, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Optional

    from .importer import Importer


def find_distributions(importer: "Importer", context: "Any") -> "Iterator[Any]":
    """The master's distribution of the name in a context; without a name, all of which this process was given modules.

    None of them if it is about other directories than ``sys.path``: the master's are in no directory. Its class tells
    who asks: `importlib.metadata`, or the package that older Pythons have in its place.
    """
    if not set(map(str, sys.path)) <= set(map(str, context.path)):
        return
    library = sys.modules[type(context).__module__]
    importer.target.restore_site()
    for name in _names(importer) if context.name is None else [context.name]:
        reply = _ask(importer, name)
        if "files" in reply and not (reply.get("prefer_target") and _own(library, name)):
            yield _distribution(library, reply["files"])


def _ask(importer: "Importer", name: "str") -> "Dict[str, Any]":
    known = importer.distributions.get(name)
    if known is None:
        known = importer.request(Request(METADATA, name, importer.python))
        if "files" in known:  # what is refused now may be had after the next call
            importer.distributions[name] = known
    return known


def _names(importer: "Importer") -> "List[str]":
    reply = importer.request(Request(METADATA, "", importer.python))
    return [str(name) for name in reply.get("names", ())]


def _own(library: "Any", name: "str") -> "bool":
    context = library.DistributionFinder.Context(name=name)
    return any(True for _ in library.MetadataPathFinder.find_distributions(context))


def _distribution(library: "Any", files: "Dict[str, str]") -> "Any":
    class Distribution(library.Distribution):  # type: ignore[misc]
        """One of the master's."""

        def read_text(self, filename: "str") -> "Optional[str]":
            return files.get(str(filename))

        def locate_file(self, path: "Any") -> "str":
            return ROOT + str(path)

    return Distribution()
