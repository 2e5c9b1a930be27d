"""``GET /slo``: what is promised, and how it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from service_bench import SETOSA, Bench

from service.slo import LATENCY_S, PREDICTION_ENDPOINTS, objectives
from service.telemetry.metrics import LATENCY_S as BUCKETS
from service.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio


def _by_name(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {objective["name"]: objective for objective in answer["objectives"]}


async def test_no_data_is_not_compliance(make: Callable[..., Bench]) -> None:
    """Before the first prediction there are counts of 0 and no ratio; other requests change nothing."""
    async with make().client() as client:
        await client.get("/model-info")
        answer = (await client.get("/slo")).json()
    assert set(_by_name(answer)) == {"api_success_rate", "api_latency"}
    for objective in answer["objectives"]:
        assert (objective["good"], objective["total"]) == (0, 0)
        assert objective["compliance"] is objective["budget_events"] is objective["budget_ratio"] is None


async def test_counts_are_those_of_the_prediction_endpoints(make: Callable[..., Bench]) -> None:
    """A 422 is the caller's fault and good; a 503 is not; over every endpoint that predicts."""
    bench = make()
    tensor = {"name": "features", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}
    async with bench.client() as client:
        for _ in range(3):
            await client.post("/predict", json=SETOSA)
        await client.post("/predict/iris", json={})
        await client.post("/v2/models/iris/infer", json={"inputs": [tensor]})
        await bench.models.unload("iris")
        await client.post("/predict", json=SETOSA)
        answer = (await client.get("/slo")).json()
    success = _by_name(answer)["api_success_rate"]
    assert (success["good"], success["total"]) == (5, 6)
    assert success["compliance"] == pytest.approx(5 / 6)
    assert success["budget_events"] == pytest.approx(0.01 * 6 - 1)
    assert success["budget_ratio"] == pytest.approx((0.06 - 1) / 0.06)
    latency = _by_name(answer)["api_latency"]
    assert (latency["good"], latency["total"]) == (6, 6)
    assert latency["budget_ratio"] == 1
    assert answer["since"].startswith("2027-01-15T08:00:")
    assert answer["endpoints"] == list(PREDICTION_ENDPOINTS)


def test_latency_counts_what_was_fast_enough() -> None:
    """The bound is a bucket, and belongs to it; a slow answer spends budget."""
    assert LATENCY_S in BUCKETS
    metrics = Metrics(CollectorRegistry())
    for seconds in (0.1, 0.5, 0.51, 3.0):
        metrics.http("POST", "/predict", 200, seconds, None)
    metrics.http("GET", "/", 200, 0.1, None)
    latency = objectives(metrics)[1]
    assert (latency.good, latency.total, latency.compliance) == (2, 4, 0.5)


async def test_every_prediction_endpoint_is_known_by_its_template(make: Callable[..., Bench]) -> None:
    """The endpoints of the objectives are routes of the app."""
    assert set(PREDICTION_ENDPOINTS) <= set(make().app.openapi()["paths"])
