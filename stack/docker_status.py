"""What runs in containers now: seen from outside through the engine, and from inside a container by asking each part.

It changes nothing, and answers in the same words as ``stack.status`` does for processes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from stack.component import Component
from stack.components import COMPONENTS
from stack.compose import COMPOSE_FILE, Healthcheck
from stack.docker_containers import Project
from stack.docker_engine import ASK_TIMEOUT_S, DockerError, connect
from stack.docker_record import DockerRecord
from stack.endpoints import PORTS, Endpoints
from stack.home import endpoints_from_environment, pace_from_environment
from stack.probes import probe_now
from stack.status import ComponentCondition, ComponentStatus, StackStatus

RUNTIME = "docker"
ONE_OFF = "config"
_ROWS: Mapping[str, Component] = MappingProxyType({row.name: row for row in COMPONENTS})


def inside_container() -> bool:
    """Return whether this process is a part of a stack in containers."""
    return os.environ.get("FIREDRILL_RUNTIME") == RUNTIME


def read_engine(record: DockerRecord) -> StackStatus:
    """Return what the engine says of the containers of ``record``; never raises."""
    try:
        client = connect(timeout_s=ASK_TIMEOUT_S)
        containers = Project(client, record.project, COMPOSE_FILE.parent).containers()
        named = [name for name in record.components if name != ONE_OFF]
        endpoints = Endpoints(record.offset)
        with ThreadPoolExecutor(max_workers=max(1, len(named))) as pool:
            parts = tuple(pool.map(lambda name: _seen(name, containers.get(name), endpoints), named))
    except DockerError as error:
        return _whole(record, (), str(error))
    return _whole(record, parts, "")


def read_inside() -> StackStatus:
    """Return which parts of the stack around this container answer; there is no engine to ask in here."""
    endpoints = endpoints_from_environment()
    names = [name for name in os.environ.get("FIREDRILL_PARTS", "").split(",") if name in _ROWS]

    def ask(name: str) -> ComponentStatus:
        row = _ROWS[name]
        port = row.probe.port
        answer = probe_now(endpoints.port(port), row.probe.path, host=endpoints.host(port))
        condition: ComponentCondition = "ready" if answer.ready else "down"
        return _part(row.name, condition, answer.reason, endpoints)

    with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        parts = tuple(pool.map(ask, names))
    return StackStatus(
        state="up" if all(part.state == "ready" for part in parts) else "degraded",
        pace=pace_from_environment().name,
        offset=endpoints.published or 0,
        runtime=RUNTIME,
        traffic=os.environ.get("FIREDRILL_TRAFFIC_RATE", "5") != "0",
        supervisor_pid=None,
        started_at=None,
        memory_bytes=0,
        components=parts,
        detail=_wanting(parts),
    )


def _whole(record: DockerRecord, parts: tuple[ComponentStatus, ...], problem: str) -> StackStatus:
    running = [part for part in parts if part.pid is not None]
    everything = bool(parts) and all(part.state == "ready" for part in parts)
    return StackStatus(
        state="up" if everything else "degraded" if running or problem else "down",
        pace=record.pace,
        offset=record.offset,
        runtime=RUNTIME,
        traffic=record.traffic,
        supervisor_pid=None,
        started_at=record.started_at,
        memory_bytes=sum(part.memory_bytes or 0 for part in parts),
        components=parts,
        detail=problem or _wanting(parts),
    )


def _wanting(parts: tuple[ComponentStatus, ...]) -> str:
    return "; ".join(f"{part.title} {part.state}: {part.detail}" for part in parts if part.state != "ready")


def _seen(name: str, container: Any, endpoints: Endpoints) -> ComponentStatus:
    if container is None:
        return _part(name, "stopped", "its container is gone", endpoints)
    state = container.attrs["State"]
    health = state.get("Health", {}).get("Status", "healthy")
    running = bool(state["Running"]) and not state.get("Restarting")
    condition: ComponentCondition = "ready"
    detail = ""
    if state.get("Paused"):
        condition, detail = "down", "is paused"
    elif not running:
        condition, detail = "down", f"ended with exit code {state['ExitCode']}"
    elif health == "starting":
        answer = _asked(container)
        condition, detail = ("ready", "") if answer else ("starting", "has not answered yet")
    elif health != "healthy":
        condition, detail = "down", "does not answer its health check"
    return _part(
        name,
        condition,
        detail,
        endpoints,
        pid=int(state["Pid"]) if running else None,
        restarts=int(container.attrs.get("RestartCount", 0)),
        uptime_s=_since(str(state["StartedAt"])) if running else None,
        memory_bytes=_memory(container) if running else None,
    )


def _asked(container: Any) -> bool:
    """Put the health check's question ourselves, while the engine's first answer is still to come."""
    asks = Healthcheck(test=tuple(container.attrs["Config"]["Healthcheck"]["Test"])).asks
    if asks is None:
        return False
    port, path = asks
    bound: list[dict[str, str]] = (container.attrs["HostConfig"]["PortBindings"] or {}).get(f"{port}/tcp") or []
    return bool(bound) and probe_now(int(bound[0]["HostPort"]), path, timeout_s=1.0).ready


def _part(
    name: str,
    condition: ComponentCondition,
    detail: str,
    endpoints: Endpoints,
    *,
    pid: int | None = None,
    restarts: int = 0,
    uptime_s: float | None = None,
    memory_bytes: int | None = None,
) -> ComponentStatus:
    row = _ROWS.get(name)
    shift = endpoints.offset if endpoints.published is None else endpoints.published
    ports = row.ports if row is not None else (name,) if name in PORTS else ()
    return ComponentStatus(
        name=name,
        title=row.title if row is not None else name.capitalize(),
        state=condition,
        pid=pid,
        ports={port: PORTS[port] + shift for port in ports},
        url=row.url(endpoints) if row is not None else endpoints.link(name, "/") if name in PORTS else "",
        restarts=restarts,
        uptime_s=uptime_s,
        memory_bytes=memory_bytes,
        detail=detail,
    )


def _since(stamp: str) -> float | None:
    """Return the seconds since the engine's time stamp, which has nanoseconds."""
    try:
        started = datetime.fromisoformat(stamp[:19]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(0.0, (datetime.now(tz=UTC) - started).total_seconds())


def _memory(container: Any) -> int | None:
    """Return what the engine counts against the container's limit, without the files that it could drop, in bytes."""
    import docker  # noqa: PLC0415 - loads where it is used

    try:
        usage = container.stats(stream=False, one_shot=True)["memory_stats"]
        return int(usage["usage"]) - int(usage.get("stats", {}).get("inactive_file", 0))
    except (docker.errors.DockerException, OSError, KeyError, ValueError):
        return None
