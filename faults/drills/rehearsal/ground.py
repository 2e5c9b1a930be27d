"""What a virtual drill stands on in place of a running stack: rules and Alertmanager's timers, at one pace.

All of it is the stack's own, rendered by the same code; nothing is started and nobody is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stack.clients.prometheus import AlertRule
from stack.clients.routing import Routing, read_routing
from stack.configuration import RULES_DIR, alertmanager_yml
from stack.endpoints import Endpoints
from stack.errors import StackError
from stack.pace import Pace
from stack.rules.file import AlertingRule, RecordingRule, RuleFile
from stack.rules.reach import longest_window_s
from stack.rules.read import load_rules
from stack.rules.scale import scale_rules

LOOK_BACK_S = 300.0
"""How old the latest sample may be, in production time: Prometheus's own default."""


@dataclass(frozen=True)
class Ground:
    """The rules as a stack of this pace has them loaded, and whom Alertmanager tells when."""

    pace: Pace
    files: tuple[RuleFile, ...]
    routing: Routing

    @property
    def look_back_s(self) -> float:
        """How old the latest sample of a series may be, in seconds at this pace."""
        return self.pace.scale(LOOK_BACK_S)

    @cached_property
    def rules(self) -> tuple[AlertRule, ...]:
        """All alerting rules, before anything was evaluated."""
        return tuple(self._rules())

    def _rules(self) -> Iterator[AlertRule]:
        for file in self.files:
            for group in file.groups:
                for rule in group.rules:
                    if isinstance(rule, AlertingRule):
                        yield loaded(rule, group.name, group.interval_s or self.pace.interval_s)

    @cached_property
    def recordings(self) -> tuple[tuple[str, str], ...]:
        """Name and expression of every recording rule."""
        rules = (rule for file in self.files for group in file.groups for rule in group.rules)
        return tuple((rule.name, rule.expr) for rule in rules if isinstance(rule, RecordingRule))

    @cached_property
    def windows_s(self) -> Mapping[str, float]:
        """How far back each alert looks, through what it reads of recorded series; those left out cannot be said."""
        windows: dict[str, float] = {}
        for rule in self.rules:
            try:
                window_s = longest_window_s(rule.expr, self.recordings)
            except StackError:
                continue
            windows[rule.name] = max(window_s, windows.get(rule.name, 0.0))
        return windows

    def named(self, alert: str) -> tuple[AlertRule, ...]:
        """Return the rules of that name: usually one."""
        return tuple(rule for rule in self.rules if rule.name == alert)


def loaded(rule: AlertingRule, group: str, interval_s: float) -> AlertRule:
    """Return ``rule`` as Prometheus lists it, quiet and not evaluated yet."""
    return AlertRule(
        name=rule.name,
        group=group,
        expr=rule.expr,
        for_s=rule.for_s,
        keep_firing_for_s=rule.keep_firing_for_s,
        labels=dict(rule.labels),
        annotations=dict(rule.annotations),
        state="inactive",
        health="ok",
        last_error="",
        evaluated_at=None,
        interval_s=interval_s,
        alerts=(),
    )


def shipped_ground(pace: Pace, *, rules_dir: Path = RULES_DIR) -> Ground:
    """Return the ground of a stack with the rules of ``rules_dir`` and Firedrill's own Alertmanager configuration.

    Raises ``RuleError`` where a rule cannot be read or cannot change its pace.
    """
    files: Sequence[RuleFile] = [load_rules(path) for path in sorted(rules_dir.glob("*.yml"))]
    scaled = tuple(scale_rules(file, pace.factor) for file in files)
    text = alertmanager_yml(Endpoints(), pace, Path("token"))
    return Ground(pace, scaled, read_routing(text, "Firedrill's own configuration"))
