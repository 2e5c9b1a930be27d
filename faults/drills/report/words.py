"""What every form of a report says in the same words: summary rows, figures, parameters. Plain text, not escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from faults.drills.report import amounts
from faults.drills.report.batch import Batch
from faults.drills.score import detection_and_reset_s
from faults.drills.wire import AlertScore, DrillRun, Spread

CAVEAT = (
    "Precision: of the alerts that fired, the share that was expected. Recall: of those expected, the share that fired."
)


def parameters(values: Mapping[str, JsonValue] | Mapping[str, str]) -> str:
    """Return values by name as ``a=1, b="x"``."""
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items())


def share(value: float | None) -> str:
    """Return a share in percent; a dash where there is none."""
    return amounts.NOTHING if value is None else f"{value:.0%}"


def score_figures(batch: Batch) -> list[tuple[str, str]]:
    """Return the figures at the top of a report: what it is, and how much."""
    score = batch.score()
    total = score.total
    skipped = sum(case.standing == "skipped" for case in batch.cases)
    found = [
        ("drills passed", f"{score.passed} of {score.runs}"),
        ("precision", share(total.precision)),
        ("recall", share(total.recall)),
        ("alerts detected", str(total.detected)),
        ("missed", str(total.missed)),
        ("unexpected", str(total.unexpected)),
    ]
    if score.left_out:
        found.append(("runs that prove nothing", str(score.left_out)))
    if skipped:
        found.append(("drills skipped", str(skipped)))
    return found


def summary_rows(batch: Batch) -> list[tuple[str, str, str, str, str, str]]:
    """Return for each drill its name, how it went, detection, reset, how long it took, and why."""
    return [
        (
            case.name,
            case.standing,
            _times(case.ran, 0),
            _times(case.ran, 1),
            amounts.seconds(_took_s(case.ran)),
            case.reason,
        )
        for case in batch.cases
    ]


def _took_s(run: DrillRun | None) -> float | None:
    return None if run is None or run.ended_at is None else run.ended_at - run.queued_at


def _times(run: DrillRun | None, which: int) -> str:
    """Return the longest detection (0) or reset (1) time of the expected alerts."""
    outcomes = [] if run is None else [one for one in run.outcomes if one.expected]
    times = [detection_and_reset_s(run, one)[which] for one in outcomes if run is not None]
    known = [one for one in times if one is not None]
    return amounts.seconds(max(known)) if known else amounts.NOTHING


def scored_alerts(batch: Batch) -> list[Sequence[str]]:
    """Return for each alert what was counted, as texts."""
    return [_scored(one) for one in batch.score().alerts]


def _scored(one: AlertScore) -> Sequence[str]:
    return (
        one.alert,
        f"{one.detected} ({one.flawed} flawed)" if one.flawed else str(one.detected),
        str(one.missed),
        str(one.unexpected),
        share(one.precision),
        share(one.recall),
        _spreads(one.detection_s),
        _spreads(one.reset_s),
    )


def _spreads(by_pace: Mapping[str, Spread]) -> str:
    """Return the median for each pace, with its reach where there are several."""
    texts = []
    for pace, one in by_pace.items():
        reach = f" ({one.least:.1f} to {one.most:.1f})" if one.count > 1 else ""
        texts.append(f"{amounts.seconds(one.median)}{reach}" + (f" at {pace} pace" if len(by_pace) > 1 else ""))
    return "; ".join(texts) or amounts.NOTHING
