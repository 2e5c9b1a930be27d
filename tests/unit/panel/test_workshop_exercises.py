"""The tour's exercises as data: everything that they name exists, and the documentation tells the same."""

from __future__ import annotations

from pathlib import Path

import pytest

import faults.kinds
from faults.base import Fault, catalogue
from panel.queries import SIGNALS
from panel.workshop import sheet
from panel.workshop.exercise import (
    LEAST_TTL_S,
    AlertReached,
    AlertSilent,
    Clean,
    Exercise,
    Light,
    Loaded,
    SignalKept,
    SignalSeen,
    exercises,
    latest,
)
from panel.workshop.leading import PRACTICE_RULES, PRESETS
from stack.configuration import RULES_DIR
from stack.pace import PRODUCTION, WORKSHOP
from stack.rules.read import load_rules
from stack.rules.scale import scale_rules

ROOT = Path(faults.kinds.__file__).parents[2]
SHIPPED = {rule.name for path in RULES_DIR.glob("*.yml") for rule in load_rules(path).alerts}
PRACTISED = {rule.name for rule in load_rules(PRACTICE_RULES).alerts}
LIGHTS = [light for exercise in exercises() for light in exercise.lights.values()]
LIGHTS += [light for preset in PRESETS.values() for light in preset.lights]


def _alerts(exercise: Exercise) -> set[str]:
    named: set[str] = set()
    for seen in exercise.seen:
        if isinstance(seen, AlertReached | AlertSilent):
            named.add(seen.alert)
        elif isinstance(seen, Clean | Loaded):
            named.update(seen.alerts)
    return named


@pytest.mark.parametrize("light", LIGHTS, ids=lambda light: f"{light.kind} {light.label}")
def test_every_fault_of_the_tour_can_be_lit(light: Light) -> None:
    """Kind and parameters are of the catalogue, and a fault burns long enough to be read about at either pace."""
    kind: type[Fault] = catalogue()[light.kind]  # type: ignore[type-arg]
    kind.parameters_type.model_validate(light.parameters)
    assert light.request(WORKSHOP).ttl_s >= LEAST_TTL_S
    assert light.request(PRODUCTION).ttl_s == light.ttl_s


@pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.title)
def test_everything_that_an_exercise_names_exists(exercise: Exercise) -> None:
    """Alerts, signals and lights; and each exercise ends with a clean stack."""
    assert _alerts(exercise) <= SHIPPED | PRACTISED
    signals = {signal.key for signal in SIGNALS}
    assert {seen.signal for seen in exercise.seen if isinstance(seen, SignalSeen | SignalKept)} <= signals
    assert all(seen.of in {"", *exercise.lights} for seen in exercise.seen)
    assert any(isinstance(seen, Clean) for seen in exercise.seen)


def test_the_exercises_are_six_and_count_up() -> None:
    """Their numbers are what stands in the address."""
    assert [exercise.number for exercise in exercises()] == [1, 2, 3, 4, 5, 6]


def test_the_documentation_tells_the_same_exercises() -> None:
    """docs/workshop.md has the exercises word for word; ``python -m panel.workshop.sheet`` prints them."""
    assert sheet.markdown(exercises()).strip() in (ROOT / "docs/workshop.md").read_text(encoding="utf-8")


def test_the_practice_rules_go_at_workshop_pace() -> None:
    """They are scaled like the shipped ones when they are loaded, the one that waits for hours too."""
    scaled = {rule.name: rule for rule in scale_rules(load_rules(PRACTICE_RULES), WORKSHOP.factor).alerts}
    assert scaled["PracticeErrorsByPatience"].for_s == pytest.approx(1200.0)
    assert not PRACTISED & SHIPPED


def test_the_newest_lighting_counts_whoever_lit_it() -> None:
    """A fault of the same kind with other parameters or an older one is not taken for the exercise's."""
    from canned_stack import fault  # noqa: PLC0415 - beside the other tests of the panel

    light = exercises()[3].lights["cold"]
    record = fault("a", "model_load_failure", 100.0, 60.0)
    fitting = record.model_copy(update={"parameters": {"reason": "missing_file", "when": "cold", "retry_every_s": 2}})
    newer = fitting.model_copy(update={"id": "b", "started_at": 200.0, "ends_at": 260.0})
    assert latest(light, [record, fitting, newer], 0.0) == newer
    assert latest(light, [record], 0.0) is None
    assert latest(light, [fitting], 150.0) is None
    again = fitting.model_copy(update={"id": "again", "started_at": fitting.started_at + 1.0})
    assert latest(light, [again, fitting], 0.0) == fitting, "lit twice at once, the first of them acts"
