"""Detection and reset time against how strong a fault is, and the weakest that fires, found by bisection.

The graphs of the SRE workbook's chapter on alerting (Google, 2018, chapter 5: detection and reset time against the
error rate), from anybody's rules. What is tried is given from outside.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import BaseModel, Field

from faults.drills.check.places import RulePlace
from faults.drills.check.responses import Once, once
from faults.drills.check.result import Range
from faults.drills.check.scenarios import Intensity, ReadyFault, burning
from faults.drills.check.tried import Tried
from faults.drills.judge.judgement import RuleRef
from faults.drills.lint.finding import Place
from faults.drills.virtual.scenario import Scenario

Try = Callable[[Sequence[Scenario]], Iterator[Tried]]
"""Records and judges scenarios, in whatever order they are ready."""
MOST_ROUNDS = 24
"""Bisection ends after so many, whatever the resolution."""


class Point(BaseModel):
    """One alert at one intensity."""

    intensity: float
    fired: int = Field(description="In how many of the tries it fired.")
    tries: int
    detection_s: Range | None = Field(default=None, description="From the fault to firing.")
    detection_median_s: float | None = None
    reset_s: Range | None = Field(default=None, description="From the rollback to resolved; None where it did not.")
    reset_median_s: float | None = None
    resolved: bool | None = Field(default=None, description="Whether it had resolved in every try; None: never fired.")


class Curve(BaseModel):
    """One alert over all intensities."""

    alert: str
    place: Place
    points: list[Point] = Field(description="By rising intensity.")
    fires_from: float | None = Field(description="The weakest that was tried from which on it fired in every try.")
    silent_to: float | None = Field(description="The strongest below that at which it did not fire in every try.")
    notes: list[str] = Field(default_factory=list)

    @property
    def fired(self) -> list[Point]:
        """Return the points at which it fired."""
        return [point for point in self.points if point.detection_s is not None]


class Curves(BaseModel):
    """Alerts against the intensity of one fault."""

    format: int = 1
    files: list[str]
    dialect: str = ""
    fault: str
    parameter: str = Field(description="`probability`, or the fault's parameter that was varied.")
    unit: str
    resolution: float = Field(description="How near two intensities lie that one fires at and the other does not.")
    curves: list[Curve]
    calm_s: float
    burn_s: float = Field(description="How long the fault burned: what takes longer to detect was not seen.")
    recovery_s: float
    seeds: list[int]
    engine: str = ""
    notes: list[str] = Field(default_factory=list)
    took_s: float = 0.0


@dataclass(frozen=True)
class Search:
    """What is tried: a fault from ``least`` to ``most`` of its intensity, with every seed."""

    base: Scenario
    fault: ReadyFault
    least: float
    most: float
    points: int = 6
    """Intensities that are tried at first, evenly on a logarithmic axis."""
    resolution: float = 0.1
    """Bisection ends where two intensities, of which one fires, differ by no more than this share."""
    seeds: tuple[int, ...] = (1,)
    at_once: int = 1
    """Scenarios that are recorded at once: bisection tries several intensities at a time where that is for free."""

    @property
    def intensity(self) -> Intensity:
        """What is varied; only for a fault that has one."""
        if self.fault.intensity is None:
            raise TypeError(f"{self.fault.name} has nothing that makes it stronger or weaker")
        return self.fault.intensity

    @property
    def whole(self) -> bool:
        """Whether only whole numbers make sense."""
        return isinstance(self.fault.parameters.get(self.intensity.name), int)

    def scenarios(self, intensities: Sequence[float]) -> list[Scenario]:
        """Return a scenario for each intensity and seed, named after the intensity."""
        return [
            replace(burning(replace(self.base, seed=seed), self.fault, strength=one), name=_name(one))
            for one in intensities
            for seed in self.seeds
        ]

    def between(self, low: float, high: float) -> list[float]:
        """Return what to try between the two, empty where they are near enough."""
        if self.whole and high - low <= 1:
            return []
        if high - low <= self.resolution * high or high <= low:
            return []
        count = max(1, self.at_once // len(self.seeds))
        steps = (low * (high / low) ** (step / (count + 1)) for step in range(1, count + 1))
        rounded = dict.fromkeys(self.rounded(one) for one in steps)
        return [one for one in rounded if low < one < high]

    def rounded(self, intensity: float) -> float:
        """Return an intensity with three digits, or as a whole number where only such make sense."""
        return float(round(intensity)) if self.whole else float(f"{intensity:.3g}")

    def grid(self) -> list[float]:
        """Return what is tried at first."""
        if self.points < 2 or self.least == self.most:
            return [self.most]
        ratio = self.most / self.least
        inner = (self.least * ratio ** (step / (self.points - 1)) for step in range(1, self.points - 1))
        found = [self.least, *(self.rounded(one) for one in inner), self.most]
        return list(dict.fromkeys(one for one in found if self.least <= one <= self.most))


@dataclass
class _Seen:
    """What was tried so far, by intensity."""

    tries: dict[float, list[Tried]] = field(default_factory=lambda: defaultdict(list))

    def times(self, ref: RuleRef) -> Mapping[float, list[Once]]:
        """Return what became of an alert, by rising intensity."""
        ordered = sorted(self.tries)
        return {one: list(once(sorted(self.tries[one], key=lambda each: each.scenario.seed), ref)) for one in ordered}


def curves_of(search: Search, alerts: Sequence[RulePlace], attempt: Try) -> list[Curve]:
    """Return the curve of each of ``alerts``: a grid first, then bisection where firing begins."""
    seen = _Seen()
    wanted = search.grid()
    for _ in range(MOST_ROUNDS):
        by_name = {_name(one): one for one in wanted}
        for one in attempt(search.scenarios(wanted)):
            seen.tries[by_name[one.scenario.name]].append(one)
        wanted = sorted({each for at in alerts for each in _next(search, seen.times(at.ref)) if each not in seen.tries})
        if not wanted:
            break
    return [_curve(at, seen.times(at.ref)) for at in alerts]


def edge(fires: Mapping[float, bool]) -> tuple[float | None, float | None]:
    """Return the strongest intensity that does not fire and the weakest from which on all do; ``None`` without one.

    ``fires`` says of each intensity whether it fired in every try.
    """
    silent = max((one for one, does in fires.items() if not does), default=None)
    above = [one for one in fires if silent is None or one > silent]
    return silent, min(above, default=None)


def _next(search: Search, times: Mapping[float, Sequence[Once]]) -> list[float]:
    silent, fires = edge({one: all(each.fired for each in tries) for one, tries in times.items()})
    return [] if silent is None or fires is None else search.between(silent, fires)


def _curve(at: RulePlace, times: Mapping[float, Sequence[Once]]) -> Curve:
    points = [_point(intensity, tries) for intensity, tries in times.items()]
    silent, fires = edge({one.intensity: one.fired == one.tries for one in points})
    return Curve(
        alert=at.rule.name,
        place=at.place,
        points=points,
        fires_from=fires,
        silent_to=silent,
        notes=list(_notes(points, times, fires)),
    )


def _notes(points: Sequence[Point], times: Mapping[float, Sequence[Once]], fires: float | None) -> Iterator[str]:
    error = next((each.course.error for tries in times.values() for each in tries if each.course.error), "")
    if error:
        yield f"the engine could not evaluate it: {error}"
    if any(each.already for tries in times.values() for each in tries):
        yield "it was active before the fault in some tries, which count as not fired"
    below = [one.intensity for one in points if one.fired == one.tries and (fires is None or one.intensity < fires)]
    if below:
        yield f"it fires at {below[0]:g} too, but not at every intensity above that"
    if any(one.resolved is False for one in points):
        yield "it had not resolved at the end of some tries: its reset time is longer than the recovery that was tried"


def _point(intensity: float, tries: Sequence[Once]) -> Point:
    detections = sorted(one.detection_s for one in tries if one.detection_s is not None)
    fired = [one for one in tries if one.fired]
    resets = sorted(one.reset_s for one in fired if one.reset_s is not None)
    return Point(
        intensity=intensity,
        fired=len(fired),
        tries=len(tries),
        detection_s=_range(detections),
        detection_median_s=_median(detections),
        reset_s=_range(resets),
        reset_median_s=_median(resets),
        resolved=all(one.resolved_at is not None for one in fired) if fired else None,
    )


def _range(ordered: Sequence[float]) -> Range | None:
    return Range(least=ordered[0], most=ordered[-1]) if ordered else None


def _median(ordered: Sequence[float]) -> float | None:
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else math.fsum(ordered[middle - 1 : middle + 1]) / 2


def _name(intensity: float) -> str:
    return f"{intensity:.12g}"
