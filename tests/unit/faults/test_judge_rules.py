"""What the judge makes of rules: phases, intervals, recordings, windows, the time, labels, errors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from faults.drills.judge.judge import Judge
from faults.drills.judge.judgement import AlertCourse, Judgement
from stack.blocks import PastSeries
from tests.unit.faults.judged_series import promtool_passes, recording, rules_of

DAY_S = 86400.0


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """Yield a judge for all tests of this module."""
    with Judge.started(query_timeout_s=3.0) as started:
        yield started


def _only(judged: Judgement, alert: str = "A", phase: int = 0) -> AlertCourse:
    return next(one for one in judged.phases[phase].alerts if one.ref.alert == alert)


def _spans(course: AlertCourse) -> list[tuple[float, float | None, float | None]]:
    assert course.error == ""
    return [(life.active_at, life.fired_at, life.ended_at) for life in course.lives]


def test_every_scraper_meets_every_phase_of_the_evaluations(judge: Judge) -> None:
    """Three scrapers and two phases are six entries; the detection is a range over them."""
    rules = rules_of("groups: [{name: g, rules: [{alert: A, expr: m > 1, for: 30s, labels: {team: ml}}]}]")
    judged = judge.judge(recording({"m": "0x9 5x9 0x9"}, lasts_s=420, phases=(0.0, 5.0, 10.0)), [rules])
    assert [(one.scrape_phase_s, one.evaluation_phase_s) for one in judged.phases] == [
        (scrape, evaluation) for scrape in (0.0, 5.0, 10.0) for evaluation in (0.0, 7.5)
    ]
    fired = [_spans(one.alerts[0])[0] for one in judged.phases]
    assert fired[0] == (150.0, 180.0, 300.0)
    assert fired[1] == (157.5, 187.5, 307.5)
    assert fired[2] == (165.0, 195.0, 315.0)  # scraped at 155
    assert fired[3] == (157.5, 187.5, 307.5)
    assert _only(judged).lives[0].labels == (("team", "ml"),)
    assert (judged.phases[0].alerts[0].ref.group, judged.phases[0].alerts[0].interval_s) == ("g", 15.0)


def test_each_group_is_evaluated_at_its_own_interval(judge: Judge) -> None:
    """A group of a minute sees less often than one of ten seconds, and its phases are parts of its own interval."""
    rules = rules_of(
        """
groups:
  - {name: slow, interval: 1m, rules: [{alert: A, expr: m > 1, for: 70s}]}
  - {name: fast, interval: 10s, rules: [{alert: B, expr: m > 1, for: 15s}]}
"""
    )
    judged = judge.judge(recording({"m": "0x4 5x40"}, lasts_s=600), [rules])
    assert _spans(_only(judged, "A")) == [(120.0, 240.0, None)]
    assert _spans(_only(judged, "A", 1)) == [(90.0, 210.0, None)]
    assert _spans(_only(judged, "B")) == [(80.0, 100.0, None)]
    assert _spans(_only(judged, "B", 1)) == [(75.0, 95.0, None)]


def test_the_values_of_a_comparison_stand_beside_its_threshold(judge: Judge) -> None:
    """Every evaluation has the left side, also where the alert is silent."""
    rules = rules_of("groups: [{name: g, rules: [{alert: A, expr: 'sum by (job) (m) > 4 and up == 1'}]}]")
    judged = judge.judge(recording({'m{job="x"}': "0+1x9", 'up{job="x"}': "1x9"}, lasts_s=120), [rules])
    over, up = _only(judged).sides
    assert (over.comparison.left, over.comparison.operator, over.comparison.right) == ("sum by (job) (m)", ">", 4.0)
    assert [dict(one.labels) for one in over.series] == [{"job": "x"}]
    assert over.series[0].points[:3] == ((0.0, 0.0), (15.0, 1.0), (30.0, 2.0))
    assert {value for one in up.series for _, value in one.points} == {1.0}
    bare = judge.judge(recording({'m{job="x"}': "0+1x9"}, lasts_s=120), [rules], sides=False)
    assert _only(bare).sides == ()


def test_recordings_of_other_groups_and_files_are_read_whatever_their_order(judge: Judge) -> None:
    """A chain of three recordings over two files, the last of them first; what nobody reads is not evaluated."""
    reads = rules_of(
        "groups: [{name: a, rules: [{alert: A, expr: 'c > 3'}]}, {name: b, rules: [{record: c, expr: b + 1}]}]"
    )
    records = rules_of(
        """
groups:
  - name: c
    rules: [{record: b, expr: a + 1, labels: {kind: sum}}, {record: unread, expr: 'a ++ ++ b'}]
  - {name: d, rules: [{record: a, expr: sum without (pod) (m)}]}
""",
        "more.yml",
    )
    series = {'m{pod="x"}': "0 1 2 2 1 stale", 'm{pod="y"}': "0 0 0 0 0 0"}
    judged = judge.judge(recording(series, lasts_s=120), [reads, records], evaluation_phases=1)
    assert _spans(_only(judged)) == [(30.0, 30.0, 60.0)]
    assert _only(judged).lives[0].labels == (("kind", "sum"),)
    assert judged.notes == ()


def test_a_series_that_a_recording_loses_is_gone_at_once(judge: Judge) -> None:
    """The recording ends in a stale marker, and is not looked back for five minutes on."""
    rules = rules_of("groups: [{name: g, rules: [{record: r, expr: m > 1}, {alert: A, expr: r}]}]")
    judged = judge.judge(recording({"m": "5 5 0 5 5 0 0 0 0"}, lasts_s=120), [rules], evaluation_phases=1)
    assert _spans(_only(judged)) == [(0.0, 0.0, 30.0), (45.0, 45.0, 75.0)]


_CIRCLES = {
    "reads what follows": "{alert: A, expr: r > 1, for: 20s}, {record: r, expr: m}",
    "reads itself": "{record: r, expr: 'm + (r or m * 0)'}, {alert: A, expr: r > 12}",
    "alert of an alert": """{alert: B, expr: m > 1, for: 25s},
        {alert: A, expr: 'count(ALERTS{alertname="B", alertstate="firing"}) > 0'}""",
    "alert of a later one": """{alert: A, expr: 'count(ALERTS{alertname="B"}) > 0'},
        {alert: B, expr: m > 1, for: 25s}""",
    "alert of itself": """{alert: A, for: 15s,
        expr: 'm > 1 or on () count(ALERTS{alertname="A"}) > 0 and on () m > 0'}""",
    "since": "{alert: B, expr: m > 1, for: 1m}, {alert: A, expr: 'time() - ALERTS_FOR_STATE > 31'}",
}


@pytest.mark.parametrize("rules", _CIRCLES.values(), ids=_CIRCLES)
def test_rules_that_read_each_other_are_evaluated_as_promtool_does(judge: Judge, rules: str, tmp_path: Path) -> None:
    """Order within a group counts: a rule sees what a later one recorded at the evaluation before."""
    series = {"m": "0 0 5 5 5 0 1 5 5 5 5 1 0 0 0 stale"}
    file = rules_of(f"groups: [{{name: g, rules: [{rules}]}}]")
    judged = judge.judge(recording(series, lasts_s=240), [file], evaluation_phases=1)
    assert _spans(_only(judged))
    promtool_passes(tmp_path, file, series, judged, interval_s=15.0, lasts_s=240)


def test_what_a_rule_says_of_the_time_holds_for_the_time_of_the_recording(judge: Judge, tmp_path: Path) -> None:
    """`time()`, `timestamp()`, the calendar and subqueries, though the judge writes its samples years off."""
    rules = rules_of(
        """
groups:
  - name: g
    rules:
      - {alert: A, expr: time() - m > 100}
      - {alert: B, expr: 'hour() == 0 and on () minute(vector(time())) >= 2 and on () timestamp(m) > 150'}
      - {alert: C, expr: 'year() == 1970 and day_of_week() == 4 and on () max_over_time(timestamp(m)[45s:15s]) > 60'}
      - {alert: D, expr: 'm offset 30s @ end() > 0 and m > 0 and m @ 320 > 0 unless m @ 30.000 > 0'}
"""
    )
    series = {"m": "0x20 60x20"}
    judged = judge.judge(recording(series, lasts_s=480), [rules], evaluation_phases=1)
    assert _spans(_only(judged)) == [(105.0, 105.0, None)]
    assert all(_spans(_only(judged, alert)) for alert in "BCD")
    promtool_passes(tmp_path, rules, series, judged, interval_s=15.0, lasts_s=480)


def test_windows_of_days_see_the_past_that_is_given_and_no_other_world(judge: Judge) -> None:
    """An average of three days over a synthetic past; the same without it, judged afterwards, starts from nothing."""
    rules = rules_of(
        "groups: [{name: g, rules: [{record: r, expr: 'avg_over_time(m[3d])'}, {alert: A, expr: r > 0.5, for: 1m}]}]"
    )
    recorded = recording({"m": "1x40"}, lasts_s=600, started_at=1.7e9 // 15 * 15)
    begin = recorded.started_at - 3 * DAY_S
    past = [PastSeries({"__name__": "m"}, [(begin + 900.0 * index, 0.0) for index in range(300)])]
    late = judge.judge(recorded, [rules], past=past, sides=True)
    assert [one.lives for one in (late.phases[0].alerts[0], late.phases[1].alerts[0])] == [(), ()]
    value = late.phases[0].alerts[0].sides[0].series[0].points[-1][1]
    assert value == pytest.approx(41 / (41 + 288), abs=0.02)
    now = judge.judge(recorded, [rules])
    life = now.phases[0].alerts[0].lives[0]
    assert (life.active_at, life.fired_at) == (recorded.started_at, recorded.started_at + 60)


def test_labels_that_hold_the_value_make_a_new_alert_at_each_value(judge: Judge, tmp_path: Path) -> None:
    """The usual mistake: such an alert never comes to fire after its `for`; without one it fires anew each time."""
    rules = rules_of(
        """
groups:
  - name: g
    rules:
      - {alert: A, expr: m > 1, for: 30s, labels: {at: '{{ $value }}', pod: ''}}
      - {alert: B, expr: m > 1, labels: {at: '{{ printf "%.1f" $value }} of {{ .Labels.pod }}'}}
      - {alert: C, expr: m > 1, for: 30s, labels: {at: 'x{{ $labels.none }}'}}
"""
    )
    series = {'m{pod="x"}': "0 2 2.5 3e-05 3e+30 123456 1234567 100000 0.1 1.5e20 NaN 7 7 7 7 0 0"}
    judged = judge.judge(recording(series, lasts_s=240), [rules], evaluation_phases=1)
    assert [life.labels for life in _only(judged, "A").lives][-1] == (("at", "7"),)
    assert len(_only(judged, "A").lives) == 8
    promtool_passes(tmp_path, rules, series, judged, interval_s=15.0, lasts_s=240)


def test_a_template_that_is_not_expanded_keeps_its_alerts_apart_and_is_said(judge: Judge) -> None:
    """What the expression found tells such alerts apart, as it does with Prometheus in all but odd cases."""
    rules = rules_of("groups: [{name: g, rules: [{alert: A, expr: m > 1, labels: {at: '{{ $value | humanize }}'}}]}]")
    judged = judge.judge(recording({'m{pod="x"}': "2 3 4", 'm{pod="y"}': "2 2 0"}, lasts_s=30), [rules])
    assert len(_only(judged).lives) == 2
    assert judged.notes == ("A: the template in its label at is not expanded",)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("{alert: A, expr: 'm > '}", "unexpected end of input"),
        ("{alert: A, expr: 'm[5m]'}", "range vector"),
        ("{alert: A, expr: m, labels: {pod: ''}}", "same labelset after applying alert labels"),
        ("{alert: A, expr: 'm * on () m'}", "duplicate series"),
        (
            "{record: r, expr: m, labels: {pod: ''}}, {alert: A, expr: r > 1}",
            "it reads r, which could not be evaluated",
        ),
        ("{record: r, expr: 'nothing('}, {alert: A, expr: r > 1}", "it reads r, which could not be evaluated"),
    ],
)
def test_what_the_engine_refuses_stands_beside_the_alert(judge: Judge, rule: str, reason: str) -> None:
    """The other alerts of the file are judged all the same."""
    rules = rules_of(f"groups: [{{name: g, rules: [{rule}, {{alert: B, expr: m > 1}}]}}]")
    judged = judge.judge(recording({'m{pod="x"}': "2x9", 'm{pod="y"}': "2x9"}, lasts_s=120), [rules])
    assert reason in _only(judged).error
    assert len(_only(judged, "B").lives) == 2


def test_an_evaluation_that_fails_now_and_then_leaves_the_alert_as_it_was(judge: Judge) -> None:
    """The second series is there for a while only: the alert goes on meanwhile, and a note says so."""
    rules = rules_of("groups: [{name: g, rules: [{alert: A, expr: 'm * on () group_left () n > 1', for: 1m}]}]")
    series = {"m": "2x15 0x4", 'n{a="x"}': "1x19", 'n{a="y"}': "_x5 1 1 1 stale"}
    judged = judge.judge(recording(series, lasts_s=270), [rules], evaluation_phases=1)
    assert _spans(_only(judged)) == [(0.0, 60.0, 240.0)]
    assert "A: evaluations failed now and then" in judged.notes[0]


def test_more_alerts_than_the_limit_of_the_group_are_an_error(judge: Judge) -> None:
    """With the engine's own words; below the limit all is well."""
    rules = rules_of("groups: [{name: g, limit: 1, rules: [{alert: A, expr: m > 1}]}]")
    judged = judge.judge(
        recording({'m{a="x"}': "2x9", 'm{a="y"}': "0x4 2x4"}, lasts_s=120), [rules], evaluation_phases=1
    )
    assert _spans(_only(judged)) == [(0.0, 0.0, 75.0)]
    assert "exceeded limit of 1 with 2 alerts" in judged.notes[0]


def test_a_query_offset_looks_back_and_a_label_of_the_group_is_the_rules(judge: Judge) -> None:
    """Both are newer than the engine that is run here, and simple enough."""
    rules = rules_of(
        "groups: [{name: g, query_offset: 30s, labels: {team: ml},"
        " rules: [{record: r, expr: m}, {alert: A, expr: r > 1}]}]"
    )
    judged = judge.judge(recording({"m": "0 0 2 2 2 0 0 0 0"}, lasts_s=120), [rules], evaluation_phases=1)
    assert _spans(_only(judged)) == [(60.0, 60.0, 105.0)]
    assert _only(judged).lives[0].labels == (("team", "ml"),)


def test_a_name_that_is_recorded_and_scraped_is_the_recorded_one(judge: Judge) -> None:
    """As in a replay of what a Prometheus with these very rules has kept."""
    rules = rules_of("groups: [{name: g, rules: [{record: r, expr: m * 2}, {alert: A, expr: r > 5}]}]")
    judged = judge.judge(recording({"m": "0 0 3 0 0", "r": "9 9 9 9 9"}, lasts_s=60), [rules], evaluation_phases=1)
    assert _spans(_only(judged)) == [(30.0, 30.0, 45.0)]


def test_infinite_and_undefined_values_come_through(judge: Judge) -> None:
    """A share of nothing is no number, and infinity is above every limit."""
    rules = rules_of("groups: [{name: g, rules: [{alert: A, expr: 'm / n > 1'}]}]")
    judged = judge.judge(recording({"m": "0 1 -1 4", "n": "0 0 0 2"}, lasts_s=45), [rules], evaluation_phases=1)
    values = [value for _, value in _only(judged).sides[0].series[0].points]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf, 2.0]
    assert _spans(_only(judged)) == [(15.0, 15.0, 30.0), (45.0, 45.0, None)]


def test_a_recording_at_another_pace_has_its_own_intervals(judge: Judge) -> None:
    """A second apart, and a subquery without a step takes the interval of the evaluations."""
    rules = rules_of("groups: [{name: g, rules: [{alert: A, expr: 'count_over_time((m > 1)[10s:]) > 6', for: 2s}]}]")
    quick = recording({"m": "0x9 2x40"}, lasts_s=40, interval_s=1.0)
    assert _spans(_only(judge.judge(quick, [rules], evaluation_phases=1))) == [(16.0, 18.0, None)]
    slow = replace(quick, scenario=replace(quick.scenario, pace=recording({}, lasts_s=1, interval_s=2.0).scenario.pace))
    assert _spans(_only(judge.judge(slow, [rules], evaluation_phases=1))) == []
