"""Recordings written in promtool's notation, and judgements as unit tests that promtool can pass or fail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from faults.drills.history import labels_of
from faults.drills.judge.judgement import AlertCourse, Judgement
from faults.drills.virtual.recording import STALE_BITS, RecordedSeries, Recording, Scrapes
from faults.drills.virtual.scenario import Scenario
from faults.drills.wire import TrafficStatus
from stack.pace import PRODUCTION_INTERVAL_S, Pace
from stack.rules import promtool
from stack.rules.durations import parse_duration
from stack.rules.file import RuleFile
from stack.rules.read import read_rules
from stack.rules.write import write_rules

_ITEM = re.compile(
    r"(?P<value>[-+]?(?:[\d.]+(?:e[-+]?\d+)?|Inf|NaN|inf|nan)|_|stale)(?:(?P<step>[-+][\d.]+))?(?:x(?P<times>\d+))?$"
)
STALE = float("nan")


def recording(
    series: Mapping[str, str],
    *,
    lasts_s: float,
    interval_s: float = 15.0,
    series_interval_s: float | None = None,
    phases: Sequence[float] = (0.0,),
    started_at: float = 0.0,
) -> Recording:
    """Return a recording of ``series``, by name with labels, values in promtool's notation."""
    step_s = series_interval_s or interval_s
    scrapes = tuple(
        Scrapes(phase, tuple(_series(name, text, step_s, started_at + phase) for name, text in series.items()))
        for phase in phases
    )
    pace = Pace("test", PRODUCTION_INTERVAL_S / interval_s)
    scenario = Scenario("by hand", 1, calm_s=lasts_s, pace=pace, scrape_phases=len(phases))
    end = started_at + lasts_s
    return Recording(scenario, started_at, end, None, None, None, (), scrapes, TrafficStatus.model_construct())


def rules_of(text: str, name: str = "rules.yml") -> RuleFile:
    """Return the rules of ``text``."""
    return read_rules(text, Path(name))


def values_of(text: str) -> Iterator[tuple[int, float | None]]:
    """Yield index and value of each sample of promtool's notation; ``None`` is a stale marker."""
    index = 0
    for item in text.split():
        found = _ITEM.match(item)
        assert found, item
        times = int(found["times"]) if found["times"] is not None else 0
        if found["value"] == "_":
            index += max(times, 1)
            continue
        stale = found["value"] == "stale"
        for step in range(times + 1):
            yield index, None if stale else float(found["value"]) + step * float(found["step"] or 0)
            index += 1


def _series(name: str, text: str, step_s: float, start: float) -> RecordedSeries:
    points = list(values_of(text))
    values = np.array([STALE if value is None else value for _, value in points], np.float64)
    stale = np.array([value is None for _, value in points], np.bool_)
    values.view(np.uint64)[stale] = STALE_BITS
    times = np.array([round((start + index * step_s) * 1000) for index, _ in points], np.int64)
    return RecordedSeries(tuple(sorted(labels_of(name).items())), times, values)


def promtool_passes(
    folder: Path, rules: RuleFile, series: Mapping[str, str], judged: Judgement, *, interval_s: float, lasts_s: float
) -> str:
    """Return what promtool says of a test that expects ``ALERTS`` at every evaluation to be as ``judged``."""
    (folder / "rules.yml").write_text(write_rules(rules, "a test"), encoding="utf-8")
    interval = f"{round(interval_s * 1000)}ms"
    checks: list[dict[str, Any]] = []
    for index in range(int(lasts_s // interval_s) + 1):
        at = index * interval_s
        samples = [{"labels": _text(labels), "value": 1} for labels in states_at(judged.phases[0].alerts, at)]
        checks.append({"expr": "ALERTS", "eval_time": f"{round(at * 1000)}ms", "exp_samples": samples})
    given = [{"series": name, "values": text} for name, text in series.items()]
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": interval,
        "tests": [{"interval": interval, "input_series": given, "promql_expr_test": checks}],
    }
    path = folder / "test.yml"
    path.write_text(yaml.safe_dump(test, sort_keys=False), encoding="utf-8")
    return promtool.test(path)


def states_at(courses: Iterable[AlertCourse], at: float) -> Iterator[Mapping[str, str]]:
    """Yield the labels of ``ALERTS`` for each alert that is active at ``at``."""
    for course in courses:
        for life in course.lives:
            if life.active_at <= at and (life.ended_at is None or at < life.ended_at):
                state = "firing" if life.fired_at is not None and life.fired_at <= at else "pending"
                yield {**dict(life.labels), "alertname": course.ref.alert, "alertstate": state}


def without_intervals(rules: RuleFile) -> RuleFile:
    """Return ``rules`` as promtool takes them, which evaluates every group at one interval."""
    return replace(rules, groups=tuple(replace(group, interval_s=None) for group in rules.groups))


def _text(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"ALERTS{{{inner}}}"


def seconds(text: str) -> float:
    """Return the seconds of a duration of a unit test."""
    return 0.0 if text in {"0", "0s"} else sum(parse_duration(part) for part in re.findall(r"\d+(?:ms|[smhdw])", text))
