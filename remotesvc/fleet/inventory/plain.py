"""JSON, and YAML without anchors, merges and tags, read in one go: what large inventories consist of.

PyYAML's own way from a text to data makes a node of each word, asks a class for its meaning, and keeps all nodes until
the end, which has the garbage collector look through them again and again: 50,000 lines take seconds. Here the events
of its parser become data at once, and a word that was seen before is not asked about again. Whatever is rarer, and each
error, is left to that slower way, which can tell lines.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

DEEPEST = 100
"""Levels of mappings and sequences: more is left to the slower way, which has a limit of its own."""
_WORDS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "timestamp", "str")}


class NotPlain(Exception):
    """There is more to this text, or something is wrong with it."""


def read_json(text: str) -> Any:
    """The data of a JSON text. Raises NotPlain, for a key that stands twice in an object, too."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise NotPlain from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotPlain
    return found


def read_yaml(text: str, loader_class: Any) -> Any:
    """The data of a YAML text by a safe loader of PyYAML's. Raises NotPlain, and the YAMLError of its parser."""
    import yaml

    loader = loader_class(text)
    try:
        return _document(loader, yaml)
    finally:
        loader.dispose()


def _document(loader: Any, yaml: Any) -> Any:
    words = _Words(loader, yaml)
    top: list[Any] = []
    inside: Any = top  # the mapping or sequence that the next event belongs to
    around: list[tuple[Any, Any]] = []  # what that one is in, each with the key it stands under
    key: Any = None
    has_key = False
    while True:
        event = loader.get_event()
        kind = type(event)
        if kind is yaml.ScalarEvent:
            value = words.meaning(event)
            if type(inside) is dict and not has_key:
                if value in inside:
                    raise NotPlain
                key, has_key = value, True
                continue
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            plain = event.anchor is None and event.tag is None and len(around) < DEEPEST
            if not plain or (type(inside) is dict and not has_key):
                raise NotPlain
            around.append((inside, key))
            inside, has_key = ({} if kind is yaml.MappingStartEvent else []), False
            continue
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            value = inside
            inside, key = around.pop()
        elif kind is yaml.StreamEndEvent:
            if len(top) > 1:  # several documents
                raise NotPlain
            return top[0] if top else None
        elif kind is yaml.AliasEvent:
            raise NotPlain
        else:
            continue
        if type(inside) is dict:
            inside[key] = value
            has_key = False
        else:
            inside.append(value)


class _Words:
    """What words mean, each asked for once."""

    def __init__(self, loader: Any, yaml: Any) -> None:
        self._loader = loader
        self._node = yaml.ScalarNode
        self._first = loader.yaml_implicit_resolvers  # what a word of more meanings than text begins with
        self._known: dict[str, Hashable] = {}

    def meaning(self, event: Any) -> Any:
        """The value of a scalar. Raises NotPlain."""
        if event.anchor is not None or event.tag is not None:
            raise NotPlain
        text: str = event.value
        if not event.implicit[0] or (text and text[0] not in self._first and None not in self._first):
            return text
        if text not in self._known:
            tag = self._loader.resolve(self._node, text, (True, False))
            if tag not in _WORDS:
                raise NotPlain
            try:
                self._known[text] = self._loader.construct_object(self._node(tag, text))
            except ValueError:  # "2026-13-01"
                raise NotPlain from None
        return self._known[text]
