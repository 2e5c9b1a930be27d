"""Tests of what is recorded of a virtual world without faults: repeatable, complete, and as Prometheus has it."""

from __future__ import annotations

import asyncio
import math
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from faults.drills.virtual.clock import LoopClock, beginning
from faults.drills.virtual.errors import NotTrained, NotVirtual, UnknownNames
from faults.drills.virtual.life import FixedSettings, Given, Life, task_of_its_life
from faults.drills.virtual.loop import VirtualLoop
from faults.drills.virtual.readings import Readings, TranslatedReadings
from faults.drills.virtual.record import record
from faults.drills.virtual.recording import Recording
from faults.drills.virtual.timings import recorded
from faults.drills.wire import TrafficSettings
from faults.kinds.crash import Crash
from service.models import training
from service.telemetry.dialects import load_dialects
from service.telemetry.translation import Translation
from tests.unit.faults.virtual_worlds import (
    all_series,
    at_s,
    fingerprint,
    lit,
    of_steady_traffic,
    series,
    small,
    up,
)


@pytest.fixture(scope="module")
def steady(trained: Path) -> Recording:
    """Record a world without faults, everything of it."""
    return of_steady_traffic(trained)


def test_the_same_scenario_gives_the_same_samples(trained: Path, steady: Recording) -> None:
    """Two runs agree bit for bit, counts and records included; another seed gives others."""
    assert fingerprint(of_steady_traffic(trained)) == fingerprint(steady)
    other = record(small(seed=2), artifacts=trained)
    assert fingerprint(other) != fingerprint(steady)


def test_no_thread_starts_and_no_socket_opens(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A world lives in the process that asks for it, and in nothing else."""

    def refuse(*_args: object, **_options: object) -> NoReturn:
        raise AssertionError("a thread or a socket in a virtual world")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(socket, "socket", refuse)
    before = threading.active_count()
    recording = record(small(lit("latency")), artifacts=trained)
    assert recording.traffic.sent > 0
    assert threading.active_count() <= before  # some that other tests left may have ended meanwhile


def test_every_request_is_counted_by_service_and_caller_alike(steady: Recording) -> None:
    """What the traffic sent and what the service counted is the same, and all went well."""
    sent = steady.traffic
    assert set(sent.statuses) == {"200"}
    counted = all_series(steady, "http_requests_total", endpoint="/predict/{model}", status="200")
    last = sum(one.values[-1] for one in counted)
    assert sent.sent - 10 <= last <= sent.sent
    assert sent.sent == pytest.approx(5.0 * (30.0 + steady.scenario.lasts_s), rel=0.25)


def test_scrapes_come_at_their_phase_of_every_interval(trained: Path) -> None:
    """Each scraper has its phase, evenly spread over the interval, at multiples of it; their samples differ."""
    recording = record(small(phases=3), artifacts=trained)
    assert recording.started_at % 1.0 == 0.0
    assert [scrapes.phase_s for scrapes in recording.scrapes] == [0.0, 0.333, 0.667]
    for phase, scrapes in enumerate(recording.scrapes):
        one = series(recording, "up", phase, job="firedrill")
        assert at_s(recording, one)[:3] == pytest.approx(np.array([0.0, 1.0, 2.0]) + scrapes.phase_s, abs=1e-6)
        assert len(one.values) in {50, 51}
        assert np.all(np.diff(one.times_ms) == 1000)


def test_only_wanted_series_are_kept_and_they_are_the_same(trained: Path, steady: Recording) -> None:
    """A choice of names changes nothing of what it leaves; ``up`` is always there."""
    names = frozenset({"http_requests_total", "http_request_duration_seconds_bucket", "process_resident_memory_bytes"})
    some = record(replace(small(), metrics=names), artifacts=trained)
    assert {dict(one.labels)["__name__"] for one in some.scrapes[0].series} == {*names, "up"}
    for one in some.scrapes[0].series:
        labels = dict(one.labels)
        full = [other for other in steady.scrapes[0].series if other.labels == one.labels]
        assert len(full) == 1, labels
        assert np.array_equal(full[0].values, one.values, equal_nan=True), labels


def test_labels_are_those_of_a_live_scrape(steady: Recording) -> None:
    """Every series has the service's job and instance, sorted labels, no empty one; the stack's other jobs are up."""
    for one in steady.scrapes[0].series:
        assert list(one.labels) == sorted(one.labels)
        assert all(value for _, value in one.labels)
        if dict(one.labels)["__name__"] != "up":
            assert {"job": "firedrill", "instance": "127.0.0.1:8000"}.items() <= dict(one.labels).items()
    jobs = {dict(one.labels)["job"] for one in all_series(steady, "up")}
    assert jobs == {"firedrill", "prometheus", "alertmanager", "tracestore", "node"}


def test_latencies_are_what_was_recorded_of_the_real_service(steady: Recording) -> None:
    """The mean latency lies within what was measured, so that no fault is needed to explain it."""
    times = recorded().times
    slowest = sum(times[kind].seconds[-1] for kind in ("handle", "predict"))
    total = series(steady, "model_inference_duration_seconds_sum", model_name="iris").values[-1]
    count = series(steady, "model_inference_duration_seconds_count", model_name="iris").values[-1]
    assert times["predict"].seconds[0] <= total / count <= slowest


@pytest.mark.parametrize("name", ["a3", "exchange-rate", "gateway", "mlops"])
def test_a_dialect_has_its_own_names_job_and_labels(trained: Path, name: str) -> None:
    """Under a dialect nothing else is scraped, by its job and with its target labels."""
    dialect = load_dialects(None)[name]
    recording = record(small(dialect=name, burn_s=0.0, recovery_s=0.0), artifacts=trained)
    stems = tuple(rule.name for rule in dialect.metrics)
    reports = {"up", *(one for one in names_of(recording) if one.startswith(("scrape_", "process_", "python_")))}
    assert names_of(recording) - reports
    assert all(one.startswith(stems) for one in names_of(recording) - reports)
    for one in recording.scrapes[0].series:
        assert {"job": dialect.job, **dialect.target_labels}.items() <= dict(one.labels).items()


def names_of(recording: Recording) -> set[str]:
    """Return the names of all series."""
    return {dict(one.labels)["__name__"] for scrapes in recording.scrapes for one in scrapes.series}


def test_readings_are_what_the_registry_collects(trained: Path, tmp_path: Path) -> None:
    """The quick way to the numbers finds every sample of the registry and of its translations, and no other."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(task_of_its_life)
        clock = LoopClock(loop, 1e9)
        life = Life(Given(FixedSettings(artifacts_dir=trained), clock, recorded(), "seed", tmp_path, None), 0)
        await life.start()
        for _ in range(3):
            metrics = life.app.state.models.series("iris")
            metrics.requests.inc()
            metrics.inference.observe(0.004)
            check(life)
            await life.injector.reset()
            life.app.state.models.series("churn").errors["timeout"].inc(2)

    def check(life: Life) -> None:
        places: list[tuple[str, tuple[tuple[str, str], ...]]] = []

        def column_of(name: str, labels: object) -> int:
            assert isinstance(labels, dict)
            places.append((name, tuple(sorted(labels.items()))))
            return len(places) - 1

        sources = [(Readings(life.registry, lambda _name: True, column_of), life.registry)]
        for dialect in load_dialects(None).values():
            translated = TranslatedReadings(life.registry, dialect, lambda _name: True, column_of)
            sources.append((translated, Translation(dialect, life.registry)))  # type: ignore[arg-type]
        for readings, registry in sources:
            columns, values = readings.read()
            found = {places[column]: value for column, value in zip(columns, values, strict=True)}
            assert len(found) == len(columns)
            expected = {
                (sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in registry.collect()
                for sample in family.samples
            }
            assert found.keys() == expected.keys()
            for key, value in expected.items():
                assert found[key] == value or (math.isnan(found[key]) and math.isnan(value)), key

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def test_the_environment_changes_nothing(trained: Path, steady: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the process that records are not those of the service in the world."""
    monkeypatch.setenv("MAX_QUEUE_SIZE", "3")
    monkeypatch.setenv("MODELS", "iris")
    assert fingerprint(of_steady_traffic(trained)) == fingerprint(steady)


def test_progress_is_told_in_virtual_seconds(trained: Path) -> None:
    """Whoever waits hears how far the world has come, up to its end."""
    told: list[float] = []
    record(small(), artifacts=trained, on_progress=told.append)
    assert told == sorted(told)
    assert told[0] == 0.0
    assert told[-1] == small().lasts_s


def test_a_kind_that_burns_only_live_is_refused_with_its_reason(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the kind and says to run it live."""
    monkeypatch.setattr(Crash, "clock", "live-only")
    with pytest.raises(NotVirtual, match="crash cannot burn on a virtual clock") as raised:
        record(small(lit("crash")), artifacts=trained)
    assert (raised.value.kind, raised.value.reason) == ("crash", "it needs real processes")


def test_what_is_not_there_is_named(trained: Path) -> None:
    """Unknown kinds, dialects and models are refused in a sentence before anything runs."""
    with pytest.raises(UnknownNames, match="lateness"):
        record(small(lit("lateness")), artifacts=trained)
    with pytest.raises(UnknownNames, match="klingon"):
        record(small(dialect="klingon"), artifacts=trained)
    strange = replace(small(), traffic=TrafficSettings(rate=1.0, models={"gpt": 1.0}))
    with pytest.raises(UnknownNames, match="traffic for gpt; a virtual service has iris"):
        record(strange, artifacts=trained)


def test_a_model_that_cannot_be_trained_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed training is one sentence with the way out."""

    def fail(*_args: object, **_options: object) -> NoReturn:
        raise OSError("no space left on device")

    monkeypatch.setattr(training, "ensure", fail)
    with pytest.raises(NotTrained, match=r"iris .* no space left on device.*firedrill train"):
        record(small(), artifacts=tmp_path)


def test_a_world_begins_at_a_multiple_of_every_interval() -> None:
    """Phases mean the same to scraper and judge, whatever the interval."""
    for interval_s in (1.0, 15.0, 60.0, 0.5, 5.0):
        steps = beginning(interval_s) / interval_s
        assert abs(steps - round(steps)) < 1e-6


def test_the_service_is_up_before_and_stays_up(steady: Recording) -> None:
    """There is no start-up to be seen in a world that has no fault."""
    assert np.all(up(steady) == 1.0)
    assert steady.fault_at is steady.rollback_at is steady.back_at is None
    assert not any(one.stale().any() for one in steady.scrapes[0].series)
