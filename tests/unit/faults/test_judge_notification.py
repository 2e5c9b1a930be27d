"""What Alertmanager would tell of the lives of alerts, from its configuration."""

from __future__ import annotations

import pytest

from faults.drills.judge.judgement import AlertLife
from faults.drills.judge.notification import Moment, Told, routes_of, told_of
from stack.clients.routing import Routing, read_routing

_TEXT = """
route:
  receiver: all
  group_by: [alertname]
  group_wait: 30s
  group_interval: 5m
  routes:
    - {matchers: ['severity="critical"', 'team=~"ml|ops"'], receiver: pager, group_wait: 10s, continue: true}
    - {matchers: ['severity!~"info|debug"', team!=web], receiver: chat, group_by: [team]}
    - {match: {severity: info}, receiver: nobody}
receivers: [{name: all}, {name: pager}, {name: chat}, {name: nobody}]
"""


@pytest.fixture(scope="module")
def routing() -> Routing:
    """Return a tree of routes as people have them."""
    return read_routing(_TEXT, "a test")


def _life(fired_at: float, ended_at: float | None, **labels: str) -> AlertLife:
    return AlertLife(tuple(sorted({"team": "web", **labels}.items())), fired_at - 60, fired_at, ended_at)


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"severity": "critical", "team": "ml"}, ["pager", "chat"]),
        ({"severity": "critical", "team": "web"}, ["all"]),
        ({"severity": "warning"}, ["chat"]),
        ({"severity": "info", "team": "ml"}, ["nobody"]),
        ({"severity": "debug"}, ["all"]),
    ],
)
def test_an_alert_takes_the_first_route_that_matches_and_goes_on_where_it_says_so(
    routing: Routing, labels: dict[str, str], receivers: list[str]
) -> None:
    """Matchers with and without quotes, old and new, with their four operators, and ``continue``."""
    assert [route.receiver for route in routes_of(labels, routing.root)] == receivers


def _told(routing: Routing, *lives: AlertLife, alert: str = "A") -> tuple[Told, ...]:
    return told_of([(alert, life) for life in lives], routing)


def test_the_first_of_a_group_is_told_after_group_wait_and_its_end_at_the_next_flush(routing: Routing) -> None:
    """Fired at 1000: told at 1030, flushed every 300 s from there."""
    (told,) = _told(routing, _life(1000.0, 1400.0))
    assert (told.firing, told.resolution) == (Moment(1030.0, 1030.0), Moment(1630.0, 1630.0))
    assert told.route.receiver == "all"
    assert not told.why


def test_what_fired_and_ended_before_the_flush_is_not_told(routing: Routing) -> None:
    """Nothing is sent of an alert that Alertmanager knows only as resolved."""
    (told,) = _told(routing, _life(1000.0, 1020.0))
    assert (told.firing, told.resolution) == (None, None)
    assert "over before its group is flushed (20 s of firing" in told.why


def test_one_that_joins_a_known_group_waits_for_the_next_flush(routing: Routing) -> None:
    """The second instance of an alert is in the same group: up to ``group_interval`` later."""
    first, second, third = _told(
        routing, _life(1000.0, None, pod="a"), _life(1010.0, None, pod="b"), _life(1040.0, 1300.0, pod="c")
    )
    assert first.firing == second.firing == Moment(1030.0, 1030.0)
    assert third.firing is None  # over at 1300, flushed at 1330
    assert first.resolution is None


def test_alerts_of_other_names_are_other_groups_unless_grouped_by_something_else(routing: Routing) -> None:
    """Route ``chat`` groups by team: there the second alert finds the group of the first."""
    lives = [("A", _life(1000.0, None, team="ml", severity="warning"))]
    lives += [("B", _life(1100.0, None, team="ml", severity="warning"))]
    assert [one.firing for one in told_of(lives, routing)] == [Moment(1030.0, 1030.0), Moment(1330.0, 1330.0)]
    apart = [("A", _life(1000.0, None)), ("B", _life(1100.0, None))]
    assert [one.firing for one in told_of(apart, routing)] == [Moment(1030.0, 1030.0), Moment(1130.0, 1130.0)]


def test_what_comes_while_the_empty_group_may_still_be_there_has_a_range(routing: Routing) -> None:
    """Told as over at 1330, fired again at 1345: a new group tells at 1375, the old one at 1630."""
    first, again, later = _told(routing, _life(1000.0, 1200.0), _life(1345.0, 2000.0), _life(5000.0, None))
    assert first.resolution == Moment(1330.0, 1330.0)
    assert again.firing == Moment(1375.0, 1630.0)
    assert again.resolution == Moment(2230.0, 2275.0)
    assert later.firing == Moment(5030.0, 5030.0)


def test_a_flapping_alert_stays_affordable_and_a_pending_one_is_never_told(routing: Routing) -> None:
    """Two hundred lives that each may find a group or not; and one that never fired."""
    flaps = [_life(1000.0 + 320.0 * index, 1290.0 + 320.0 * index) for index in range(200)]
    told = _told(routing, *flaps, AlertLife((), 900.0, None, 950.0))
    assert len(told) == 200
    assert all(one.firing is None or one.firing.earliest >= one.life.fired_at for one in told)  # type: ignore[operator]
