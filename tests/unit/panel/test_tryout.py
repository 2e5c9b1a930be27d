"""Pushing inputs out, pictures, counters before and after, and attempts that outlive a page."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest
from PIL import Image

from panel.access.errors import ReadOnly
from panel.tryout import inputs, pictures
from panel.tryout.attempts import KEPT, MOST_AT_ONCE, Attempts, TooManyAttempts, Wish
from panel.tryout.counters import moves
from panel.tryout.summary import summed_up
from stack.clients.service import Answer, Feature, InputForm, Prediction, Refusal, ServedModel, ServiceClient
from stack.errors import SourceUnreachable

FEATURES = (Feature("wide", 0.0, 10.0, 5.0, 2.0), Feature("still", 3.0, 3.0, 3.0, 0.0))
MODEL = ServedModel("m", "M", "1", loaded=True, input=InputForm("rows", (2,)), features=FEATURES)


def answer(number: int = 1, *, label: str = "a", status: int = 200) -> Answer:
    """Return an answer that took so many hundredths of a second."""
    refusal = None if status == 200 else Refusal("queue_full", "full")
    prediction = Prediction(label, 0.9) if refusal is None else None
    return Answer(0.0, status, number / 100, f"r{number}", "t", prediction, refusal)


@pytest.mark.parametrize("sigmas", [0.0, 0.5, 2.0, 3.5, 5.0])
@pytest.mark.parametrize("value", [-20.0, 0.5, 5.0, 9.9])
def test_a_push_moves_away_from_the_mean_and_beyond_three_sigma_is_always_out(value: float, sigmas: float) -> None:
    """Never back towards the mean; what stands still in training moves too; 0 changes nothing."""
    row = inputs.pushed(FEATURES, (value, 3.0), sigmas)
    assert abs(row[0] - 5.0) == pytest.approx(abs(value - 5.0) + 2.0 * sigmas)
    assert row[1] == 3.0 + 3.0 * sigmas
    names = [each.name for each in inputs.outside(FEATURES, row)]
    assert ("wide" in names) == (not FEATURES[0].lower <= row[0] <= FEATURES[0].upper)
    if sigmas > 3.0:
        assert names == ["wide", "still"]


def test_a_faded_picture_is_blank_in_the_end() -> None:
    """A sample and an upload alike; half-way it is half as dark; what is no picture is said to be none."""
    form = InputForm("image", (2, 2), 16.0)
    model = ServedModel("d", "D", "1", loaded=True, input=form, examples=((0.0, 16.0, 8.0, 4.0),))
    levels = [_pixels(pictures.example(model, 0, fade).content) for fade in (0.0, 0.5, 1.0)]
    assert levels == [[0, 255, 128, 64], [128, 255, 192, 160], [255] * 4]
    sample = pictures.example(model, 0, 0.0).content
    assert pictures.faded("a.JPG", sample, 0.0) == pictures.Upload("a.JPG", sample, "image/jpeg")
    assert set(_pixels(pictures.faded('a".svg', sample, 1.0).content)) == {255}
    assert pictures.faded('a.x"onerror="', sample, 0.0).media_type == "image/png"
    with pytest.raises(pictures.UnreadablePicture, match="choose a PNG"):
        pictures.faded("a.png", b"no picture", 0.5)


def _pixels(content: bytes) -> list[int]:
    from io import BytesIO  # noqa: PLC0415 - beside the one who needs it

    with Image.open(BytesIO(content)) as picture:
        return list(picture.convert("L").tobytes())


def test_counters_tell_what_moved_and_what_of_it_is_ours() -> None:
    """Other models and routes stay away; a reset counts from 0; what the answers do not tell stays open."""

    def said(**labels: str) -> tuple[tuple[str, str], ...]:
        return tuple(sorted(labels.items()))

    route = "/predict/{model}"
    http = ("http_requests_total", said(endpoint=route, status="200"))
    other = ("http_requests_total", said(endpoint="/health", status="200"))
    ours = ("model_predictions_total", said(model_name="m", model_version="1", prediction_class="a"))
    theirs = ("model_predictions_total", said(model_name="n", prediction_class="a"))
    drift = ("data_drift_requests_total", said(model_name="m"))
    full = ("prediction_errors_total", said(model_name="m", error_type="queue_full"))
    before = {http: 5.0, other: 1.0, ours: 90.0, theirs: 3.0}
    after = {http: 9.0, other: 2.0, ours: 2.0, theirs: 4.0, drift: 1.0, full: 1.0}
    found = moves(before, after, MODEL, [answer(), answer(), answer(status=503)])
    assert [(move.name, move.before, move.after, move.ours) for move in found] == [
        ("http_requests_total", 5.0, 9.0, 2),
        ("prediction_errors_total", 0.0, 1.0, 1),
        ("model_predictions_total", 0.0, 2.0, 2),
        ("data_drift_requests_total", 0.0, 1.0, None),
    ]
    assert found[2].labels == (("model_name", "m"), ("prediction_class", "a"))


def test_answers_are_summed_up_by_outcome() -> None:
    """The commonest first; the slowest is kept whole."""
    about = summed_up([answer(3), answer(1), answer(2, label="b"), answer(9, status=503)])
    assert about.outcomes == (("200: a", 2), ("200: b", 1), ("503: queue_full", 1))
    assert (about.fastest_s, about.median_s, about.slowest.request_id) == (0.01, 0.025, "r9")


class _Client(ServiceClient):
    """Answers when it is told to, or is away."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")
        self.go = threading.Semaphore(0)
        self.away = False

    def predict(self, *_: object, **__: object) -> Answer:
        assert self.go.acquire(timeout=30)
        if self.away:
            raise SourceUnreachable("the service", self.url, "gone")
        return answer()

    def samples(self, *_: object) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        return {}


def test_an_attempt_can_be_stopped_and_keeps_what_it_has() -> None:
    """The answer under way is heard out; no further request is sent."""
    client = _Client()
    attempts = Attempts(client, [client])
    started = attempts.start(Wish(MODEL, {}, count=20))
    client.go.release()
    attempts.stop(started)
    client.go.release(2)
    attempts.wait(started, 30)
    done = attempts.get(started)
    assert done is not None
    assert (done.over, done.stopped, done.moves) == (True, True, None)
    assert 1 <= len(done.answers) <= 2


def test_attempts_are_bounded_in_number_and_in_memory() -> None:
    """So many at once, so many kept; those under way are never forgotten; a service that goes away ends one."""
    client = _Client()
    attempts = Attempts(client, [client])
    running = [attempts.start(Wish(MODEL, {})) for _ in range(MOST_AT_ONCE)]
    with pytest.raises(TooManyAttempts, match="under way already"):
        attempts.start(Wish(MODEL, {}))
    client.away = True
    client.go.release(MOST_AT_ONCE)
    for each in running:
        attempts.wait(each, 30)
    first = attempts.get(running[0])
    assert first is not None
    assert "unreachable" in first.problem
    client.away = False
    for _ in range(KEPT):
        client.go.release()
        attempts.wait(attempts.start(Wish(MODEL, {})), 30)
    assert attempts.get(running[0]) is None
    assert len(attempts._kept) == KEPT
    assert len(attempts.recent("m")) == 8
    assert attempts.recent("n") == ()


def test_who_may_not_act_starts_and_stops_nothing() -> None:
    """The seam refuses, whatever a browser says was pressed."""

    def refuse() -> None:
        raise ReadOnly

    attempts = Attempts(_Client(), [], allow=refuse)
    for act in (lambda: attempts.start(Wish(MODEL, {})), lambda: attempts.stop("x")):
        with pytest.raises(ReadOnly):
            act()
    assert attempts.recent("m") == ()


def test_payloads_have_the_shape_of_their_form() -> None:
    """Fields by name, a history oldest first, rows as they are."""
    shapes: Mapping[str, object] = {
        form: inputs.payload_of(
            ServedModel("m", "", "", loaded=True, input=InputForm(form, (2,)), features=FEATURES), (1, 2)
        )
        for form in ("rows", "fields", "history")
    }
    assert shapes == {
        "rows": {"features": [[1, 2]]},
        "fields": {"wide": 1, "still": 2},
        "history": {"history": [2, 1]},
    }
