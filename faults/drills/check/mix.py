"""Which models the traffic of a check asks for, so that the series that its rules read are there. It sends nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import yaml

from faults.drills.wire import TrafficSettings
from service.models.profiles import profile_names
from stack.own.dialects import find_dialect
from stack.rules.file import RuleFile

LEFT_OUT = frozenset({"resnet50"})
"""Profiles that are opt-in: their weights are not made here."""
WEIGHT = 2.0
"""Of a model that is added, beside the 4 and 1 of the stack's own traffic."""
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|' + r"'((?:[^'\\]|\\.)*)'")
NEEDS_REGRESSOR: Mapping[str, str] = MappingProxyType({"model_prediction_value": "housing"})
"""Series that only a certain sort of model has, and one that has it."""


def models_of(rules: Sequence[RuleFile], dialect: str = "") -> Mapping[str, float]:
    """Return the weight of each model: the stack's own traffic, and what the rules or the dialect name beside."""
    names = set(_named_by_rules(rules))
    if dialect:
        names |= set(_named_by_dialect(dialect))
    found = dict(TrafficSettings().models)
    for name in profile_names():
        if name in names and name not in found and name not in LEFT_OUT:
            found[name] = WEIGHT
    return found


def _named_by_rules(rules: Sequence[RuleFile]) -> set[str]:
    texts = [rule.expr for file in rules for group in file.groups for rule in group.rules]
    quoted = {value for text in texts for pair in _QUOTED.findall(text) for value in pair if value}
    words = {word for value in quoted for word in re.split(r"[|/()*.+]", value)}
    return words | {model for series, model in NEEDS_REGRESSOR.items() if any(series in text for text in texts)}


def _named_by_dialect(dialect: str) -> set[str]:
    """Return the models that a metric of the dialect is restricted to (``where: {model_name: …}``)."""
    document = yaml.safe_load(find_dialect(dialect).file.read_text(encoding="utf-8"))
    metrics = document.get("metrics") or {}
    return {
        str(entry["where"]["model_name"])
        for entry in metrics.values()
        if "model_name" in (entry or {}).get("where", {})
    }
