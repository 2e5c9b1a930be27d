"""``check``: rule files through checks, virtual drills and the judge, to one verdict for each alert.

It puts the parts together and decides nothing itself: verdicts, responses and scenarios have modules of their own.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from faults.drills.check.coverage import Signals, lacking, signals_of
from faults.drills.check.horizon import Horizon, horizon_of, recordings_of
from faults.drills.check.mix import models_of
from faults.drills.check.places import RulePlace, alerts_of
from faults.drills.check.reach import window_s
from faults.drills.check.repairs import judged, repairs_of
from faults.drills.check.responses import errors_of, response_of
from faults.drills.check.result import AlertResult, CheckResult, Verdict
from faults.drills.check.scenarios import fault_scenarios, steady
from faults.drills.check.tried import Tried
from faults.drills.check.verdicts import Known, is_quiet, verdict_of
from faults.drills.judge.selection import series_names
from faults.drills.lint.finding import Finding
from faults.drills.lint.inventory import Inventory
from faults.drills.lint.lint import lint
from faults.drills.lint.testbed import testbed_inventory
from faults.drills.virtual.scenario import Scenario
from stack.own.dialects import BUILT_IN, find_dialect
from stack.pace import PRODUCTION
from stack.rules.file import RuleFile

CANONICAL_JOB = "firedrill"

Sweep = Callable[[Sequence[Scenario], Sequence[RuleFile]], Iterator[Tried]]
"""Records and judges scenarios, in whatever order they are ready."""


@dataclass(frozen=True)
class Options:
    """What is asked of a check."""

    dialect: str = ""
    """A built-in dialect or the path of one's file; empty: the service's own names."""
    faults: tuple[str, ...] | None = None
    """Kinds or scenarios to try; ``None``: all; empty: the steady state alone."""
    for_s: float | None = None
    """How long each scenario takes; ``None``: as long as the rules need."""
    seed: int = 1
    seeds: int = 1

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Return every seed that is tried."""
        return tuple(range(self.seed, self.seed + self.seeds))


@dataclass(frozen=True)
class Found:
    """What was tried, by scenario."""

    steady: Sequence[Tried]
    faults: Mapping[str, Sequence[Tried]] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """Return the names of all series that were recorded."""
        tries = [*self.steady, *(one for each in self.faults.values() for one in each)]
        return frozenset(name for one in tries for name in one.names)


def check(
    files: Sequence[RuleFile],
    options: Options,
    sweep: Sweep,
    *,
    inventory: Inventory | None = None,
    engine: str = "",
) -> CheckResult:
    """Return what is known of every alert of ``files`` once everything was tried by ``sweep``.

    ``inventory`` is what the user's own Prometheus has, for the checks; without one they go by the testbed's. Raises
    ``NothingToTry``, ``RuleError``, and whatever ``sweep`` raises.
    """
    began = time.monotonic()
    own = inventory_of(options.dialect)
    findings = lint(files, inventory=inventory or own, scrape_s=PRODUCTION.interval_s)
    repairs = repairs_of(files, findings)
    asked = [*files, *repairs.files]
    horizon = horizon_of(files, for_s=options.for_s)
    scenarios = list(scenarios_of(asked, horizon, options))
    found = _gathered(sweep(scenarios, asked), scenarios)
    findings = judged(findings, repairs, found.steady, list(found.faults.values()))
    signals = signals_of(own, target=target_of(options.dialect), names=found.names)
    declared = signals_of(inventory) if inventory is not None and inventory.complete else None
    judging = _Judging(recordings_of(files), found, findings, signals, declared, horizon, options)
    tries = [*found.steady, *(one for each in found.faults.values() for one in each)]
    return CheckResult(
        files=[str(file.path) for file in files],
        dialect=options.dialect,
        alerts=[judging.alert(place) for place in alerts_of(files)],
        findings=list(findings),
        scenarios=list(dict.fromkeys(one.name for one in scenarios)),
        lasted_s=horizon.lasts_s,
        seeds=list(options.all_seeds),
        engine=engine,
        notes=list(dict.fromkeys(note for one in tries for note in one.notes)),
        took_s=time.monotonic() - began,
    )


def scenarios_of(rules: Sequence[RuleFile], horizon: Horizon, options: Options) -> Iterator[Scenario]:
    """Yield the steady state and each fault, for every seed."""
    metrics, models = series_names(rules), models_of(rules, options.dialect)
    for seed in options.all_seeds:
        yield steady(horizon.lasts_s, seed=seed, dialect=options.dialect, metrics=metrics, models=models)
        yield from fault_scenarios(
            horizon, named=options.faults, seed=seed, dialect=options.dialect, metrics=metrics, models=models
        )


def inventory_of(dialect: str) -> Inventory:
    """Return the testbed's series under the names of ``dialect``."""
    if not dialect:
        return testbed_inventory("")
    known = find_dialect(dialect)
    return testbed_inventory(known.name, known.file.parent if known.brought else None)


def target_of(dialect: str) -> Mapping[str, str]:
    """Return the labels that a scraped series gets from its target under ``dialect``."""
    if not dialect:
        return {"job": CANONICAL_JOB}
    known = find_dialect(dialect)
    return {"job": known.job, **known.labels}


def _gathered(tries: Iterator[Tried], scenarios: Sequence[Scenario]) -> Found:
    """Return everything that was tried, in the order of ``scenarios``, whatever order it came in."""
    by_name: dict[str, list[Tried]] = defaultdict(list)
    for one in tries:
        by_name[one.scenario.name].append(one)
    ordered = {
        one.name: sorted(by_name[one.name], key=lambda each: each.scenario.seed)
        for one in scenarios
        if by_name.get(one.name)
    }
    lit = {one.name for one in scenarios if one.schedule}
    calm = [one for name, tried in ordered.items() if name not in lit for one in tried]
    return Found(calm, {name: tried for name, tried in ordered.items() if name in lit})


@dataclass(frozen=True)
class _Judging:
    """All that verdicts are made of."""

    recordings: Sequence[tuple[str, str]]
    found: Found
    findings: Sequence[Finding]
    signals: Signals
    declared: Signals | None
    """What there is by an inventory that was declared complete."""
    horizon: Horizon
    options: Options

    def alert(self, at: RulePlace) -> AlertResult:
        """Return what is known of one alert."""
        calm = response_of(self.found.steady, at.ref) if self.found.steady else None
        responses = [response_of(tries, at.ref) for tries in self.found.faults.values()]
        own = [finding for finding in self.findings if finding.place == at.place]
        missing = lacking(at.rule.expr, self.signals, self.recordings)
        errors = (errors_of(tries, at.ref) for tries in (self.found.steady, *self.found.faults.values()))
        impossible = () if self.declared is None else lacking(at.rule.expr, self.declared, self.recordings)
        known = Known(
            steady=calm,
            responses=responses,
            findings=own,
            lacking=missing,
            window_s=window_s(at.rule.expr, self.recordings),
            lasted_s=self.horizon.calm_s + self.horizon.burn_s,
            for_s=at.rule.for_s,
            error=next(filter(None, errors), ""),
            impossible=impossible,
            elsewhere=_elsewhere(at.rule.expr, self.recordings, self.options.dialect) if missing else (),
        )
        verdict, reason = verdict_of(known)
        return AlertResult(
            place=at.place,
            expr=at.rule.expr,
            for_s=at.rule.for_s,
            severity=at.rule.labels.get("severity", ""),
            verdict=verdict,
            reason=reason,
            quiet=is_quiet(known),
            window_s=known.window_s,
            responses=[] if verdict is Verdict.NOT_COVERED else [*([calm] if calm else []), *responses],
            findings=own,
            error=known.error,
        )


def _elsewhere(expr: str, recordings: Sequence[tuple[str, str]], dialect: str) -> tuple[str, ...]:
    """Return the built-in dialects, other than ``dialect``, whose series cover ``expr``."""
    names = [path.stem for path in sorted(BUILT_IN.glob("*.yaml")) if path.stem != dialect]
    return tuple(
        name for name in names if not lacking(expr, signals_of(inventory_of(name), target=target_of(name)), recordings)
    )
