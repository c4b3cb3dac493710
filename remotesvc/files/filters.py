"""Which entries of a tree are left out: rules of .gitignore as regular expressions, the last that fits decides (pure).

The master makes them of a user's patterns (`patterns`); this is all that a target needs to apply them.
"""

from .errors import TransferRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple

# More rules than any .gitignore has: matching is linear in them, for each entry.
MAX_RULES = 10000


class Filter(object):
    """``rules`` are (regular expression, whether it excludes), as plain data; else it raises TransferRefused."""

    def __init__(self, rules: "Any" = ()) -> "None":
        if len(rules) > MAX_RULES:
            raise TransferRefused("%d exclude patterns, at most %d are allowed" % (len(rules), MAX_RULES))
        self.rules: "List[Tuple[str, bool]]" = [(str(text), bool(excludes)) for text, excludes in rules]
        self._compiled: "List[Tuple[Any, bool]]" = []
        if self.rules:
            self._compile()

    def _compile(self) -> "None":
        import re  # a target takes milliseconds for it
        try:
            self._compiled = [(re.compile(text, re.DOTALL), excludes) for text, excludes in reversed(self.rules)]
        except re.error as error:
            raise TransferRefused("not a regular expression: %s" % error) from None

    def excludes(self, path: "str") -> "bool":
        """Is this path, relative to the top of the tree and with a "/" at the end of a directory's, left out?"""
        for expression, excludes in self._compiled:
            if expression.match(path):
                return excludes
        return False
