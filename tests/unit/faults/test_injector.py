"""The injector: target, probability, seed, time to live, rollback, composition."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

import faults.kinds  # noqa: F401 - fills the catalogue
from faults import base
from faults.active import endpoint_pattern
from faults.acts import Injection
from faults.base import Effect, Fault, FaultRecord, FaultRequest, Host, Parameters, Point, register
from faults.errors import BadFaultRequest, FaultNotApplied, FaultUnavailable, UnknownFault, UnknownFaultKind
from faults.injector import KEPT, MAX_ACTIVE, Injector
from faults.middleware import HttpCall

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
PREDICT = HttpCall("/predict", "")


class TwoModels:
    """A host with two models that always load."""

    place: base.Place = "service"
    models = ("iris", "churn")
    scratch = Path("/nonexistent")

    async def reload_model(self, name: str) -> bool:
        """Load."""
        return name in self.models

    async def unload_model(self, name: str) -> None:
        """Unload."""
        assert name in self.models


@dataclass
class Behaviour:
    """What the local kind below shall do, and what happened to it."""

    apply: Callable[[], Any] | None = None
    rollback: Callable[[], Any] | None = None
    rolled_back: int = 0


@pytest.fixture
def behaviour(monkeypatch: pytest.MonkeyPatch) -> Behaviour:
    """Register a kind of fault, in this test's catalogue only, whose apply and rollback the test chooses."""
    monkeypatch.setattr(base, "_KINDS", dict(base._KINDS))
    chosen = Behaviour()

    @register
    class Wobbly(Fault[Parameters]):
        kind: ClassVar[str] = "wobbly"
        title = "Wobbly"
        summary = "Does what the test says."
        parameters_type = Parameters
        effect = Effect(promql="vector(1)", moves="up", meaning="nothing", unit="1")

        def points(self, host: Host) -> frozenset[Point]:  # noqa: ARG002 - the contract's signature
            return frozenset({"request"})

        async def apply(self, host: Host) -> None:  # noqa: ARG002 - as above
            if chosen.apply is not None:
                await chosen.apply()

        async def rollback(self, host: Host) -> None:  # noqa: ARG002 - as above
            chosen.rolled_back += 1
            if chosen.rollback is not None:
                await chosen.rollback()

    return chosen


def error(**changes: Any) -> FaultRequest:
    """Ask for an error fault that hits everything for a minute, with changes."""
    return FaultRequest.model_validate({"kind": "error", "ttl_s": 60.0, **changes})


async def hits(injector: Injector, calls: int, call: HttpCall = PREDICT) -> list[bool]:
    """Send calls through the injector and tell which were answered in the app's place."""
    return [await injector.request(call) is not None for _ in range(calls)]


def test_a_fault_acts_counts_and_stops_when_put_out() -> None:
    """A lit fault answers requests and counts them; put out, it acts no more and its record says why it ended."""

    async def scenario() -> None:
        injector = Injector(now=iter(range(100, 200)).__next__)
        record = await injector.light(error(parameters={"status": 503}))
        assert (record.state, record.started_at, record.ends_at) == ("active", 100, 160)
        reply = await injector.request(PREDICT)
        assert reply is not None
        assert reply.status == 503
        ended = await injector.put_out(record.id)
        assert (ended.state, ended.end_reason, ended.ended_at, ended.injections) == ("ended", "rolled_back", 101, 1)
        assert await injector.request(PREDICT) is None
        assert not injector.acts_on_requests
        assert await injector.put_out(record.id) == ended
        assert injector.active() == {}
        assert injector.injections() == {"error": 1}

    asyncio.run(scenario())


def test_a_fault_expires_by_itself() -> None:
    """After its time to live a fault is ended and rolled back although nobody asks."""

    async def scenario() -> FaultRecord:
        injector = Injector()
        wanted = {"kind": "latency", "parameters": {"delay_ms": 60_000}, "ttl_s": 0.05}
        record = await injector.light(FaultRequest.model_validate(wanted))
        await asyncio.wait_for(injector.request(PREDICT), 5)
        assert not injector.acts_on_requests
        return await injector.put_out(record.id)

    record = asyncio.run(scenario())
    assert record.end_reason == "expired"
    assert record.ended_at is not None
    assert 0.04 <= record.ended_at - record.started_at < 2.0


@pytest.mark.parametrize("end", ["put_out", "reset", "close", "expiry"])
def test_pauses_end_with_the_fault(end: str) -> None:
    """Calls that a fault holds go on at once when it ends, whichever way."""

    async def scenario() -> float:
        injector, loop = Injector(), asyncio.get_running_loop()
        wanted = {"kind": "latency", "parameters": {"delay_ms": 60_000}, "ttl_s": 0.1 if end == "expiry" else 60}
        record = await injector.light(FaultRequest.model_validate(wanted))
        held = [asyncio.create_task(injector.request(PREDICT)) for _ in range(20)]
        await asyncio.sleep(0)
        assert injector.records()[0].injections == 20
        started = loop.time()
        if end == "put_out":
            await injector.put_out(record.id)
        elif end == "reset":
            await injector.reset()
        elif end == "close":
            await injector.close()
        assert await asyncio.gather(*held) == [None] * 20
        return loop.time() - started

    assert asyncio.run(scenario()) < 1.0


def test_decisions_repeat_for_a_seed() -> None:
    """The same seed hits the same calls, another seed others, and the drawn seed is in the record."""

    async def pattern(seed: int | None, rng_seed: int = 0) -> tuple[list[bool], int]:
        injector = Injector(rng=random.Random(rng_seed))
        record = await injector.light(error(probability=0.5, seed=seed))
        return await hits(injector, 64), record.seed

    first, _ = asyncio.run(pattern(7))
    assert asyncio.run(pattern(7, rng_seed=1))[0] == first
    assert asyncio.run(pattern(8))[0] != first
    drawn, seed = asyncio.run(pattern(None))
    assert asyncio.run(pattern(seed, rng_seed=99))[0] == drawn


@patient
@given(probability=st.floats(0.01, 1.0), seed=st.integers(0, 2**32))
def test_probability_is_the_share_of_calls_hit(probability: float, seed: int) -> None:
    """Over 2,000 calls the share that is hit lies within six standard errors of the probability."""

    async def share() -> float:
        injector = Injector()
        await injector.light(error(probability=probability, seed=seed))
        return sum(await hits(injector, 2000)) / 2000

    assert abs(asyncio.run(share()) - probability) <= 6 * (0.25 / 2000) ** 0.5


def test_two_faults_of_one_kind_compose() -> None:
    """Two error faults act together, and ending one leaves the other."""

    async def scenario() -> None:
        injector = Injector()
        one = await injector.light(error(target={"endpoint": "/a"}, parameters={"status": 501}))
        two = await injector.light(error(target={"endpoint": "/b"}, parameters={"status": 502}))
        assert injector.active() == {"error": 2}
        assert [record.id for record in injector.records()] == [two.id, one.id]
        replies = [await injector.request(HttpCall(path, "")) for path in ("/a", "/b", "/c")]
        assert [reply and reply.status for reply in replies] == [501, 502, None]
        await injector.put_out(one.id)
        assert await hits(injector, 1, HttpCall("/a", "")) == [False]
        assert await hits(injector, 1, HttpCall("/b", "")) == [True]

    asyncio.run(scenario())


def test_two_delays_add_up() -> None:
    """Two latency faults on the same call delay it by their sum."""

    async def scenario() -> float:
        injector, loop = Injector(), asyncio.get_running_loop()
        for _ in range(2):
            await injector.light(FaultRequest(kind="latency", parameters={"delay_ms": 40}, ttl_s=60))
        started = loop.time()
        await injector.request(PREDICT)
        return loop.time() - started

    assert 0.075 <= asyncio.run(scenario()) < 2.0


@pytest.mark.parametrize(
    ("glob", "endpoint", "matches"),
    [
        ("/predict", "/predict", True),
        ("/predict", "/predict/iris", False),
        ("/predict*", "/predict/iris", True),
        ("/predict/{model}", "/predict/iris", True),
        ("/predict/{model}", "/predict/iris/x", False),
        ("/predict/{model}", "/predict/{model}", True),
        ("/v?/x", "/v2/x", True),
        ("/a.c", "/abc", False),
        ("/a[b]", "/a[b]", True),
    ],
)
def test_endpoint_globs(glob: str, endpoint: str, *, matches: bool) -> None:
    """A glob knows ``*``, ``?`` and template placeholders, and takes everything else literally."""
    assert bool(endpoint_pattern(glob).fullmatch(endpoint)) is matches


def test_targets_select_model_and_endpoint() -> None:
    """A target's model and endpoint must both fit; a route template counts as the path it stands for."""

    async def scenario() -> None:
        injector = Injector(TwoModels())
        await injector.light(error(target={"model": "churn", "endpoint": "/predict/churn"}))
        calls = [
            ("/predict/churn", "churn"),
            ("/predict/{model}", "churn"),
            ("/predict", "churn"),
            ("/predict/churn", "iris"),
        ]
        answers = [(await hits(injector, 1, HttpCall(*call)))[0] for call in calls]
        assert answers == [True, True, False, False]

    asyncio.run(scenario())


def test_exempt_paths_are_left_alone_unless_named() -> None:
    """Health and metrics stay untouched by a fault for all traffic, and by a glob, but not by their own name."""

    async def scenario() -> None:
        injector = Injector()
        record = await injector.light(error(target={"endpoint": "*"}))
        for path in ("/metrics", "/health", "/ready", "/docs", "/openapi.json"):
            assert await hits(injector, 1, HttpCall(path, "")) == [False]
        assert await hits(injector, 1) == [True]
        await injector.put_out(record.id)
        await injector.light(error(target={"endpoint": "/health"}))
        assert await hits(injector, 1, HttpCall("/health", "")) == [True]
        assert await hits(injector, 1) == [False]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("wanted", "raised", "says"),
    [
        ({"kind": "gremlin"}, UnknownFaultKind, "known kinds: .*error.*latency"),
        ({"parameters": {"status": 200}}, BadFaultRequest, "status: Input should be greater than or equal to 400"),
        ({"parameters": {"colour": "red"}}, BadFaultRequest, "colour: Extra inputs"),
        ({"parameters": {"status": "many"}}, BadFaultRequest, "status: Input should be a valid integer"),
        ({"target": {"model": "gpt"}}, BadFaultRequest, "no model 'gpt'; models: none"),
        ({"kind": "ood_inputs"}, FaultUnavailable, "a service with models"),
        ({"kind": "model_load_failure"}, FaultUnavailable, "a service with models"),
        ({"kind": "latency", "parameters": {"stage": "queue"}}, FaultUnavailable, "it acts on: queue"),
    ],
)
def test_bad_requests_are_refused_with_the_reason(wanted: dict[str, Any], raised: type[Exception], says: str) -> None:
    """What cannot be lit here is refused, the message says why, and nothing of it remains."""

    async def scenario() -> None:
        injector = Injector()
        with pytest.raises(raised, match=says):
            await injector.light(error(**wanted))
        assert injector.records() == ()

    asyncio.run(scenario())


def test_loads_have_no_endpoint() -> None:
    """A load fault with an endpoint in its target is refused instead of silently never acting."""
    wanted = error(kind="model_load_failure", target={"endpoint": "/predict"})
    with pytest.raises(BadFaultRequest, match="no endpoint can be named"):
        asyncio.run(Injector(TwoModels()).light(wanted))


def test_a_failing_apply_is_taken_back(behaviour: Behaviour) -> None:
    """A fault that cannot be brought about is rolled back, reported with its reason and left in the list as failed."""

    async def fail() -> None:
        raise OSError("no space left")

    async def scenario() -> FaultRecord:
        behaviour.apply = fail
        injector = Injector()
        with pytest.raises(FaultNotApplied, match="no space left"):
            await injector.light(error(kind="wobbly"))
        assert not injector.acts_on_requests
        return injector.records()[0]

    record = asyncio.run(scenario())
    assert (record.state, record.end_reason, record.error) == ("ended", "failed", "no space left")
    assert behaviour.rolled_back == 1


@pytest.mark.parametrize("how", ["put_out", "expiry", "cancelled"])
def test_a_fault_still_being_applied_can_be_ended(behaviour: Behaviour, how: str) -> None:
    """An apply that hangs does not outlive an order to put it out, its time to live, or its caller."""

    async def scenario() -> FaultRecord:
        behaviour.apply = asyncio.Event().wait
        injector = Injector()
        lighting = asyncio.create_task(injector.light(error(kind="wobbly", ttl_s=0.05 if how == "expiry" else 60)))
        await asyncio.sleep(0.01)
        if how == "put_out":
            await injector.put_out(injector.records()[0].id)
        if how == "cancelled":
            lighting.cancel()
        with pytest.raises(asyncio.CancelledError if how == "cancelled" else FaultNotApplied):
            await lighting
        return injector.records()[0]

    record = asyncio.run(scenario())
    assert record.state == "ended"
    assert record.end_reason == {"put_out": "rolled_back", "expiry": "expired", "cancelled": "failed"}[how]
    assert behaviour.rolled_back == 1


def test_a_failed_rollback_is_reported_and_tried_again(behaviour: Behaviour) -> None:
    """The record of a fault whose rollback failed says so until a reset has managed it."""

    async def fail() -> None:
        raise OSError("disk gone")

    async def scenario() -> None:
        behaviour.rollback = fail
        injector = Injector()
        record = await injector.light(error(kind="wobbly"))
        failed = await injector.put_out(record.id)
        assert (failed.state, failed.end_reason) == ("ended", "failed")
        assert failed.error is not None
        assert "disk gone" in failed.error
        assert await injector.request(PREDICT) is None
        assert (await injector.reset())[0].end_reason == "failed"
        behaviour.rollback = None
        assert (await injector.reset())[0].end_reason == "reset"
        assert injector.records()[0].error is None
        assert await injector.reset() == ()
        assert behaviour.rolled_back == 3

    asyncio.run(scenario())


def test_concurrent_ends_roll_back_once(behaviour: Behaviour) -> None:
    """Ten orders to put one fault out at the same time are one rollback, and each waits for it."""

    async def slow() -> None:
        await asyncio.sleep(0.02)

    async def scenario() -> None:
        behaviour.rollback = slow
        injector = Injector()
        record = await injector.light(error(kind="wobbly"))
        ended = await asyncio.gather(*(injector.put_out(record.id) for _ in range(10)))
        assert {one.state for one in ended} == {"ended"}
        assert behaviour.rolled_back == 1

    asyncio.run(scenario())


def test_reset_ends_all_and_the_list_is_bounded() -> None:
    """Reset ends every active fault; the list keeps the active ones and a bounded number of ended ones."""

    async def scenario() -> None:
        injector = Injector()
        first = await injector.light(error())
        for _ in range(MAX_ACTIVE - 1):
            await injector.light(error())
        with pytest.raises(BadFaultRequest, match="put some out first"):
            await injector.light(error())
        assert len(await injector.reset()) == MAX_ACTIVE
        records = injector.records()
        assert len(records) == KEPT
        assert {record.end_reason for record in records} == {"reset"}
        with pytest.raises(UnknownFault, match=first.id):
            await injector.put_out(first.id)

    asyncio.run(scenario())


def test_a_closed_injector_lights_nothing() -> None:
    """After close all faults are out, with the reason shutdown, and no new one is taken."""

    async def scenario() -> None:
        injector = Injector()
        await injector.light(error())
        await injector.close()
        assert injector.records()[0].end_reason == "shutdown"
        with pytest.raises(FaultUnavailable, match="not shutting down"):
            await injector.light(error())

    asyncio.run(scenario())


def test_every_injection_is_told() -> None:
    """``on_injection`` hears of each act with the fault's id, kind, point and full parameters."""
    heard: list[Injection] = []

    async def scenario() -> str:
        injector = Injector(TwoModels(), on_injection=heard.append)
        record = await injector.light(error(parameters={"mode": "exception"}))
        await injector.stage("queue", HttpCall("/predict", "iris"))
        with pytest.raises(RuntimeError, match="injected failure"):
            await injector.stage("model_prediction", HttpCall("/predict", "iris"))
        return record.id

    fault_id = asyncio.run(scenario())
    parameters: dict[str, JsonValue] = {"mode": "exception", "status": 500, "mix": ""}
    assert heard == [Injection(fault_id, "error", "model_prediction", parameters)]


@patient
@given(ttl_s=st.one_of(st.floats(max_value=0.0), st.floats(min_value=86_400.1), st.just(float("nan"))))
def test_no_fault_without_a_bounded_time_to_live(ttl_s: float) -> None:
    """A time to live that is not above 0 and at most a day is refused before anything happens."""
    with pytest.raises(ValueError, match="ttl_s"):
        FaultRequest(kind="error", ttl_s=ttl_s)
    with pytest.raises(ValueError, match="ttl_s"):
        FaultRequest.model_validate({"kind": "error"})
