"""Where a piece of an expression stands in its rule file: from the text of the file alone, nothing is evaluated.

What a YAML reader hands on of an expression has lost its line breaks, indents and quotes. It is found again by its
characters other than blanks, which no notation of YAML changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml


@dataclass(frozen=True)
class Position:
    """A place in a file: line and column, both from 1."""

    line: int
    column: int


def position_in(text: str, node: yaml.ScalarNode, line: int, column: int) -> Position:
    """Return where in the file ``text`` that stands which is at ``line`` and ``column``, from 1, of ``node``."""
    value = str(node.value).strip()
    lines = value.splitlines() or [""]
    ahead = [*lines[: line - 1], lines[min(line, len(lines)) - 1][: column - 1]]
    wanted = sum(not character.isspace() for part in ahead for character in part)
    after_all = wanted == sum(not character.isspace() for character in value)
    wanted -= after_all  # where an expression breaks off, that is right after its last character
    index = _begin(text, node)
    escaped = node.style == '"'
    while index < len(text) - 1:
        character = text[index]
        if (escaped and character == "\\") or (node.style == "'" and text[index : index + 2] == "''"):
            index += 1
        if not text[index].isspace():
            if wanted == 0:
                break
            wanted -= 1
        index += 1
    before = text[:index]
    return Position(before.count("\n") + 1, index - before.rfind("\n") + after_all)


def _begin(text: str, node: yaml.ScalarNode) -> int:
    """Return the index at which the content of ``node`` begins: after its quote, or after the line of its ``|``."""
    begin = int(node.start_mark.index)
    if node.style in {"|", ">"}:
        return text.index("\n", begin) + 1
    return begin + 1 if node.style in {"'", '"'} else begin
