"""Classes that what comes back may become: those registered with a router, and those named for one call."""

from ..bootstrap.data.record import type_name
from ..bootstrap.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable


def by_name(classes: "Iterable[Any]", what: "str", errors: "bool" = True, values: "bool" = True) -> "Dict[str, type]":
    """The classes by the names they travel under. Raises UsageError for what can be neither error nor value."""
    found: "Dict[str, type]" = {}
    for cls in classes:
        if not isinstance(cls, type) or not (errors and issubclass(cls, BaseException) or values and _is_record(cls)):
            kinds = [(errors, "exception classes"), (values, "dataclasses, namedtuples and Enums")]
            wanted = " and ".join(kind for allowed, kind in kinds if allowed)
            raise UsageError("%s takes %s, not %r" % (what, wanted, cls))
        found[type_name(cls)] = cls
    return found


def _is_record(cls: "Any") -> "bool":
    if hasattr(cls, "__dataclass_fields__") or (issubclass(cls, tuple) and hasattr(cls, "_fields")):
        return True
    from enum import Enum
    return issubclass(cls, Enum)
