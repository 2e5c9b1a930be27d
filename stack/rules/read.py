"""Rule files as Prometheus reads them, with errors that say where. PromQL is left to those who evaluate it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import yaml

from stack.rules.durations import parse_duration
from stack.rules.errors import BadDuration, BadRuleFile
from stack.rules.file import AlertingRule, RecordingRule, RuleFile, RuleGroup

__all__ = [
    "AlertingRule",
    "RecordingRule",
    "RuleFile",
    "RuleGroup",
    "expressions_in",
    "load_rules",
    "load_text",
    "read_rules",
]

MAX_BYTES = 8 * 1024 * 1024
"""A larger file is refused before it is read: reading YAML takes a second and more for each of so many megabytes."""

_GROUP_KEYS = frozenset({"name", "interval", "query_offset", "limit", "labels", "rules"})
_ALERT_KEYS = frozenset({"alert", "expr", "for", "keep_firing_for", "labels", "annotations"})
_RECORD_KEYS = frozenset({"record", "expr", "labels"})

T = TypeVar("T")
Fields = dict[str, yaml.Node]
_KINDS = {yaml.MappingNode: "mapping", yaml.SequenceNode: "list", yaml.ScalarNode: "text"}


def load_rules(path: Path) -> RuleFile:
    """Return the rules of the file ``path``; raise ``BadRuleFile``, which names file, line and what was expected."""
    return read_rules(load_text(path), path)


def load_text(path: Path) -> str:
    """Return the text of the rule file ``path``; raise ``BadRuleFile`` for none, or too large a one."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            found = f"it has {size / 1024 / 1024:.0f} MiB"
            raise BadRuleFile(path, 0, found, f"a rule file of at most {MAX_BYTES // 1024 // 1024} MiB; divide it")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadRuleFile(path, 0, "there is no such file", "a Prometheus rule file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadRuleFile(path, 0, f"it cannot be read ({error})", "a Prometheus rule file in UTF-8") from None


def read_rules(text: str, path: Path) -> RuleFile:
    """Return the rules of ``text``; ``path`` is the name that errors give it."""
    return _Reader(path).file(_documents(text, path))


def expressions_in(text: str, path: Path) -> Mapping[tuple[int, int], yaml.ScalarNode]:
    """Return the YAML node of each expression by its group and its place in it, both from 0; raise ``BadRuleFile``."""
    reader = _Reader(path)
    reader.file(_documents(text, path))
    return reader.expressions


def _documents(text: str, path: Path) -> list[yaml.Node]:
    """Return the documents of ``text`` that are not empty; several are resources, as in one manifest."""
    try:
        found = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise BadRuleFile(
            path, line, f"it is not YAML: {error.problem}", "a Prometheus rule file", column=column
        ) from None
    except yaml.YAMLError as error:
        raise BadRuleFile(path, 0, f"it is not YAML: {error}", "a Prometheus rule file") from None
    except RecursionError:
        raise BadRuleFile(path, 0, "it is nested too deeply", "a Prometheus rule file") from None
    return [node for node in found if not (isinstance(node, yaml.ScalarNode) and not node.value)]


class _Reader:
    """Turns the nodes of one YAML document into rules."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.expressions: dict[tuple[int, int], yaml.ScalarNode] = {}

    def file(self, documents: list[yaml.Node]) -> RuleFile:
        if not documents:
            raise BadRuleFile(self._path, 0, "it is empty", "`groups:` with a list of groups")
        if len(documents) > 1 and not all(self._is_resource(node) for node in documents):
            expected = "one document; only resources of kind 'PrometheusRule' may be several in a file"
            raise self._error(documents[1], "a second YAML document begins here", expected)
        groups: list[RuleGroup] = []
        for document in documents:
            self._add(self._unwrapped(document), groups)
        return RuleFile(self._path, tuple(groups))

    def _add(self, root: yaml.Node, groups: list[RuleGroup]) -> None:
        fields = self._fields(root, frozenset({"groups"}), "a mapping with the one key `groups`")
        for node in self._list(self._required(root, fields, "groups"), "a list of groups"):
            group = self._group(node, len(groups))
            if any(group.name == known.name for known in groups):
                raise self._error(node, f"group {group.name!r} is there twice", "a name of its own for each group")
            groups.append(group)

    @staticmethod
    def _is_resource(root: yaml.Node) -> bool:
        return isinstance(root, yaml.MappingNode) and "kind" in {str(key.value) for key, _ in root.value}

    def _unwrapped(self, root: yaml.Node) -> yaml.Node:
        """Return the rules that a PrometheusRule resource (Prometheus Operator) holds; a plain file as it is."""
        fields = {str(key.value): value for key, value in root.value} if isinstance(root, yaml.MappingNode) else {}
        if "kind" not in fields or "groups" in fields:
            return root
        if fields["kind"].value != "PrometheusRule":
            found = f"this is a resource of kind {fields['kind'].value!r}"
            raise self._error(fields["kind"], found, "a Prometheus rule file, or a resource of kind 'PrometheusRule'")
        return self._required(root, fields, "spec")

    def _group(self, node: yaml.Node, number: int) -> RuleGroup:
        fields = self._fields(node, _GROUP_KEYS, "a group: a mapping with `name` and `rules`")
        rules = self._list(fields["rules"], "a list of rules") if "rules" in fields else []
        return RuleGroup(
            self._text(self._required(node, fields, "name"), "a group's name"),
            tuple(self._rule(each, (number, index)) for index, each in enumerate(rules)),
            self._optional(fields, "interval", self._duration, None),
            self._optional(fields, "query_offset", self._duration, None),
            self._optional(fields, "limit", self._count, 0),
            self._optional(fields, "labels", self._texts, dict[str, str]()),
        )

    def _rule(self, node: yaml.Node, place: tuple[int, int]) -> AlertingRule | RecordingRule:
        expected = "a rule: a mapping with `alert` or `record`, and `expr`"
        fields = self._fields(node, _ALERT_KEYS | _RECORD_KEYS, expected)
        if ("alert" in fields) == ("record" in fields):
            raise self._error(node, "the rule has both or none of `alert` and `record`", "exactly one of the two")
        line = node.start_mark.line + 1
        written = self._required(node, fields, "expr")
        expr = self._text(written, "a PromQL expression").strip()
        if isinstance(written, yaml.ScalarNode):
            self.expressions[place] = written
        labels = self._optional(fields, "labels", self._texts, dict[str, str]())
        if "record" in fields:
            self._fields(node, _RECORD_KEYS, "a recording rule: `record`, `expr` and `labels`")
            return RecordingRule(self._text(fields["record"], "a series name"), expr, labels, line)
        return AlertingRule(
            self._text(fields["alert"], "an alert's name"),
            expr,
            self._optional(fields, "for", self._duration, 0.0),
            self._optional(fields, "keep_firing_for", self._duration, 0.0),
            labels,
            self._optional(fields, "annotations", self._texts, dict[str, str]()),
            line,
        )

    def _fields(self, node: yaml.Node, allowed: frozenset[str], expected: str) -> Fields:
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"this is a {_KINDS[type(node)]}", expected)
        fields: Fields = {}
        for key, value in node.value:
            name = str(key.value)
            if name not in allowed:
                raise self._error(key, f"unknown key {name!r}", f"one of {', '.join(sorted(allowed))}")
            if name in fields:
                raise self._error(key, f"the key {name!r} is there twice", "each key once")
            fields[name] = value
        return fields

    def _required(self, node: yaml.Node, fields: Fields, key: str) -> yaml.Node:
        if key not in fields:
            raise self._error(node, f"there is no `{key}` here", f"the key `{key}`")
        return fields[key]

    @staticmethod
    def _optional(fields: Fields, key: str, read: Callable[[yaml.Node], T], default: T) -> T:
        return read(fields[key]) if key in fields else default

    def _list(self, node: yaml.Node, expected: str) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._error(node, f"this is a {_KINDS[type(node)]}", expected)
        return list(node.value)

    def _text(self, node: yaml.Node, expected: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            raise self._error(node, f"this is {self._empty(node)}", expected)
        return str(node.value)

    @staticmethod
    def _empty(node: yaml.Node) -> str:
        return "empty" if isinstance(node, yaml.ScalarNode) else f"a {_KINDS[type(node)]}"

    def _texts(self, node: yaml.Node) -> dict[str, str]:
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"this is a {_KINDS[type(node)]}", "a mapping of names to texts")
        if wrong := next((value for _, value in node.value if not isinstance(value, yaml.ScalarNode)), None):
            raise self._error(wrong, f"this is a {_KINDS[type(wrong)]}", "a text")
        return {str(key.value): str(value.value) for key, value in node.value}

    def _duration(self, node: yaml.Node) -> float:
        text = self._text(node, "a duration such as 5m")
        try:
            return parse_duration(text)
        except BadDuration as error:
            raise self._error(
                node, f"{text!r} is no duration ({error.reason})", "a duration such as 30s or 5m"
            ) from None

    def _count(self, node: yaml.Node) -> int:
        text = self._text(node, "a whole number")
        if not text.isdigit():
            raise self._error(node, f"{text!r} is no count", "a whole number, 0 or more")
        return int(text)

    def _error(self, node: yaml.Node, found: str, expected: str) -> BadRuleFile:
        mark = node.start_mark
        return BadRuleFile(self._path, mark.line + 1, found, expected, column=mark.column + 1)
