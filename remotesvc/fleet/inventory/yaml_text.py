"""YAML as plain data, and where in a text something of it stands."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from . import plain
from .model import InventoryError


def parse_yaml(text: str, source: str) -> Any:
    """The plain data of a YAML text. Raises InventoryError with the line.

    A key that stands twice in a mapping is an error: the first would be lost, and its hosts with it, without a word.
    """
    import yaml

    try:
        return plain.read_json(text) if text.lstrip().startswith("{") else plain.read_yaml(text, _fast())
    except (plain.NotPlain, yaml.YAMLError):
        pass
    try:
        return yaml.load(text, Loader=_loader())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        if "!vault" in str(problem) or "!unsafe" in str(problem):
            problem = "encrypted and tagged values are Ansible's own; give the plain value in another file"
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise InventoryError(f"{source}{where}: {problem}") from None
    except RecursionError:
        raise InventoryError(f"{source}: nested too deeply") from None


def _fast() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same language, ten times faster


@lru_cache(maxsize=1)
def _loader() -> Any:
    import yaml

    base: Any = _fast()

    class Loader(base):  # type: ignore[misc]
        def construct_object(self, node: Any, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep)
            except ValueError as error:  # the 13th month, a number of 5,000 digits
                raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from None

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
                if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                    continue
                if (key.tag, key.value) in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value!r} stands here a second time", key.start_mark)
                seen.add((key.tag, key.value))
            return super().construct_mapping(node, deep)

    return Loader


@lru_cache(maxsize=1)
def _root(text: str) -> Any:
    import yaml

    return yaml.compose(text, Loader=_loader())


@lru_cache(maxsize=16)
def _renumbered(text: str, keys: tuple[Any, ...]) -> dict[int, str]:
    """The keys of the mapping under `keys` that are whole numbers, and not as written: 010 is 8.

    No other place is looked at: aliases may make the whole of it endless, and a variable may have any key.
    """
    import yaml

    node = _root(text)
    for wanted in map(str, keys):
        entries = node.value if isinstance(node, yaml.MappingNode) else ()
        node = next((value for key, value in reversed(entries) if str(key.value) == wanted), None)
    found: dict[int, str] = {}
    loader = _loader()("")
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.tag == "tag:yaml.org,2002:int" and str(number := loader.construct_object(key)) != key.value:
            found[number] = key.value
    return found


class Place:
    """Where in a tree something stands; as text it is the source, and the line if it has one.

    keys lead there from the top. The line is looked for only when this is shown.
    """

    def __init__(self, source: str, text: str = "", keys: tuple[Any, ...] = ()) -> None:
        self._source = source
        self._text = text
        self._keys = keys

    def at(self, *keys: Any) -> Place:
        """What stands there under these keys."""
        return Place(self._source, self._text, self._keys + keys)

    def renumbered(self, number: int, *keys: Any) -> str:
        """How the text writes a key there that YAML takes for this number, where that is not the same; else ""."""
        return _renumbered(self._text, self._keys + keys).get(number, "") if self._text else ""

    def __str__(self) -> str:
        return f"{self._source}, line {self._line()}" if self._text else self._source

    def _line(self) -> int:
        import yaml

        node: Any = yaml.compose(self._text, Loader=_loader())
        line = node.start_mark.line
        for wanted in map(str, self._keys):
            entries = node.value if isinstance(node, yaml.MappingNode) else ()
            found = [pair for pair in entries if str(pair[0].value) == wanted]
            if not found:
                break
            key, node = found[-1]
            line = key.start_mark.line
        return int(line) + 1
