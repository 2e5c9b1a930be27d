"""Ready-made scenarios: a steady state, and for each kind of fault one, or several, that a sane rule should notice.

They are strong on purpose: a rule that stays silent here stays silent in earnest. Plain values; nothing is run.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

import faults.kinds  # noqa: F401 - the catalogue
from faults.base import FaultRequest, Target, catalogue
from faults.drills.check.errors import NothingToTry
from faults.drills.check.horizon import Horizon
from faults.drills.schedule import SEED_BITS, Lighting
from faults.drills.virtual.scenario import Scenario
from faults.drills.wire import TrafficSettings
from stack.pace import PRODUCTION, Pace

STEADY = "steady state"
RATE = 2.0
"""Requests a second: enough that a window of five minutes has hundreds, and cheap."""


@dataclass(frozen=True)
class Intensity:
    """What makes a ready-made fault stronger or weaker: the share of calls that it hits, or one of its parameters."""

    name: str
    """``probability``, or the parameter's name."""
    least: float
    most: float
    unit: str


_PROBABILITY = Intensity("probability", 0.001, 1.0, "share of requests")


@dataclass(frozen=True)
class ReadyFault:
    """A fault as it is tried: its name as people read it, what is lit, and how strong."""

    kind: str
    mode: str = ""
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)
    probability: float = 1.0
    intensity: Intensity | None = None
    target: Target = field(default_factory=Target)

    @property
    def name(self) -> str:
        """Return the kind, with the mode where there are several."""
        return f"{self.kind} ({self.mode})" if self.mode else self.kind


_SCRAPES = Intensity("probability", 0.01, 1.0, "share of scrapes")
_SPANS = Intensity("probability", 0.001, 1.0, "share of spans")
_DELAY = Intensity("delay_ms", 1.0, 60_000.0, "ms")
READY: Sequence[ReadyFault] = (
    ReadyFault("error", "", {"mode": "status", "status": 500}, 0.9, _PROBABILITY),
    ReadyFault("error", "exception", {"mode": "exception"}, 0.9, _PROBABILITY),
    ReadyFault("error", "client errors", {"mode": "status", "status": 429}, 0.9, _PROBABILITY),
    ReadyFault("latency", "", {"delay_ms": 6000}, 1.0, _DELAY),
    ReadyFault(
        "latency",
        "inference",
        {"delay_ms": 6000, "stage": "model_prediction"},
        1.0,
        _DELAY,
    ),
    ReadyFault("model_load_failure", "cold", {"reason": "missing_file", "when": "cold", "retry_every_s": 15.0}),
    ReadyFault("model_load_failure", "reload", {"reason": "damaged_file", "when": "reload", "retry_every_s": 15.0}),
    ReadyFault("ood_inputs", "", {"mode": "shift", "magnitude": 8}, 1.0, _PROBABILITY),
    ReadyFault("confidence_collapse", "", {"mode": "chance"}, 1.0, _PROBABILITY),
    ReadyFault("prediction_shift", "", {"factor": 3.0}, 1.0, _PROBABILITY),
    ReadyFault("queue_saturation", "", {"share": 1.0}, 1.0, Intensity("share", 0.01, 1.0, "share of the queue")),
    ReadyFault(
        "cpu_burn",
        "",
        {"contends_for": "workers", "threads": 16, "share": 0.05},
        1.0,
        Intensity("threads", 1.0, 64.0, "threads"),
    ),
    ReadyFault(
        "memory_leak", "", {"mib_per_s": 64.0, "most_mib": 512}, 1.0, Intensity("most_mib", 1.0, 16_384.0, "MiB")
    ),
    ReadyFault("traffic_spike", "", {"factor": 5.0}, 1.0, Intensity("factor", 1.1, 1000.0, "times the traffic")),
    ReadyFault("traffic_stop", "", {"share": 1.0}, 1.0, Intensity("share", 0.01, 1.0, "share of the traffic")),
    ReadyFault("slow_scrape", "", {"delay_ms": 12_000.0}, 1.0, _DELAY),
    ReadyFault("scrape_failure", "", {"mode": "status", "status": 500}, 1.0, _SCRAPES),
    ReadyFault("scrape_failure", "empty", {"mode": "empty"}, 1.0, _SCRAPES),
    ReadyFault("trace_loss", "", {}, 1.0, _SPANS),
    ReadyFault("crash", "", {"mode": "loop"}),
    ReadyFault("hang"),
    ReadyFault("container_pause"),
    ReadyFault("container_kill"),
    ReadyFault("network_cut"),
)  # fmt: skip


def ready_faults(named: Collection[str] | None = None) -> tuple[ReadyFault, ...]:
    """Return what can be tried on a virtual clock, of ``named`` kinds or scenarios where given.

    Raises ``NothingToTry`` for a name that is neither, or is of a kind that runs live only.
    """
    able = tuple(one for one in READY if catalogue()[one.kind].clock != "live-only")
    if named is None:
        return able
    chosen: dict[str, ReadyFault] = {}
    for name in named:
        found = [one for one in able if name.strip() == one.name] if "(" in name else []
        found = found or [one for one in able if name.strip() == one.kind]
        if not found:
            live_only = name in catalogue() and catalogue()[name].clock == "live-only"
            raise NothingToTry(name, [one.name for one in able], live_only=live_only)
        chosen |= {one.name: one for one in found}
    return tuple(chosen.values())


def steady(
    for_s: float,
    *,
    seed: int = 1,
    dialect: str = "",
    metrics: frozenset[str] | None = None,
    models: Mapping[str, float] | None = None,
    rate: float = RATE,
    pace: Pace = PRODUCTION,
) -> Scenario:
    """Return ``for_s`` seconds of traffic and nothing else."""
    traffic = _traffic(rate, models)
    return Scenario(STEADY, seed, for_s, traffic=traffic, pace=pace, dialect=dialect, metrics=metrics)


def fault_scenarios(
    horizon: Horizon,
    *,
    named: Collection[str] | None = None,
    seed: int = 1,
    dialect: str = "",
    metrics: frozenset[str] | None = None,
    models: Mapping[str, float] | None = None,
    rate: float = RATE,
    pace: Pace = PRODUCTION,
) -> list[Scenario]:
    """Return a scenario for each of ``ready_faults(named)``."""
    base = Scenario(
        "",
        seed,
        horizon.calm_s,
        horizon.burn_s,
        horizon.recovery_s,
        traffic=_traffic(rate, models),
        pace=pace,
        dialect=dialect,
        metrics=metrics,
    )
    return [burning(base, one) for one in ready_faults(named)]


def burning(base: Scenario, fault: ReadyFault, *, strength: float | None = None) -> Scenario:
    """Return ``base`` with ``fault`` lit after its calm; ``strength`` takes the place of its intensity's own value."""
    parameters, probability = dict(fault.parameters), fault.probability
    if strength is not None and fault.intensity is not None:
        if fault.intensity.name == "probability":
            probability = strength
        else:
            whole = isinstance(parameters.get(fault.intensity.name), int)
            parameters[fault.intensity.name] = round(strength) if whole else strength
    drawn = random.Random(f"{base.seed}/{fault.name}").getrandbits(SEED_BITS)
    request = FaultRequest(
        kind=fault.kind,
        parameters=parameters,
        target=fault.target,
        probability=probability,
        ttl_s=base.burn_s + base.recovery_s + 1.0,
        seed=drawn,
    )
    return replace(base, name=fault.name, schedule=(Lighting(0.0, None, 0, 0, request),))


def _traffic(rate: float, models: Mapping[str, float] | None) -> TrafficSettings:
    return TrafficSettings(rate=rate) if not models else TrafficSettings(rate=rate, models=dict(models))
