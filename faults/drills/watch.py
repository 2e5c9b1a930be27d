"""Watches Prometheus and Alertmanager: what each alert did when, gathered over many looks.

Each look reads the rules, the raw samples of the alert states since the last look, and what Alertmanager holds. Times
come from the sources themselves, so that a late look loses nothing. It judges nothing and changes nothing.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from faults.drills.episodes import Episode, Labels, condition_since, episodes, merge, settle
from stack.clients.alertmanager import AlertmanagerClient, ReceivedAlert
from stack.clients.prometheus import AlertRule, PrometheusClient, Series
from stack.configuration import WEBHOOK_PATH
from stack.errors import SourceError

REMEMBERED_S = 6 * 3600.0
FIRST_LOOK_S = 3600.0
_STATES = '{__name__=~"ALERTS|ALERTS_FOR_STATE"}'
_HISTORY_GAP_INTERVALS = 5.0
_CONDITION_STEPS = 10.0
_CONDITION_INTERVALS = 100


_Key = tuple[Labels, float]


@dataclass(frozen=True)
class Receipt:
    """What is known of an alert in Alertmanager. Unix seconds; ``starts_at`` is when it fired."""

    labels: Mapping[str, str]
    starts_at: float
    received_at: float
    grouped_at: float | None = None
    """The first look at which it stood in a group that the webhook is told of: late by a look at most."""
    looked_before: float | None = None
    """The look before that one."""
    suppressed: str = ""
    """What kept Alertmanager from notifying of it at some look: a silence, or another alert."""


@dataclass(frozen=True)
class Sight:
    """What one look saw, with everything remembered from the looks before it."""

    at: float
    rules: tuple[AlertRule, ...]
    episodes: tuple[Episode, ...]
    receipts: tuple[Receipt, ...]
    alertmanager_error: SourceError | None
    held: tuple[ReceivedAlert, ...] = ()
    """What Alertmanager held at this look."""

    def complete(self) -> Sight:
        """Return it, or raise what kept Alertmanager out of sight."""
        if self.alertmanager_error is not None:
            raise self.alertmanager_error
        return self

    def named(self, alert: str) -> tuple[AlertRule, ...]:
        """Return the rules of that name: usually one, none where it is not loaded."""
        return tuple(rule for rule in self.rules if rule.name == alert)

    def interval_s(self, alert: str) -> float:
        """Return how often ``alert`` is evaluated, in seconds; 0 where it is not loaded."""
        return min((rule.interval_s for rule in self.named(alert)), default=0.0)

    def lives(self, alert: str, labels: Mapping[str, str]) -> tuple[Episode, ...]:
        """Return the known episodes of ``alert`` that carry ``labels``, by start."""
        return tuple(one for one in self.episodes if one.alert == alert and one.carries(labels))


@dataclass(frozen=True)
class _Reading:
    rules: tuple[AlertRule, ...]
    series: tuple[Series, ...]
    held: tuple[ReceivedAlert, ...]
    grouped: frozenset[_Key]
    """Those of ``held`` that stand in a group that the webhook is told of."""
    grouped_by: float
    """When Alertmanager had said so, Unix seconds."""
    alertmanager_error: SourceError | None


class Watcher:
    """The memory of one stack's alerts."""

    def __init__(
        self,
        prometheus: PrometheusClient,
        alertmanager: AlertmanagerClient,
        *,
        job: str = "firedrill",
        webhook: str = WEBHOOK_PATH,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``job`` is the scrape job of the service, or of the app in its place; ``webhook`` ends its address."""
        self.job, self.webhook = job, webhook
        self._up = f'up{{job="{job}"}}'
        self.prometheus, self.alertmanager, self.now = prometheus, alertmanager, now
        self.last: Sight | None = None
        self._looking = asyncio.Lock()
        self._receipts: dict[_Key, Receipt] = {}
        self._receivers_known: set[str] = set()
        self._receivers: frozenset[str] = frozenset()
        self._conditions: dict[tuple[str, Labels, float], float] = {}

    async def look(self) -> Sight:
        """Return what there is to see now.

        Raises ``SourceError`` when Prometheus fails; that Alertmanager does is said in the sight.
        """
        async with self._looking:
            at = self.now()
            reading = await asyncio.to_thread(self._read, at)
            self.last = self._digest(at, reading)
            return self.last

    def _read(self, at: float) -> _Reading:
        rules = self.prometheus.rules()  # before the samples: what they list as inactive has no later sample
        longest_s = max((rule.interval_s for rule in rules), default=1.0)
        since = at - FIRST_LOOK_S if self.last is None else max(self.last.at - 2 * longest_s - 2.0, at - FIRST_LOOK_S)
        until = self.now()
        series = self.prometheus.raw(f"{_STATES}[{math.ceil(until - since)}s]", until)
        try:
            held = self.alertmanager.alerts()
            grouped = self._grouped()
        except SourceError as error:
            return _Reading(rules, series, (), frozenset(), until, error)
        return _Reading(rules, series, held, grouped, self.now(), None)

    def _grouped(self) -> frozenset[_Key]:
        groups = self.alertmanager.groups()
        names = {group.receiver for group in groups}
        if not names <= self._receivers_known:  # also the first time, and after its configuration has changed
            self._receivers_known = names
            self._receivers = frozenset(self.alertmanager.routing().told_at(self.webhook))
        mine = (group for group in groups if group.receiver in self._receivers)
        return frozenset(_key(alert) for group in mine for alert in group.alerts)

    def _digest(self, at: float, reading: _Reading) -> Sight:
        intervals: dict[str, float] = {}
        evaluated: dict[str, float] = {}
        active: dict[str, frozenset[Labels]] = {}
        for rule in reading.rules:
            intervals[rule.name] = min(rule.interval_s, intervals.get(rule.name, math.inf))
            evaluated[rule.name] = min(rule.evaluated_at or 0.0, evaluated.get(rule.name, math.inf))
            burning = {_identity(one.labels) for one in rule.alerts if one.state in {"pending", "firing"}}
            active[rule.name] = active.get(rule.name, frozenset()) | burning
        known = () if self.last is None else self.last.episodes
        known = tuple(one for one in known if one.last_seen > at - REMEMBERED_S)
        found = settle(merge(known, episodes(reading.series, intervals)), active, evaluated, intervals)
        for alert in reading.held:
            key = _key(alert)
            receipt = self._receipts.get(key) or Receipt(alert.labels, alert.starts_at, alert.updated_at)
            if receipt.grouped_at is None and key in reading.grouped:
                before = None if self.last is None else self.last.at
                receipt = replace(receipt, grouped_at=reading.grouped_by, looked_before=before)
            self._receipts[key] = replace(receipt, suppressed=receipt.suppressed or suppressed(alert))
        for key in [key for key, one in self._receipts.items() if one.received_at < at - REMEMBERED_S]:
            del self._receipts[key]
        receipts = tuple(self._receipts.values())
        return Sight(at, reading.rules, found, receipts, reading.alertmanager_error, reading.held)

    async def condition_true(self, rule: AlertRule, episode: Episode) -> float:
        """Return when the condition of ``rule`` became true that began ``episode``, to a tenth of its interval."""
        key = (episode.alert, episode.labels, episode.active_at)
        if key not in self._conditions:
            if len(self._conditions) > 1000:
                self._conditions.clear()
            self._conditions[key] = await asyncio.to_thread(self._condition_true, rule, episode)
        return self._conditions[key]

    def _condition_true(self, rule: AlertRule, episode: Episode) -> float:
        """Read the expression back from the first active evaluation, further until it was false.

        Not to before Prometheus was started: of a time without any samples `absent` has something to say, too.
        """
        until = episode.started
        earliest = min(self.prometheus.started_at(), until)
        step_s = max(rule.interval_s / _CONDITION_STEPS, 0.05)
        intervals = 3
        while True:
            steps = round(intervals * rule.interval_s / step_s)
            start = until - steps * step_s
            series = self.prometheus.query_range(rule.expr, start, until, step_s)
            known = dict(episode.labels)
            mine = [one for one in series if all(known.get(name, value) == value for name, value in one.labels.items())]
            since = condition_since({time for one in mine for time, _ in one.points}, until, step_s)
            if since > start + step_s or start <= earliest or intervals >= _CONDITION_INTERVALS:
                return max(since, earliest)
            intervals *= 3

    async def history_s(self, needed_s: float, interval_s: float) -> float:
        """Return for how many seconds the service has been scraped without a gap, at least as far as ``needed_s``."""
        at = self.now()
        selector = f"{self._up}[{math.ceil(needed_s + 2 * interval_s + 1)}s]"
        series = await asyncio.to_thread(self.prometheus.raw, selector, at)
        times = sorted({time for one in series for time, up in one.points if up > 0.0}, reverse=True)
        since = at
        for moment in times:
            if since - moment > _HISTORY_GAP_INTERVALS * interval_s + 1.0:
                break
            since = moment
        return at - since

    async def starts(self) -> Mapping[str, float]:
        """Return when Prometheus and Alertmanager started, as each says itself, Unix seconds; raises ``SourceError``.

        Their own word and not a scraped one: of a process that was just started again there is no new sample yet.
        """
        return {
            client.name: await asyncio.to_thread(client.started_at) for client in (self.prometheus, self.alertmanager)
        }


def suppressed(alert: ReceivedAlert) -> str:
    """Return what keeps Alertmanager from notifying of ``alert``, as a clause; empty where nothing does."""
    if alert.silenced_by:
        return f"silenced by {', '.join(alert.silenced_by)}"
    return f"inhibited by {', '.join(alert.inhibited_by)}" if alert.inhibited_by else ""


def _key(alert: ReceivedAlert) -> _Key:
    return frozenset(alert.labels.items()), alert.starts_at


def _identity(labels: Mapping[str, str]) -> Labels:
    return frozenset((name, value) for name, value in labels.items() if name != "alertname")
