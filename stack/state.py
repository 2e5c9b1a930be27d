"""What the supervisor writes down of itself and its children: ``run/stack.json``, replaced atomically at every change.

It is the memory that survives a killed supervisor. It never decides anything; a process counts as ours only where its
id and its time of birth both agree, since ids are reused.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

BIRTH_TOLERANCE_S = 2.0
"""A process's time of birth is told relative to the boot time, which moves a little when the clock is corrected."""

StackPhase = Literal["starting", "up", "stopping"]
UnitPhase = Literal["waiting", "starting", "ready", "restarting", "gave up", "stopped"]


class ProcessIdentity(BaseModel):
    """A process that cannot be mistaken for a later one with the same id. ``created_at`` in Unix seconds."""

    model_config = ConfigDict(frozen=True)

    pid: int
    created_at: float

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Return who has ``pid`` now, ``None`` where nobody has."""
        try:
            return cls(pid=pid, created_at=psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    @classmethod
    def own(cls) -> ProcessIdentity:
        """Return who this process is."""
        return cls(pid=os.getpid(), created_at=psutil.Process().create_time())

    def process(self) -> psutil.Process | None:
        """Return the process while it lives; ``None`` for an ended one, a zombie or a stranger with its id."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created_at) <= BIRTH_TOLERANCE_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


class UnitState(BaseModel):
    """One component as the supervisor knows it. Times are Unix seconds."""

    name: str
    phase: UnitPhase = "waiting"
    identity: ProcessIdentity | None = None
    started_at: float | None = None
    restarts: int = 0
    detail: str = ""


class StackState(BaseModel):
    """A stack that runs, or that ran until its supervisor was killed."""

    supervisor: ProcessIdentity
    phase: StackPhase
    started_at: float
    offset: int
    pace: str
    traffic: bool
    workers: int = 1
    table: str
    app: str = ""
    units: list[UnitState]

    def save(self, path: Path) -> None:
        """Replace the file at ``path`` in one step."""
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(self.model_dump_json(indent=1), encoding="utf-8")
        partial.replace(path)


def load_state(path: Path) -> StackState | None:
    """Return the recorded state, ``None`` where there is none or where the file is not one of ours."""
    try:
        return StackState.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
