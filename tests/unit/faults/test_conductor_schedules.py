"""Drills of several faults, with conditions that end them, without any alert, with a past: on a small stack."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.client import ConductorRefused
from faults.drills.history import Historian, lay_trigger
from faults.drills.journal import Journal
from faults.drills.parts import History
from faults.drills.wire import DrillRun, DrillStart
from stack.clients.prometheus import PrometheusClient
from stack.pace import PRODUCTION
from tests.levels import thorough
from tests.unit.faults.small_fireground import Fireground, fireground

HEAD = """\
version: 1
name: small
title: A small drill
steady_state: {within: 20s, hold: 500ms}
"""
ERRORS = "  - {kind: error, parameters: {status: 500}, ttl: 20s}\n"
RINGS = """\
expect:
  - {alert: Errors, firing_within: 8s, delivered_within: 5s, resolved_within: 8s}
allow: [ErrorsToo, Always]
"""
QUIET = "expect: []\nallow: [Always]\n"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fireground]:
    """One small stack for all of them; Prometheus has something to take away, so that it reads a history at once."""
    folder = tmp_path_factory.mktemp("ground")
    (folder / "prometheus" / "data").mkdir(parents=True)
    lay_trigger(folder / "prometheus" / "data", folder / "trigger", now=time.time())
    with fireground(folder) as running:
        yield running


def refused(ground: Fireground, text: str) -> str:
    """Return why the conductor does not start the drill in ``text``."""
    with pytest.raises(ConductorRefused) as caught:
        ground.start(text)
    assert caught.value.status == 422
    return str(caught.value)


def of_run(ground: Fireground, run: DrillRun) -> list[tuple[str, str]]:
    """Return action and subject of each line that the journal has of the drill's faults, oldest first."""
    lines = [line for line in ground.client.journal() if line.facts.get("run") == run.id]
    return [(line.action, line.subject) for line in reversed(lines)]


def test_faults_are_lit_and_put_out_as_the_schedule_says(ground: Fireground) -> None:
    """One comes twice and is put out by the drill, the next begins when it has ended, the last burns to the end."""
    steps = (
        "  - {kind: latency, name: twice, parameters: {delay_ms: 1}, ttl: 5s, lasts: 400ms,\n"
        "     repeat: {times: 2, every: 1s, jitter: 200ms}}\n"
        "  - {kind: error, after: twice, parameters: {status: 500}, ttl: 20s}\n"
    )
    run = ground.ends(ground.start(f"{HEAD}seed: 11\nfaults:\n{steps}{RINGS}"))
    assert (run.verdict, run.seed) == ("passed", 11), run.reason
    first, second, last = run.fault_ids
    assert of_run(ground, run) == [
        ("fault_lit", first),
        ("fault_put_out", first),
        ("fault_lit", second),
        ("fault_put_out", second),
        ("fault_lit", last),
        ("fault_put_out", last),
    ]
    records = {record.id: record for record in ground.client.faults()}
    assert [records[one].kind for one in run.fault_ids] == ["latency", "latency", "error"]
    assert len({records[one].seed for one in run.fault_ids}) == 3
    ended_at = records[second].ended_at
    assert ended_at is not None
    assert records[last].started_at >= ended_at
    assert "put out by someone else" not in run.reason
    again = ground.client.start_drill(
        DrillStart(text=f"{HEAD}seed: 11\nfaults:\n{steps}{RINGS}", seed=12), actor="test"
    )
    assert again.seed == 12
    ground.client.abort(again.id, actor="test")


def test_a_condition_of_the_drill_ends_it_and_says_so(ground: Fireground) -> None:
    """The fault is out, and the reason has the drill's own words and the value."""
    condition = "abort_if: [{promql: \"sum(rate(http_requests_total{status='500'}[1s])) > 0.1\", reason: too much}]\n"
    run = ground.ends(ground.start(f"{HEAD}{condition}faults:\n{ERRORS}{RINGS}"))
    assert run.verdict == "aborted"
    assert run.reason.startswith("too much: `sum(rate(http_requests_total{status='500'}[1s])) > 0.1` is ")
    assert run.fault_ids
    assert ground.burning() == []


def test_where_nothing_may_ring_silence_is_the_proof(ground: Fireground) -> None:
    """A fault that no alert minds passes after the time that was watched, and not before."""
    fault = "faults:\n  - {kind: latency, parameters: {delay_ms: 1}, ttl: 20s, lasts: 500ms}\n"
    run = ground.ends(ground.start(f"{HEAD}watch: 2s\n{fault}{QUIET}"))
    assert (run.verdict, run.reason) == ("passed", "nothing rang that may not, for 2 s from the first fault on")
    assert run.fault_at is not None
    assert run.ended_at is not None
    assert run.ended_at - run.fault_at >= 2.0


@thorough
def test_where_nothing_may_ring_an_alert_is_a_failure(ground: Fireground) -> None:
    """Also one that would have been fine in another drill; and one that rings before keeps it from starting."""
    run = ground.ends(ground.start(f"{HEAD}watch: 4s\nfaults:\n{ERRORS}{QUIET}"))
    assert run.verdict == "failed"
    assert "Errors: unexpected" in run.reason
    loud = f"{HEAD}watch: 4s\nfaults:\n{ERRORS}expect: []\n".replace("within: 20s", "within: 1s")
    run = ground.ends(ground.start(loud))
    assert (run.verdict, run.fault_at) == ("failed", None)
    assert "Always: firing before any fault, and nothing may ring in this drill" in run.reason


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("abort_if: [{promql: 'nonsense(((', reason: r}]\n", "line 5: abort_if[0].promql: "),
        ("abort_if: [{promql: up > 3 and foo_bar > 1, reason: r}]\n", "Prometheus has no metric 'foo_bar'"),
        ("abort_if: [{promql: up > 0, reason: r}]\n", "it holds already, before any fault: r: `up > 0` is 1 ("),
        ("abort_if: [{promql: rate(up), reason: r}]\n", "line 5: abort_if[0].promql: "),
        (
            "history: {covers: 1h, series: [{series: foo_bar, value: 1}]}\n",
            "line 5: history.series[0].series: Prometheus has no metric 'foo_bar', so that no rule would find it",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_anything_burns(ground: Fireground, keys: str, says: str) -> None:
    """Conditions and histories that name what is not there, or are no PromQL, with line and key."""
    assert says in refused(ground, f"{HEAD}{keys}faults:\n{ERRORS}{RINGS}")
    assert ground.burning() == []


def test_times_that_cannot_be_are_refused(ground: Fireground) -> None:
    """No alert fires sooner than its own ``for``, and the line that says so is named."""
    soon = f"{HEAD}faults:\n{ERRORS}{RINGS}".replace("firing_within: 8s", "firing_within: 400ms")
    assert "line 8: expect[0].firing_within: Errors cannot fire within 400ms, for its rule has `for: 500ms`" in refused(
        ground, soon
    )


def test_a_check_starts_nothing_and_warns(ground: Fireground) -> None:
    """What selects nothing now is told, as it may be meant."""
    condition = "abort_if: [{promql: \"up{job='none'} < 1\", reason: r}]\n"
    before = len(ground.client.runs())
    checked = ground.client.check_drill(DrillStart(text=f"{HEAD}{condition}faults:\n{ERRORS}{RINGS}"))
    assert checked.lightings == 1
    assert checked.warnings == ['line 5: abort_if[0].promql: `up{job="none"}` selects nothing now']
    assert len(ground.client.runs()) == before


PAST = {"covers": "2h", "series": [{"series": "small:requests:rate1h", "value": 0.5}]}


def older(client: PrometheusClient) -> float:
    """Return how many samples the recorded series has of more than half an hour ago."""
    found = client.query("count_over_time(small:requests:rate1h[2h] offset 30m)")
    return sum(sample.value for sample in found)


def test_a_drill_with_a_history_needs_no_uptime_and_leaves_nothing(ground: Fireground) -> None:
    """The alert looks back for an hour on a stack of a minute; afterwards the hour is gone again."""
    text = HEAD + "history: {covers: 2h, series: [{series: 'small:requests:rate1h', value: 0.5}]}\n"
    text += f"faults:\n{ERRORS}" + RINGS.replace("Errors,", "LongRead,").replace(
        "firing_within: 8s", "firing_within: 3s"
    )
    seen = ground.reaches(ground.start(text), lambda now: bool(now.fault_ids), 120.0)
    client = PrometheusClient(ground.prometheus.url)
    assert older(client) > 300
    run = ground.ends(seen)
    assert (run.verdict, run.outcomes[0].verdict) == ("failed", "missed"), run.reason
    assert older(client) == 0
    actions = [action for action, _ in of_run(ground, run)]
    assert "history_taken_away" in actions


def test_a_history_that_a_killed_conductor_left_is_taken_away(ground: Fireground, tmp_path: Path) -> None:
    """The intent in the journal says what it was; the next conductor acts on it before any other drill."""
    client = PrometheusClient(ground.prometheus.url)
    ground.stop_conductor()
    historian = Historian(client, PRODUCTION, tmp_path)
    supplied = historian.prepare(History.model_validate(PAST), "r9")
    journal = Journal(ground.home.data / "journal.sqlite")
    journal.intend("r9", "history", supplied.model_dump_json())
    historian.place(supplied, "r9")
    journal.close()
    ground.start_conductor()
    deadline = time.monotonic() + 30
    while not any(
        line.action == "history_taken_away" for line in ground.client.journal() if line.facts.get("run") == "r9"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert older(client) == 0
