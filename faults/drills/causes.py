"""Why a stage of an alert's life came earlier or later than predicted: looked up, never guessed.

Each possible cause is a question to Prometheus about itself, the scrapes and Alertmanager, over the time in question.
Where none of them answers, that is said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from faults.drills.prediction import Timing, excess_s
from faults.drills.wire import Stage, StageCheck
from stack.clients.prometheus import PrometheusClient, Series
from stack.errors import SourceError

SLOW = 0.5
"""Of an interval: what takes longer has moved what comes after it."""
_GAP = 1.5
"""Of an interval: two samples further apart have a missing one between them."""


@dataclass(frozen=True)
class Doubt:
    """A stage that came at another time than predicted, and what is known of the alert. Unix seconds."""

    check: StageCheck
    since: float
    until: float
    group: str
    """The rule group."""
    suppressed: str
    """What kept Alertmanager from notifying; empty where nothing did."""
    unseen_s: float
    """For how long nobody had looked at the groups when it was first seen in one."""
    earlier_group: bool
    resolved_before_sent: bool
    """Whether it was over before its group was due to be notified."""


class Causes:
    """Looks causes up in one Prometheus; ``job`` is the scrape job of what was set on fire. Blocks."""

    def __init__(self, prometheus: PrometheusClient, job: str, timing: Timing) -> None:
        self._prometheus, self._job, self._timing = prometheus, job, timing

    def explain(self, doubt: Doubt) -> str:
        """Return what explains ``doubt``, as a clause; that nothing was found is said too."""
        found: list[str] = []
        asked: list[str] = []
        for what in _LOOKED_AT[doubt.check.stage]:
            asked.append(what)
            try:
                found += _QUESTIONS[what](self, doubt)
            except SourceError as error:
                found.append(f"{what} could not be looked at ({error})")
        return "; ".join(found) or f"no cause found ({', '.join(asked)} looked at)"

    def evaluations(self, doubt: Doubt) -> list[str]:
        """Return what was wrong with the evaluations of the rule's group."""
        group = f'{{rule_group=~".*;{_escaped(doubt.group)}"}}'
        missed = _rise(self._samples(f"prometheus_rule_group_iterations_missed_total{group}", doubt))
        slowest_s = _highest(self._samples(f"prometheus_rule_group_last_duration_seconds{group}", doubt))
        found = [f"{missed:.0f} evaluations of the group {doubt.group} were missed"] if missed > 0 else []
        if slowest_s > SLOW * self._timing.evaluation_s:
            found.append(f"an evaluation of the group {doubt.group} took {slowest_s:.2f} s")
        return found

    def scrapes(self, doubt: Doubt) -> list[str]:
        """Return what was wrong with the scrapes, be it the fault's doing."""
        job = f"{{job={json.dumps(self._job)}}}"
        up = self._samples(f"up{job}", doubt)
        failed = sum(1 for series in up for _, value in series.points if value == 0.0)
        slowest_s = _highest(self._samples(f"scrape_duration_seconds{job}", doubt))
        widest_s = max((after[0] - before[0] for one in up for before, after in _pairs(one)), default=0.0)
        found = [f"{failed} scrapes of {self._job} failed"] if failed else []
        if widest_s > _GAP * self._timing.scrape_s:
            found.append(f"a scrape of {self._job} was missed, {widest_s:.1f} s lay between two")
        if slowest_s > SLOW * self._timing.scrape_s:
            found.append(f"a scrape of {self._job} took {slowest_s:.2f} s, and counts from its begin")
        return found

    def sending(self, doubt: Doubt) -> list[str]:
        """Return what was wrong between Prometheus and Alertmanager."""
        found = []
        for metric, what in (("errors_total", "failed to be sent"), ("dropped_total", "were dropped unsent")):
            count = _rise(self._samples(f"prometheus_notifications_{metric}", doubt))
            if count > 0:
                found.append(f"{count:.0f} alerts {what} from Prometheus to Alertmanager")
        waiting = _highest(self._samples("prometheus_notifications_queue_length", doubt))
        if waiting > 0:
            found.append(f"up to {waiting:.0f} alerts waited in Prometheus's queue to Alertmanager")
        return found

    def notifying(self, doubt: Doubt) -> list[str]:
        """Return what was wrong between Alertmanager and the webhook."""
        found = []
        if doubt.suppressed:
            found.append(f"Alertmanager kept it back: {doubt.suppressed}")
        failed = _rise(self._samples('alertmanager_notification_requests_failed_total{integration="webhook"}', doubt))
        if failed > 0:
            found.append(f"{failed:.0f} calls of the webhook failed and were repeated")
        if doubt.earlier_group:
            found.append("its group may still have been there, and such a one is flushed by group_interval")
        if doubt.resolved_before_sent:
            found.append("it was over before its group was due, and then nothing is sent")
        return found

    def looking(self, doubt: Doubt) -> list[str]:
        """Return that the conductor itself looked late."""
        late = doubt.unseen_s > SLOW * self._timing.evaluation_s
        return [f"it was looked for {doubt.unseen_s:.2f} s after the look before"] if late else []

    def _samples(self, selector: str, doubt: Doubt) -> Sequence[Series]:
        around_s = 2 * self._timing.tolerance_s
        until = doubt.until + around_s
        return self._prometheus.raw(f"{selector}[{math.ceil(until - doubt.since + around_s)}s]", until)


_QUESTIONS: Mapping[str, Callable[[Causes, Doubt], list[str]]] = MappingProxyType(
    {
        "evaluations": Causes.evaluations,
        "scrapes": Causes.scrapes,
        "the way to Alertmanager": Causes.sending,
        "Alertmanager's notifications": Causes.notifying,
        "the looks": Causes.looking,
    }
)
_ALERTMANAGER = ("the way to Alertmanager", "Alertmanager's notifications")
_LOOKED_AT: Mapping[Stage, tuple[str, ...]] = MappingProxyType(
    {
        "condition_true": ("scrapes", "evaluations"),
        "pending": ("evaluations", "scrapes"),
        "firing": ("evaluations",),
        "received": ("evaluations", "the way to Alertmanager"),
        "grouped": ("the looks", *_ALERTMANAGER),
        "delivered": _ALERTMANAGER,
        "resolved": ("scrapes", "evaluations"),
        "resolution_delivered": _ALERTMANAGER,
    }
)


def doubtful(check: StageCheck, timing: Timing) -> bool:
    """Say whether a stage calls for an explanation: outside of its range by a tenth, or not reached."""
    return check.within is False or excess_s(check) > 0.1 * timing.tolerance_s


def _rise(found: Sequence[Series]) -> float:
    """Return by how much counters rose together; one that began anew counts from there."""
    return sum(max(0.0, after[1] - before[1]) for series in found for before, after in _pairs(series))


def _highest(found: Sequence[Series]) -> float:
    return max((value for series in found for _, value in series.points if not math.isnan(value)), default=0.0)


def _pairs(series: Series) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    return list(zip(series.points, series.points[1:], strict=False))


def _escaped(group: str) -> str:
    """Return ``group`` as a regular expression inside a quoted label value."""
    special = "\\.+*?()|[]{}^$"
    return "".join("\\\\" + char if char in special else char for char in group.replace('"', '\\"'))
