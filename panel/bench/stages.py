"""How far each stage of an alert lies outside of what was predicted, in every drill of the library.

What is measured is the excess: by how much the worst stage of a drill passes its predicted range. It may be one scrape
and one evaluation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from faults.client import ConductorClient, ConductorRefused
from faults.drills.prediction import excess_s
from faults.drills.wire import DrillRun, DrillStart, StageCheck
from panel.bench.figures import Figure
from panel.bench.workplace import workplace
from panel.commands.console import CommandError, running_endpoints
from stack.home import Home
from stack.pace import PACES

HISTORY_S = 25.0
_POLL_S = 1.0
_DEADLINE_S = 3600.0


@dataclass(frozen=True)
class Worst:
    """The stage of a run that lies furthest outside of its range."""

    alert: str
    check: StageCheck
    excess_s: float


def measure(say: Callable[[str], None], *, drills: Sequence[str] = (), here: bool = False) -> list[Figure]:
    """Run ``drills``, by default the whole library; ``here``: on the stack of this home, else on one of its own."""
    if here:
        client = ConductorClient(running_endpoints().url("conductor"), Home.from_environment().token())
        return _measured(client, say, drills)
    with workplace() as place:
        place.up()
        time.sleep(HISTORY_S)
        return _measured(place.conductor(), say, drills)


def _measured(client: ConductorClient, say: Callable[[str], None], drills: Sequence[str]) -> list[Figure]:
    known = {drill.name: drill for drill in client.drills()}
    unknown = [name for name in drills if name not in known]
    if unknown:
        raise CommandError(f"no drill named {', '.join(unknown)}; the library has: {', '.join(sorted(known))}")
    available = {kind.kind: kind for kind in client.kinds()}
    figures, runs = [], []
    for name in drills or sorted(known):
        missing = [kind for kind in known[name].kinds if kind not in available or not available[kind].available]
        if missing:
            figures.append(Figure(f"stages of {name}", None, "s", note=f"{missing[0]} cannot be lit here"))
            continue
        say(f"drill {name}")
        runs.append(_run(client, name))
        figures.append(figure(runs[-1]))
    return [*figures, *counts(runs)]


def _run(client: ConductorClient, name: str) -> DrillRun:
    """Run a drill to its end, once what the one before it changed is put back."""
    deadline = time.monotonic() + _DEADLINE_S
    run = None
    while run is None:
        try:
            run = client.start_drill(DrillStart(name=name), actor="bench")
        except ConductorRefused as refused:
            if refused.status != httpx.codes.CONFLICT or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)
    while run.phase != "done":
        if time.monotonic() > deadline:
            raise CommandError(f"drill {name} was not over after {_DEADLINE_S:.0f} s")
        time.sleep(_POLL_S)
        run = client.run(run.id)
    return run


def figure(run: DrillRun) -> Figure:
    """Return the worst excess of ``run`` as a figure; without a value where nothing was measured."""
    name = f"stages of {run.name}, {run.pace} pace: worst excess over the predicted range"
    found = worst(run)
    if found is None:
        return Figure(name, None, "s", note="no stage of an expected alert was measured")
    target_s = 2 * PACES[run.pace].interval_s
    return Figure(name, round(found.excess_s, 2), "s", target_s, note=f"{found.alert}: {found.check.stage}")


def counts(runs: Sequence[DrillRun]) -> list[Figure]:
    """Return how many stages of ``runs`` lie outside of range and tolerance, and how many runs did not pass."""
    outside = [
        f"{run.name}: {outcome.alert} {check.stage} at {check.measured_s} s, "
        f"predicted {check.earliest_s} to {check.latest_s} s"
        for run in runs
        for outcome in run.outcomes
        for check in outcome.checks
        if check.within is False
    ]
    failed = [f"{run.name}: {run.verdict} ({run.reason})" for run in runs if run.verdict != "passed"]
    return [
        Figure("stages outside of the predicted range", len(outside), "stages", 0.0, note="; ".join(outside)),
        Figure("drills that did not pass", len(failed), "drills", 0.0, note="; ".join(failed)),
    ]


def worst(run: DrillRun) -> Worst | None:
    """Return the stage of ``run`` with the greatest excess; ``None`` where no stage was measured."""
    found = [
        Worst(outcome.alert, check, excess_s(check))
        for outcome in run.outcomes
        for check in outcome.checks
        if check.measured_s is not None
    ]
    return max(found, key=lambda one: one.excess_s, default=None)
