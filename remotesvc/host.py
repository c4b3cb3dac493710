"""`remotesvc.Host`: what a function may ask for to know the host it runs on, as its inventory describes it."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List


class _Facts(type):
    def __instancecheck__(cls, value: "object") -> "bool":
        """What arrives is a Record, and a service's method asks whether it is what its parameter wants."""
        return getattr(value, "type_name", None) == "remotesvc.Host"


class Host(object, metaclass=_Facts):
    """Annotate a parameter with it, and a fleet fills that in: ``def configure(size: int, host: remotesvc.Host)``.

    name: as the inventory has it; groups: the names of all groups the host is in; variables: what holds for it, plain
    data without passwords. What arrives is a `Record` with these fields; nothing in it is ever templated.
    """

    name: "str"
    groups: "List[str]"
    variables: "Dict[str, Any]"
