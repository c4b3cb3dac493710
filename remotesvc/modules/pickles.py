"""What has no name that others could find travels as a pickle; the modules it names are found on the way."""

from __future__ import annotations

import importlib.util
import io
import sys
import types
from collections.abc import Mapping
from typing import Any

import cloudpickle

from remotesvc.bootstrap.errors import VersionSkewError

from .bysource import portable

PROTOCOL = 4


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Notes the modules of the functions, classes and objects that it meets."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, PROTOCOL)
        self.modules: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        name = obj.__name__ if isinstance(obj, types.ModuleType) else getattr(obj, "__module__", None)
        if isinstance(name, str):
            self.modules.add(name)
        return super().reducer_override(obj)


def pickled(value: Any) -> tuple[bytes, list[str]]:
    """The pickle of a value, and the modules that unpickling it may import. Raises what pickling raises."""
    file = io.BytesIO()
    pickler = _Pickler(file)
    pickler.dump(value)
    return file.getvalue(), sorted(pickler.modules - {"__main__", "builtins"})


def parts(value: Any, info: Mapping[str, Any]) -> tuple[list[Any], list[str]]:
    """What travels for a value, as `remotesvc.bootstrap.calls.pickled` takes it, and the modules that it may import.

    info: the target's HELLO, empty if it is not known yet; then both pickles go. Raises VersionSkewError where only
    bytecode could go and is of no use, and what pickling raises.
    """
    magic = info.get("magic", b"")
    version = "{}.{}".format(*sys.version_info[:2])
    here = importlib.util.MAGIC_NUMBER
    data, names = pickled(value) if magic in (b"", here) else (b"", [])
    if magic == here:
        return [here, data, version], names
    source, reason, more = b"", "", set[str]()
    try:
        source, more = portable(value)
    except Exception as error:  # pickle fails with whatever the object raises
        reason = str(error) or type(error).__name__
        if magic:
            theirs = ".".join(str(part) for part in info.get("version", ())[:2])
            raise VersionSkewError(
                f"it cannot travel as bytecode of Python {version}, for there is {theirs}, nor as source: {reason};"
                " put it into a module, so that it is imported instead"
            ) from None
    return [here, data, version, source, reason], sorted({*names, *more})
