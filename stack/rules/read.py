"""Rule files as Prometheus reads them, with errors that say where. PromQL is left to those who evaluate it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import yaml

from stack.rules.durations import parse_duration
from stack.rules.errors import BadDuration, BadRuleFile
from stack.rules.file import AlertingRule, RecordingRule, RuleFile, RuleGroup

__all__ = ["AlertingRule", "RecordingRule", "RuleFile", "RuleGroup", "load_rules", "read_rules"]

_GROUP_KEYS = frozenset({"name", "interval", "query_offset", "limit", "labels", "rules"})
_ALERT_KEYS = frozenset({"alert", "expr", "for", "keep_firing_for", "labels", "annotations"})
_RECORD_KEYS = frozenset({"record", "expr", "labels"})

T = TypeVar("T")
Fields = dict[str, yaml.Node]
_KINDS = {yaml.MappingNode: "mapping", yaml.SequenceNode: "list", yaml.ScalarNode: "text"}
_NO_TEXTS: Mapping[str, str] = MappingProxyType({})


def load_rules(path: Path) -> RuleFile:
    """Return the rules of the file ``path``; raise ``BadRuleFile``, which names file, line and what was expected."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadRuleFile(path, 0, "there is no such file", "a Prometheus rule file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadRuleFile(path, 0, f"it cannot be read ({error})", "a Prometheus rule file in UTF-8") from None
    return read_rules(text, path)


def read_rules(text: str, path: Path) -> RuleFile:
    """Return the rules of ``text``; ``path`` is the name that errors give it."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise BadRuleFile(path, line, f"it is not YAML: {error.problem}", "a Prometheus rule file") from None
    except yaml.YAMLError as error:
        raise BadRuleFile(path, 0, f"it is not YAML: {error}", "a Prometheus rule file") from None
    return _Reader(path).file(root)


class _Reader:
    """Turns the nodes of one YAML document into rules."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def file(self, root: yaml.Node | None) -> RuleFile:
        if root is None:
            raise BadRuleFile(self._path, 0, "it is empty", "`groups:` with a list of groups")
        root = self._unwrapped(root)
        fields = self._fields(root, frozenset({"groups"}), "a mapping with the one key `groups`")
        groups: list[RuleGroup] = []
        for node in self._list(self._required(root, fields, "groups"), "a list of groups"):
            group = self._group(node)
            if any(group.name == known.name for known in groups):
                raise self._error(node, f"group {group.name!r} is there twice", "a name of its own for each group")
            groups.append(group)
        return RuleFile(self._path, tuple(groups))

    def _unwrapped(self, root: yaml.Node) -> yaml.Node:
        """Return the rules that a PrometheusRule resource (Prometheus Operator) holds; a plain file as it is."""
        fields = {key.value: value for key, value in root.value} if isinstance(root, yaml.MappingNode) else {}
        if "kind" not in fields or "groups" in fields:
            return root
        if fields["kind"].value != "PrometheusRule":
            found = f"this is a resource of kind {fields['kind'].value!r}"
            raise self._error(fields["kind"], found, "a Prometheus rule file, or a resource of kind 'PrometheusRule'")
        return self._required(root, fields, "spec")

    def _group(self, node: yaml.Node) -> RuleGroup:
        fields = self._fields(node, _GROUP_KEYS, "a group: a mapping with `name` and `rules`")
        rules = self._list(fields["rules"], "a list of rules") if "rules" in fields else []
        return RuleGroup(
            self._text(self._required(node, fields, "name"), "a group's name"),
            tuple(self._rule(each) for each in rules),
            self._optional(fields, "interval", self._duration, None),
            self._optional(fields, "query_offset", self._duration, None),
            self._optional(fields, "limit", self._count, 0),
            self._optional(fields, "labels", self._texts, _NO_TEXTS),
        )

    def _rule(self, node: yaml.Node) -> AlertingRule | RecordingRule:
        expected = "a rule: a mapping with `alert` or `record`, and `expr`"
        fields = self._fields(node, _ALERT_KEYS | _RECORD_KEYS, expected)
        if ("alert" in fields) == ("record" in fields):
            raise self._error(node, "the rule has both or none of `alert` and `record`", "exactly one of the two")
        line = node.start_mark.line + 1
        expr = self._text(self._required(node, fields, "expr"), "a PromQL expression").strip()
        labels = self._optional(fields, "labels", self._texts, _NO_TEXTS)
        if "record" in fields:
            self._fields(node, _RECORD_KEYS, "a recording rule: `record`, `expr` and `labels`")
            return RecordingRule(self._text(fields["record"], "a series name"), expr, labels, line)
        return AlertingRule(
            self._text(fields["alert"], "an alert's name"),
            expr,
            self._optional(fields, "for", self._duration, 0.0),
            self._optional(fields, "keep_firing_for", self._duration, 0.0),
            labels,
            self._optional(fields, "annotations", self._texts, _NO_TEXTS),
            line,
        )

    def _fields(self, node: yaml.Node, allowed: frozenset[str], expected: str) -> Fields:
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"this is a {_KINDS[type(node)]}", expected)
        fields: Fields = {}
        for key, value in node.value:
            if key.value not in allowed:
                raise self._error(key, f"unknown key {key.value!r}", f"one of {', '.join(sorted(allowed))}")
            if key.value in fields:
                raise self._error(key, f"the key {key.value!r} is there twice", "each key once")
            fields[key.value] = value
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

    def _texts(self, node: yaml.Node) -> Mapping[str, str]:
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
        return BadRuleFile(self._path, node.start_mark.line + 1, found, expected)
