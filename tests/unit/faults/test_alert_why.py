"""Why an alert has not fired, or has reached nobody: asked of a real Prometheus and a real Alertmanager."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml

from faults.base import FaultRequest
from faults.drills.condition import comparisons
from faults.drills.reasons import Why
from faults.drills.why import crosses_in_s, slope_per_s, trend
from stack.clients.prometheus import Series
from tests.levels import thorough
from tests.unit.faults.small_fireground import Fireground, fireground

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("prometheus")]

MORE = {
    "NoMetric": 'sum(rate(http_request_total{job="firedrill"}[1s])) > 1',
    "WrongJob": 'http_requests_total{job="firedril", status="200"} > 1e9',
    "NoMatch": "http_requests_total{status='200'} + on (status) http_requests_total{status='500'} > 1",
    "Young": 'http_requests_total{job="firedrill"} - http_requests_total{job="firedrill"} offset 10d > 1',
    "Rising": 'http_requests_total{job="firedrill", status="200"} > 1e6',
    "Doubled": "up + on () group_left () up > 0",
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fireground]:
    """One small stack with a few more rules, whose alerts can be silenced, inhibited and sent elsewhere."""
    folder = tmp_path_factory.mktemp("ground")
    with ExitStack() as parts:
        running = parts.enter_context(fireground(folder))
        rules = folder / "rules.yml"
        known = yaml.safe_load(rules.read_text(encoding="utf-8"))
        known["groups"][0]["rules"] += [{"alert": name, "expr": expr} for name, expr in MORE.items()]
        rules.write_text(yaml.safe_dump(known), encoding="utf-8")
        httpx.post(f"{running.prometheus.url}/-/reload", trust_env=False).raise_for_status()
        reaches(running, "Rising", lambda found: found.reason == "not true")
        yield running


def reaches(ground: Fireground, alert: str, check: Callable[[Why], bool], timeout_s: float = 20.0) -> Why:
    """Return the answer as soon as ``check`` holds for it."""
    deadline = time.monotonic() + timeout_s
    while not check(found := ground.client.why(alert)):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_an_alert_that_is_not_loaded_names_what_is_like_it(ground: Fireground) -> None:
    """A slip of the pen is found; what is like nothing gets the whole list."""
    found = ground.client.why("errors")
    assert (found.reason, found.similar[0]) == ("not loaded", "Errors")
    assert "did you mean Errors" in found.sentence
    assert "loaded: " in ground.client.why("Zebra/crossing?").details[0]


def test_a_metric_that_is_not_there_is_told_from_a_label_that_matches_nothing(ground: Fireground) -> None:
    """The one has similar names, the other the matcher that rules everything out."""
    gone = ground.client.why("NoMetric")
    assert (gone.reason, gone.selectors[0].series) == ("no series", 0)
    assert "there is no metric http_request_total; similar names: http_requests_total" in gone.selectors[0].finding
    wrong = ground.client.why("WrongJob")
    assert wrong.reason == "no series"
    assert wrong.selectors[0].finding == 'http_requests_total has series, but none with job="firedril"'


def test_two_sides_that_do_not_match_are_said_to_be_that(ground: Fireground) -> None:
    """Each selector has series, and still there is no result."""
    found = ground.client.why("NoMatch")
    assert (found.reason, [one.series > 0 for one in found.selectors]) == ("no series", [True, True])
    assert any("the labels of its two sides do not match" in detail for detail in found.details)


def test_a_rule_that_looks_back_to_before_the_beginning_says_so(ground: Fireground) -> None:
    """Ten days, of which there are some seconds."""
    found = ground.client.why("Young")
    assert found.reason == "no series"
    assert any(detail.startswith("it looks back 864000 s in all") for detail in found.details), found.details


def test_a_rule_that_cannot_be_evaluated_says_so(ground: Fireground) -> None:
    """Prometheus's own words."""
    found = reaches(ground, "Doubled", lambda found: found.reason == "not evaluated")
    assert "many-to-many matching not allowed" in found.sentence or "duplicate series" in found.sentence


def test_a_value_is_shown_beside_its_threshold_with_its_trend(ground: Fireground) -> None:
    """What rises gets there some day; what lies still never does."""
    rising = reaches(ground, "Rising", lambda found: (found.trends[0].slope_per_s or 0.0) > 1.0)
    (towards,) = rising.trends
    assert towards.value is not None
    assert towards.slope_per_s is not None
    assert not towards.holds
    assert towards.crosses_in_s == pytest.approx((1e6 - towards.value) / towards.slope_per_s)
    assert [time for time, _ in towards.points] == sorted(time for time, _ in towards.points)
    (still,) = ground.client.why("Never").trends
    assert (still.value, still.crosses_in_s, still.slope_per_s) == (1.0, None, 0.0)


def test_from_the_fault_to_the_webhook_every_stop_is_named(ground: Fireground) -> None:
    """Not true, pending for so long, silenced by someone for so long, delivered, resolved."""
    assert ground.client.why("Errors").reason in {"not true", "no series"}
    ends = datetime.fromtimestamp(time.time() + 60, UTC).isoformat()
    silence = {
        "matchers": [{"name": "alertname", "value": "Errors", "isRegex": False, "isEqual": True}],
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": ends,
        "createdBy": "somebody",
        "comment": "lunch",
    }
    silences = f"{ground.alertmanager.url}/api/v2/silences"
    made = httpx.post(silences, json=silence, trust_env=False).raise_for_status().json()["silenceID"]
    fault = FaultRequest(kind="error", parameters={"status": 500}, ttl_s=60)
    record = ground.client.light(fault, actor="test")
    pending = reaches(ground, "Errors", lambda found: found.reason in {"pending", "not sent", "silenced"})
    if pending.reason == "pending":  # it is so for half a second
        assert pending.due_at is not None
        assert pending.for_s == 0.5
        assert "due to fire in" in pending.sentence
    hushed = reaches(ground, "Errors", lambda found: found.reason == "silenced")
    assert hushed.sentence.startswith("firing; silenced by somebody for ")
    assert hushed.details[0] == f'silence {made}: alertname="Errors" (lunch)'
    board = next(one for one in ground.client.alerts() if one.alert == "Errors")
    assert board.waits_for.startswith("firing; silenced by somebody for ")
    httpx.delete(f"{ground.alertmanager.url}/api/v2/silence/{made}", trust_env=False).raise_for_status()
    reaches(ground, "Errors", lambda found: found.reason == "delivered")
    ground.client.put_out(record.id, actor="test")
    reaches(ground, "Errors", lambda found: found.reason in {"resolved", "not true"})


def configured(ground: Fireground, **changes: object) -> None:
    """Give Alertmanager its configuration with changes."""
    path = ground.home.root.parent / "alertmanager" / "alertmanager.yml"
    known = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**known, **changes}), encoding="utf-8")
    httpx.post(f"{ground.alertmanager.url}/-/reload", trust_env=False).raise_for_status()


@thorough
def test_an_inhibited_alert_names_the_one_that_keeps_it_quiet_and_a_wrong_route_its_receiver(tmp_path: Path) -> None:
    """Alertmanager's word, and its configuration's."""
    with fireground(tmp_path) as ground:
        path = tmp_path / "alertmanager" / "alertmanager.yml"
        known = yaml.safe_load(path.read_text(encoding="utf-8"))
        elsewhere = {"receiver": "nobody", "matchers": ['alertname="ErrorsToo"']}
        rule = {"source_matchers": ['alertname="Always"'], "target_matchers": ['alertname="Errors"']}
        configured(
            ground,
            inhibit_rules=[rule],
            route={**known["route"], "routes": [elsewhere]},
            receivers=[*known["receivers"], {"name": "nobody"}],
        )
        ground.client.light(FaultRequest(kind="error", parameters={"status": 500}, ttl_s=60), actor="test")
        quiet = reaches(ground, "Errors", lambda found: found.reason == "inhibited")
        assert quiet.sentence == "firing; inhibited by Always"
        lost = reaches(ground, "ErrorsToo", lambda found: found.reason == "not routed")
        assert lost.sentence == "firing; Alertmanager tells nobody of it, and not the webhook"
        assert lost.details == [
            'the route to nobody: alertname="ErrorsToo"',
            "receivers with Firedrill's webhook: test",
        ]
        ground.alertmanager.process.kill()
        assert "Alertmanager is unreachable" in reaches(ground, "Errors", lambda f: f.reason == "unreachable").sentence
        ground.prometheus.process.kill()
        gone = reaches(ground, "Errors", lambda found: "Prometheus is unreachable" in found.sentence)
        assert gone.reason == "unreachable"


def test_the_nearest_series_counts_and_a_stale_one_does_not() -> None:
    """Of several the one closest to the threshold, and none that has ended."""
    (comparison,) = comparisons("a > 10")
    low, high = (
        Series({"s": "low"}, ((8.0, 1.0), (9.0, 1.0), (10.0, 2.0))),
        Series({"s": "high"}, ((9.0, 4.0), (10.0, 6.0))),
    )
    ended = Series({"s": "ended"}, ((5.0, 99.0),))
    found = trend(comparison, [low, high, ended], 10.0, 1.0)
    assert (found.labels, found.value, found.slope_per_s) == ({"s": "high"}, 6.0, None)
    assert trend(comparison, [ended], 10.0, 1.0).value is None
    assert trend(comparison, [low, ended], 10.0, 1.0).labels == {"s": "low"}


def test_a_line_says_when_it_crosses_or_that_it_does_not() -> None:
    """Upwards, downwards, away from it, level, and in a year."""
    assert slope_per_s([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) == pytest.approx(2.0)
    assert slope_per_s([(0.0, 1.0), (1.0, 3.0)]) is None
    (above,), (below,) = comparisons("a > 10"), comparisons("a < 10")
    assert crosses_in_s(above, 6.0, 2.0) == 2.0
    assert crosses_in_s(below, 16.0, -3.0) == 2.0
    assert [crosses_in_s(above, 6.0, slope) for slope in (-1.0, 0.0, 1e-9)] == [None, None, None]
