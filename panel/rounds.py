"""All drills of the library one after another, for whoever presses the button. No Streamlit.

A round walks in the panel's server process, so that it outlives a closed browser tab; the drills themselves run in the
conductor, as ever. It decides nothing: the conductor judges each run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from faults.base import FaultKind
from faults.client import ConductorClient, ConductorRefused
from faults.drills.report.batch import Batch, Case
from faults.drills.wire import DrillInfo, DrillRun, DrillStart
from faults.errors import FaultError
from panel.access.guarded import Allow, everyone

POLL_S = 0.5
PATIENCE = 60
"""So many polls in a row may fail before a run is given up as lost."""
BUSY_FOR_S = 60.0
"""For so long a drill waits for what an earlier one left to be put back."""
_CONFLICT = 409
TITLE = "All drills"
ABORTED = "the round was stopped before it"


@dataclass(frozen=True)
class Progress:
    """How far a round is. ``current`` is the drill under way; ``batch`` holds those that are over."""

    batch: Batch
    total: int
    current: str = ""
    run_id: str = ""
    over: bool = False


class Rounds:
    """Runs one round at a time; every viewer sees the same one."""

    def __init__(
        self, conductor: ConductorClient, actor: str, *, poll_s: float = POLL_S, allow: Allow = everyone
    ) -> None:
        self._conductor, self._actor, self._poll_s, self._allow = conductor, actor, poll_s, allow
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._progress: Progress | None = None

    @property
    def progress(self) -> Progress | None:
        """How far the round is, or how the last one ended; ``None`` before the first."""
        return self._progress

    def start(self, drills: Sequence[DrillInfo], kinds: Mapping[str, FaultKind], seed: int | None) -> bool:
        """Start a round over ``drills``; return False where one is under way. Raises ``ReadOnly`` for a reader."""
        self._allow()
        with self._lock:
            if self._progress is not None and not self._progress.over:
                return False
            self._stop = threading.Event()
            now = time.time()
            self._progress = Progress(Batch(title=TITLE, started_at=now, ended_at=now), len(drills))
            walk = threading.Thread(target=self._walk, args=(tuple(drills), dict(kinds), seed), daemon=True)
            walk.start()
            return True

    def stop(self) -> None:
        """Stop the round: the drill under way is aborted, no other is started. Raises ``ReadOnly`` for a reader."""
        self._allow()
        self._stop.set()

    def _walk(self, drills: Sequence[DrillInfo], kinds: Mapping[str, FaultKind], seed: int | None) -> None:
        try:
            for drill in drills:
                self._add(self._case(drill, kinds, seed))
        finally:
            done = self._shown()
            batch = done.batch.model_copy(update={"ended_at": time.time(), "interrupted": self._stop.is_set()})
            self._progress = replace(done, batch=batch, current="", run_id="", over=True)

    def _case(self, drill: DrillInfo, kinds: Mapping[str, FaultKind], seed: int | None) -> Case:
        case = Case(name=drill.name, title=drill.title)
        if self._stop.is_set():
            return case.model_copy(update={"left": ABORTED})
        if missing := unavailable(drill, kinds):
            return case.model_copy(update={"skipped": missing})
        self._progress = replace(self._shown(), current=drill.title, run_id="")
        try:
            run = self._started(DrillStart(name=drill.name, seed=seed))
        except FaultError as problem:
            return case.model_copy(update={"refused": str(problem)})
        self._progress = replace(self._shown(), run_id=run.id)
        return self._told(case, self._ended(run))

    def _started(self, start: DrillStart) -> DrillRun:
        """Start a drill, once what an earlier one left has been put back."""
        deadline = time.monotonic() + BUSY_FOR_S
        while True:
            try:
                return self._conductor.start_drill(start, actor=self._actor)
            except ConductorRefused as refused:
                if refused.status != _CONFLICT or self._stop.is_set() or time.monotonic() > deadline:
                    raise
            self._stop.wait(self._poll_s)

    def _ended(self, run: DrillRun) -> DrillRun:
        """Return the run once it is over, or as it was last seen where the conductor is lost."""
        aborted, failures = False, 0
        while run.phase != "done" and failures < PATIENCE:
            if self._stop.wait(self._poll_s) and aborted:
                time.sleep(self._poll_s)
            try:
                if self._stop.is_set() and not aborted:
                    run, aborted = self._conductor.abort(run.id, actor=self._actor), True
                run, failures = self._conductor.run(run.id), 0
            except FaultError:
                failures += 1
                time.sleep(self._poll_s)
        return run

    def _told(self, case: Case, run: DrillRun) -> Case:
        """Return ``case`` with the run's evidence, or with the run alone where nothing was kept of it."""
        if run.phase == "done":
            deadline = time.monotonic() + 20 * self._poll_s
            while time.monotonic() < deadline:  # it is gathered when the run has ended
                try:
                    return case.model_copy(update={"evidence": self._conductor.evidence(run.id)})
                except FaultError:
                    time.sleep(self._poll_s)
        return case.model_copy(update={"run": run})

    def _add(self, case: Case) -> None:
        shown = self._shown()
        batch = shown.batch.model_copy(update={"cases": [*shown.batch.cases, case], "ended_at": time.time()})
        self._progress = replace(shown, batch=batch)

    def _shown(self) -> Progress:
        if self._progress is None:
            message = "a round reports before it has begun"
            raise RuntimeError(message)
        return self._progress


def unavailable(drill: DrillInfo, kinds: Mapping[str, FaultKind]) -> str:
    """Return why ``drill`` cannot run here; empty where nothing is known against it."""
    reasons = [
        f"{name}: {kinds[name].unavailable_because or 'unavailable here'}"
        for name in drill.kinds
        if name in kinds and not kinds[name].available
    ]
    return "; ".join(reasons)
