"""A value that must not be seen by accident."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MASK = "Secret(***)"


class Secret(object):
    """Holds a value of any kind that the codec carries and keeps it out of repr, str, logs and tracebacks.

    It travels as a Secret and arrives as one. `reveal()` returns the value. Two are equal when their values
    are; there is no hash, as that could be compared with others. """

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: "Any") -> "None":
        self._value = value

    def reveal(self) -> "Any":
        """Return the value itself."""
        return self._value

    def __repr__(self) -> "str":
        return MASK

    def __eq__(self, other: "object") -> "bool":
        return self._value == other._value if type(other) is Secret else NotImplemented
