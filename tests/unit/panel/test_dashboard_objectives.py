"""Objectives: what is promised, what is left, how fast it goes; and that no data is never 100 %."""

from __future__ import annotations

import pytest

from panel.dashboards import promise_cards, units
from panel.dashboards.objectives import Objective, burn_alerts, promises_of
from stack.clients.prometheus import Sample
from stack.pace import PRODUCTION, WORKSHOP

FAST, MEDIUM, SLOW = burn_alerts()


def objective(**values: float) -> Objective:
    """Return the objective of requests that succeed, with the recorded series of these names."""
    names = {
        "compliance": "job_slo:compliance:ratio_rate30d",
        "left": "job_slo:error_budget_left:ratio_rate30d",
        "left_events": "job_slo:error_budget_left:increase30d",
        "hours": "job_slo:error_budget_exhaustion:hours",
    }
    labels = {"slo": "api_success_rate", "job": "firedrill"}
    samples = [Sample({"__name__": "slo:objective:ratio", "slo": "api_success_rate"}, 0.0, 0.99)]
    for name, value in values.items():
        burn = name.removeprefix("burn_")
        known = names.get(name, f"job_slo:error_budget_burn:ratio_rate{burn}" if burn != name else f"job_slo:{name}")
        samples.append(Sample({"__name__": known, **labels}, 0.0, value))
    (one,) = promises_of(samples).objectives
    return one


def test_the_alerts_on_burn_rates_are_those_of_the_rules() -> None:
    """Factors, windows and times come from the shipped rule file."""
    assert [(each.factor, each.long, each.short, each.for_s) for each in (FAST, MEDIUM, SLOW)] == [
        (14.4, "1h", "5m", 120.0),
        (6.0, "6h", "30m", 900.0),
        (1.0, "3d", "6h", 3600.0),
    ]


def test_no_data_is_said_as_such_everywhere() -> None:
    """Without an event there is no compliance, no budget, no burn rate, and no alert that could be called quiet."""
    nothing = objective()
    assert nothing.state == "no data"
    assert promise_cards.alert_state(nothing, FAST) == "no data"
    said = promise_cards.card(nothing, burn_alerts(), WORKSHOP)
    assert said.count("no data") >= 8
    assert "100\u00a0%" not in said
    assert "99\u00a0% of all prediction requests" in said


def test_a_share_just_below_all_is_not_rounded_up() -> None:
    """99.9999 % is not 100 %."""
    assert "99.99\u00a0%" in promise_cards.card(objective(compliance=0.999999), (), PRODUCTION)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"burn_1h": 2.0, "burn_5m": 2.0}, "quiet"),
        ({"burn_1h": 20.0, "burn_5m": 20.0, "evidence:bool1h": 0.0}, "short"),
        ({"burn_1h": 20.0, "burn_5m": 20.0, "evidence:bool1h": 1.0}, "quiet"),
        ({"burn_1h": 20.0}, "no data"),
    ],
)
def test_what_an_alert_says_of_an_objective(values: dict[str, float], expected: str) -> None:
    """Quiet, too little seen to go by, or no data; firing and pending come from Prometheus itself."""
    assert promise_cards.alert_state(objective(**values), FAST) == expected


def test_an_alert_that_fires_for_one_objective_is_not_said_of_another() -> None:
    """The state stands with the objective that the alert's labels name, firing before pending."""
    labels = {"__name__": "ALERTS", "alertname": FAST.name, "slo": "a"}
    samples = [Sample({"__name__": "slo:objective:ratio", "slo": name}, 0.0, 0.9) for name in "ab"]
    samples += [Sample({**labels, "alertstate": state}, 0.0, 1.0) for state in ("firing", "pending")]
    one, other = promises_of(samples).objectives
    assert (promise_cards.alert_state(one, FAST), promise_cards.alert_state(other, FAST)) == ("firing", "no data")


def test_the_budget_and_its_end_are_told_in_events_and_in_time() -> None:
    """Overspent is said; hours of production time are also told as they pass here."""
    spent = objective(compliance=0.97, left=-2.0, left_events=-40.0, hours=0.0, burn_1h=20.0)
    said = promise_cards.card(spent, burn_alerts(), WORKSHOP)
    assert spent.state == "broken"
    assert "overspent" in said
    assert f"{units.MINUS}40 requests" in said
    assert "spent" in promise_cards.exhaustion(spent, WORKSHOP)[0]
    assert promise_cards.exhaustion(objective(left=0.5, hours=30.0), WORKSHOP) == (
        "in 1.25\u00a0d",
        "at the last hour's rate, 2\u00a0h 00\u00a0min here",
    )
    assert promise_cards.exhaustion(objective(left=0.5), PRODUCTION)[0] == "not in sight"
