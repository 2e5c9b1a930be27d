"""Who uses the machine: processor time and memory of every part of the stack, measured on its own processes.

Metrics are not needed for this: a part that exports none is seen too. In containers the processes are not ours to see.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from stack.status import RUNTIME, ComponentStatus, StackStatus


@dataclass(frozen=True)
class PartUse:
    """One part now. ``cores``: processor time per time since the last look, children included; ``None``: not known."""

    part: ComponentStatus
    cores: float | None
    memory_bytes: int | None


@dataclass(frozen=True)
class PartsUse:
    """All parts, and what the machine has: processors, and memory in bytes."""

    parts: tuple[PartUse, ...]
    processors: int
    memory_bytes: int


@dataclass(frozen=True)
class _Mark:
    at: float
    used_s: float


class PartsMeter:
    """Remembers what each process had used at the last look. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._marks: dict[int, _Mark] = {}
        self._lock = threading.Lock()

    def read(self, status: StackStatus | None) -> PartsUse:
        """Return what each part of ``status`` uses; of a process that is seen for the first time, no rate yet."""
        with self._lock:
            components = status.components if status else ()
            ours = status is not None and status.runtime == RUNTIME
            parts = tuple(self._use(each) if ours else PartUse(each, None, each.memory_bytes) for each in components)
            running = {component.pid for component in components}
            self._marks = {pid: mark for pid, mark in self._marks.items() if pid in running}
        return PartsUse(parts, psutil.cpu_count() or 1, int(psutil.virtual_memory().total))

    def _use(self, component: ComponentStatus) -> PartUse:
        if component.pid is None:
            return PartUse(component, None, component.memory_bytes)
        now, used_s = self._clock(), _used(component.pid)
        before = self._marks.get(component.pid)
        if used_s is None:
            return PartUse(component, None, component.memory_bytes)
        self._marks[component.pid] = _Mark(now, used_s)
        if before is None or now <= before.at:
            return PartUse(component, None, component.memory_bytes)
        return PartUse(component, max(0.0, used_s - before.used_s) / (now - before.at), component.memory_bytes)


def _used(pid: int) -> float | None:
    """Return the processor time of a process and its children since their start, in seconds; ``None``: it is gone."""
    try:
        process = psutil.Process(pid)
        return sum(_seconds(each) for each in (process, *process.children(recursive=True)))
    except psutil.Error:
        return None


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
