"""Small virtual worlds for tests, and looks at what was scraped of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from faults.base import FaultRequest
from faults.drills.schedule import Lighting
from faults.drills.virtual.record import record
from faults.drills.virtual.recording import RecordedSeries, Recording
from faults.drills.virtual.scenario import Scenario
from faults.drills.wire import TrafficSettings
from stack.pace import WORKSHOP

CALM_S, BURN_S, RECOVERY_S = 10.0, 20.0, 20.0


def lit(
    kind: str,
    parameters: Mapping[str, JsonValue] | None = None,
    *,
    at_s: float = 0.0,
    until_s: float | None = None,
    probability: float = 1.0,
    ttl_s: float = 300.0,
    seed: int = 7,
    ramp_s: float = 0.0,
) -> Lighting:
    """Return one fault of a schedule."""
    request = FaultRequest(
        kind=kind, parameters=dict(parameters or {}), probability=probability, ttl_s=ttl_s, seed=seed, ramp_s=ramp_s
    )
    return Lighting(at_s, until_s, 0, 0, request)


def small(
    *schedule: Lighting,
    seed: int = 1,
    rate: float = 5.0,
    metrics: frozenset[str] | None = None,
    phases: int = 1,
    dialect: str = "",
    traces: bool = False,
    burn_s: float = BURN_S,
    recovery_s: float = RECOVERY_S,
) -> Scenario:
    """Return a scenario of less than a minute, scraped every second."""
    return Scenario(
        name="small",
        seed=seed,
        calm_s=CALM_S,
        burn_s=burn_s,
        recovery_s=recovery_s,
        schedule=schedule,
        traffic=TrafficSettings(rate=rate),
        pace=WORKSHOP,
        dialect=dialect,
        metrics=metrics,
        scrape_phases=phases,
        traces=traces,
    )


def of_steady_traffic(artifacts: Path) -> Recording:
    """Return a recording without faults."""
    return record(small(), artifacts=artifacts)


def series(recording: Recording, name: str, phase: int = 0, **labels: str) -> RecordedSeries:
    """Return the one series of ``name`` that has ``labels``."""
    found = all_series(recording, name, phase, **labels)
    assert len(found) == 1, [one.labels for one in found]
    return found[0]


def all_series(recording: Recording, name: str, phase: int = 0, **labels: str) -> list[RecordedSeries]:
    """Return the series of ``name`` that have ``labels``."""
    wanted = {"__name__": name, **labels}.items()
    return [one for one in recording.scrapes[phase].series if wanted <= dict(one.labels).items()]


def up(recording: Recording, phase: int = 0) -> NDArray[np.float64]:
    """Return ``up`` of the service at each scrape."""
    return series(recording, "up", phase, instance="127.0.0.1:8000").values


def at_s(recording: Recording, one: RecordedSeries) -> NDArray[np.float64]:
    """Return the times of the samples of ``one``, in seconds after the beginning."""
    return one.times_ms / 1000.0 - recording.started_at


def fingerprint(recording: Recording) -> str:
    """Return a hash of every bit that was recorded."""
    known = hashlib.sha256()
    for scrapes in recording.scrapes:
        for one in scrapes.series:
            known.update(repr(one.labels).encode() + one.times_ms.tobytes() + one.values.tobytes())
    rest = (recording.traffic, recording.faults, recording.fault_at, recording.rollback_at, recording.back_at)
    known.update(repr(rest).encode())
    return known.hexdigest()
