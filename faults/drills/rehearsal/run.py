"""Runs a drill on a virtual clock: recorded, judged, and told as a live run would be. It needs no running stack.

Each phase of scrapes and evaluations, of each seed, is a try of its own. The run that is shown is one in the middle,
with the range over all of them; it passes only where every try does.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from faults.base import catalogue
from faults.drills.check.workers import Workers
from faults.drills.control import Instance
from faults.drills.errors import BadDrill
from faults.drills.evidence import Evidence
from faults.drills.judge.judge import Judge
from faults.drills.judge.selection import series_names
from faults.drills.plan import Plan
from faults.drills.rehearsal.evidence import Shown, evidence_of, names_shown
from faults.drills.rehearsal.ground import Ground
from faults.drills.rehearsal.objections import objections
from faults.drills.rehearsal.phase import Phase
from faults.drills.rehearsal.probes import probes
from faults.drills.rehearsal.ranges import middle, summed_up
from faults.drills.rehearsal.recordings import recordings
from faults.drills.rehearsal.scenario import longest_burn_s, longest_recovery_s, past_of, scenario_of
from faults.drills.rehearsal.seen import Try, over_at, seen
from faults.drills.spec import Drill
from faults.drills.virtual.errors import NotVirtual
from faults.drills.virtual.recording import Recording
from faults.drills.virtual.scenario import Scenario
from faults.drills.wire import DrillRun
from stack.rules.file import RuleFile

SEED = 1
"""Of a drill that names none, where nobody gives one: the same command gives the same run."""
EVALUATION_PHASES = 2
SCRAPE_PHASES = 3
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Rehearsed:
    """A drill that ran on a virtual clock."""

    run: DrillRun
    evidence: Evidence | None
    tries: tuple[DrillRun, ...]
    """Every phase of every seed."""


@dataclass(frozen=True)
class Rehearsal:
    """What drills are run with: the rules, who judges, where the models are, and who records, if not this process."""

    ground: Ground
    judge: Judge
    artifacts: Path
    workers: Workers | None = None
    scrape_phases: int = SCRAPE_PHASES
    evaluation_phases: int = EVALUATION_PHASES
    explained: bool = True
    """Whether it is said why an alert did not fire, and what its stages are made of: that takes more of the judge."""

    def perform(
        self,
        drill: Drill,
        *,
        seed: int | None = None,
        seeds: int = 1,
        burn_s: float | None = None,
        waited_s: float | None = None,
        with_evidence: bool = False,
        tell: Tell = lambda _: None,
    ) -> Rehearsed:
        """Run ``drill`` with ``seeds`` seeds from ``seed`` on.

        ``burn_s``: put out so long after the steady state, whatever rings. ``waited_s``: as in ``scenario_of``. Raises
        ``BadDrill`` for one that cannot run, ``NotVirtual`` for a kind that only burns live, other ``VirtualError`` and
        ``JudgeError``.
        """
        self._refuse(drill)
        first = next(one for one in (seed, drill.seed, SEED) if one is not None)
        files = (*self.ground.files, probes(drill, self.ground))
        attempt = _Attempt(
            self, drill, files, range(first, first + seeds), waited_s, with_evidence=with_evidence, tell=tell
        )
        tries, kept = attempt.perform(burn_s)
        runs = [one.run for each in tries for one in each]
        chosen = middle(runs, among=len(tries[0]) if with_evidence else len(runs))
        run = summed_up(runs, chosen)
        if kept is None:
            return Rehearsed(run, None, tuple(runs))
        tell(f"{drill.name}: reading what its report shows")
        shown = Shown(run, attempt.plan(kept), kept, tries[0][chosen].phase)
        return Rehearsed(run, evidence_of(shown, self.ground, self.judge), tuple(runs))

    def _refuse(self, drill: Drill) -> None:
        problems = objections(drill, self.ground)
        if problems:
            raise BadDrill(f"drill {drill.name!r}", problems)
        for step in drill.faults:
            if catalogue()[step.kind].clock == "live-only":
                raise NotVirtual(step.kind, "it needs real processes")


@dataclass(frozen=True)
class _Attempt:
    """One drill with some seeds."""

    rehearsal: Rehearsal
    drill: Drill
    files: tuple[RuleFile, ...]
    seeds: range
    waited_s: float | None
    with_evidence: bool
    tell: Tell

    def perform(self, burn_s: float | None) -> tuple[list[list[Try]], Recording | None]:
        """Return the tries of each seed, and what the report of the first one is made from; where it is wanted.

        Recorded twice where it is not known beforehand when a live drill would put out.
        """
        ground, drill, sides = self.rehearsal.ground, self.drill, self.rehearsal.explained
        longest_s = [longest_burn_s(drill, ground, seed) for seed in self.seeds]
        burns_s = longest_s if burn_s is None else [burn_s for _ in self.seeds]
        if burn_s is None and drill.expect:
            burns_s = self._burns_s(longest_s)
        recovery_s = longest_recovery_s(drill, ground) if drill.expect else 0.0
        tries: dict[int, list[Try]] = {}
        kept: Recording | None = None
        for index, recording in self._recorded(burns_s, recovery_s):
            plan, run = self.plan(recording), self._run(recording)
            tries[index] = [seen(plan, run, phase, recording, ground) for phase in self._phases(recording, sides=sides)]
            if index == 0 and self.with_evidence:
                kept = recording
        return [tries[index] for index in sorted(tries)], kept

    def _burns_s(self, longest_s: list[float]) -> list[float]:
        """Return for each seed after how long a live drill would have put out in every phase, in seconds."""
        found: dict[int, float] = {}
        for index, recording in self._recorded(longest_s, 0.0):
            plan, run = self.plan(recording), self._run(recording)
            ends = [over_at(plan, run, phase, recording) for phase in self._phases(recording, sides=False)]
            began_at = recording.started_at + recording.scenario.calm_s
            known = (longest_s[index] if end is None else min(end - began_at, longest_s[index]) for end in ends)
            found[index] = round(max(known), 3)
        return [found[index] for index in sorted(found)]

    def _recorded(self, burns_s: list[float], recovery_s: float) -> Iterator[tuple[int, Recording]]:
        scenarios = [
            self._scenario(seed, burn_s, recovery_s, first=seed == self.seeds[0])
            for seed, burn_s in zip(self.seeds, burns_s, strict=True)
        ]

        def told(scenario: Scenario, done_s: float) -> None:
            done = f"{done_s:.0f} of {scenario.lasts_s:.0f} virtual seconds"
            self.tell(f"{self.drill.name}: {done}, seed {scenario.seed}")

        return recordings(scenarios, self.rehearsal.artifacts, self.rehearsal.workers, told)

    def _scenario(self, seed: int, burn_s: float, recovery_s: float, *, first: bool) -> Scenario:
        names = series_names(self.files)
        shown = names_shown(self.drill) if first and self.with_evidence else frozenset()
        return scenario_of(
            self.drill,
            self.rehearsal.ground,
            seed,
            burn_s=burn_s,
            recovery_s=recovery_s,
            metrics=None if names is None else names | shown,
            scrape_phases=self.rehearsal.scrape_phases,
            traces=first and self.with_evidence,
            waited_s=self.waited_s,
        )

    def _phases(self, recording: Recording, *, sides: bool) -> Iterator[Phase]:
        self.tell(f"{self.drill.name}: judging seed {recording.scenario.seed}")
        ground = self.rehearsal.ground
        judgement = self.rehearsal.judge.judge(
            recording,
            self.files,
            evaluation_phases=self.rehearsal.evaluation_phases,
            past=past_of(self.drill.history, recording.started_at, ground.pace),
            sides=sides,
        )
        for one in judgement.phases:
            began_at = recording.started_at + one.scrape_phase_s
            yield Phase(one, ground, started_at=began_at, ended_at=recording.ended_at)

    def plan(self, recording: Recording) -> Plan:
        """Return what a conductor would have settled before it lit the first fault of ``recording``."""
        ground = self.rehearsal.ground
        return Plan(
            drill=self.drill,
            pace=ground.pace,
            rules={one.alert: ground.named(one.alert)[0] for one in self.drill.expect},
            windows_s=ground.windows_s,
            calm_since=recording.started_at,
            instance=Instance("virtual", recording.started_at),
            schedule=recording.scenario.schedule,
        )

    def _run(self, recording: Recording) -> DrillRun:
        """Return the run before anything happened; its id follows from what it is a run of."""
        drill, pace, seed = self.drill, self.rehearsal.ground.pace, recording.scenario.seed
        of = f"{drill.model_dump_json()} {pace.name} {seed}"
        return DrillRun(
            id=hashlib.sha256(of.encode()).hexdigest()[:12],
            name=drill.name,
            title=drill.title,
            pace=pace.name,
            phase="queued",
            seed=seed,
            queued_at=recording.started_at,
            warnings=list(recording.notes),
            estimate_s=math.ceil(recording.scenario.lasts_s),
            virtual=True,
        )
