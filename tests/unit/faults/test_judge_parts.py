"""What the judge works out from the text of rules: what they need, in which order, on which clock, with what labels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from faults.drills.judge.alert_state import AlertStates
from faults.drills.judge.clock import asks_for_time, shifted
from faults.drills.judge.dependencies import needed_rules, ordered, plan_of
from faults.drills.judge.evaluation import Answer, part_of, written_back
from faults.drills.judge.identity import Identity, go_number
from faults.drills.judge.questions import Found
from faults.drills.judge.selection import names_beside_recordings, series_names, with_what_it_reads
from faults.drills.judge.worlds import DAY_MS, FIRST_MS, gap_ms, laid_out
from faults.drills.virtual.recording import STALE_BITS, Scrapes
from stack.rules.file import AlertingRule, RuleFile, RuleGroup
from stack.rules.selectors import selectors_of
from tests.unit.faults.judged_series import rules_of

_CHAIN = """
groups:
  - name: late
    rules:
      - {alert: A, expr: two > 1}
      - {alert: B, expr: 'up == 0 or {__name__="named"} > 1'}
  - name: early
    rules:
      - {record: one, expr: sum(m)}
      - {record: unread, expr: sum(elsewhere)}
      - {record: two, expr: one / n}
"""


def test_only_what_alerts_read_is_evaluated_and_after_what_it_reads() -> None:
    """Recordings first, wherever they stand; what no alert reads is left out."""
    plan = plan_of([rules_of(_CHAIN)])
    layers = [[rule.rule.name for step in layer for rule in step.rules] for layer in plan.layers]
    assert [sorted(layer) for layer in layers] == [["B", "one"], ["two"], ["A"]]
    assert not any(step.circular for layer in plan.layers for step in layer)
    assert plan.writes
    assert not plan.keeps_alerts


@pytest.mark.parametrize(
    ("rules", "together"),
    [
        ("{record: r, expr: r + 1}, {alert: A, expr: r > 1}", [["A"], ["r"]]),
        ("{record: a, expr: b}, {record: b, expr: a}, {alert: A, expr: a > 1}", [["A"], ["a", "b"]]),
        ("{alert: A, expr: r > 1}, {record: r, expr: m}", [["A", "r"]]),
        ("{alert: A, expr: 'ALERTS{alertname=\"B\"}'}, {alert: B, expr: m}", [["A", "B"]]),
        ("{alert: A, expr: 'ALERTS{alertname=\"C\"}'}, {alert: B, expr: m}", [["A"], ["B"]]),
        ("{record: r:one, expr: m}, {alert: A, expr: '{__name__=~\"r:.*\"}'}", [["A"], ["r:one"]]),
        ("{alert: A, expr: 'm > '}, {alert: B, expr: m}", [["A"], ["B"]]),
    ],
)
def test_rules_that_read_what_is_not_yet_there_go_step_by_step(rules: str, together: list[list[str]]) -> None:
    """Those that read themselves, each other, or what a later one of their group records."""
    needed = needed_rules([rules_of(f"groups: [{{name: g, rules: [{rules}]}}]")])
    steps = [step for layer in ordered(needed) for step in layer]
    assert sorted(sorted(one.rule.name for one in step.rules) for step in steps) == sorted(together)
    reads_itself = {"r"} if "r + 1" in rules else set()
    assert {step.circular for step in steps if len(step.rules) > 1 or step.rules[0].rule.name in reads_itself} <= {True}


def test_the_series_that_rules_need_are_those_that_they_select_and_do_not_record() -> None:
    """Through recordings, by name or by a matcher of the name; without the alerts of Prometheus itself."""
    assert series_names([rules_of(_CHAIN)]) == {"m", "n", "up", "named"}
    assert series_names([rules_of("groups: [{name: g, rules: [{alert: A, expr: 'm and on () ALERTS'}]}]")]) == {"m"}
    assert series_names([rules_of("groups: [{name: g, rules: [{record: r, expr: m}]}]")]) == set()
    assert series_names([rules_of("groups: [{name: g, rules: [{alert: A, expr: vector(1)}]}]")]) == set()


@pytest.mark.parametrize("expr", ['{job="x"} > 1', '{__name__=~"m|n"} > 1', '{__name__!="m",job="x"} > 1'])
def test_a_selector_without_a_name_needs_every_series(expr: str) -> None:
    """Then nothing can be left out of a recording."""
    assert series_names([rules_of(f"groups: [{{name: g, rules: [{{alert: A, expr: '{expr}'}}]}}]")]) is None


def test_a_selector_says_which_names_it_takes() -> None:
    """By its name or by matchers of it; a pattern that Python cannot read takes all."""
    (plain,), (named,) = selectors_of('m{a="b"}'), selectors_of('{__name__="m"}')
    (like,), (odd,) = selectors_of('{__name__=~"m.*",__name__!="mm"}'), selectors_of('{__name__=~"\\\\pL+"}')
    assert (plain.metric, named.metric, like.metric) == ("m", "m", "")
    assert [one.takes("m") for one in (plain, named, like, odd)] == [True] * 4
    assert [one.takes("mm") for one in (plain, named, like, odd)] == [False, False, False, True]
    assert [one.takes("x") for one in (plain, named, like, odd)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("expr", "asked"),
    [
        ("m > 1", "m > 1"),
        ("time() - m", "(time() - (60)) - m"),
        ('time{hour="minute()"} + minute', 'time{hour="minute()"} + minute'),
        ("hour( ) < 3", "hour(vector((time() - (60))))  < 3"),
        ("timestamp(sum(m) by (year)) > 1", "(timestamp(sum(m) by (year)) - (60)) > 1"),
        ("m @ 100.5 + m @ -1e2 + m @ end() > 1", "m @ 160.5 + m @ -40 + m @ end() > 1"),
        ("# time()\nday_of_week(m)", "# time()\nday_of_week(m)"),
        ("max_over_time(time()[5m:])", "max_over_time((time() - (60))[5m:])"),
    ],
)
def test_the_time_is_asked_for_on_the_clock_of_the_recording(expr: str, asked: str) -> None:
    """Where an expression asks for the time, what the judge's clock is off is taken out; nothing else is touched."""
    assert shifted(expr, 60) == asked
    assert shifted(expr, 0) == expr
    assert asks_for_time("time()")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (1.0, "1"), (-2.5, "-2.5"), (100000.0, "100000"), (1e6, "1e+06"), (1234567.0, "1.234567e+06"),
        (0.0001, "0.0001"), (0.00001, "1e-05"), (1.5e-7, "1.5e-07"), (-1e21, "-1e+21"), (1e100, "1e+100"),
        (float("inf"), "+Inf"), (float("-inf"), "-Inf"), (float("nan"), "NaN"), (0.1 + 0.2, "0.30000000000000004"),
    ],
)  # fmt: skip
def test_numbers_are_printed_as_go_does(value: float, text: str) -> None:
    """As in the labels of alerts that hold their value."""
    assert go_number(value) == text


def test_labels_of_rule_and_group_win_over_those_that_were_found_and_empty_ones_go() -> None:
    """Without the name of the series, and without the name of the alert."""
    rule = AlertingRule("A", "m", labels={"a": "{{ $labels.b }}-{{ .Value }}", "c": "", "alertname": "other"})
    identity = Identity(rule, RuleGroup("g", (rule,), labels={"a": "group", "d": "group"}))
    assert identity.of({"__name__": "m", "b": "x", "c": "y", "d": "z"}, 2.0) == (
        ("a", "x-2"),
        ("b", "x"),
        ("d", "group"),
    )
    assert identity.by_value
    assert identity.unexpanded == ()
    odd = Identity(AlertingRule("A", "m", labels={"a": "{{ if $labels.b }}x{{ end }}"}), RuleGroup("g", ()))
    assert odd.unexpanded == ("a",)


def test_a_recorded_series_ends_in_a_marker_at_each_evaluation_that_misses_it() -> None:
    """Once for each gap; not where the evaluation failed, nor after the last one."""
    found = Found({"__name__": "r"}, (0, 10, 40, 70), (1.0, 2.0, 3.0, 4.0))
    ((labels, times, values),) = written_back(Answer((found,), {20: "failed"}), range(0, 80, 10), 5)
    assert labels == (("__name__", "r"),)
    assert times.tolist() == [-5, 5, 25, 35, 45, 65]
    assert (values.view(np.uint64) == STALE_BITS).tolist() == [False, False, True, False, True, False]


def test_worlds_lie_apart_on_whole_days_and_are_evaluated_at_their_phase() -> None:
    """Two scrapers under three phases; shared where nothing is written back."""
    rules = plan_of(
        [rules_of("groups: [{name: g, rules: [{alert: A, expr: 'rate(m[3d] offset 1d) > n offset -2h'}]}]")]
    )
    gap = gap_ms(rules.rules, 300_000)
    assert gap >= 4 * DAY_MS + 7_200_000 + 300_000
    start = 1_700_000_010_000 // 15_000 * 15_000
    common = {"evaluation_phases": 3, "earliest_ms": start - 1000, "start_ms": start, "end_ms": start + 60_000}
    scrapes = (Scrapes(0.0, ()), Scrapes(5.0, ()))
    worlds, cursor = laid_out(scrapes, shared=False, gap_ms=gap, cursor_ms=FIRST_MS, **common)  # type: ignore[arg-type]
    assert len(worlds) == 6
    written = [start - 1000 + world.shift_ms for world in worlds]
    assert all(later - before >= gap + 61_000 for before, later in itertools.pairwise(written))
    assert written[0] >= FIRST_MS
    assert cursor - written[-1] >= gap
    assert {world.shift_ms % DAY_MS for world in worlds} == {0}
    assert [at - start for at in worlds[0].times(15_000)] == [0, 15_000, 30_000, 45_000, 60_000]
    assert {at % 15_000 for at in worlds[1].times(15_000)} == {5_000}
    assert {at % 15_000 for at in worlds[2].times(15_000)} == {10_000}
    shared, _ = laid_out(scrapes, shared=True, gap_ms=gap, cursor_ms=FIRST_MS, **common)  # type: ignore[arg-type]
    assert len({world.shift_ms for world in shared}) == 2


def test_a_limit_forgets_all_alerts_and_what_came_with_it_was_never_there() -> None:
    """The engine's rule: more alerts than the group allows are an error."""
    states = AlertStates(for_ms=0, limit=1)
    one, two = (("a", "1"),), (("a", "2"),)
    assert states.advance(0, [one]) == ""
    assert states.advance(10, [one, two]) == "exceeded limit of 1 with 2 alerts"
    assert states.advance(20, [two]) == ""
    assert [(life.labels, life.active_ms, life.ended_ms) for life in states.lives()] == [(one, 0, 10), (two, 20, None)]


def test_phases_share_what_reads_nothing_but_scrapes() -> None:
    """What reads a recording, or what our parser does not know, is evaluated in each phase with all that it needs."""
    plan = plan_of([rules_of(_CHAIN)])
    alone = [one.rule.name for one in plan.rules if plan.reads_scrapes_alone(one)]
    assert alone == ["B", "one"]
    assert names_beside_recordings(plan) == {"one", "n", "two"}
    unknown = plan_of([rules_of("groups: [{name: g, rules: [{alert: A, expr: 'm > '}, {alert: B, expr: m}]}]")])
    assert [one.rule.name for one in unknown.rules if unknown.reads_scrapes_alone(one)] == ["B"]
    assert names_beside_recordings(unknown) is None
    later = plan_of([rules_of("groups: [{name: g, rules: [{alert: A, expr: r > 1}, {record: r, expr: m}]}]")])
    assert not any(map(later.reads_scrapes_alone, later.rules))
    assert names_beside_recordings(later) == {"r", "m"}


def test_what_is_asked_beside_the_rules_has_no_alert_judged_unless_alerts_are_read() -> None:
    """Recordings stay where they are, for what they are read by; one that reads alerts needs the alerts too."""
    rules = rules_of(_CHAIN)

    def judged(expr: str, *files: RuleFile) -> list[str]:
        asked = rules_of(f"groups: [{{name: g, rules: [{{alert: S, expr: '{expr}'}}]}}]")
        return [one.rule.name for one in plan_of(with_what_it_reads(asked, files)).rules]

    assert judged("two > 0", rules) == ["one", "two", "S"]
    assert judged("m > 0", rules) == ["S"]
    assert judged("ALERTS > 0", rules) == ["A", "B", "one", "two", "S"]
    firing = rules_of("groups: [{name: f, rules: [{record: firing, expr: count(ALERTS)}]}]")
    assert judged("firing > 0", rules, firing) == ["A", "B", "one", "two", "firing", "S"]


def test_an_answer_for_all_phases_is_cut_into_those_of_each() -> None:
    """Every evaluation is in one part, with its value or its failure; a series without any is in none."""
    worlds, _ = laid_out(
        [Scrapes(0.0, ())],
        evaluation_phases=2,
        shared=False,
        earliest_ms=1_000,
        start_ms=1_000,
        end_ms=61_000,
        gap_ms=DAY_MS,
        cursor_ms=FIRST_MS,
    )
    every = worlds[0].times_of_all(15_000, 2)
    assert every is not None
    assert sorted(at for world in worlds for at in world.times(15_000)) == list(every)
    assert worlds[0].times_of_all(15_001, 2) is None
    whole = Answer(
        (
            Found({"a": "1"}, tuple(every), tuple(float(at) for at in every)),
            Found({"a": "2"}, (every[0],), (0.0,)),
        ),
        {every[1]: "refused"},
    )
    parts = [part_of(whole, world.times(15_000)) for world in worlds]
    assert [one.times_ms for part in parts for one in part.series if one.labels == {"a": "1"}] == [
        tuple(world.times(15_000)) for world in worlds
    ]
    assert sum(len(part.series) for part in parts) == 3
    assert [dict(part.failed) for part in parts if part.failed] == [{every[1]: "refused"}]
