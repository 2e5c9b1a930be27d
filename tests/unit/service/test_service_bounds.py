"""That nobody can make ``/metrics`` grow: what is sent adds no series, and the exposition stays short."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from service_bench import SETOSA, Bench
from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.anyio
OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "XYZ")
MOST_LINES = 900
OF_EXPORTERS = 30
"""Lines of what sends spans and log records, which the app of these tests has not."""


def _series(text: str) -> set[str]:
    """Return the series of an exposition, by name and labels."""
    return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}


async def test_what_is_unknown_adds_no_series(make: Callable[..., Bench]) -> None:
    """Of a hundred unknown paths and methods not even the first adds a series, of unknown models only the first."""
    bench = make()
    async with bench.client() as client:
        await client.post("/predict/nobody", json=SETOSA)
        await client.get("/v2/models/nobody")
        await client.post("/v2/models/nobody/infer", json={"inputs": []})
        before = _series((await client.get("/metrics")).text)
        for number in range(100):
            for method in ("GET", "POST", "PUT", f"VERB{number}"):
                await client.request(method, f"/random/{number}")
            await client.request(f"VERB{number}", "/predict")
            await client.put("/model-info")
            await client.post(f"/predict/model-{number}", json=SETOSA)
            await client.get(f"/v2/models/model-{number}")
            await client.post(f"/v2/models/model-{number}/infer", json={"inputs": []})
        text = (await client.get("/metrics")).text
    assert _series(text) == before
    assert bench.value("http_requests_total", method="GET", endpoint="unmatched", status="404") == 100
    assert bench.value("http_requests_total", method="other", endpoint="unmatched", status="404") == 200
    assert bench.value("http_requests_total", method="other", endpoint="unmatched", status="405") == 200
    assert bench.value("http_requests_total", method="POST", endpoint="/predict/{model}", status="404") == 101


async def test_the_exposition_is_bounded_whatever_is_sent(make: Callable[..., Bench]) -> None:
    """At most 900 lines with the default models; all that can go wrong adds series once, and never again."""
    bench = make(models=("iris", "churn", "housing", "exchange-rate"), max_body_bytes=1000)
    async with bench.client() as client:
        text = (await client.get("/metrics", headers=OPENMETRICS)).text
        assert text.count("\n") + OF_EXPORTERS <= MOST_LINES
        await _send_everything(bench, client)
        once = _series((await client.get("/metrics")).text)
        await _send_everything(bench, client)
        assert _series((await client.get("/metrics")).text) == once


async def _send_everything(bench: Bench, client: httpx.AsyncClient) -> None:
    """Every method at every path, empty, bad and large bodies, and predictions that break."""
    paths = (await client.get("/")).json()["endpoints"]
    paths += ["/docs", "/openapi.json", "/nothing", "/predict/iris", "/v2/models/iris/versions/9/infer"]
    for path in paths:
        for method in METHODS:
            for content in (b"", b"{}", b"\xff", b"x" * 2000):
                await client.request(method, path, content=content)
    bench.seams.middleware.append(lambda _app: _broken)
    for path in ("/predict", "/predict/iris", "/v2/models/iris/infer"):
        assert (await client.post(path)).status_code == 500
    bench.seams.middleware.clear()


async def test_every_request_is_in_a_latency_histogram(make: Callable[..., Bench]) -> None:
    """By endpoint and exact status; unknown methods and paths are told apart by status alone."""
    bench = make()
    async with bench.client() as client:
        for _ in range(3):
            await client.post("/predict", json=SETOSA)
        await client.post("/predict", json={})
        await client.get("/model-info")
        await client.get("/nothing")
        await client.get("/predict")
    name = "http_request_duration_seconds_count"
    assert bench.value(name, method="POST", endpoint="/predict", status="200") == 3
    assert bench.value(name, method="POST", endpoint="/predict", status="422") == 1
    assert bench.value(name, method="GET", endpoint="/model-info", status="200") == 1
    assert bench.value(name, method="other", endpoint="unmatched", status="404") == 1
    assert bench.value(name, method="other", endpoint="unmatched", status="405") == 1


async def _broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Break every request."""
    raise RuntimeError("broken")
