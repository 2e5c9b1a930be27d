"""A drill file as text: its YAML nodes, the lines that its keys stand in, what is odd about it. It knows no drill."""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from pydantic_core import ErrorDetails

from faults.drills.errors import BadDrill
from faults.drills.parts import Contradiction

MAX_BYTES = 64 * 1024


def compose(text: str, source: str) -> yaml.Node:
    """Return the root node of ``text``; raise ``BadDrill`` where it is no mapping, or one with odd keys or anchors."""
    root = _node(text, source)
    structure = [*_odd_keys(root)]
    if structure:
        raise BadDrill(source, structure)
    return root


def problem(root: yaml.Node, detail: ErrorDetails) -> str:
    """Return one sentence for a pydantic error: line, key path, what was expected."""
    cause = detail.get("ctx", {}).get("error")
    loc = (*detail["loc"], *cause.loc) if isinstance(cause, Contradiction) else detail["loc"]
    if detail["type"] == "extra_forbidden":
        message = "unknown key"
    elif detail["type"] == "missing":
        message = "is missing"
    elif detail["type"] == "value_error":
        message = detail["msg"].removeprefix("Value error, ")
    else:
        message = f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, got {detail['input']!r:.80}"
    return f"{where(root, loc)}{message}"


def where(root: yaml.Node, loc: tuple[int | str, ...]) -> str:
    """Return line and key path of ``loc`` as the beginning of a sentence."""
    line, path = _find(root, loc)
    return f"line {line}: {path + ': ' if path else ''}"


def follows(detail: ErrorDetails, others: list[ErrorDetails]) -> bool:
    """Say whether a list counts as too short only because of what is wrong with its items."""
    loc = detail["loc"]
    inside = (other for other in others if len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc)
    return detail["type"] == "too_short" and any(inside)


def _node(text: str, source: str) -> yaml.Node:
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise BadDrill(source, [f"larger than {MAX_BYTES // 1024} KiB"])
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise BadDrill(source, [f"line {line}: anchors and aliases are not used in drill files"])
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise BadDrill(source, [one_line(error)]) from None
    except RecursionError:
        raise BadDrill(source, ["nested too deeply"]) from None
    if not isinstance(root, yaml.MappingNode):
        raise BadDrill(source, ["expected a mapping with version, name, title, faults and expect"])
    return root


def one_line(error: Exception) -> str:
    """Return what is wrong with a text that is no YAML, with its line where that is known."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}: not valid YAML: {getattr(error, 'problem', None) or 'unreadable'}"


def _odd_keys(node: yaml.Node, path: str = "") -> Iterator[str]:
    """Yield a problem for each key that is not text or stands twice in its mapping."""
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield from _odd_keys(child, f"{path}[{index}]")
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, child in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            yield f"line {line}: {path or 'top level'}: keys must be plain text (put others in quotes)"
            continue
        below = f"{path}.{key.value}" if path else key.value
        if key.value in seen:
            yield f"line {line}: {below}: stands twice"
        seen.add(key.value)
        yield from _odd_keys(child, below)


def _find(root: yaml.Node, loc: tuple[int | str, ...]) -> tuple[int, str]:
    """Return the line of the deepest node on the way to ``loc``, and ``loc`` as a key path."""
    node, line, path, lost = root, root.start_mark.line + 1, "", False
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
        if lost:
            continue
        lost = True
        if isinstance(node, yaml.MappingNode):
            for key, child in node.value:
                if key.value == part:
                    node, line, lost = child, key.start_mark.line + 1, False
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node, lost = node.value[part], False
            line = node.start_mark.line + 1
    return line, path
