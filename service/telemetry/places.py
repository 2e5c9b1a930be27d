"""Where in a YAML text something stands: the line of every key and item, and the keys that a mapping has twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import yaml

Place = tuple[str | int, ...]


class Places:
    """The places of one YAML text; raises ``yaml.YAMLError``, or ``RecursionError`` where it contains itself."""

    def __init__(self, text: str) -> None:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        self._lines: Mapping[Place, int] = {(): node.start_mark.line + 1 if node else 1} | dict(_lines(node, ()))
        self.repeated = tuple(_repeated(node, ()))

    def line(self, place: Place) -> int:
        """Return the line of ``place``, counted from 1, or of the nearest thing around it that exists."""
        sizes = range(len(place), -1, -1)
        return next(self._lines[place[:size]] for size in sizes if place[:size] in self._lines)


def _children(node: yaml.Node | None) -> Iterable[tuple[str | int, yaml.Node, yaml.Node]]:
    """Return key, the node that has the key's line, and value."""
    if isinstance(node, yaml.MappingNode):
        return [(str(key.value), key, value) for key, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return [(index, item, item) for index, item in enumerate(node.value)]
    return []


def _lines(node: yaml.Node | None, place: Place) -> Iterator[tuple[Place, int]]:
    for key, marked, child in _children(node):
        yield (*place, key), marked.start_mark.line + 1
        yield from _lines(child, (*place, key))


def _repeated(node: yaml.Node | None, place: Place) -> Iterator[Place]:
    seen: set[str | int] = set()
    for key, _, child in _children(node):
        if key in seen:
            yield (*place, key)
        seen.add(key)
        yield from _repeated(child, (*place, key))
