"""The Predict page against the canned stack: the form of every model, what is sent, and what came of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from canned_pages import Open, said
from canned_stack import World
from canned_worlds import lively

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest


def pressed(test: AppTest, key: str = "once") -> AppTest:
    """Press a button and return the page."""
    return test.button(key).click().run()


def test_one_request_shows_its_answer_its_counters_its_trace_and_its_logs(open_page: Open) -> None:
    """From the training row to everything that the request left behind; the address leads to it again."""
    world = lively()
    spans = next(each for each in world.traces if each["traceID"] == f"{3:032x}")["spans"]
    assert isinstance(spans, list)
    spans[-1]["tags"].append({"key": "drift.flagged", "type": "bool", "value": True})
    test = pressed(open_page(world, "predict"))
    assert not test.exception
    [(model, raw)] = world.service.predicted
    assert (model, json.loads(raw)) == ("iris", {"features": [[6.1, 3.2, 3.95, 1.25]]})
    words = said(test)
    assert "setosa" in words
    assert "Confidence **97 %**" in words
    assert ":green-badge[✓ 200]" in words
    assert "prediction_requests_total" in words
    assert "<b>+1</b>" in words
    assert "drift flagged" in words
    assert f"trace `{3:032x}`" in words
    assert "request_completed" in words
    attempt = str(test.query_params["attempt"])
    again = said(open_page(world, "predict", attempt=attempt))  # another stack: nothing of the first is known
    assert "not known any more" in again


def test_the_slider_pushes_the_inputs_out_and_says_by_how_much(open_page: Open) -> None:
    """At 5 σ every value is outside, the table says where and how far, and that is what is sent."""
    world = lively()
    test = open_page(world, "predict", push="5")
    words = said(test)
    assert "Out of distribution: 4 of 4 values" in words
    assert "<b>▲ above</b>, 5.0 σ from the mean" in words
    sent = json.loads(pressed(test) and world.service.predicted[0][1])["features"][0]
    assert sent == pytest.approx([6.1 + 5 * 0.9, 3.2 + 5 * 0.6, 3.95 + 5 * 1.475, 1.25 + 5 * 0.625])
    assert "Sent out of distribution in 4 values" in said(test)
    test.slider("push").set_value(0.0).run()
    assert "In distribution: every value" in said(test)


@pytest.mark.parametrize(
    ("model", "body", "answer"),
    [
        ("housing", '{"crim":5.0,', "24.38"),
        ("digits", "form-data; name", "7"),
    ],
)
def test_every_model_has_its_own_form(open_page: Open, model: str, body: str, answer: str) -> None:
    """Fields, a picture: what is sent is what the model takes; the real service is asked elsewhere."""
    world = lively()
    test = pressed(open_page(world, "predict", model=model))
    assert not test.exception
    [(name, raw)] = world.service.predicted
    assert name == model
    assert body in raw.replace(", ", ",").replace(": ", ":") or body in raw
    assert f'<div class="fd-said">{answer}</div>' in said(test)


def test_many_requests_are_summed_up(open_page: Open) -> None:
    """Twenty of the same: outcomes with their numbers, latencies, and the slowest in full."""
    world = lively()
    test = pressed(open_page(world, "predict"), "many")
    sources = _sources()
    attempt = str(test.query_params["attempt"])
    sources.tryout.attempts.wait(attempt, 30)
    words = said(test.run())
    assert len(world.service.predicted) == 20
    assert "200: setosa" in words
    assert "20 answers, one after the other" in words
    assert "<b>+20</b>" in words


def test_an_error_of_the_service_stands_in_its_words(open_page: Open) -> None:
    """Status, type and message as they came, and what they mean."""
    world = lively()
    world.service.refuse = (503, "queue_full", "100 requests wait <already>; *try* again")
    words = said(pressed(open_page(world, "predict")))
    assert ":red-badge[✗ 503]" in words
    assert "**queue_full**: 100 requests wait \\<already\\>; \\*try\\* again" in words
    assert "QueueSaturated" in words


def test_a_model_that_is_not_loaded_is_said_to_be_so(open_page: Open) -> None:
    """Also before its statistics are known: the form has as many nameless values as the input."""
    world = lively()
    world.service.models[0] |= {"loaded": False, "features": [], "examples": []}
    test = open_page(world, "predict")
    assert not test.exception
    assert "No model is loaded behind this name" in said(test)
    assert [box.label for box in test.number_input][1:] == [f"value {number}" for number in range(1, 5)]


def test_a_service_that_is_down_or_serves_nothing_is_said_plainly(open_page: Open) -> None:
    """Unreachable with what to do; without models, what names them."""
    down = open_page(lively(), "predict", silent=("service",))
    assert not down.exception
    assert "The service is unreachable" in said(down)
    assert "firedrill up" in said(down)
    assert "serves no model" in said(open_page(World(), "predict"))


def test_a_service_that_goes_away_before_the_answer(open_page: Open) -> None:
    """The page has its models from before; the attempt ends with what went wrong."""
    world = lively()
    test = open_page(world, "predict")
    client = _sources().tryout.attempts._client
    client._source._client.base_url = "http://127.0.0.1:1"
    words = said(pressed(test))
    assert "No answer. The service is unreachable" in words


def test_a_reader_may_look_and_not_send(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both buttons are disabled, with the reason."""
    from panel import roles  # noqa: PLC0415 - seconds of import, which only its worker pays

    monkeypatch.setattr(roles, "role", lambda: "reader")
    world = lively()
    test = open_page(world, "predict")
    assert test.button("once").disabled
    assert test.button("many").disabled
    assert "reading along" in str(test.button("once").help)
    assert world.service.predicted == []


def _sources():  # noqa: ANN202 - a type of the panel, whose import takes seconds
    from panel import deps  # noqa: PLC0415 - as above

    return deps.sources()
