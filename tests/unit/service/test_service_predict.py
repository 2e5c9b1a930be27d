"""Predictions over HTTP: answers, refusals, limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from service_bench import SETOSA, Bench

from service.compute import InlineCompute
from service.errors import InvalidInput
from service.models.base import BodyReader
from service.models.iris import PROFILE as IRIS
from tests.generated import examples

pytestmark = pytest.mark.anyio
NAMED = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


async def test_both_forms_of_iris_give_the_same_answer(make: Callable[..., Bench]) -> None:
    """One flower as a row and as named fields is the same flower."""
    async with make().client() as client:
        by_row, by_name = [(await client.post("/predict", json=body)).json() for body in (SETOSA, NAMED)]
    assert by_row.pop("request_id") != by_name.pop("request_id")
    assert by_row == by_name
    assert by_row["predictions"] == [0]
    assert by_row["classes"] == ["setosa"]
    assert 0.9 < by_row["confidence"][0] <= 1.0


async def test_a_model_is_reached_by_its_name(make: Callable[..., Bench]) -> None:
    """Every row of a batch is answered by the model that the path names."""
    body = {"features": [[1, 110, 6, 20, 4, 1], [70, 40, 0, 60, 0, 24]]}
    async with make().client() as client:
        answer = (await client.post("/predict/churn", json=body)).json()
    assert answer["classes"] == ["leaves", "stays"]
    assert len(answer["confidence"]) == 2


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"{}", "features"),
        (b'{"features": []}', "features"),
        (b'{"features": [[1, 2, 3]]}', "features[0]"),
        (b'{"features": [[1, 2, 3, 4], [1, 2, "3", 4]]}', "features[1][2]"),
        (b'{"features": [[1, 2, 3, true]]}', "features[0][3]"),
        (b'{"features": [[1, 2, 3, NaN]]}', "features[0][3]"),
        (b'{"features": [[1, 2, 3, 1e999]]}', "features[0][3]"),
        (b'{"features": [[1, 2, 3, -1e13]]}', "features[0][3]"),
        (b'{"features": [[1, 2, 3, 4]], "more": 1}', "more"),
        (b'{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4}', "petal_width"),
    ],
)
async def test_a_bad_body_is_refused_by_the_name_of_its_field(
    make: Callable[..., Bench], body: bytes, where: str
) -> None:
    """A 422 in the error shape says where the body does not fit, and the model is not asked."""
    bench = make()
    async with bench.client() as client:
        answer = await client.post("/predict", content=body)
    error = answer.json()["error"]
    assert answer.status_code == 422
    assert error["type"] == "invalid_input"
    assert f"{where}: " in error["message"]
    assert error["request_id"] == answer.headers["x-request-id"]
    model = {"model_name": "iris", "model_version": "1.0.0"}
    assert bench.value("prediction_errors_total", error_type="invalid_input", **model) == 1
    assert bench.value("model_inference_duration_seconds_count", **model) == 0


async def test_rows_and_bytes_are_limited(make: Callable[..., Bench]) -> None:
    """A row too many is a 422, a byte too many a 413, whether or not the length is declared."""

    async def chunks() -> Any:
        for _ in range(30):
            yield b" " * 100

    async with make(max_rows=2, max_body_bytes=1000).client() as client:
        assert (await client.post("/predict", json={"features": [[1, 2, 3, 4]] * 2})).status_code == 200
        assert (await client.post("/predict", json={"features": [[1, 2, 3, 4]] * 3})).status_code == 422
        for body in (b" " * 1001, chunks()):
            answer = await client.post("/predict", content=body)
            assert (answer.status_code, answer.json()["error"]["type"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("POST", "/predict/nobody", 404, "unknown_model"),
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/predict", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
    ],
)
async def test_what_is_not_there_is_said_in_the_error_shape(
    make: Callable[..., Bench], method: str, path: str, status: int, kind: str
) -> None:
    """404 and 405 look like every other error, and 405 names what is allowed."""
    async with make().client() as client:
        answer = await client.request(method, path, json=SETOSA)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == kind
    assert ("allow" in answer.headers) == (status == 405)


async def test_a_full_queue_refuses_and_says_when_to_return(make: Callable[..., Bench]) -> None:
    """With as many requests inside as the limit, the next is a 503 with Retry-After, and the gauge shows the queue."""
    bench = make(max_queue_size=2, compute=InlineCompute(lambda _: 0.2))
    async with bench.client() as client:
        first = [asyncio.ensure_future(client.post("/predict", json=SETOSA)) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert bench.value("inference_queue_size") == 2
        refused = await client.post("/predict", json=SETOSA)
        answers = await asyncio.gather(*first)
    assert refused.json()["error"]["type"] == "queue_full"
    assert 1 <= int(refused.headers["retry-after"]) <= 3
    assert [answer.status_code for answer in answers] == [200, 200]
    assert bench.value("inference_queue_size") == 0
    assert bench.value("inference_queue_limit") == 2


async def test_only_so_many_predictions_run_at_once(make: Callable[..., Bench]) -> None:
    """With one worker two requests take two service times."""
    bench = make(
        inference_workers=1, max_batch_size=1, compute=InlineCompute(lambda kind: 0.1 if kind == "predict" else 0.0)
    )
    async with bench.client() as client:
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*[client.post("/predict", json=SETOSA) for _ in range(2)])
        assert asyncio.get_running_loop().time() - started >= 0.2


async def test_a_slow_prediction_times_out(make: Callable[..., Bench]) -> None:
    """Past REQUEST_TIMEOUT the answer is a 504 and the place in the queue is free again."""
    bench = make(request_timeout=0.05, model_warmup=False, compute=InlineCompute(lambda _: 0.3))
    async with bench.client() as client:
        answer = await client.post("/predict", json=SETOSA)
    assert (answer.status_code, answer.json()["error"]["type"]) == (504, "timeout")
    assert bench.value("inference_queue_size") == 0


async def test_a_broken_stage_is_a_failed_prediction(make: Callable[..., Bench]) -> None:
    """Whatever a stage raises, even a TimeoutError of its own, is a 500 of type prediction_failed."""

    async def broken(stage: str, _call: object) -> None:
        if stage == "model_prediction":
            raise TimeoutError("not ours")

    bench = make()
    bench.seams.stages.append(broken)
    async with bench.client() as client:
        answer = await client.post("/predict", json=SETOSA)
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "prediction_failed")
    assert bench.spans()["model_prediction"].status.is_ok is False


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=examples(80), deadline=None)
@given(ANY_JSON | st.lists(st.lists(st.floats(), min_size=4, max_size=4), min_size=1, max_size=10))
def test_the_reader_takes_good_rows_or_raises_invalid_input(features: Any) -> None:
    """Whatever JSON comes, the reader returns finite rows of four numbers or raises InvalidInput."""
    payload = json.dumps({"features": features}).encode()
    try:
        rows = BodyReader(IRIS, 10).read(payload)
    except InvalidInput as error:
        problems = error.problems
    else:
        problems = ()
        assert rows == features
    good = isinstance(features, list) and 1 <= len(features) <= 10
    good = good and all(isinstance(row, list) and len(row) == 4 for row in features)
    good = good and all(isinstance(value, float) and abs(value) <= 1e12 for row in features for value in row)
    assert good == (not problems)
