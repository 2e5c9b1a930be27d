"""Precision and recall of the alerts over a set of runs, with how long they took. Pure; it judges no single alert.

An expected alert that fired after the fault is a detection, however late; one that fired unasked is a false alarm. What
a drill allows counts neither way, nor does what could not be judged.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from faults.drills.wire import AlertOutcome, AlertScore, DrillRun, Score, Spread

UNDECIDED = frozenset({"already firing", "insufficient history", None})


@dataclass
class _Tally:
    """What is counted of one alert."""

    detected: int = 0
    flawed: int = 0
    missed: int = 0
    unexpected: int = 0
    detection_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    reset_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, run: DrillRun, outcome: AlertOutcome) -> None:
        """Count ``outcome``, which was judged."""
        if not outcome.expected:
            self.unexpected += outcome.verdict == "unexpected"
            return
        detection_s, reset_s = detection_and_reset_s(run, outcome)
        if detection_s is None:
            self.missed += 1
            return
        self.detected += 1
        self.flawed += outcome.verdict != "as expected"
        self.detection_s[run.pace].append(detection_s)
        if reset_s is not None:
            self.reset_s[run.pace].append(reset_s)

    def score(self, alert: str) -> AlertScore:
        """Return what was counted."""
        fired, expected = self.detected + self.unexpected, self.detected + self.missed
        return AlertScore(
            alert=alert,
            detected=self.detected,
            flawed=self.flawed,
            missed=self.missed,
            unexpected=self.unexpected,
            precision=self.detected / fired if fired else None,
            recall=self.detected / expected if expected else None,
            detection_s={pace: spread(times) for pace, times in sorted(self.detection_s.items())},
            reset_s={pace: spread(times) for pace, times in sorted(self.reset_s.items())},
        )


def score(runs: Sequence[DrillRun]) -> Score:
    """Return how well the alerts did in ``runs``, each alert by itself and all together."""
    total, alerts = _Tally(), defaultdict[str, _Tally](_Tally)
    judged = [run for run in runs if run.verdict in {"passed", "failed"}]
    undecided = 0
    for run in judged:
        for outcome in run.outcomes:
            if outcome.expected and outcome.verdict in UNDECIDED:
                undecided += 1
            elif outcome.expected or outcome.verdict == "unexpected":
                total.add(run, outcome)
                alerts[outcome.alert].add(run, outcome)
    return Score(
        runs=len(runs),
        passed=sum(run.verdict == "passed" for run in judged),
        failed=sum(run.verdict == "failed" for run in judged),
        left_out=len(runs) - len(judged),
        undecided=undecided,
        total=total.score(""),
        alerts=[tally.score(alert) for alert, tally in sorted(alerts.items())],
    )


def detection_and_reset_s(run: DrillRun, outcome: AlertOutcome) -> tuple[float | None, float | None]:
    """Return the seconds from the fault to firing and from the rollback to resolved; ``None`` where it did not.

    What resolved before the rollback, because a schedule had put its fault out earlier, has no time of resetting.
    """
    fired, ended = outcome.stages.firing, outcome.stages.resolved
    detection_s = None if fired is None or run.fault_at is None else fired - run.fault_at
    if fired is None or ended is None or run.rollback_at is None or ended < run.rollback_at:
        return detection_s, None
    return detection_s, ended - run.rollback_at


def spread(times: Sequence[float]) -> Spread:
    """Return ``times`` (seconds, at least one) summed up."""
    return Spread(
        count=len(times),
        least=min(times),
        median=statistics.median(times),
        mean=statistics.fmean(times),
        most=max(times),
    )
