"""The activator: from a name to a service, and who may ask for that."""

import sys

from ..bootstrap.calls.refusals import ServiceInactive
from ..bootstrap.imports.modules import MAIN
from .base import Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Type

# Seconds to wait for other imports. Packages that import each other can deadlock when two threads begin with both; one
# that takes longer than this holds nobody up.
IMPORT_TURN = 0.5


class Activator(object):
    """Makes services on their first call, by the full name of their class, for parents only.

    Set ``Pool.activator_class``, or ``pool.activator``, to another: override ``may_activate`` for who may, ``find`` for
    another naming scheme or an allow-list, ``build`` for another way to make the object.
    """

    def may_activate(self, name: "str", caller: "Any") -> "bool":
        """May this caller have a service made? ``caller`` has ``src``, ``auth`` and ``commands``."""
        return bool(caller.commands) or caller.src == caller.router.id

    def find(self, name: "str", router: "Any") -> "Type[Service]":
        """The class behind a name. Raises ServiceInactive, or what importing it raises."""
        return find_class(name, router)

    def build(self, cls: "Type[Service]", router: "Any") -> "Service":
        """The service. What this raises goes to the callers, and the next call tries again."""
        return cls(router=router)


class AllowList(Activator):
    """An activator that makes only the services named."""

    def __init__(self, *services: "Any") -> "None":
        self.names = frozenset(each if isinstance(each, str) else each.name() for each in services)

    def find(self, name: "str", router: "Any") -> "Type[Service]":
        if name not in self.names:
            raise ServiceInactive("%s is not among the services that may be started here" % name[:200])
        return super().find(name, router)


def find_class(name: "str", router: "Any") -> "Type[Service]":
    """The service class "package.module.Class" or "package.module:Class", imported. Raises ServiceInactive and
    whatever importing it raises.

    Nothing is constructed or called: a name that leads to anything but a Service class is refused.
    """
    module_name, colon, qualname = name.partition(":")
    if not all(part.isidentifier() for part in (module_name + "." + (qualname or "x")).split(".")):
        raise ServiceInactive("%r is not the name of a service: give \"package.module.Class\"" % name[:200])
    if colon:
        found = _inside(_imported(module_name, router), qualname)
    else:
        found = _longest(name.split("."), router)
    if found is None:
        raise ServiceInactive("there is no class %s" % name)
    if not isinstance(found, type) or not issubclass(found, Service):
        raise ServiceInactive("%s is not a subclass of remotesvc.service.Service" % name)
    return found


def _longest(parts: "Any", router: "Any") -> "Any":
    """The last parts are the class, which may be inside another; the rest is the module."""
    if len(parts) < 2:
        raise ServiceInactive("%r names no module: give \"package.module.Class\"" % ".".join(parts))
    missing: "Any" = None
    for cut in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:cut])
        try:
            module = _imported(name, router)
        except ImportError as error:
            if getattr(error, "name", None) != name:
                raise  # it is there, and what it imports is not
            missing = missing or error
            continue  # perhaps that is a class, with the one we want inside
        found = _inside(module, ".".join(parts[cut:]))
        if found is None and missing is not None:
            break
        return found
    raise missing


def _inside(found: "Any", qualname: "str") -> "Any":
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found


def _imported(name: "str", router: "Any") -> "Any":
    if hasattr(router, "finder"):
        if name == MAIN:
            return router.importer().main_module()
    else:  # the master's own
        from ..calling.program import main_name
        if name == main_name():
            return sys.modules[MAIN]
    module = sys.modules.get(name)
    if module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False):
        return module
    import importlib
    lock: "Any" = getattr(router, "importing", None)  # the master imports nothing for others, so it has none
    held = lock is not None and lock.acquire(timeout=IMPORT_TURN)
    try:
        return importlib.import_module(name)
    finally:
        if held:
            lock.release()
