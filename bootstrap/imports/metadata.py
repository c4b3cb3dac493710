"""Metadata of distributions whose packages come from the master, for `importlib.metadata`.

Where the target has a distribution of its own and runs its code, the target's own metadata count. Loaded when something
first asks for distributions.
"""

import sys

from ..finder import ROOT
from .modules import METADATA, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, Optional

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
    every = importer.request(Request(METADATA, "", importer.python)) if context.name is None else {}
    for name in every.get("names", ()) if context.name is None else [context.name]:
        told = every.get("briefs", {}).get(name)
        reply = _ask(importer, name) if told is None else told
        if "files" in reply and not (reply.get("prefer_target") and _own(library, name)):
            yield _distribution(library, importer, name, reply["files"], told)


def _ask(importer: "Importer", name: "str") -> "Dict[str, Any]":
    known = importer.distributions.get(name)
    if known is None:
        known = importer.request(Request(METADATA, name, importer.python))
        if "files" in known:  # what is refused now may be had after the next call
            importer.distributions[name] = known
    return known


def _own(library: "Any", name: "str") -> "bool":
    context = library.DistributionFinder.Context(name=name)
    return any(True for _ in library.MetadataPathFinder.find_distributions(context))


def _distribution(library: "Any", importer: "Importer", key: "str", files: "Dict[str, str]", told: "Any") -> "Any":
    """`told`: what is known of one of many, of which all but its entry points, name and version is asked for when it is
    wanted; None: `files` has all."""
    class Distribution(library.Distribution):  # type: ignore[misc]
        """One of the master's."""

        def read_text(self, filename: "str") -> "Optional[str]":
            if told is None or str(filename) == "entry_points.txt":
                return files.get(str(filename))
            return _ask(importer, key).get("files", {}).get(str(filename))  # type: ignore[no-any-return]

        def locate_file(self, path: "Any") -> "str":
            return ROOT + str(path)

    if told is None:
        return Distribution()

    class Brief(Distribution):
        name = told["name"]
        version = told["version"]

    return Brief()
