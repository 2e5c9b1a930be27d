"""Is a fault really active? The sentence that says so, from what the server side counted. No Streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from faults.base import Effect, FaultRecord
from panel import formats
from panel.queries import read_value
from stack.clients.prometheus import PrometheusClient
from stack.pace import Pace

NOTICEABLE = 0.1
"""How far a value must move from where it was, as a share of it, to count as moved."""

Answer = Literal["yes", "not yet", "no hits", "unknown"]


@dataclass(frozen=True)
class Movement:
    """The value of a fault's effect just before it was lit, and now; ``None`` where Prometheus has no value."""

    before: float | None
    now: float | None


@dataclass(frozen=True)
class Proof:
    """Whether a fault is really active, and the sentence that says why."""

    answer: Answer
    sentence: str


def read_movement(prometheus: PrometheusClient, effect: Effect, pace: Pace, lit_at: float) -> Movement:
    """Ask Prometheus for the effect's value just before ``lit_at`` (Unix seconds) and now. Raises ``SourceError``."""
    return Movement(read_value(prometheus, effect.promql, pace, lit_at), read_value(prometheus, effect.promql, pace))


def moved(effect: Effect, movement: Movement) -> bool:
    """Say whether the value moved noticeably, in the direction in which the fault moves it."""
    before, now = movement.before or 0.0, movement.now
    if now is None:
        return False
    change = now - before if effect.moves == "up" else before - now
    return change > max(NOTICEABLE * abs(before), 1e-6)


def prove(record: FaultRecord, effect: Effect, movement: Movement | None, now: float) -> Proof:
    """Weigh the injections that were counted and how the effect moved; ``movement`` is ``None`` without Prometheus."""
    age = formats.span(now - record.started_at)
    if record.injections == 0:
        hint = "Is there traffic in its target?" if record.place == "service" else "It may still be at it."
        return Proof("no hits", f"Not yet: it has not acted in the {age} since it was lit. {hint}")
    hits = f"it has acted {formats.count(record.injections, 'time')}"
    if movement is None:
        return Proof("unknown", f"Counted, not measured: {hits}, but Prometheus cannot be asked what that did.")
    before = formats.quantity(movement.before, effect.unit)
    meaning = effect.meaning[:1].upper() + effect.meaning[1:]
    values = f"{meaning}: {before} → {formats.quantity(movement.now, effect.unit)}"
    if moved(effect, movement):
        return Proof("yes", f"Yes: {hits}. {values}.")
    return Proof("not yet", f"Partly: {hits}, but its effect does not show yet. {values}.")
