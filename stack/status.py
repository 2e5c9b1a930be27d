"""What runs now: the supervisor's own record, held against live probes and the processes' memory. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import psutil

from stack.component import Component, table_named, wanted
from stack.components import DEFAULT_TABLE
from stack.endpoints import Endpoints
from stack.home import Home
from stack.locks import FileLock, lock_path
from stack.pace import WORKSHOP
from stack.plan import Plan
from stack.probes import Answer, probe_now
from stack.state import ProcessIdentity, StackState, UnitState, load_state

StackCondition = Literal["up", "starting", "degraded", "down"]
ComponentCondition = Literal["ready", "starting", "down", "stopped"]
RUNTIME = "native"


@dataclass(frozen=True)
class ComponentStatus:
    """One component now. ``ports`` by name; ``uptime_s`` and ``memory_bytes`` are ``None`` where nothing runs."""

    name: str
    title: str
    state: ComponentCondition
    pid: int | None
    ports: Mapping[str, int]
    url: str
    restarts: int
    uptime_s: float | None
    memory_bytes: int | None
    detail: str


@dataclass(frozen=True)
class StackStatus:
    """A whole stack now. ``pace`` and ``supervisor_pid`` are ``None`` while it is down; ``started_at`` in Unix seconds.

    ``app`` is the address of the user's own app, where that stands in the service's place.
    ``memory_bytes`` is the sum over the components and the supervisor (resident, so shared pages count several times).
    """

    state: StackCondition
    pace: str | None
    offset: int
    runtime: str
    traffic: bool
    supervisor_pid: int | None
    started_at: float | None
    memory_bytes: int
    components: tuple[ComponentStatus, ...]
    detail: str = ""
    app: str = ""


def read_status(home: Home, *, timeout_s: float = 1.0) -> StackStatus:
    """Return what runs in ``home``, probing everything at once; takes at most about ``timeout_s`` seconds."""
    state = load_state(home.state_file)
    held = FileLock(lock_path(home)).is_held()
    if state is None:
        detail = "`firedrill up` is preparing" if held else ""
        usual = Plan(home, Endpoints(), WORKSHOP, traffic=True)
        stopped = tuple(_stopped(row, usual.endpoints) for row in wanted(table_named(DEFAULT_TABLE), usual))
        return StackStatus(
            state="starting" if held else "down",
            pace=None,
            offset=0,
            runtime=RUNTIME,
            traffic=False,
            supervisor_pid=None,
            started_at=None,
            memory_bytes=0,
            components=stopped,
            detail=detail,
        )
    rows = {component.name: component for component in table_named(state.table)}
    endpoints = Endpoints(state.offset)
    units = [(rows[unit.name], unit) for unit in state.units if unit.name in rows]
    answers = _probe_ready(units, endpoints, state.workers, timeout_s) if held else {}
    components = tuple(
        _component(row, unit, endpoints, answers.get(row.name), held, workers=state.workers) for row, unit in units
    )
    return StackStatus(
        state=_condition(state, components, held),
        pace=state.pace,
        offset=state.offset,
        runtime=RUNTIME,
        traffic=state.traffic,
        supervisor_pid=state.supervisor.pid if held else None,
        started_at=state.started_at if held else None,
        memory_bytes=sum(c.memory_bytes or 0 for c in components) + (_memory(state.supervisor) or 0 if held else 0),
        components=components,
        detail=_detail(state, components, held),
        app=state.app,
    )


def _probe_ready(
    units: list[tuple[Component, UnitState]], endpoints: Endpoints, workers: int, timeout_s: float
) -> Mapping[str, Answer]:
    ready = [row for row, unit in units if unit.phase == "ready"]
    if not ready:
        return MappingProxyType({})

    asked = [(row, name) for row in ready for name in row.probed(workers)]

    def ask(row: Component, name: str) -> Answer:
        return probe_now(endpoints.port(name), row.probe.path, timeout_s=timeout_s)

    with ThreadPoolExecutor(max_workers=len(asked)) as pool:
        answers = list(zip(asked, pool.map(lambda pair: ask(*pair), asked), strict=True))
    found: dict[str, Answer] = {}
    for (row, _), answer in answers:
        if row.name not in found or not answer.ready:
            found[row.name] = answer
    return found


def _component(
    row: Component, unit: UnitState, endpoints: Endpoints, answer: Answer | None, held: bool, *, workers: int
) -> ComponentStatus:
    process = unit.identity.process() if unit.identity else None
    detail = unit.detail
    condition: ComponentCondition = "down"
    if not held:
        condition = "down" if process else "stopped"
        detail = "left running by a killed supervisor; `firedrill down` ends it" if process else ""
    elif unit.phase == "stopped":
        condition = "stopped"
    elif unit.phase in {"waiting", "starting"}:
        condition = "starting"
        detail = f"waits for {', '.join(row.needs)}" if unit.phase == "waiting" and row.needs else "is starting"
    elif answer is not None and process is not None:
        condition, detail = ("ready", "") if answer.ready else ("down", answer.reason)
    return ComponentStatus(
        name=row.name,
        title=row.title,
        state=condition,
        pid=process.pid if process else None,
        ports={name: endpoints.port(name) for name in row.listens_on(workers)},
        url=row.url(endpoints),
        restarts=unit.restarts,
        uptime_s=max(0.0, time.time() - unit.started_at) if process and unit.started_at else None,
        memory_bytes=_memory(unit.identity, replicas=workers > 1 and bool(row.replica_ports)) if process else None,
        detail=detail,
    )


def _stopped(row: Component, endpoints: Endpoints) -> ComponentStatus:
    ports = {name: endpoints.port(name) for name in row.ports}
    return ComponentStatus(row.name, row.title, "stopped", None, ports, row.url(endpoints), 0, None, None, "")


def _memory(identity: ProcessIdentity | None, *, replicas: bool = False) -> int | None:
    """Return the resident memory of a process in bytes, with that of its children where they are its replicas."""
    process = identity.process() if identity else None
    try:
        counted = [process, *(process.children() if replicas else ())] if process else []
        return sum(int(each.memory_info().rss) for each in counted) if process else None
    except psutil.Error:
        return None


def _condition(state: StackState, components: tuple[ComponentStatus, ...], held: bool) -> StackCondition:
    if not held:
        return "degraded" if any(component.pid for component in components) else "down"
    if state.phase == "starting":
        return "starting"
    if state.phase == "up" and all(component.state == "ready" for component in components):
        return "up"
    return "degraded"


def _detail(state: StackState, components: tuple[ComponentStatus, ...], held: bool) -> str:
    if not held:
        return "the supervisor was killed; `firedrill down` tidies up" if any(c.pid for c in components) else ""
    if state.phase == "stopping":
        return "is stopping"
    wanting = [f"{c.title} {c.state}: {c.detail}" for c in components if c.state != "ready"]
    return "; ".join(wanting)
