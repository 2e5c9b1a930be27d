"""The panel's client of the service against the real one over HTTP, and what a person's inputs become there."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
import uvicorn
from service_bench import Bench
from starlette.types import ASGIApp, Receive, Scope, Send

from panel.tryout import inputs, pictures
from panel.tryout.attempts import Attempt, Attempts, Wish
from service.models.base import FeatureStatistics
from stack.clients.service import NoModels, Served, ServedModel, ServiceClient, Upload
from stack.errors import SourceUnreachable
from tests.ports import free_port

DEADLINE_S = 30.0
MODELS = "iris,churn,housing,exchange-rate,digits"


@contextmanager
def served(app: ASGIApp, lifespan: Literal["on", "off"] = "on") -> Iterator[ServiceClient]:
    """Serve an app in a thread and give a client of it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan=lifespan))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    end = time.monotonic() + DEADLINE_S
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < end
        time.sleep(0.01)
    try:
        with ServiceClient(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=DEADLINE_S) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)


def attempted(client: ServiceClient, wish: Wish) -> Attempt:
    """Return a whole attempt."""
    attempts = Attempts(client, [client])
    started = attempts.start(wish)
    attempts.wait(started, DEADLINE_S)
    done = attempts.get(started)
    assert done is not None
    assert done.over
    return done


def test_every_model_takes_what_the_form_makes_of_its_own_description(make: Callable[..., Bench]) -> None:
    """Of each model a training row is answered and passes the drift rule; pushed by 5 σ it is flagged, as foretold."""
    with served(make(models=MODELS).app) as client:
        told = client.served()
        assert [model.name for model in told.models] == MODELS.split(",")
        for model in told.models:
            for push in (0.0, inputs.MOST_SIGMA):
                if model.input.form == "image":
                    wish = Wish(model, pictures.example(model, 0, push / inputs.MOST_SIGMA), push=push)
                else:
                    row = inputs.pushed(model.features, inputs.starts_of(model)[0], push)
                    far = inputs.outside(model.features, row)
                    assert bool(far) == (push > 0.0)
                    wish = Wish(model, inputs.payload_of(model, row), 1, row, far, push)
                done = attempted(client, wish)
                [answer] = done.answers
                assert (answer.status, answer.refusal, done.problem) == (200, None, "")
                assert answer.prediction is not None
                assert answer.request_id == f"panel-{done.id}-1"
                assert len(answer.trace_id) == 32
                assert (answer.prediction.value is None) == bool(model.classes)
                assert (answer.prediction.confidence is not None) == bool(model.classes)
                assert done.moves is not None
                moved = {move.name: (move.after - move.before, move.ours) for move in done.moves}
                assert moved["http_requests_total"] == (1.0, 1)
                assert moved["prediction_requests_total"] == (1.0, 1)
                assert moved.get("data_drift_requests_total", (0.0,))[0] == (1.0 if push else 0.0)


def test_the_drift_limits_are_those_of_the_service(make: Callable[..., Bench]) -> None:
    """What a feature lets pass is told the same by the client and by the service's own statistics."""
    bench = make(models="housing", model_name="housing")
    with served(bench.app) as client:
        features = _only(client.served()).features
        model = bench.models.loaded("housing")
        assert model is not None
        own: tuple[FeatureStatistics, ...] = model.statistics.features
        assert [(f.name, f.lower, f.upper) for f in features] == [(f.name, f.lower, f.upper) for f in own]


def test_what_the_service_refuses_comes_in_its_words(make: Callable[..., Bench]) -> None:
    """An unknown model, a wrong width, no picture, a model that is gone: the type and message of the error answer."""
    bench = make(models="iris,digits")
    with served(bench.app) as client:
        iris = _only(client.served(), "iris")
        unknown = client.predict("nobody", {"features": [[1.0]]})
        assert unknown.refusal is not None
        assert (unknown.status, unknown.refusal.type) == (404, "unknown_model")
        narrow = client.predict("iris", {"features": [[1.0]]})
        assert narrow.refusal is not None
        assert (narrow.status, narrow.refusal.type) == (422, "invalid_input")
        assert "features[0]" in narrow.refusal.message
        broken = client.predict("digits", Upload("x.png", b"no picture"))
        assert broken.refusal is not None
        assert (broken.status, broken.refusal.type) == (422, "invalid_input")
        del bench.models._serving["iris"]
        done = attempted(client, Wish(iris, {"features": [list(iris.examples[0])]}, count=3))
        assert [answer.status for answer in done.answers] == [503] * 3
        assert {answer.refusal.type for answer in done.answers if answer.refusal} == {"model_not_loaded"}
        assert not _only(client.served(), "iris").loaded


def test_nobody_there_and_somebody_else_there_are_told_apart() -> None:
    """A closed port is unreachable; an attempt ends with that, and an app without models is said to be one."""
    with ServiceClient(f"http://127.0.0.1:{free_port()}") as client, pytest.raises(SourceUnreachable):
        client.predict("iris", {})

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"<h1>not here</h1>"})

    with served(app, "off") as client:
        with pytest.raises(NoModels, match="describes no models"):
            client.served()
        assert client.samples(["http_requests_total"]) == {}
        foreign = client.predict("iris", {}).refusal
        assert foreign is not None
        assert (foreign.type, foreign.message) == ("", "<h1>not here</h1>")


def _only(told: Served, name: str = "housing") -> ServedModel:
    found = told.named(name)
    assert found is not None
    return found
