"""Records a scenario: the one way into a virtual world. It runs in any process, without threads and sockets."""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import faults.kinds
from faults.base import FaultRecord, catalogue
from faults.drills.virtual.clock import beginning
from faults.drills.virtual.errors import NotTrained, NotVirtual, UnknownNames
from faults.drills.virtual.life import FixedSettings
from faults.drills.virtual.loop import VirtualLoop
from faults.drills.virtual.recording import Recording, Scrapes
from faults.drills.virtual.scenario import Scenario
from faults.drills.virtual.showcase import showcase
from faults.drills.virtual.surroundings import surroundings_of
from faults.drills.virtual.timings import recorded
from faults.drills.virtual.world import Parting, Plan, live_through
from faults.errors import UnknownFaultKind
from service.clock import SystemClock
from service.models import training
from service.models.profiles import profile_named

_ = faults.kinds  # importing it fills the catalogue
FOLDER = "firedrill-virtual-"
"""How the names of the folders begin in which the faults of virtual worlds write, among the temporary ones."""
MODELLED = {
    "cpu_burn": "cpu_burn is modelled: processor time is counted, held workers are held, what the interpreter's lock "
    "costs others was recorded once, and threads that burn the cores alone cost them nothing",
    "memory_leak": "memory_leak is modelled: the process's memory is a number, of a machine with 16 GiB",
    "crash": "crash is modelled: a killed service is started again as its supervisor would, with fresh counters",
    "hang": "hang is modelled: a stopped service keeps its callers waiting; its timers are let run",
}
CONTAINERS = "{} is modelled: there is no container, only a service that is frozen, gone, or without a network"


def record(
    scenario: Scenario, *, artifacts: Path, on_progress: Callable[[float], None] = lambda _done_s: None
) -> Recording:
    """Return what was scraped of the course of ``scenario``; the same one gives the same samples, bit for bit.

    Models without an artifact in ``artifacts`` are trained there first. ``on_progress`` gets the virtual seconds done.
    Raises ``NotVirtual`` for a kind of fault that only burns live, and other ``VirtualError``.
    """
    refuse(scenario)
    with tempfile.TemporaryDirectory(prefix=FOLDER) as scratch:
        return record_in(Path(scratch), scenario, artifacts=artifacts, on_progress=on_progress)


def record_in(
    scratch: Path,
    scenario: Scenario,
    *,
    artifacts: Path,
    on_progress: Callable[[float], None] = lambda _done_s: None,
    parting: Parting | None = None,
) -> Recording:
    """Record likewise, with what faults write in the folder ``scratch``, which nobody needs before they burn.

    With a ``parting`` the recording is that of the scenario which is chosen there.
    """
    settings = FixedSettings(artifacts_dir=artifacts)
    if unserved := sorted(name for name in scenario.traffic.models if name not in settings.models):
        known = ", ".join(settings.models)
        raise UnknownNames(scenario.name, f"traffic for {', '.join(unserved)}; a virtual service has {known}")
    around = surroundings_of(scenario)
    _train(settings)
    interval_s = scenario.pace.interval_s
    begins_at = beginning(interval_s)
    count = max(1, scenario.scrape_phases)
    phases_s = tuple(round(1000.0 * interval_s * index / count) / 1000.0 for index in range(count))
    with _NoPauses():
        plan = Plan(scenario, settings, recorded(), around, begins_at, phases_s, scratch, on_progress, parting)
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            course = runner.run(live_through(plan))
    return Recording(
        course.scenario,
        started_at=begins_at,
        ended_at=begins_at + course.scenario.lasts_s,
        fault_at=course.fault_at,
        rollback_at=_rollback_at(course.faults),
        back_at=course.back_at,
        faults=course.faults,
        scrapes=tuple(
            Scrapes(phase_s, scraper.rows.series(course.columns))
            for phase_s, scraper in zip(phases_s, course.scrapers, strict=True)
        ),
        traffic=course.traffic,
        traces=showcase(course.shelf.spans if course.shelf is not None else (), since=course.fault_at),
        notes=tuple(_notes(course.scenario)),
    )


def refuse(scenario: Scenario) -> None:
    """Raise ``UnknownNames`` for a kind of fault that is not there, ``NotVirtual`` for one that only burns live."""
    for lighting in scenario.schedule:
        kind = catalogue().get(lighting.request.kind)
        if kind is None:
            raise UnknownNames(scenario.name, str(UnknownFaultKind(lighting.request.kind, catalogue())))
        if kind.clock == "live-only":
            raise NotVirtual(kind.kind, "it needs real processes")


def _train(settings: FixedSettings) -> None:
    for name in settings.models:
        try:
            training.ensure(profile_named(name), settings.artifacts_dir, SystemClock())
        except Exception as error:
            raise NotTrained(name, f"{type(error).__name__}: {error}") from error


def _rollback_at(faults: tuple[FaultRecord, ...]) -> float | None:
    ended = [one.ended_at for one in faults if one.ended_at is not None]
    return max(ended, default=None)


def _notes(scenario: Scenario) -> list[str]:
    kinds = dict.fromkeys(lighting.request.kind for lighting in scenario.schedule)
    notes = [MODELLED.get(kind) or CONTAINERS.format(kind) for kind in kinds if catalogue()[kind].clock == "modelled"]
    if scenario.scrape_phases > 1 and {"slow_scrape", "scrape_failure"} & set(kinds):
        notes.append(f"{scenario.scrape_phases} scrapers share one world, so that its scrape faults act as often")
    return notes


class _NoPauses:
    """Keeps the garbage collector from walking everything that was loaded, again and again, while a world lives.

    What is there when the first world of a process begins is not walked later either: that would take as long as 700
    requests, whenever a world has filled the memory anew.
    """

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()
        if not gc.get_freeze_count():
            gc.freeze()

    def __exit__(self, *_: object) -> None:
        if self._was_on:
            gc.enable()
        with suppress(RuntimeError):
            gc.collect(0)
