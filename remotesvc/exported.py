"""Packages whose public names are looked up where they are defined, when they are first used.

So who imports the package imports nothing else: a child has only those modules sent that it needs. Python 3.6 knows no
``__getattr__`` of a module (PEP 562): its class has one.
"""

import sys
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List


class _Package(types.ModuleType):
    places: "Dict[str, str]"

    def __getattr__(self, name: "str") -> "object":
        if name == "places" or name not in self.places:
            raise AttributeError("module %r has no attribute %r" % (self.__name__, name))
        module = __import__(self.places[name], fromlist=[name])
        value = self.__dict__[name] = getattr(module, name)
        return value

    def __dir__(self) -> "List[str]":
        return sorted(set(self.__dict__).union(self.places))


def export(package: "str", places: "Dict[str, str]") -> "None":
    """Have a package, which is being imported, find these names in these modules."""
    module = sys.modules[package]
    module.__dict__.update(places=places, __all__=sorted(places))
    module.__class__ = _Package
