"""Runs drills on a virtual clock, one after another, and gathers what became of them. It draws, and judges nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.live import Live
from rich.spinner import Spinner

import faults.kinds  # noqa: F401 - the catalogue
from faults.base import catalogue
from faults.drills.errors import BadDrill, DrillError, UnknownDrill
from faults.drills.judge.judge import Judge
from faults.drills.rehearsal.ground import Ground, shipped_ground
from faults.drills.rehearsal.run import Rehearsal
from faults.drills.report.batch import Batch, Case
from faults.drills.spec import Drill, load_library, parse_drill
from faults.drills.virtual.errors import NotVirtual
from faults.drills.wire import DrillStart
from panel.commands.console import OUT, CommandError
from panel.commands.drill_batch import Chosen, Wanted, check_kinds, file_text, is_name, lighting, new_batch
from panel.commands.drill_table import standing_line
from stack.home import Home
from stack.pace import PACES, WORKSHOP, Pace


def pace_named(name: str | None) -> Pace:
    """Return a pace by its name, that of `up` where none is given; raise ``CommandError``."""
    if name is None:
        return WORKSHOP
    if name not in PACES:
        raise CommandError(f"--pace {name!r} is unknown; it is one of: {', '.join(PACES)}")
    return PACES[name]


def drilling(wanted: Wanted, *, pace: str | None, seeds: int) -> VirtualDrilling:
    """Return the drills that ``wanted`` asks for. Raises ``CommandError``, ``UnknownDrill``, ``BadDrill``."""
    library = load_library()
    drills: dict[str, Drill] = {}
    refused: dict[str, str] = {}
    for argument in wanted.named:
        if is_name(argument):
            if argument not in library:
                raise UnknownDrill(argument, library)
            drills[argument] = library[argument]
            continue
        text = file_text(argument)
        try:
            drill = parse_drill(text, argument)
        except BadDrill as problem:
            refused[argument] = str(problem)
        else:
            drills[drill.name] = drill
    if wanted.every:
        drills |= {name: drill for name, drill in library.items() if name not in drills}
    chosen = [Chosen(name, DrillStart(text="", seed=wanted.seed), None) for name in refused]
    chosen += [_chosen(name, drill, wanted.seed) for name, drill in drills.items()]
    if wanted.kinds:
        check_kinds(wanted.kinds, [*catalogue()])
    chosen = lighting(chosen, wanted.kinds)
    return VirtualDrilling(chosen, new_batch(chosen), drills, refused, wanted, pace_named(pace), seeds)


def _chosen(name: str, drill: Drill, seed: int | None) -> Chosen:
    kinds = tuple(sorted({step.kind for step in drill.faults}))
    return Chosen(name, DrillStart(name=name, seed=seed), kinds, drill.title)


@dataclass
class VirtualDrilling:
    """Runs ``chosen`` in order; ``batch`` holds what there is so far, at any moment."""

    chosen: Sequence[Chosen]
    batch: Batch
    drills: Mapping[str, Drill]
    refused: Mapping[str, str]
    """What is wrong with those that are no drills."""
    wanted: Wanted
    pace: Pace
    seeds: int

    def perform(self) -> None:
        """Run all of them; on an interruption note that the batch is partial."""
        ground = shipped_ground(self.pace)
        try:
            with Judge.started(lookback_s=ground.look_back_s) as judge, self._shown() as tell:
                for one in self.chosen:
                    case = self._case(one, ground, judge, tell)
                    self._add(case)
                    if self.wanted.fail_fast and case.standing not in {"passed", "skipped"}:
                        self._leave(f"an earlier drill ended {case.standing}")
                        break
        except KeyboardInterrupt:
            self.batch.interrupted = True
            self._leave("it was interrupted before")
        finally:
            self.batch.ended_at = time.time()

    @contextmanager
    def _shown(self) -> Iterator[Callable[[str], None]]:
        """Yield what shows a sentence of progress."""
        if self.wanted.quiet or not OUT.is_terminal:
            yield lambda _: None
            return
        with Live(console=OUT, transient=True, refresh_per_second=8) as live:
            yield lambda sentence: live.update(Spinner("dots", text=sentence))

    def _case(self, one: Chosen, ground: Ground, judge: Judge, tell: Callable[[str], None]) -> Case:
        if one.name in self.refused:
            return Case(name=one.name, refused=self.refused[one.name])
        rehearsal = Rehearsal(ground, judge, Home.from_environment().artifacts)
        try:
            done = rehearsal.perform(
                self.drills[one.name],
                seed=self.wanted.seed,
                seeds=self.seeds,
                with_evidence=self.wanted.with_evidence,
                tell=tell,
            )
        except NotVirtual as reason:
            return Case(name=one.name, title=one.title, skipped=str(reason))
        except DrillError as problem:
            return Case(name=one.name, title=one.title, refused=str(problem))
        if done.evidence is not None:
            return Case(name=one.name, title=one.title, evidence=done.evidence)
        return Case(name=one.name, title=one.title, run=done.run)

    def _add(self, case: Case) -> None:
        self.batch.cases.append(case)
        if not self.wanted.quiet and len(self.chosen) > 1:
            run = case.ran
            took_s = None if run is None or run.ended_at is None else run.ended_at - run.queued_at
            OUT.print(standing_line(case.name, case.standing, case.reason, took_s))

    def _leave(self, why: str) -> None:
        for one in self.chosen[len(self.batch.cases) :]:
            self._add(Case(name=one.name, title=one.title, left=why))
