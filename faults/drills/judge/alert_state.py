"""The life of an alert from one evaluation to the next: the one thing about rules that Prometheus is not asked for.

Source: Prometheus 2.42, rules/alerting.go, ``AlertingRule.Eval``; tests hold it against ``promtool test rules``. An
alert is pending from the first evaluation with a result, fires at the first one with ``now - activeAt >= for``, is
forgotten at once if it was only pending, and else ends with the first evaluation without a result, or with
``keep_firing_for`` at the first one that comes so long after the first without a result. Nothing is evaluated here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faults.drills.virtual.recording import Labels


@dataclass
class Life:
    """One life of one alert; times in milliseconds, as in ``AlertLife``."""

    labels: Labels
    active_ms: int
    fired_ms: int | None = None
    ended_ms: int | None = None
    without_ms: int | None = None
    """Since when it fires without a result."""


class AlertStates:
    """The alerts of one rule. ``advance`` is to be called once for each evaluation, in order of time."""

    def __init__(self, *, for_ms: int, keep_firing_ms: int = 0, limit: int = 0) -> None:
        """``limit`` is that of the group: more alerts are an error, and all of them are forgotten; 0 is none."""
        self._for_ms, self._keep_firing_ms, self._limit = for_ms, keep_firing_ms, limit
        self._active: dict[Labels, Life] = {}
        self._lives: list[Life] = []

    @property
    def active(self) -> Iterable[Life]:
        """Return those that are pending or firing."""
        return self._active.values()

    def lives(self) -> tuple[Life, ...]:
        """Return all lives so far, by when they began."""
        return tuple(sorted(self._lives, key=lambda life: (life.active_ms, life.labels)))

    def advance(self, at_ms: int, results: Iterable[Labels]) -> str:
        """Take what an evaluation at ``at_ms`` found; return why it failed, or an empty text.

        ``results`` are the labels of the alerts, once for each element of the result. An evaluation that fails leaves
        everything as it was, but for the limit.
        """
        found: set[Labels] = set()
        for labels in results:
            if labels in found:
                return "vector contains metrics with the same labelset after applying alert labels"
            found.add(labels)
        for labels in found:
            if labels not in self._active:
                life = Life(labels, at_ms)
                self._active[labels] = life
                self._lives.append(life)
        for life in tuple(self._active.values()):
            self._advance(life, at_ms, present=life.labels in found)
        if self._limit and len(self._active) > self._limit:
            count = len(self._active)
            for life in self._active.values():
                life.ended_ms = at_ms
                life.fired_ms = None if life.fired_ms == at_ms else life.fired_ms
            self._active.clear()
            self._lives = [life for life in self._lives if life.active_ms != at_ms]
            return f"exceeded limit of {self._limit} with {count} alerts"
        return ""

    def _advance(self, life: Life, at_ms: int, *, present: bool) -> None:
        if present:
            life.without_ms = None
        elif not self._kept(life, at_ms):
            life.ended_ms = at_ms
            del self._active[life.labels]
            return
        if life.fired_ms is None and at_ms - life.active_ms >= self._for_ms:
            life.fired_ms = at_ms

    def _kept(self, life: Life, at_ms: int) -> bool:
        """Return whether an alert without a result goes on firing."""
        if life.fired_ms is None or not self._keep_firing_ms:
            return False
        if life.without_ms is None:
            life.without_ms = at_ms
        return at_ms - life.without_ms < self._keep_firing_ms
