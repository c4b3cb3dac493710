"""Where a definition ends in its text: Python says so from 3.8 on."""

import ast
import inspect
import io
import tokenize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def first_line(node: "Any") -> "int":
    """The number of the first line of a definition, decorators included."""
    return min([node.lineno] + [each.lineno for each in node.decorator_list])  # type: ignore[no-any-return]


def last_line(text: "str", node: "Any") -> "int":
    """The number of the last line of a definition."""
    if getattr(node, "end_lineno", None) is not None:
        return node.end_lineno  # type: ignore[no-any-return]
    first = first_line(node)
    return first - 1 + len(inspect.getblock([line + "\n" for line in text.split("\n")[first - 1:]]))


def lines(text: "str", first: "int", last: "int") -> "str":
    """Some lines of a text. Only what ends a line for Python does: a form feed, say, does not."""
    return "\n".join(text.split("\n")[first - 1:last]).rstrip("\n") + "\n"


def expression(text: "str", node: "Any") -> "str":
    """The text of a lambda."""
    if getattr(node, "end_lineno", None) is not None:
        return ast.get_source_segment(text, node) or ""
    return _longest(text, node)


def _longest(text: "str", node: "Any") -> "str":
    """The longest text, from where a lambda begins, that is a lambda."""
    rows = text.split("\n")
    begin = node.lineno, len(rows[node.lineno - 1].encode()[:node.col_offset].decode())
    found, depth, begun = "", 0, False
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        begun = begun or token.start == begin
        if not begun:
            continue
        depth += (token.string in ("(", "[", "{")) - (token.string in (")", "]", "}"))
        if depth < 0 or token.type == tokenize.NEWLINE:
            break
        if depth == 0:
            segment = "\n".join(rows[begin[0] - 1:token.end[0]])
            cut = len(rows[token.end[0] - 1]) - token.end[1]
            segment = segment[begin[1]:len(segment) - cut]
            found = segment if _is_lambda(segment) else found
    return found


def _is_lambda(segment: "str") -> "bool":
    try:
        return isinstance(ast.parse("(%s\n)" % segment, mode="eval").body, ast.Lambda)
    except SyntaxError:
        return False
