"""Runs drills one after another and gathers what became of them. It draws what it sees and judges nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rich.live import Live

from faults.client import ConductorClient, ConductorRefused, ConductorUnreachable
from faults.drills.errors import BadDrill, UnknownDrill
from faults.drills.report.batch import Batch, Case
from faults.drills.spec import parse_drill
from faults.drills.wire import DrillInfo, DrillRun, DrillStart
from panel.commands.console import ERRORS, OUT, CommandError, actor
from panel.commands.drill_table import progress, standing_line

POLL_S = 0.3
LOST_AFTER_S = 30.0
"""A conductor that has not answered for so long is lost."""
BUSY_FOR_S = 60.0
"""For so long a drill waits for what an earlier one left to be put back."""
_CONFLICT = 409


@dataclass(frozen=True)
class Chosen:
    """A drill that shall run: its name, what to ask the conductor for, and the kinds of fault that it lights."""

    name: str
    start: DrillStart
    kinds: tuple[str, ...] | None
    title: str = ""


@dataclass(frozen=True)
class Wanted:
    """What ``drill run`` was asked for."""

    named: Sequence[str]
    every: bool
    kinds: Sequence[str]
    seed: int | None
    quiet: bool
    """Draw nothing."""
    with_evidence: bool
    fail_fast: bool


class Performance(Protocol):
    """Drills that run one after another, on a stack or on a virtual clock."""

    @property
    def chosen(self) -> Sequence[Chosen]:
        """What runs, in order."""

    @property
    def batch(self) -> Batch:
        """What there is so far, at any moment."""

    def perform(self) -> None:
        """Run all of them; an interruption ends it, and the batch says so."""


def live_drilling(client: ConductorClient, wanted: Wanted) -> Drilling:
    """Return the drills that ``wanted`` asks for, to be run on the stack of ``client``; raises as ``choose`` does."""
    chosen = choose(client, wanted.named, every=wanted.every, kinds=wanted.kinds, seed=wanted.seed)
    return Drilling(
        client,
        chosen,
        new_batch(chosen),
        quiet=wanted.quiet,
        with_evidence=wanted.with_evidence,
        fail_fast=wanted.fail_fast,
    )


def new_batch(chosen: Sequence[Chosen]) -> Batch:
    """Return a batch of ``chosen`` in which nothing has run yet."""
    title = (chosen[0].title or chosen[0].name) if len(chosen) == 1 else f"{len(chosen)} drills"
    now = time.time()
    return Batch(title=title, started_at=now, ended_at=now)


def choose(
    client: ConductorClient, named: Sequence[str], *, every: bool, kinds: Sequence[str], seed: int | None
) -> list[Chosen]:
    """Return the drills to run, in order. Raises ``CommandError``, or ``UnknownDrill`` for a name of no drill."""
    library = {drill.name: drill for drill in client.drills()} if every or any(map(is_name, named)) else {}
    chosen = [_one(name, library, seed) for name in named]
    if every:
        known = {one.name for one in chosen}
        chosen += [_of_library(drill, seed) for name, drill in library.items() if name not in known]
    if kinds:
        check_kinds(kinds, [one.kind for one in client.kinds()])
    return lighting(chosen, kinds)


def lighting(chosen: Sequence[Chosen], kinds: Sequence[str]) -> list[Chosen]:
    """Return those of ``chosen`` that light one of ``kinds``, all where none is named; raise ``CommandError``."""
    found = [one for one in chosen if not kinds or (one.kinds is not None and set(one.kinds) & set(kinds))]
    if not found:
        why = f"no drill lights {' or '.join(kinds)}" if kinds else "the library has no drill for this stack"
        raise CommandError(f"{why}; `firedrill drill list` shows the library, and a drill file of yours may be named")
    return found


def is_name(argument: str) -> bool:
    """Say whether ``argument`` names a drill of the library, and no file."""
    path = Path(argument)
    return path.suffix not in {".yaml", ".yml"} and not path.is_file()


def _one(argument: str, library: dict[str, DrillInfo], seed: int | None) -> Chosen:
    """Return the drill of the library, or the drill file, that an argument names."""
    if is_name(argument):
        if argument not in library:
            raise UnknownDrill(argument, library)
        return _of_library(library[argument], seed)
    text = file_text(argument)
    start = DrillStart(text=text, seed=seed)
    try:
        drill = parse_drill(text, argument)
    except BadDrill:
        return Chosen(argument, start, None)  # the conductor says what is wrong with it, in its own words
    return Chosen(drill.name, start, tuple(sorted({step.kind for step in drill.faults})), drill.title)


def file_text(argument: str) -> str:
    """Return the text of the drill file ``argument``; raise ``CommandError``."""
    try:
        return Path(argument).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise CommandError(f"cannot read the drill file {argument}: {problem}") from None


def _of_library(drill: DrillInfo, seed: int | None) -> Chosen:
    return Chosen(drill.name, DrillStart(name=drill.name, seed=seed), tuple(drill.kinds), drill.title)


def check_kinds(kinds: Sequence[str], known: Sequence[str]) -> None:
    """Raise ``CommandError`` for a kind that is not among ``known``."""
    for kind in kinds:
        if kind not in known:
            raise CommandError(f"--kind {kind}: no such kind of fault; there are: {', '.join(sorted(known))}")


@dataclass
class Drilling:
    """Runs ``chosen`` in order; ``batch`` holds what there is so far, at any moment."""

    client: ConductorClient
    chosen: Sequence[Chosen]
    batch: Batch
    quiet: bool = False
    """Draw nothing."""
    with_evidence: bool = False
    fail_fast: bool = False
    _running: DrillRun | None = field(default=None, init=False)

    def perform(self) -> None:
        """Run all of them; on an interruption put out what burns, and note that the batch is partial."""
        unavailable = self._unavailable()
        try:
            for index, one in enumerate(self.chosen):
                case = self._case(one, index, unavailable)
                self._add(case)
                if self.fail_fast and case.standing not in {"passed", "skipped"}:
                    self._leave(f"an earlier drill ended {case.standing}")
                    break
        except KeyboardInterrupt:
            self._interrupted()
        except ConductorUnreachable as lost:
            one = self.chosen[len(self.batch.cases)]
            self._add(Case(name=one.name, title=one.title, refused=str(lost)))
            self._leave("the conductor was lost")
        finally:
            self.batch.ended_at = time.time()

    def _unavailable(self) -> dict[str, str]:
        return {one.kind: one.unavailable_because or "unavailable" for one in self.client.kinds() if not one.available}

    def _case(self, one: Chosen, index: int, unavailable: dict[str, str]) -> Case:
        lacking = [f"{kind}: {unavailable[kind]}" for kind in one.kinds or () if kind in unavailable]
        if lacking:
            return Case(name=one.name, title=one.title, skipped="; ".join(lacking))
        try:
            run = self._running = self._started(one.start, patient=index > 0)
        except ConductorRefused as refused:
            return Case(name=one.name, title=one.title, refused=str(refused))
        place = f" ({index + 1} of {len(self.chosen)})" if len(self.chosen) > 1 else ""
        return self._over(self._watched(run, place))

    def _started(self, start: DrillStart, *, patient: bool) -> DrillRun:
        """Start a drill; a patient start waits until what an earlier one left has been put back."""
        deadline = time.monotonic() + BUSY_FOR_S
        while True:
            try:
                return self.client.start_drill(start, actor=actor())
            except ConductorRefused as refused:
                if refused.status != _CONFLICT or not patient or time.monotonic() > deadline:
                    raise
            time.sleep(POLL_S)

    def _watched(self, run: DrillRun, place: str) -> DrillRun:
        """Show the run as it goes and return it once it is done."""
        shows = not self.quiet and OUT.is_terminal
        with Live(console=OUT, transient=True, refresh_per_second=8) if shows else nullcontext() as live:
            return until_done(self.client, run, lambda now: live.update(progress(now, place=place)) if live else None)

    def _over(self, run: DrillRun) -> Case:
        self._running = None
        if not self.with_evidence:
            return Case(name=run.name, title=run.title, run=run)
        try:
            return Case(name=run.name, title=run.title, evidence=self.client.evidence(run.id))
        except (ConductorRefused, ConductorUnreachable) as problem:
            ERRORS.print(f"the report of {run.name} has no evidence: {problem}", style="yellow", markup=False)
            return Case(name=run.name, title=run.title, run=run)

    def _add(self, case: Case) -> None:
        self.batch.cases.append(case)
        if not self.quiet and len(self.chosen) > 1:
            run = case.ran
            took_s = None if run is None or run.ended_at is None else run.ended_at - run.queued_at
            OUT.print(standing_line(case.name, case.standing, case.reason, took_s))

    def _interrupted(self) -> None:
        self.batch.interrupted = True
        if self._running is not None:
            run = self._running
            sys.stderr.write(f"interrupted: putting out what {run.name} lit\n")
            self.client.abort(run.id, actor=actor())
            self._add(self._over(until_done(self.client, run)))
        self._leave("it was interrupted before")

    def _leave(self, why: str) -> None:
        for one in self.chosen[len(self.batch.cases) :]:
            self._add(Case(name=one.name, title=one.title, left=why))


def until_done(client: ConductorClient, run: DrillRun, show: Callable[[DrillRun], None] = lambda _: None) -> DrillRun:
    """Return the run once it is done, showing it meanwhile; a conductor that is silent for long is an error."""
    heard = time.monotonic()
    while run.phase != "done":
        show(run)
        time.sleep(POLL_S)
        try:
            run = client.run(run.id)
            heard = time.monotonic()
        except ConductorUnreachable:
            if time.monotonic() - heard > LOST_AFTER_S:
                raise
    return run
