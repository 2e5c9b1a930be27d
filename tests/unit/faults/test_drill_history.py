"""Alerts that nobody asked for: when they count against a drill, and when they look back too far to be witnesses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.drills.control import Instance
from faults.drills.episodes import Episode
from faults.drills.journal import Journal
from faults.drills.outcomes import Outcomes
from faults.drills.plan import Plan
from faults.drills.spec import parse_drill
from faults.drills.verdict import sum_up
from faults.drills.watch import Sight, Watcher
from faults.drills.wire import AlertOutcome, DrillRun
from stack.clients.alertmanager import AlertmanagerClient
from stack.clients.prometheus import AlertRule, PrometheusClient
from stack.pace import WORKSHOP

FAULT_AT = 1000.0
DRILL = """\
version: 1
name: small
title: A small drill
faults: [{kind: error, ttl: 20s}]
expect: [{alert: Errors, firing_within: 8s, resolved_within: 8s}]
allow: [Allowed]
"""
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Open a journal of its own."""
    journal = Journal(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


def rule(alert: str) -> AlertRule:
    """Return a quiet rule of that name."""
    return AlertRule(alert, "g", "x > 1", 0.0, 0.0, {}, {}, "inactive", "ok", "", FAULT_AT, 1.0, ())


def other(
    journal: Journal, *, window_s: float, calm_since: float, fired: float, last_seen: float, alert: str = "Burn"
) -> AlertOutcome:
    """Return the outcome of an alert that fired beside the expected one."""
    drill = parse_drill(DRILL)
    plan = Plan(
        drill, WORKSHOP, {"Errors": rule("Errors")}, {"Errors": 20.0, alert: window_s}, calm_since, Instance("i", 0.0)
    )
    run = DrillRun(id="r", name="small", title="t", pace="workshop", phase="fault", queued_at=900.0, fault_at=FAULT_AT)
    watcher = Watcher(PrometheusClient(NOWHERE), AlertmanagerClient(NOWHERE))
    outcomes = Outcomes(plan, run, watcher, journal)
    life = Episode(alert, frozenset({("slo", "api")}), fired - 2.0, fired - 2.0, fired - 2.0, fired, last_seen)
    asyncio.run(outcomes.update(Sight(last_seen, (rule("Errors"), rule(alert)), (life,), (), None)))
    found = run.outcomes[1]
    assert (found.alert, found.expected) == (alert, False)
    return found


def test_an_alert_whose_window_holds_this_drill_alone_counts_against_it(journal: Journal) -> None:
    """It looks back 60 s, and for 200 s nothing has burned."""
    found = other(journal, window_s=60.0, calm_since=800.0, fired=1010.0, last_seen=1012.0)
    assert (found.verdict, found.detail) == ("unexpected", "fired 10.0 s after the fault")


def test_an_alert_that_looks_back_into_an_earlier_fault_does_not(journal: Journal) -> None:
    """The same alert twenty seconds after the fault of the drill before; it fails nothing, and is told of."""
    found = other(journal, window_s=60.0, calm_since=980.0, fired=1010.0, last_seen=1012.0)
    assert found.verdict == "insufficient history"
    assert "looks back 60 s, to before the calm" in found.detail
    expected = AlertOutcome(alert="Errors", expected=True, verdict="as expected")
    assert sum_up([expected, found])[0] == "passed"


def test_an_alert_that_goes_on_when_its_window_is_clear_of_the_past_counts(journal: Journal) -> None:
    """What it sees then is this drill's doing alone."""
    found = other(journal, window_s=60.0, calm_since=980.0, fired=1010.0, last_seen=1045.0)
    assert found.verdict == "unexpected"


def test_an_allowed_alert_is_as_expected_whatever_it_sees(journal: Journal) -> None:
    """The drill's word goes before its window."""
    for calm_since in (0.0, 990.0):
        found = other(journal, window_s=60.0, calm_since=calm_since, fired=1010.0, last_seen=1012.0, alert="Allowed")
        assert (found.verdict, found.detail) == ("as expected", "allowed by the drill")
