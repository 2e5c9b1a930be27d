"""Rule files as text: YAML that a person can read and Prometheus accepts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from stack.rules.durations import format_duration
from stack.rules.file import AlertingRule, RecordingRule, RuleFile, RuleGroup


def write_rules(rules: RuleFile, remark: str) -> str:
    """Return ``rules`` as YAML under ``# rendered from <remark>``; expressions of several lines stay so."""
    document = {"groups": [_group(group) for group in rules.groups]}
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096)
    return f"# rendered from {remark}\n{text}"


class _Dumper(yaml.SafeDumper):
    """A dumper that writes texts of several lines as blocks and indents lists."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent a list below its key, too."""
        del indentless
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _group(group: RuleGroup) -> Mapping[str, Any]:
    written: dict[str, Any] = {"name": group.name}
    if group.interval_s is not None:
        written["interval"] = format_duration(group.interval_s)
    if group.query_offset_s is not None:
        written["query_offset"] = format_duration(group.query_offset_s)
    if group.limit:
        written["limit"] = group.limit
    if group.labels:
        written["labels"] = dict(group.labels)
    return written | {"rules": [_rule(rule) for rule in group.rules]}


def _rule(rule: AlertingRule | RecordingRule) -> Mapping[str, Any]:
    kind = "alert" if isinstance(rule, AlertingRule) else "record"
    written: dict[str, Any] = {kind: rule.name, "expr": rule.expr}
    if isinstance(rule, AlertingRule) and rule.for_s:
        written["for"] = format_duration(rule.for_s)
    if isinstance(rule, AlertingRule) and rule.keep_firing_for_s:
        written["keep_firing_for"] = format_duration(rule.keep_firing_for_s)
    if rule.labels:
        written["labels"] = dict(rule.labels)
    if isinstance(rule, AlertingRule) and rule.annotations:
        written["annotations"] = dict(rule.annotations)
    return written
