"""Signals on their grid, fault bands, and the proof that a fault is active."""

from __future__ import annotations

import itertools
import math

import pytest
from canned_stack import World, fault, speaking
from hypothesis import given
from hypothesis import strategies as st

from faults.base import Effect
from panel import proof, queries
from panel.queries import SIGNALS, Band
from panel.timeline.range import TimeRange, usual
from stack.clients.prometheus import PrometheusClient, Series
from stack.endpoints import Endpoints
from stack.errors import SourceUnreachable
from stack.pace import PACES, PRODUCTION, WORKSHOP, Pace
from stack.rules.durations import parse_duration

P95 = Effect(promql="p95", moves="up", meaning="p95 of predictions", unit="s")
LOADED = Effect(promql="model_loaded", moves="down", meaning="Models that are loaded", unit="1")


@pytest.mark.parametrize("pace", PACES.values(), ids=lambda pace: pace.name)
def test_every_signal_is_askable_at_every_pace(pace: Pace) -> None:
    """Each signal's window is rewritten for the pace and still holds four scrapes."""
    for signal in SIGNALS:
        scaled = queries.scaled(signal.promql, pace)
        windows = [part.split("]")[0] for part in scaled.split("[")[1:]]
        assert windows
        assert all(parse_duration(window) == pytest.approx(4 * pace.interval_s) for window in windows)


def test_the_board_lies_on_one_grid_that_ends_now() -> None:
    """All series share start and step; values stand where they belong; NaN and holes are missing values."""
    now = 1_700_000_000.4

    def value(expr: str, at: float) -> float | None:
        if "5.." in expr:
            return math.nan
        return None if at == 1_700_000_000 - 3 else at

    with speaking(World(value=value, up=True)) as offset:
        prometheus = PrometheusClient(Endpoints(offset).url("prometheus"))
        board = queries.read_board(prometheus, WORKSHOP, now, usual(WORKSHOP))
    assert (board.start, board.end) == (1_700_000_000 - 300, 1_700_000_000)
    assert board.service_up is True
    rate, errors = board.series[0], board.series[1]
    assert len(rate.values) == 301
    assert rate.values[0] == board.start
    assert rate.values[-4] is None
    assert rate.latest == board.end
    assert set(errors.values) == {None}


def test_a_prometheus_that_is_gone_is_a_typed_error() -> None:
    """Without a server the board cannot be read, and the error says so."""
    with speaking(World(), frozenset({"prometheus"})) as offset:
        prometheus = PrometheusClient(Endpoints(offset).url("prometheus"))
        with pytest.raises(SourceUnreachable):
            queries.read_board(prometheus, PRODUCTION, 1.7e9, usual(PRODUCTION))


@pytest.mark.parametrize("pace", PACES.values(), ids=lambda pace: pace.name)
def test_over_long_ranges_no_moment_is_left_out(pace: Pace) -> None:
    """Where a step is longer than the usual window, rates are taken over the whole step."""
    week = TimeRange(last_s=7 * 86_400.0).grid(pace, 1.7e9)
    for signal in SIGNALS:
        expr = queries.scaled(queries.widened(signal.promql, pace, week.step_s), pace)
        windows = [parse_duration(part.split("]")[0]) for part in expr.split("[")[1:]]
        assert windows
        assert all(window == pytest.approx(week.step_s, rel=0.01) for window in windows)
        assert queries.widened(signal.promql, pace, pace.interval_s) == signal.promql


def test_stretches_end_at_holes() -> None:
    """Points one step apart are one stretch; a hole starts the next one."""
    points = tuple((float(at), 1.0) for at in (10, 11, 12, 20, 21))
    assert queries.stretches([Series({"kind": "error"}, points)], 1.0) == (Band("error", 10, 12), Band("error", 20, 21))


def test_bands_take_records_first_and_fill_up_with_what_prometheus_saw() -> None:
    """Overlapping stretches of a kind become one; an active fault reaches to now; the past is cut at the start."""
    records = [fault("a", "error", 90, 60), fault("b", "latency", 10, 20, ended_at=30)]
    seen = [Band("error", 60, 92), Band("latency", 12, 31), Band("latency", -50, -20)]
    bands = queries.fault_bands(records, seen, start=20, now=100)
    assert bands == (Band("error", 60, 100), Band("latency", 20, 31))


@given(
    st.lists(
        st.builds(
            lambda kind, start, length: Band(kind, start, start + length),
            st.sampled_from(["error", "latency"]),
            st.integers(0, 300),
            st.integers(0, 60),
        )
    )
)
def test_merged_bands_cover_the_same_moments_and_never_overlap(seen: list[Band]) -> None:
    """Whatever was seen: the same moments are covered, inside the window, each once."""
    bands = queries.fault_bands([], seen, start=50, now=250)
    for kind in ("error", "latency"):
        mine = sorted((b for b in bands if b.kind == kind), key=lambda b: b.start)
        assert all(left.end < right.start for left, right in itertools.pairwise(mine))
        for moment in range(50, 251):
            covered = any(b.kind == kind and b.start <= moment <= b.end for b in seen)
            assert covered == any(b.start <= moment <= b.end for b in mine)


@pytest.mark.parametrize(
    ("effect", "before", "now", "hits", "answer"),
    [
        (P95, 0.01, 1.52, 412, "yes"),
        (P95, 0.01, 0.0105, 412, "not yet"),
        (P95, 0.01, 1.52, 0, "no hits"),
        (P95, None, 1.52, 3, "yes"),
        (P95, 0.01, None, 3, "not yet"),
        (LOADED, 2.0, 1.0, 1, "yes"),
        (LOADED, 2.0, 2.0, 1, "not yet"),
        (LOADED, 1.0, 2.0, 1, "not yet"),
    ],
)
def test_a_fault_is_active_when_it_hits_and_its_effect_moves(
    effect: Effect, before: float | None, now: float | None, hits: int, answer: str
) -> None:
    """Hits alone prove nothing, nor does a value that moved the wrong way or hardly at all."""
    record = fault("f", "latency", 100, 60, hits=hits)
    assert proof.prove(record, effect, proof.Movement(before, now), 120).answer == answer


def test_the_proof_is_a_sentence_with_both_values() -> None:
    """The sentence carries the hits and the value before and now, in the effect's unit."""
    record = fault("f", "latency", 100, 60, hits=412)
    found = proof.prove(record, P95, proof.Movement(0.0101, 1.52), 120)
    assert found.sentence.replace("\u00a0", " ") == "Yes: it has acted 412 times. P95 of predictions: 10 ms → 1.52 s."


def test_without_prometheus_the_hits_are_still_told() -> None:
    """A proof without measurement says what was counted, and that nothing was measured."""
    found = proof.prove(fault("f", "latency", 100, 60, hits=1), P95, None, 120)
    assert found.answer == "unknown"
    assert "acted 1 time" in found.sentence


def test_the_movement_asks_before_and_now() -> None:
    """The value before is that of the moment at which the fault was lit."""
    world = World(value=lambda _expr, at: 0.01 if at <= 1_700_000_000 else 1.5)
    with speaking(world) as offset:
        client = PrometheusClient(Endpoints(offset).url("prometheus"))
        movement = proof.read_movement(client, P95, WORKSHOP, 1_700_000_000.0)
    assert movement == proof.Movement(0.01, 1.5)
