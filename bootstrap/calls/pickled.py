"""Calls that only pickle could carry, down from a parent: by bytecode to the Python version that made them, else by
source, where there is any."""
import sys

from ..errors import VersionSkewError
from .execute import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple


UNMADE = "raised as the function and its arguments were made here: it did not run"


class Unreadable(VersionSkewError):
    """A call that could not begin: an error of ours rather than of the function."""

    ours = True


def unpickle(pickled: "List[Any]", router: "Any") -> "Tuple[Any, List[Any], Dict[str, Any]]":
    """A function and its arguments. Raises VersionSkewError before unpickling.

    ``pickled``: bytecode magic of the sender, the pickle that needs it, its version; then, from a master that does not
    know us to be equal, a pickle that does not need it, and why there is none. What is not needed is empty.
    """
    import importlib.util
    magic, data, version = pickled[:3]
    portable, reason = pickled[3:] or (b"", "")
    if magic != importlib.util.MAGIC_NUMBER:
        if not portable:
            here = "%d.%d" % sys.version_info[:2]
            raise Unreadable("this call was pickled by Python %s, and here is %s; put the function into a module,"
                             " so that it is imported instead%s" % (version, here, reason and " (%s)" % reason))
        data = portable
    try:
        function, args, kwargs = _loaded(data)
    except VersionSkewError as error:
        raise Unreadable(str(error)) from None
    except Exception as error:
        # Else it would seem to be the function's.
        notes = list(getattr(error, "__notes__", ())) + [UNMADE]
        BaseException.__setattr__(error, "__notes__", notes)
        raise
    return resolve(function, router) if isinstance(function, str) else function, args, kwargs


def _loaded(data: "bytes") -> "Any":
    import pickle
    if sys.version_info >= (3, 7):
        return pickle.loads(data)
    import importlib
    import io

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: "str", name: "str") -> "Any":
            # Python 3.6 takes a module as it is that another thread has begun to import; this waits for that one.
            importlib.import_module(module)
            return super().find_class(module, name)

    return Unpickler(io.BytesIO(data)).load()
