"""What a context has imported, and from where: asked for by the master when somebody wants to know."""

import sys

from ..calls.current import current
from ..finder import ROOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    from .importer import Importer


def report(distributions: "List[str]") -> "Dict[str, Any]":
    """``modules``: [name, "code", "source" or "target", file] of all that is neither the standard library nor ours;
    ``versions``: of those distributions that the target has itself."""
    importer: "Importer" = current().router.importer()
    modules = [_origin(importer, name, module) for name, module in sorted(sys.modules.items())]
    return {"modules": [each for each in modules if each[1]], "versions": versions(distributions)}


def _origin(importer: "Importer", name: "str", module: "Any") -> "List[str]":
    spec = getattr(module, "__spec__", None)
    file = str(getattr(spec, "origin", None) or getattr(module, "__file__", None) or "")
    entry = importer.entries.get(name)
    if name.partition(".")[0] == "remotesvc" or spec is None or file in ("", "built-in", "frozen", "namespace"):
        return [name, "", ""]
    if file.startswith(ROOT) and entry is not None:
        return [name, "source" if entry.magic is None else "code", file]
    return [name, "" if importer.target.standard(file) else "target", file]


def versions(distributions: "List[str]") -> "Dict[str, str]":
    """The versions of those distributions that the target has itself."""
    try:
        from importlib import metadata
    except ImportError:  # before 3.8, or a target without it
        return {}
    importer: "Importer" = current().router.importer()
    importer.target.restore_site()
    found: "Dict[str, str]" = {}
    for name in distributions:
        context = metadata.DistributionFinder.Context(name=name)
        for each in metadata.MetadataPathFinder.find_distributions(context):
            found.setdefault(name, str(each.version))  # the first one is the one that is imported
    return found
