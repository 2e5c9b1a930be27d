"""Tests of faults in virtual worlds: the same dice as live, and the marks of a service that goes down."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import faults.kinds
from faults.base import catalogue
from faults.drills.virtual.errors import NotLit
from faults.drills.virtual.record import record
from faults.drills.virtual.recording import Recording
from tests.unit.faults.virtual_worlds import (
    BURN_S,
    CALM_S,
    all_series,
    at_s,
    fingerprint,
    lit,
    series,
    small,
    up,
)

_ = faults.kinds  # importing it fills the catalogue
UNTIL_THE_END = CALM_S + BURN_S


@pytest.fixture(scope="module")
def crashed(trained: Path) -> Recording:
    """Record a world whose service is killed again and again, while another fault burned in it."""
    burning = lit("latency", {"delay_ms": 1})
    return record(small(burning, lit("crash", {"mode": "loop"}, at_s=2.0), phases=2), artifacts=trained)


@pytest.mark.parametrize("kind", sorted(catalogue()))
def test_every_kind_burns_and_ends_in_a_virtual_world(trained: Path, kind: str) -> None:
    """A kind of the catalogue is lit, acts, is put out at the end of its time, and says where it was modelled."""
    recording = record(small(lit(kind), metrics=frozenset({"up"}), burn_s=8.0, recovery_s=2.0), artifacts=trained)
    (burned,) = recording.faults
    assert (burned.kind, burned.state, burned.end_reason, burned.error) == (kind, "ended", "rolled_back", None)
    assert burned.injections > 0
    assert recording.fault_at == pytest.approx(recording.started_at + CALM_S, abs=1e-6)
    assert recording.rollback_at == pytest.approx(recording.started_at + CALM_S + 8.0, abs=1.0)
    modelled = catalogue()[kind].clock == "modelled"
    assert any(kind in note for note in recording.notes) == modelled


def test_the_dice_are_those_of_a_live_fault(trained: Path) -> None:
    """Of the calls that pass a fault it hits those that its seed says, one number of its dice for each."""
    every = lit("latency", {"delay_ms": 1, "distribution": "fixed"})
    some = lit("error", {"status": 503}, probability=0.3, seed=11)
    recording = record(small(every, some), artifacts=trained)
    passed, hit = (one.injections for one in recording.faults)
    dice = random.Random(11)
    assert passed > 50
    assert hit == sum(dice.random() < 0.3 for _ in range(passed))
    assert recording.traffic.statuses["503"] == hit


def test_a_ramp_rises_and_a_time_to_live_ends(trained: Path) -> None:
    """With a ramp fewer are hit early than late; a fault that outlives its time goes by itself."""
    recording = record(small(lit("error", ramp_s=16.0, ttl_s=16.0), rate=20.0), artifacts=trained)
    (burned,) = recording.faults
    assert burned.end_reason == "expired"
    assert burned.ended_at == pytest.approx(burned.started_at + 16.0, abs=1e-6)
    failed = sum(one.values for one in all_series(recording, "http_requests_total", status="500"))
    assert isinstance(failed, np.ndarray)
    lit_at, half, end = (int(CALM_S), int(CALM_S) + 8, int(CALM_S) + 16)
    assert 0 < failed[half] - failed[lit_at] < failed[end] - failed[half]
    assert failed[-1] == failed[end + 1]


def test_the_schedule_lights_and_puts_out_at_its_times(trained: Path) -> None:
    """Each fault burns from its time to its time; what outlasts the schedule is put out when the burning is over."""
    recording = record(
        small(lit("latency", at_s=3.0, until_s=6.0), lit("traffic_stop", at_s=5.0), lit("hang", at_s=8.0, until_s=9.0)),
        artifacts=trained,
    )
    times = [
        (one.kind, round(one.started_at - recording.started_at - CALM_S), round(one.ended_at - one.started_at))
        for one in recording.faults
        if one.ended_at is not None
    ]
    assert times == [("latency", 3, 3), ("traffic_stop", 5, 15), ("hang", 8, 1)]


def test_a_killed_service_is_gone_for_its_scraper(crashed: Recording) -> None:
    """``up`` is 0 from the first scrape after the kill to the last before it serves again; all else went stale."""
    for phase in (0, 1):
        alive = up(crashed, phase)
        times = at_s(crashed, series(crashed, "up", phase, job="firedrill"))
        down = times[alive == 0.0]
        assert down[0] == pytest.approx(CALM_S + 2.0, abs=1.0)
        assert crashed.back_at is not None
        assert crashed.rollback_at is not None
        assert crashed.back_at > crashed.rollback_at
        back_s = crashed.back_at - crashed.started_at
        assert down[-1] < back_s < times[alive == 1.0][-1]
        assert set(np.diff(down)) == {1.0}
        served = series(crashed, "inference_queue_limit", phase)
        assert served.stale().sum() == 1
        stale_at = at_s(crashed, served)[served.stale()][0]
        assert stale_at == down[0]


def test_counters_of_a_service_that_was_started_again_begin_anew(crashed: Recording) -> None:
    """After the restart the counters are below what they were, and the process has another time of birth."""
    requests = series(crashed, "prediction_requests_total", model_name="iris")
    values = requests.values[~requests.stale()]
    assert any(after < before for before, after in pairwise(values))
    births = series(crashed, "process_start_time_seconds")
    assert len(set(births.values[~births.stale()])) == 2


def test_what_burned_in_a_service_goes_down_with_it(crashed: Recording) -> None:
    """The record of a fault whose process was killed says when and why it ended."""
    latency, crash = crashed.faults
    assert (latency.state, latency.end_reason) == ("ended", "shutdown")
    assert latency.error == "the service that held it was killed"
    assert latency.ended_at == crash.started_at
    assert crashed.traffic.statuses["error"] > 0
    assert any("crash is modelled" in note for note in crashed.notes)


def test_a_service_that_hangs_keeps_everybody_waiting(trained: Path) -> None:
    """Scrapes run into their timeout, callers wait until it goes on, and nothing of what was counted is lost."""
    recording = record(small(lit("hang")), artifacts=trained)
    assert up(recording).min() == 0.0
    took = series(recording, "scrape_duration_seconds", job="firedrill").values
    assert took.max() == pytest.approx(1.0, abs=1e-6)
    assert recording.back_at == recording.rollback_at
    assert recording.traffic.latency_s["max"] > BURN_S / 2
    births = series(recording, "process_start_time_seconds")
    assert len(set(births.values[~births.stale()])) == 1
    assert set(recording.traffic.statuses) == {"200"}


def test_a_slow_scrape_in_time_is_late_and_one_beyond_the_timeout_is_lost(trained: Path) -> None:
    """400 ms late is up and shows in the duration; 12 s late is down, with stale markers, while requests go on."""
    late = record(small(lit("slow_scrape", {"delay_ms": 400})), artifacts=trained)
    assert up(late).min() == 1.0
    took = series(late, "scrape_duration_seconds", job="firedrill").values
    assert 0.4 <= took.max() < 1.0
    lost = record(small(lit("slow_scrape")), artifacts=trained)
    burning = up(lost)[int(CALM_S) + 1 : int(UNTIL_THE_END)]
    assert set(burning) == {0.0}
    assert up(lost)[-1] == 1.0
    assert series(lost, "inference_queue_limit").stale().sum() == 1
    assert set(lost.traffic.statuses) == {"200"}


@pytest.mark.parametrize(("mode", "alive"), [("status", 0.0), ("truncated", 0.0), ("garbage", 0.0), ("empty", 1.0)])
def test_a_scrape_that_brings_nothing_takes_all_series_away(trained: Path, mode: str, alive: float) -> None:
    """A broken scrape counts as down, an empty one as up; both leave no series but those about the scrape."""
    recording = record(small(lit("scrape_failure", {"mode": mode}), recovery_s=4.0), artifacts=trained)
    assert set(up(recording)[int(CALM_S) + 1 : int(UNTIL_THE_END)]) == {alive}
    limit = series(recording, "inference_queue_limit")
    assert limit.stale().sum() == 1
    samples = series(recording, "scrape_samples_scraped").values
    assert samples[int(CALM_S) + 2] == 0.0
    assert samples[-1] > 500.0


def test_held_workers_make_requests_wait_and_share_a_call(trained: Path) -> None:
    """While all workers are held predictions wait for a turn, and those that wait together go into one call."""
    burn = lit("cpu_burn", {"contends_for": "workers", "threads": 16, "share": 0.05})
    recording = record(small(burn, rate=30.0), artifacts=trained)
    lit_at, out = int(CALM_S), int(UNTIL_THE_END)
    requests = series(recording, "model_inference_duration_seconds_count", model_name="iris").values
    calls = series(recording, "inference_batch_size_count", model_name="iris").values
    waiting = series(recording, "inference_queue_size").values[lit_at:out]
    together = (requests[out] - requests[lit_at]) / (calls[out] - calls[lit_at])
    alone = requests[lit_at] / calls[lit_at]
    assert alone < 1.2
    assert together > 3.0
    assert waiting.max() > 5.0
    assert set(recording.traffic.statuses) == {"200"}


def test_a_caller_that_gives_up_is_gone_for_the_service_too(trained: Path) -> None:
    """A prediction that is held for longer than its caller waits ends as 499 there and as an error here."""
    slow = lit("latency", {"delay_ms": 40_000, "distribution": "fixed", "stage": "model_prediction"})
    recording = record(small(slow, rate=2.0, recovery_s=30.0, burn_s=45.0), artifacts=trained)
    assert recording.traffic.statuses["error"] > 10
    gone = all_series(recording, "http_requests_total", status="499")
    assert gone
    assert sum(one.values[-1] for one in gone) == recording.traffic.statuses["error"]


def test_memory_that_leaks_is_seen_and_given_back(trained: Path) -> None:
    """The process grows as fast as was asked for, up to the bound, and is as before afterwards."""
    leak = lit("memory_leak", {"mib_per_s": 16, "most_mib": 64})
    memory = series(record(small(leak), artifacts=trained), "process_resident_memory_bytes").values
    grown = (memory - memory[0]) / 1024**2
    assert grown.max() == 64.0
    assert grown[int(CALM_S) + 2] == pytest.approx(32.0, abs=4.0)
    assert grown[-1] == 0.0


def test_lost_spans_are_counted_as_the_exporter_counts_them(trained: Path) -> None:
    """Half of the spans are lost by the dice and counted as filtered, the others as exported."""
    recording = record(small(lit("trace_loss", probability=0.5), rate=10.0), artifacts=trained)
    lost = series(recording, "otel_dropped_items_total", signal="traces", reason="filtered").values
    sent = series(recording, "otel_exported_items_total", signal="traces").values
    lit_at, out = int(CALM_S), int(UNTIL_THE_END)
    share = (lost[out] - lost[lit_at]) / (lost[out] - lost[lit_at] + sent[out] - sent[lit_at])
    assert share == pytest.approx(0.5, abs=0.07)
    assert lost[lit_at] == 0.0
    assert recording.faults[0].injections == lost[-1]


def test_traces_are_kept_where_they_are_wanted(trained: Path) -> None:
    """The slowest and the failed traces of the fault's time are there with their spans; the samples are the same."""
    schedule = (lit("error", {"status": 500}, probability=0.5), lit("latency", {"delay_ms": 300}, probability=0.2))
    plain = record(small(*schedule), artifacts=trained)
    recording = record(small(*schedule, traces=True), artifacts=trained)
    assert fingerprint(plain) == fingerprint(recording)
    assert not plain.traces
    assert 5 <= len(recording.traces) <= 10
    assert recording.fault_at is not None
    assert all(one.start >= recording.fault_at for one in recording.traces)
    failed = [one for one in recording.traces if "failed" in one.why]
    assert len(failed) == 5
    assert all("error" in one.hit_by for one in failed)
    served = next(one for one in recording.traces if not one.error)
    operations = [span.operation for span in served.spans]
    assert operations == ["POST /predict/{model}", "preprocess", "queue", "model_prediction", "drift"]


def test_a_fault_that_cannot_be_lit_is_an_error_with_the_reason(trained: Path) -> None:
    """The scenario, the kind and what is wrong with it stand in one sentence."""
    with pytest.raises(NotLit, match=r"small: latency could not be lit: .*delay_ms"):
        record(small(lit("latency", {"delay_ms": -1})), artifacts=trained)
