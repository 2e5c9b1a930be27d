"""When each fault of a drill is lit and put out: steps, delays, successors, repetitions, as one list. Pure functions.

The same drill, seed and pace always give the same schedule, whoever runs it: live or on a virtual clock. It lights
nothing and knows no time of day.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from faults.base import MAX_TTL_S, FaultRequest
from faults.drills.parts import Contradiction, FaultStep
from stack.pace import PRODUCTION, Pace

MOST_LIGHTINGS = 200
SEED_BITS = 48


class BadSchedule(Contradiction):
    """Steps that cannot be put into an order."""

    def __init__(self, loc: tuple[int | str, ...], reason: str) -> None:
        """``loc``: from the list of steps on."""
        super().__init__(("faults", *loc), reason)


@dataclass(frozen=True)
class Lighting:
    """One fault at one time, in seconds after the steady state at the pace that was asked for."""

    at_s: float
    put_out_at_s: float | None
    """When the drill puts it out; ``None``: at the rollback."""
    step: int
    occurrence: int
    request: FaultRequest

    @property
    def ends_at_s(self) -> float:
        """When it has ended at the latest."""
        return self.at_s + self.request.ttl_s if self.put_out_at_s is None else self.put_out_at_s


def expand(steps: Sequence[FaultStep], *, seed: int, pace: Pace = PRODUCTION) -> tuple[Lighting, ...]:
    """Return what is lit when, in that order; raise ``BadSchedule``.

    ``after`` counts from the end of a step: when the drill puts its last fault out, or its time to live does.
    """
    count = sum(1 if step.repeat is None else step.repeat.times for step in steps)
    if count > MOST_LIGHTINGS:
        raise BadSchedule((), f"{count} faults would be lit; at most {MOST_LIGHTINGS} are")
    begins: dict[int, float] = {}
    shifts = {index: tuple(_shifts(step, seed, index)) for index, step in enumerate(steps)}
    for index in _in_order(steps):
        step = steps[index]
        begin = step.at
        if step.after is not None:
            before = _named(steps)[step.after]
            begin += begins[before] + shifts[before][-1] + steps[before].burns_s
        ends = begin + shifts[index][-1] + step.burns_s
        if ends > MAX_TTL_S:
            raise BadSchedule((index, "at"), f"it would end {ends:g} s after the start; at most {MAX_TTL_S:g} s are")
        begins[index] = begin
    lightings = (
        _lighting(step, index=index, occurrence=occurrence, at=begins[index] + shift, seed=seed, pace=pace)
        for index, step in enumerate(steps)
        for occurrence, shift in enumerate(shifts[index])
    )
    return tuple(sorted(lightings, key=lambda one: (one.at_s, one.step)))


def _named(steps: Sequence[FaultStep]) -> Mapping[str, int]:
    """Return the index of each step that has a name."""
    known: dict[str, int] = {}
    for index, step in enumerate(steps):
        if step.name is None:
            continue
        if step.name in known:
            raise BadSchedule((index, "name"), f"{step.name!r} is the name of faults[{known[step.name]}] already")
        known[step.name] = index
    return known


def _in_order(steps: Sequence[FaultStep]) -> Iterator[int]:
    """Yield the indices of ``steps``, each after the one that it follows."""
    known = _named(steps)
    done: set[int] = set()
    for start in range(len(steps)):
        chain = [start]
        while (name := steps[chain[-1]].after) is not None:
            if name not in known:
                names = ", ".join(sorted(known)) or "none"
                raise BadSchedule((chain[-1], "after"), f"no step is named {name!r}; named are: {names}")
            if known[name] in chain:
                ring = [*chain[chain.index(known[name]) :], known[name]]
                told = " after ".join(str(steps[index].name) for index in ring)
                raise BadSchedule((chain[-1], "after"), f"the steps wait for each other: {told}")
            chain.append(known[name])
        for index in reversed(chain):
            if index not in done:
                done.add(index)
                yield index


def _shifts(step: FaultStep, seed: int, index: int) -> Iterator[float]:
    """Yield how much later than the step each of its faults is lit, in production seconds."""
    if step.repeat is None:
        yield 0.0
        return
    rng = random.Random(f"{seed}/{index}/jitter")
    for occurrence in range(step.repeat.times):
        yield occurrence * step.repeat.every + rng.uniform(0.0, step.repeat.jitter)


def _lighting(step: FaultStep, *, index: int, occurrence: int, at: float, seed: int, pace: Pace) -> Lighting:
    """Return one fault of ``step``; each has a seed of its own, by which the journal knows it again."""
    drawn = random.Random(f"{seed}/{index}/{occurrence}").getrandbits(SEED_BITS)
    request = FaultRequest(
        kind=step.kind,
        parameters=step.parameters,
        target=step.target,
        probability=step.probability,
        ttl_s=pace.scale(step.ttl),
        ramp_s=pace.scale(step.ramp),
        seed=drawn if step.seed is None else step.seed + occurrence,
    )
    at_s = pace.scale(at)
    return Lighting(at_s, None if step.lasts is None else at_s + pace.scale(step.lasts), index, occurrence, request)
