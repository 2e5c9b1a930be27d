"""What ``firedrill agree`` does: it finds or makes live runs, has virtual ones made, and prints how they compare."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import typer
from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from faults.drills.check.workers import Workers
from faults.drills.errors import DrillError
from faults.drills.evidence import Evidence
from faults.drills.judge.judge import Judge
from faults.drills.rehearsal.agreement import DrillAgreement, StageAgreement, agreement
from faults.drills.rehearsal.ground import shipped_ground
from faults.drills.rehearsal.run import Rehearsal
from faults.drills.report import amounts
from faults.drills.shelf import NoEvidence, Shelf
from faults.drills.spec import Drill, load_library, parse_drill
from faults.drills.virtual.errors import NotVirtual
from faults.drills.wire import DrillRun
from panel.commands.agree_rest import rest
from panel.commands.console import ERRORS, OUT, CommandError, conductor
from panel.commands.drill_batch import Wanted, file_text, is_name, live_drilling
from stack.home import Home
from stack.pace import PACES, WORKSHOP
from stack.runtimes import read_status

LATEST = 200
"""So many kept runs are looked through."""
_UNDECIDED = "bold yellow"
Show = Callable[[str], None]


@dataclass
class _Compared:
    """What came of it."""

    found: list[DrillAgreement] = field(default_factory=list)
    not_compared: list[tuple[str, str]] = field(default_factory=list)
    """Drills that could not be, and why: that is an error."""
    live_only: list[tuple[str, str]] = field(default_factory=list)

    def exit_code(self) -> int:
        if any(not one.agrees for one in self.found):
            return 1
        return 2 if self.not_compared or not self.found or self.excused else 0

    @property
    def excused(self) -> int:
        """Stages of which nobody knows whether they agree."""
        return sum(one.excused for one in self.found)


def perform(drills: Sequence[str], runs: Sequence[str], *, seeds: int, jobs: int, as_json: bool) -> None:
    """Compare and print; ends with the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    shelf = Shelf(Home.from_environment().data / "runs")
    evidences = [shelf.get(run_id) for run_id in runs]
    if drills:
        evidences += _lived(drills, [one.run for one in _kept(shelf)], quiet=as_json)
    if not drills and not runs:
        evidences = [*_latest(shelf)]
    compared = _Compared()
    with ExitStack() as held:
        workers = held.enter_context(Workers.started(jobs))
        rehearsals: dict[str, Rehearsal] = {}
        known = [one.run for one in _kept(shelf)]
        for evidence in evidences:
            with _shown(quiet=as_json) as show:
                tools = _Tools(held, workers, rehearsals, seeds, known, show)
                _compare(evidence, compared, tools)
            if not as_json and compared.found and compared.found[-1].run_id == evidence.run.id:
                OUT.print(_drawn(compared.found[-1]))
    if as_json:
        OUT.print_json(json.dumps(_plain(compared)))
    else:
        _conclude(compared)
    raise typer.Exit(compared.exit_code())


@dataclass(frozen=True)
class _Tools:
    """What comparing takes. ``known`` are all runs that were kept."""

    held: ExitStack
    workers: Workers
    rehearsals: dict[str, Rehearsal]
    """By pace; made when they are first needed."""
    seeds: int
    known: Sequence[DrillRun]
    show: Show

    def rehearsal(self, pace: str) -> Rehearsal:
        """Return what virtual runs of a pace are made with."""
        if pace not in self.rehearsals:
            ground = shipped_ground(PACES[pace])
            judge = self.held.enter_context(Judge.started(lookback_s=ground.look_back_s))
            artifacts = Home.from_environment().artifacts
            self.rehearsals[pace] = Rehearsal(ground, judge, artifacts, self.workers, explained=False)
        return self.rehearsals[pace]


def _compare(evidence: Evidence, compared: _Compared, tools: _Tools) -> None:
    run = evidence.run
    if run.pace not in PACES:
        compared.not_compared.append((run.name, f"run {run.id} ran at a pace that there is not: {run.pace}"))
        return
    try:
        rehearsal = tools.rehearsal(run.pace)
        drill = _drill_of(evidence)
        found = agreement(run, drill, rehearsal, seeds=tools.seeds, others=tools.known, tell=tools.show)
    except NotVirtual as reason:
        compared.live_only.append((run.name, str(reason)))
    except DrillError as problem:
        compared.not_compared.append((run.name, str(problem)))
    else:
        compared.found.append(found)


def _drill_of(evidence: Evidence) -> Drill:
    """Return the drill as it was when it ran."""
    if evidence.drill_text:
        return parse_drill(evidence.drill_text, f"the drill of run {evidence.run.id}")
    library = load_library()
    if evidence.run.name not in library:
        raise CommandError(f"run {evidence.run.id}: its drill file was not kept, and no drill is named so any more")
    return library[evidence.run.name]


def _lived(drills: Sequence[str], known: list[DrillRun], *, quiet: bool) -> Iterator[Evidence]:
    """Run ``drills`` live one after another, each once its alerts look back on calm; yield the evidence of each."""
    client = conductor()
    windows_s = shipped_ground(PACES.get(read_status(Home.from_environment()).pace or "", WORKSHOP)).windows_s
    for name in drills:
        wanted = Wanted([name], every=False, kinds=(), seed=None, quiet=quiet, with_evidence=True, fail_fast=False)
        drilling = live_drilling(client, wanted)
        _rest(name, known, windows_s, quiet=quiet)
        drilling.perform()
        for case in drilling.batch.cases:
            if case.evidence is None:
                raise CommandError(f"{case.name} left nothing to compare with: {case.standing} {case.reason}".rstrip())
            known.append(case.evidence.run)
            yield case.evidence


def _rest(name: str, known: Iterable[DrillRun], windows_s: Mapping[str, float], *, quiet: bool) -> None:
    """Wait until no run that is ``known`` lies in the windows of the alerts that the drill expects."""
    drill = load_library()[name] if is_name(name) else parse_drill(file_text(name), name)
    with _shown(quiet=quiet) as show:
        while left := rest(drill, known, windows_s, time.time()):
            show(left.sentence)
            time.sleep(min(1.0, left.left_s))


def _kept(shelf: Shelf) -> Iterator[Evidence]:
    """Yield what is kept of live runs; what is damaged is said and left out."""
    for run_id in shelf.newest(LATEST):
        try:
            evidence = shelf.get(run_id)
        except NoEvidence as damaged:
            ERRORS.print(str(damaged), style="yellow", markup=False, highlight=False)
            continue
        if not evidence.run.virtual:
            yield evidence


def _latest(shelf: Shelf) -> Iterator[Evidence]:
    """Yield the latest run of each drill that came to an end, by name."""
    found: dict[str, Evidence] = {}
    for evidence in _kept(shelf):
        run = evidence.run
        if run.verdict in {"passed", "failed"} and run.fault_at is not None:
            known = found.get(run.name)
            if known is None or known.run.queued_at < run.queued_at:
                found[run.name] = evidence
    if not found:
        raise CommandError("no drill has run here yet; name one to run it live first: `firedrill agree error-burst`")
    yield from (found[name] for name in sorted(found))


@contextmanager
def _shown(*, quiet: bool) -> Iterator[Show]:
    """Yield what shows a sentence of progress."""
    if quiet or not OUT.is_terminal:
        yield lambda _: None
        return
    with Live(console=OUT, transient=True, refresh_per_second=8) as live:
        yield lambda sentence: live.update(Spinner("dots", text=sentence))


def _drawn(one: DrillAgreement) -> Group:
    """Draw all stages of one run next to the virtual range."""
    about = f", run {one.run_id}, {one.pace} pace, {amounts.count(one.tries, 'virtual phase')}"
    burned = f", put out after {amounts.seconds(one.burned_s)}"
    went = f"  live {one.live_verdict}, virtual: {one.virtual_passed} of {one.tries} passed"
    table = Table("  alert", "stage", "live", "virtual", "width", "", box=None, padding=(0, 1), header_style="dim")
    for column in table.columns[2:5]:
        column.justify = "right"
        column.no_wrap = True
    for alert in one.alerts:
        for index, stage in enumerate(alert.stages):
            name = f"  {alert.alert}" if index == 0 else ""
            table.add_row(name, stage.stage.replace("_", " "), *_cells(stage))
    told = [Text(), Text.assemble((one.drill, "bold"), about, burned), Text(went, "dim")]
    return Group(*told, *([table] if one.alerts else []))


def _cells(stage: StageAgreement) -> tuple[str, str, str, Text]:
    some = "" if stage.reached in {0, stage.tries} else f" ({stage.reached} of {stage.tries})"
    word, style = {
        (True, True): ("inside", "green"),
        (False, True): ("beside it", "green"),
        (False, False): ("outside", "bold red"),
    }.get((bool(stage.inside), stage.agrees), ("", "dim"))  # type: ignore[arg-type]
    return (
        amounts.seconds(stage.live_s),
        amounts.reach(stage.least_s, stage.most_s) + some,
        amounts.seconds(stage.width_s),
        Text("; ".join(text for text in (word, stage.remark) if text), style),
    )


def _conclude(compared: _Compared) -> None:
    stages = [stage for one in compared.found for stage in one.stages]
    excused = compared.excused
    outside = [stage for stage in stages if stage.agrees is False]
    widths = sorted(stage.width_s for stage in stages if stage.width_s is not None)
    inside = sum(bool(stage.inside) for stage in stages)
    if widths:
        OUT.print()
        drills = amounts.count(len(compared.found), "drill")
        OUT.print(
            f"{drills}, {len(stages)} stages: {inside} inside the virtual range, {len(stages) - inside - len(outside)} "
            f"within one scrape and one evaluation of it, {len(outside)} outside; the range is "
            f"{widths[len(widths) // 2]:.1f} s wide (median), {widths[-1]:.1f} s at most",
            highlight=False,
        )
    if excused:
        OUT.print(f"{amounts.count(excused, 'stage')} more: not comparable, for what had run before", highlight=False)
    _listed("live only", compared.live_only)
    for name, reason in compared.not_compared:
        ERRORS.print(f"{name}: {reason}", style="red", markup=False, highlight=False)
    if outside:
        OUT.print("DISAGREE", style="bold red")
    elif excused:
        OUT.print(
            "UNDECIDED  `firedrill agree DRILL` runs it anew, when its alerts look back on calm", style="bold yellow"
        )
    elif compared.found:
        OUT.print("AGREE", style="bold green")


def _listed(what: str, named: Iterable[tuple[str, str]]) -> None:
    for name, reason in named:
        OUT.print(f"{what}: {name}: {reason}", style="yellow", markup=False, highlight=False)


def _plain(compared: _Compared) -> dict[str, object]:
    """Return what ``--json`` prints."""
    drills = []
    for one in compared.found:
        plain = one.model_dump(mode="json") | {"agrees": one.agrees}
        for alert, shown in zip(one.alerts, plain["alerts"], strict=True):
            for stage, shown_stage in zip(alert.stages, shown["stages"], strict=True):
                shown_stage["width_s"] = stage.width_s
        drills.append(plain)
    return {
        "agrees": all(one.agrees for one in compared.found) and not compared.excused,
        "not_comparable": compared.excused,
        "drills": drills,
        "live_only": [{"drill": name, "reason": reason} for name, reason in compared.live_only],
        "not_compared": [{"drill": name, "reason": reason} for name, reason in compared.not_compared],
    }
