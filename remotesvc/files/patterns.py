"""Exclude patterns, as in .gitignore, to rules that a target can apply without the library that understands them."""

from ..bootstrap.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple


def rules_of(patterns: "Any") -> "List[Tuple[str, bool]]":
    """(regular expression, whether it excludes) for each pattern, or for each line of a text. Raises UsageError."""
    from pathspec import GitIgnoreSpec

    lines = patterns.splitlines() if isinstance(patterns, str) else list(patterns)
    try:
        found = GitIgnoreSpec.from_lines(lines).patterns
    except Exception as error:  # the library's own classes, one for each kind of mistake
        raise UsageError("an exclude pattern means nothing: %s" % error) from None
    return [(each.regex.pattern, bool(each.include)) for each in found if each.regex is not None]
