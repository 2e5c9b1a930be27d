"""A Prometheus rule file in memory: groups of alerting and recording rules, durations in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class AlertingRule:
    """An alert. ``line`` is where it starts in its file, from 1."""

    name: str
    expr: str
    for_s: float = 0.0
    keep_firing_for_s: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True)
class RecordingRule:
    """An expression whose value is kept as the series ``name``."""

    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True)
class RuleGroup:
    """Rules that are evaluated together and in order. ``interval_s`` is ``None`` for Prometheus's own."""

    name: str
    rules: tuple[AlertingRule | RecordingRule, ...]
    interval_s: float | None = None
    query_offset_s: float | None = None
    limit: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RuleFile:
    """All groups of one file."""

    path: Path
    groups: tuple[RuleGroup, ...]

    @property
    def alerts(self) -> tuple[AlertingRule, ...]:
        """Return the alerting rules of all groups, in order."""
        return tuple(rule for group in self.groups for rule in group.rules if isinstance(rule, AlertingRule))
