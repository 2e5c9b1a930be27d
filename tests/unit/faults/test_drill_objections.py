"""Times of a drill that cannot be, held against the rules that are loaded, at the pace of the stack."""

from __future__ import annotations

import asyncio

import pytest

from faults.base import Effect, FaultKind
from faults.drills.objections import Stack, objections, warnings
from faults.drills.spec import parse_drill
from faults.drills.watch import Sight
from stack.clients.prometheus import AlertRule, PrometheusClient
from stack.pace import WORKSHOP
from tests.realprom import answering

DRILL = """\
version: 1
name: small
title: A small drill
faults:
  - {kind: error, ttl: 10m, target: {model: iris}}
expect:
  - {alert: Slow, firing_within: 20m, resolved_within: 8m}
"""
KIND = FaultKind(
    kind="error",
    title="Errors",
    summary="",
    clock="run",
    schema={"type": "object", "properties": {}, "additionalProperties": False},
    effect=Effect(promql="x", moves="up", meaning="", unit="1"),
    presets={},
)
MODELS = b"""{"status": "success", "data": {"groups": [], "resultType": "vector", "result": [
{"metric": {"model_name": "churn"}, "value": [1, "1"]}, {"metric": {"model_name": "iris"}, "value": [1, "1"]}]}}"""


def found(text: str, *, for_s: float = 40.0, window_s: float = 20.0) -> tuple[str, ...]:
    """Return what stands against a drill whose alert waits for ``for_s`` and looks back ``window_s``, as loaded."""
    rule = AlertRule("Slow", "g", "x > 1", for_s, 0.0, {}, {}, "inactive", "ok", "", 1.0, 1.0, ())
    with answering(MODELS, content_type="application/json") as prometheus:
        stack = Stack(
            [KIND],
            Sight(1.0, (rule,), (), (), None),
            {"Slow": window_s},
            WORKSHOP,
            PrometheusClient(prometheus.url),
            None,
        )
        return asyncio.run(objections(parse_drill(text), stack))


def test_a_drill_whose_times_fit_has_nothing_against_it() -> None:
    """The alert waits for 10 m of production time, which is 40 s here; the faults burn for just so long."""
    assert found(DRILL) == ()
    assert found(DRILL, for_s=60.0) == ()


def test_faults_that_end_before_the_alert_could_fire_are_refused() -> None:
    """Ten minutes and what the window keeps of them are less than the fifteen and a quarter that the rule waits for."""
    (problem,) = found(DRILL, for_s=61.0)
    assert problem.startswith("line 5: faults[0].ttl: the faults burn for 10m and Slow sees them for 15m at most")
    assert "less than the `for: 15m15s` of its rule: it cannot fire" in problem


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "within: 20m",
            "within: 9m59s",
            "line 7: expect[0].firing_within: Slow cannot fire within 9m59s, for its rule",
        ),
        (
            "model: iris",
            "model: rose",
            "line 5: faults[0].target.model: no model is named 'rose'; the service has: churn",
        ),
        ("kind: error", "kind: flood", "line 5: faults[0].kind: unknown fault kind 'flood'; known kinds: error"),
        ("alert: Slow", "alert: Quick", "line 7: expect[0].alert: Prometheus has no alert 'Quick'; loaded are: Slow"),
        ("ttl: 10m,", "ttl: 10m, parameters: {x: 1},", "line 5: faults[0].parameters: x: unknown"),
    ],
)
def test_what_is_not_there_is_named_with_its_line(old: str, new: str, says: str) -> None:
    """Kinds, parameters, models, alerts, times."""
    assert any(problem.startswith(says) for problem in found(DRILL.replace(old, new)))


def test_traffic_of_unknown_models_and_histories_out_of_reach_are_refused() -> None:
    """The line is that of the model; a conductor without a way into the storage supplies nothing."""
    text = DRILL + "traffic: {models: {rose: 1.0}}\nhistory: {covers: 1h, series: [{series: iris, value: 1}]}\n"
    models, history, *_ = found(text)
    assert models == "line 8: traffic.models.rose: no model is named 'rose'; the service has: churn, iris"
    assert history.startswith("line 9: history: it cannot be supplied here: ")


def test_a_history_that_is_too_short_for_its_alert_is_a_warning() -> None:
    """The stack's own time may make up for the rest."""
    rule = AlertRule("Slow", "g", "x > 1", 1.0, 0.0, {}, {}, "inactive", "ok", "", 1.0, 1.0, ())
    with answering(MODELS, content_type="application/json") as prometheus:
        stack = Stack(
            [KIND], Sight(1.0, (rule,), (), (), None), {"Slow": 260.0}, WORKSHOP, PrometheusClient(prometheus.url), None
        )
        drill = parse_drill(DRILL + "history: {covers: 1h, series: [{series: iris, value: 1}]}\n")
        assert asyncio.run(warnings(drill, stack)) == (
            "line 8: history.covers: 1h is less than the 1h5m that Slow looks back",
        )
