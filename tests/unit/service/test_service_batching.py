"""Micro-batching: who goes into a call with whom, and that each request gets what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from service_bench import SETOSA, Bench

from service.batching import Batcher, BatchLimits, Ticket, predict_together
from service.compute import InlineCompute
from service.errors import WrongOutput
from service.models.base import Items, Output
from tests.generated import examples

pytestmark = pytest.mark.anyio
IRIS = {"model_name": "iris", "model_version": "1.0.0"}
BODIES = [{"features": [[4.0 + index / 10, 3.0, 1.0 + index / 4, 0.2 + index / 10]]} for index in range(20)]


class Busy:
    """A predictor that doubles a row's first value, keeps what each call brought, and cannot stand a negative one."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, rows: Items) -> Output:
        """Predict."""
        self.calls.append(len(rows))
        if any(row[0] < 0 for row in rows):
            raise ValueError("negative")
        return Output(tuple(2.0 * row[0] for row in rows), tuple(f"c{row[0]:g}" for row in rows), (0.5,) * len(rows))


def batcher(
    predict: Callable[[Items], Output], *, service_s: float = 0.02, lanes: int = 1, **limits: Any
) -> tuple[Batcher, list[int]]:
    """Return a batcher whose calls take ``service_s``, and the list of how many requests each had."""
    sizes: list[int] = []
    made = Batcher(
        predict,
        compute=InlineCompute(lambda _: service_s),
        slots=asyncio.Semaphore(16),
        lanes=lanes,
        limits=BatchLimits(**limits),
        now=asyncio.get_running_loop().time,
        on_batch=sizes.append,
    )
    return made, sizes


async def test_what_queues_during_a_call_goes_into_the_next() -> None:
    """A first request is predicted alone and at once; the nine that come meanwhile share one call."""
    model = Busy()
    line, sizes = batcher(model)
    first = line.join([[0.0]])
    await first.begun
    others = [line.join([[float(value)], [value + 0.5]]) for value in range(1, 10)]
    outputs = [await ticket.output() for ticket in others]
    assert (await first.output()).values == (0.0,)
    assert [output.values for output in outputs] == [(2.0 * value, 2.0 * value + 1.0) for value in range(1, 10)]
    assert [output.classes for output in outputs] == [(f"c{value}", f"c{value}.5") for value in range(1, 10)]
    assert (sizes, model.calls) == ([1, 9], [1, 18])


@pytest.mark.parametrize(("turns", "expected"), [(1, [2]), (2, [2]), (20, [1, 1])])
async def test_who_is_a_turn_of_the_loop_away_is_let_in(turns: int, expected: list[int]) -> None:
    """A call waits for what the loop has at hand, no longer: one that comes much later goes into the next."""
    line, sizes = batcher(Busy())

    async def come() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await line.join([[2.0]]).output()

    coming = asyncio.ensure_future(come())
    await line.join([[1.0]]).output()
    await coming
    assert sizes == expected


async def test_one_that_breaks_the_model_fails_alone() -> None:
    """Of a batch with one bad row the bad request gets its error and the others their answers."""
    line, _ = batcher(Busy())
    good, bad, also = (line.join([[value]]) for value in (1.0, -1.0, 2.0))
    assert (await good.output()).values == (2.0,)
    with pytest.raises(ValueError, match="negative"):
        await bad.output()
    assert (await also.output()).values == (4.0,)


async def test_a_batch_has_no_more_rows_than_the_limit() -> None:
    """Five requests of two rows go as two, two and one with a limit of four; one of nine rows goes alone."""
    model = Busy()
    line, sizes = batcher(model, rows=4)
    tickets = [line.join([[1.0], [2.0]]) for _ in range(5)]
    tickets.append(line.join([[3.0]] * 9))
    for ticket in tickets:
        await ticket.output()
    assert (sizes, model.calls) == ([2, 2, 1, 1], [4, 4, 2, 9])


async def test_who_leaves_is_not_predicted() -> None:
    """A request that leaves the queue is in no call, one that leaves during its call disturbs nobody."""
    model = Busy()
    line, sizes = batcher(model)
    first = line.join([[1.0]])
    await first.begun
    gone, stays = line.join([[2.0]]), line.join([[3.0]])
    line.leave(gone)
    line.leave(first)
    assert (await stays.output()).values == (6.0,)
    assert (sizes, model.calls) == ([1, 1], [1, 1])
    line.leave(stays)


@pytest.mark.parametrize(("arrivals", "expected_s"), [(3, 0.2), (8, 0.0)])
async def test_a_window_waits_for_company_until_a_call_is_full(arrivals: int, expected_s: float) -> None:
    """With a window of 0.2 s an idle model waits that long for fewer rows than it takes, and not for as many."""
    line, sizes = batcher(Busy(), service_s=0.0, rows=8, window_s=0.2)
    loop = asyncio.get_running_loop()
    started = loop.time()
    tickets = [line.join([[1.0]])]
    await asyncio.sleep(0.01)
    tickets += [line.join([[1.0]]) for _ in range(arrivals - 1)]
    for ticket in tickets:
        await ticket.output()
    assert expected_s <= loop.time() - started < expected_s + 0.15
    assert sizes == [arrivals]


async def test_a_failing_seam_is_every_requests_failure() -> None:
    """Where the compute seam itself breaks, all of the batch hear of it, and the next call works."""

    class Broken:
        broken = True

        async def run(self, _kind: str, function: Callable[[], Any]) -> Any:
            if self.broken:
                raise RuntimeError("no threads left")
            return function()

    compute = Broken()
    line = Batcher(
        Busy(),
        compute=compute,
        slots=asyncio.Semaphore(1),
        lanes=1,
        limits=BatchLimits(),
        now=asyncio.get_running_loop().time,
        on_batch=lambda _: None,
    )
    for ticket in [line.join([[1.0]]) for _ in range(2)]:
        with pytest.raises(RuntimeError, match="no threads left"):
            await ticket.output()
    compute.broken = False
    assert (await line.join([[1.0]]).output()).values == (2.0,)


def test_predictions_that_belong_to_nobody_are_refused() -> None:
    """A model that loses a row fails its requests: no answer may carry another request's row."""
    outcomes = predict_together(lambda _: Output((1.0,)), [[[1.0]], [[2.0], [3.0]]])
    assert outcomes[0] == Output((1.0,))
    assert isinstance(outcomes[1], WrongOutput)


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(st.lists(st.integers(-3, 30), min_size=1, max_size=5), min_size=1, max_size=30), st.integers(1, 12))
def test_together_or_alone_the_outcome_is_the_same(requests: list[list[int]], rows: int) -> None:
    """Whatever requests and limit: each outcome is that of predicting the request by itself, and every call fits."""

    async def scenario() -> None:
        model = Busy()
        line, sizes = batcher(model, service_s=0.0, rows=rows)
        items = [[[float(value)] for value in request] for request in requests]
        tickets: list[Ticket] = [line.join(each) for each in items]
        for each, ticket in zip(items, tickets, strict=True):
            outcome = await ticket.outcome
            expected = predict_together(Busy(), [each])[0]
            assert (type(outcome), str(outcome)) == (type(expected), str(expected))
        assert sum(sizes) == len(requests)

    asyncio.run(scenario())


async def test_over_http_answers_stay_with_their_requests(make: Callable[..., Bench]) -> None:
    """Twenty different flowers at once get what each gets alone, in fewer calls, and are counted one by one."""
    bench = make(compute=InlineCompute(lambda kind: 0.05 if kind == "predict" else 0.0))
    async with bench.client() as client:
        alone = [(await client.post("/predict", json=body)).json() for body in BODIES]
        calls = bench.value("inference_batch_size_count", **IRIS)
        together = await asyncio.gather(*[client.post("/predict", json=body) for body in BODIES])
    for one, other in zip(alone, together, strict=True):
        assert other.status_code == 200
        assert other.json()["classes"] == one["classes"]
        assert other.json()["confidence"] == pytest.approx(one["confidence"], rel=1e-12)
    assert len({answer.json()["request_id"] for answer in together}) == 20
    assert calls == 20
    assert bench.value("inference_batch_size_count", **IRIS) < 26
    assert bench.value("inference_batch_size_sum", **IRIS) == 40
    assert bench.value("model_inference_duration_seconds_count", **IRIS) == 40
    assert bench.value("prediction_requests_total", **IRIS) == 40
    names = [span.name for span in bench.exporter.get_finished_spans()]
    assert names.count("model_prediction") == names.count("queue") == 40


async def test_a_delay_of_one_request_holds_up_no_other(make: Callable[..., Bench]) -> None:
    """While a hook holds one prediction for long, others of the same batch and later ones are answered."""
    bench = make(inference_workers=1)
    released = asyncio.Event()

    async def hold_back(stage: str, call: Any) -> None:
        if stage == "model_prediction" and call.request_id == "slow":
            await released.wait()

    bench.seams.stages.append(hold_back)
    async with bench.client() as client:
        slow = asyncio.ensure_future(client.post("/predict", json=SETOSA, headers={"x-request-id": "slow"}))
        quick = await asyncio.gather(*[client.post("/predict", json=SETOSA) for _ in range(5)])
        assert [answer.status_code for answer in quick] == [200] * 5
        assert (await client.post("/predict", json=SETOSA)).status_code == 200
        assert not slow.done()
        released.set()
        assert (await slow).status_code == 200


async def test_an_injected_failure_fails_one_of_its_batch(make: Callable[..., Bench]) -> None:
    """A hook that raises for one of ten requests at once fails that one."""
    bench = make()

    async def fail(stage: str, call: Any) -> None:
        if stage == "model_prediction" and call.request_id == "r3":
            raise RuntimeError("injected")

    bench.seams.stages.append(fail)
    async with bench.client() as client:
        answers = await asyncio.gather(
            *[client.post("/predict", json=SETOSA, headers={"x-request-id": f"r{index}"}) for index in range(10)]
        )
    assert [answer.status_code for answer in answers] == [200] * 3 + [500] + [200] * 6
    assert bench.value("prediction_errors_total", error_type="prediction_failed", **IRIS) == 1


async def test_who_times_out_leaves_the_queue_and_is_not_predicted(make: Callable[..., Bench]) -> None:
    """Requests that wait behind a long call are 504s in time; afterwards the model is free for the next."""
    busy_s = [0.4]
    bench = make(
        request_timeout=0.15,
        model_warmup=False,
        compute=InlineCompute(lambda kind: busy_s[0] if kind == "predict" else 0.0),
    )
    async with bench.client() as client:
        first = asyncio.ensure_future(client.post("/predict", json=SETOSA))
        await asyncio.sleep(0.05)
        others = await asyncio.gather(*[client.post("/predict", json=SETOSA) for _ in range(3)], first)
        assert [answer.json()["error"]["type"] for answer in others] == ["timeout"] * 4
        assert bench.value("inference_queue_size") == 0
        busy_s[0] = 0.0
        await asyncio.sleep(0.3)
        assert (await client.post("/predict", json=SETOSA)).status_code == 200
    assert bench.value("inference_batch_size_sum", **IRIS) == 2


async def test_who_hangs_up_leaves_the_queue_and_is_not_predicted(make: Callable[..., Bench]) -> None:
    """Clients that close their connection while they wait are out of the queue, counted as 499, and cost no call."""
    bench = make(model_warmup=False, compute=InlineCompute(lambda kind: 0.5 if kind == "predict" else 0.0))
    async with bench.client() as client:
        first = asyncio.ensure_future(client.post("/predict", json=SETOSA))
        await asyncio.sleep(0.05)
        leaving = [asyncio.ensure_future(_hang_up(bench)) for _ in range(3)]
        await asyncio.gather(*leaving)
        assert bench.value("inference_queue_size") == 1
        assert (await first).status_code == 200
        assert bench.value("http_requests_total", method="POST", endpoint="/predict", status="499") == 3
    assert bench.value("inference_batch_size_sum", **IRIS) == 1
    assert bench.value("prediction_requests_total", **IRIS) == 4


async def _hang_up(bench: Bench) -> None:
    """Send a request and close the connection 0.1 s later."""
    body = httpx.Request("POST", "http://service/predict", json=SETOSA).content
    messages: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        await asyncio.sleep(0.1)
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        pytest.fail("nobody is there to be answered")

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [], "query_string": b"", "client": None}
    await bench.app(scope, receive, send)


async def test_a_model_whose_calls_run_side_by_side_is_not_batched(make: Callable[..., Bench]) -> None:
    """With MAX_BATCH_SIZE=1 each request is a call of its own, as many at once as there are workers."""
    bench = make(max_batch_size=1, compute=InlineCompute(lambda kind: 0.5 if kind == "predict" else 0.0))
    async with bench.client() as client:
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*[client.post("/predict", json=SETOSA) for _ in range(10)])
        assert asyncio.get_running_loop().time() - started < 4.0, "one after the other they take 5 s"
    assert bench.value("inference_batch_size_count", **IRIS) == 10
