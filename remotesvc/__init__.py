"""remotesvc: call your Python functions on any machine you can reach over SSH.

Nothing has to be installed on the target but a Python 3.6 or newer. The usual start::

    import remotesvc

    with remotesvc.Router() as router:
        web1 = router.ssh("web1")
        print(web1.call("shutil:disk_usage", "/"))

Every public name can be taken from this package; it is looked up on first use, so the package itself costs nothing.
"""
# Zone P: it travels to every child first. Python 3.6 knows no `__getattr__` of a module (PEP 562): its class has one.
import sys
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

__version__ = "0.1.0"


class _Package(types.ModuleType):
    """The class of this package: finds a public name where it is defined, when it is first used."""

    def __getattr__(self, name: "str") -> "object":
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)  # the import system asks for such while it loads the package
        from .bootstrap import public_names
        value = self.__dict__[name] = public_names.find(name, public_names.on_child(__file__))
        return value

    def __dir__(self) -> "List[str]":
        return sorted(set(self.__dict__).union(self.__all__))


sys.modules[__name__].__class__ = _Package
