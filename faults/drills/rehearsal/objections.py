"""What stands against a drill on a virtual clock: kinds, parameters, alerts, models that are not there. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterator

import faults.kinds  # noqa: F401 - the catalogue
from faults.base import catalogue
from faults.drills.parameters import parameter_problems
from faults.drills.rehearsal.ground import Ground
from faults.drills.spec import Drill
from faults.drills.wire import TrafficSettings
from stack.errors import StackError
from stack.rules.reach import longest_window_s
from stack.rules.scale import scale_expr


def objections(drill: Drill, ground: Ground) -> tuple[str, ...]:
    """Return every reason why ``drill`` cannot run on ``ground``, with the line of its file."""
    return (*_about_faults(drill), *_about_alerts(drill, ground), *_about_aborting(drill, ground))


def _about_faults(drill: Drill) -> Iterator[str]:
    known = catalogue()
    for index, step in enumerate(drill.faults):
        kind = known.get(step.kind)
        if kind is None:
            where = drill.where("faults", index, "kind")
            yield f"{where}unknown fault kind {step.kind!r}; known kinds: {', '.join(sorted(known))}"
            continue
        for problem in parameter_problems(kind.parameters_type.model_json_schema(), step.parameters):
            yield f"{drill.where('faults', index, 'parameters')}{problem}"
        served = (drill.traffic or TrafficSettings()).models
        model = step.target.model
        if model is not None and model not in served:
            where = drill.where("faults", index, "target", "model")
            yield f"{where}no traffic goes to {model!r}; it goes to: {', '.join(sorted(served))}"


def _about_alerts(drill: Drill, ground: Ground) -> Iterator[str]:
    names = sorted({rule.name for rule in ground.rules})
    for index, expectation in enumerate(drill.expect):
        where = drill.where("expect", index, "alert")
        rules = ground.named(expectation.alert)
        if not rules:
            yield f"{where}there is no alert {expectation.alert!r}; there are: {', '.join(names)}"
        for rule in rules:
            try:
                longest_window_s(rule.expr, ground.recordings)
            except StackError as error:
                yield f"{where}how far back it looks cannot be said: {error}"
    for index, alert in enumerate(drill.allow):
        if alert not in names:
            yield f"{drill.where('allow', index)}there is no alert {alert!r}"


def _about_aborting(drill: Drill, ground: Ground) -> Iterator[str]:
    for index, condition in enumerate(drill.abort_if):
        try:
            scale_expr(condition.promql, ground.pace.factor)
        except StackError as error:
            yield f"{drill.where('abort_if', index, 'promql')}{error}"
