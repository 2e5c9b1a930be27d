"""From rules and a fault to detection curves: what is tried, and by which sweep. What a curve is, ``curve`` knows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from faults.drills.check.curve import Curves, Search, curves_of
from faults.drills.check.curve_search import chosen_alerts, only, varied
from faults.drills.check.engine import engine_name
from faults.drills.check.horizon import horizon_of
from faults.drills.check.mix import models_of
from faults.drills.check.scenarios import steady
from faults.drills.check.sweep import Progress, Sweeper
from faults.drills.check.tried import Tried
from faults.drills.judge.selection import series_names
from faults.drills.virtual.scenario import Scenario
from stack.rules.file import RuleFile


@dataclass(frozen=True)
class CurveOptions:
    """What is asked of a curve."""

    fault: str
    parameter: str = ""
    least: float | None = None
    most: float | None = None
    points: int = 6
    resolution: float = 0.1
    alerts: tuple[str, ...] = ()
    """By name; all that are there where none is named."""
    dialect: str = ""
    for_s: float | None = None
    seeds: tuple[int, ...] = (1, 2)


def tried_curves(
    files: Sequence[RuleFile],
    options: CurveOptions,
    sweeper: Sweeper,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Curves:
    """Return the curves of the alerts of ``files`` against one fault, once ``sweeper`` has tried all that they need.

    Raises ``NothingToTry``, ``NotVaried``, ``NoSuchAlert``, and what a sweep raises.
    """
    began = time.monotonic()
    fault, least, most = varied(options.fault, parameter=options.parameter, least=options.least, most=options.most)
    chosen = only(files, chosen_alerts(files, options.alerts))
    horizon = horizon_of(chosen, for_s=options.for_s)
    metrics, models = series_names(chosen), models_of(chosen, options.dialect)
    base = steady(horizon.calm_s, seed=options.seeds[0], dialect=options.dialect, metrics=metrics, models=models)
    base = replace(base, burn_s=horizon.burn_s, recovery_s=horizon.recovery_s)
    notes: dict[str, None] = {}

    def attempt(scenarios: Sequence[Scenario]) -> Iterator[Tried]:
        for one in sweeper.sweep(scenarios, chosen, sides=False, on_progress=on_progress):
            notes.update(dict.fromkeys(one.notes))
            yield one

    at_once = sweeper.at_once
    search = Search(base, fault, least, most, options.points, options.resolution, options.seeds, at_once=at_once)
    curves = curves_of(search, chosen_alerts(chosen, ()), attempt)
    return Curves(
        files=[str(file.path) for file in files],
        dialect=options.dialect,
        fault=fault.name,
        parameter=search.intensity.name,
        unit=search.intensity.unit,
        resolution=options.resolution,
        curves=curves,
        calm_s=horizon.calm_s,
        burn_s=horizon.burn_s,
        recovery_s=horizon.recovery_s,
        seeds=list(options.seeds),
        engine=engine_name(),
        notes=list(notes),
        took_s=time.monotonic() - began,
    )
