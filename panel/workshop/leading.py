"""What a workshop's leader does with one button: set the scene, and bring everything back to a clean state.

The conductor carries it out and writes it down; here it is only put together. No Streamlit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from faults.base import Target
from faults.drills.wire import ResetProof, TrafficSettings
from faults.errors import FaultError
from panel import formats
from panel.sources import ACTOR, Sources
from panel.workshop.exercise import Light
from stack.errors import StackError

PRACTICE_RULES = Path(__file__).with_name("practice.yml")


@dataclass(frozen=True)
class Preset:
    """A scene: what the traffic is, and what burns. Lights replace nothing that burns already."""

    title: str
    says: str
    traffic: TrafficSettings
    lights: tuple[Light, ...] = ()


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "calm": Preset("Calm", "5 requests a second.", TrafficSettings()),
        "busy": Preset(
            "Busy", "50 requests a second, a tenth of them strange.", TrafficSettings(rate=50, ood_share=0.1)
        ),
        "fire": Preset(
            "Everything on fire",
            "20 requests a second; slow, failing and strange at once, for two minutes at workshop pace.",
            TrafficSettings(rate=20),
            (
                Light(
                    label="slow",
                    kind="latency",
                    parameters={"distribution": "fixed", "delay_ms": 1500, "stage": "request"},
                    target=Target(endpoint="/predict*"),
                ),
                Light(label="failing", kind="error", parameters={"mode": "exception"}, probability=0.3),
                Light(label="strange", kind="ood_inputs", parameters={"mode": "shift", "magnitude": 8}),
            ),
        ),
    }
)


@dataclass(frozen=True)
class Cleaned:
    """What a reset brought: the proof of the conductor, what else was done, and what could not be."""

    proof: ResetProof | None
    done: Sequence[str]
    problems: Sequence[str]

    @property
    def clean(self) -> bool:
        """Whether everything is proven to be as at the start."""
        return self.proof is not None and self.proof.proven and not self.problems


def set_scene(sources: Sources, preset: Preset) -> str:
    """Bring about a preset; return in words what was done. Raises the conductor's errors."""
    sources.conductor.set_traffic(preset.traffic, actor=ACTOR)
    for light in preset.lights:
        sources.conductor.light(light.request(sources.pace), actor=ACTOR)
    sources.workshop.traffic.expire()
    return f"{preset.title}: {preset.says}"


def load_practice(sources: Sources) -> None:
    """Add the practice rules. Raises ``NoPractice``, ``SourceError``, ``ReadOnly``."""
    sources.allow()
    sources.workshop.practice.load(PRACTICE_RULES)


def take_practice_away(sources: Sources) -> None:
    """Take the practice rules away. Raises ``SourceError``, ``ReadOnly``."""
    sources.allow()
    sources.workshop.practice.take_away()


def clean(sources: Sources) -> Cleaned:
    """Bring everything back to how it was at the start. What fails is told, and does not stop the rest."""
    sources.allow()
    done: list[str] = []
    problems: list[str] = []
    proof: ResetProof | None = None
    sources.rounds.stop()
    try:
        proof = sources.conductor.reset(actor=ACTOR)
        done.append(f"{formats.count(len(proof.ended), 'fault')} put out; a drill under way was ended")
        problems += proof.because
    except FaultError as problem:
        problems.append(str(problem))
    try:
        settings = TrafficSettings()
        sources.conductor.set_traffic(settings, actor=ACTOR)
        done.append(f"traffic at {settings.rate:g} requests a second, none of them strange")
    except FaultError as problem:
        problems.append(str(problem))
    try:
        if sources.workshop.practice.take_away():
            done.append("practice rules taken away")
    except StackError as problem:
        problems.append(f"the practice rules are still loaded: {problem}")
    silences = sources.workshop.silences.get().value or ()
    if silences:
        done.append(
            f"{formats.count(len(silences), 'silence')} of Alertmanager left as they are: nothing here made them"
        )
    sources.workshop.traffic.expire()
    return Cleaned(proof, tuple(done), tuple(problems))
