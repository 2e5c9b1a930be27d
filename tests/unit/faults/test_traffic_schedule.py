"""Arrivals, the meter and the bodies: everything of the traffic generator that needs no event loop."""

from __future__ import annotations

import json
import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_service import MODEL_INFO

from faults.traffic.arrivals import Arrivals
from faults.traffic.errors import BadModelInfo
from faults.traffic.inputs import Mix, ModelInfo, ServedModel, make_inputs, read_model_info
from faults.traffic.meter import LatencyHistogram, Meter

INFO = ModelInfo.model_validate(MODEL_INFO)
INPUTS = {model.name: inputs for model in INFO.models if (inputs := make_inputs(model, random.Random(5)))}


def intended(seed: int, rate: float, count: int) -> list[float]:
    """Return the first ``count`` intended starts of a schedule that begins at 100 s."""
    arrivals, starts = Arrivals(random.Random(seed), rate, 100.0), []
    for _ in range(count):
        starts.append(arrivals.due)
        arrivals.advance()
    return starts


def test_gaps_are_exponential_with_the_wanted_rate() -> None:
    """Mean and standard deviation of the gaps are 1/rate, and counts per second are as spread as Poisson's."""
    starts = intended(seed=1, rate=50.0, count=50_000)
    gaps = [after - before for before, after in pairwise(starts)]
    mean = math.fsum(gaps) / len(gaps)
    deviation = math.sqrt(math.fsum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert mean == pytest.approx(1 / 50, rel=0.02)
    assert deviation == pytest.approx(1 / 50, rel=0.03)
    per_second = [0] * 990
    for start in starts:
        if start < 1090.0:
            per_second[int(start - 100.0)] += 1
    average = sum(per_second) / len(per_second)
    variance = sum((count - average) ** 2 for count in per_second) / len(per_second)
    assert variance / average == pytest.approx(1.0, abs=0.15)


def test_a_seed_repeats_the_schedule_and_another_does_not() -> None:
    """The same seed gives the same intended starts to the last bit."""
    assert intended(7, 20.0, 100) == intended(7, 20.0, 100)
    assert intended(7, 20.0, 100) != intended(8, 20.0, 100)


def test_no_rate_and_a_passed_end_mean_no_arrivals() -> None:
    """A rate of 0 schedules nothing, and nothing is scheduled after the end."""
    assert Arrivals(random.Random(1), 0.0, 5.0).due == math.inf
    arrivals, starts = Arrivals(random.Random(1), 100.0, 5.0, 6.0), []
    while arrivals.due < math.inf:
        starts.append(arrivals.due)
        arrivals.advance()
    assert 60 < len(starts) < 140
    assert max(starts) <= 6.0


@given(st.lists(st.floats(min_value=1e-5, max_value=500.0), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_histogram_quantiles_are_within_two_percent(latencies: list[float], share: float) -> None:
    """A quantile of the histogram is the exact one within its bucket's width, and the maximum is exact."""
    histogram = LatencyHistogram()
    for latency in latencies:
        histogram.observe(latency)
    exact = sorted(latencies)[max(1, math.ceil(share * len(latencies))) - 1]
    assert histogram.quantile(share) == pytest.approx(exact, rel=0.021)
    assert histogram.maximum == max(latencies)


def test_histogram_takes_what_lies_outside_its_range() -> None:
    """Zero, negative (a clock's grain) and absurdly long latencies are counted at the ends."""
    histogram = LatencyHistogram()
    for latency in (-1e-9, 0.0, 1e9):
        histogram.observe(latency)
    assert histogram.count == 3
    assert histogram.quantile(0.5) <= 1.1e-6
    assert histogram.maximum == 1e9


def test_a_refused_connection_counts_as_error_without_latency() -> None:
    """Fast refusals do not flatter the quantiles; answers that never came count with the time waited."""
    meter = Meter()
    for _ in range(4):
        meter.started(0.0)
    meter.started(0.006)
    meter.unsent()
    assert meter.quantiles() == {}
    meter.unanswered(30.0)
    meter.answered(200, 0.01)
    meter.dropped()
    assert meter.statuses() == {"200": 1, "dropped": 1, "error": 2}
    assert meter.quantiles()["max"] == 30.0
    assert meter.late_share == pytest.approx(0.2)


def drifted(model: ServedModel, row: list[float]) -> list[bool]:
    """Return, per feature, whether the drift rule flags the value."""
    return [
        not feature.minimum <= value <= feature.maximum or abs(value - feature.mean) > 3 * feature.std
        for feature, value in zip(model.features, row, strict=True)
    ]


def rows(bodies: tuple[bytes, ...]) -> list[list[float]]:
    """Return the one row of each body."""
    return [json.loads(body)["features"][0] for body in bodies]


@pytest.mark.parametrize("model", INFO.models, ids=lambda model: model.name)
def test_usual_inputs_are_in_distribution_and_strange_ones_are_not(model: ServedModel) -> None:
    """No usual row is flagged by the drift rule, every strange one is, and rows differ."""
    inputs = INPUTS[model.name]
    assert not any(any(drifted(model, row)) for row in rows(inputs.usual))
    assert all(any(drifted(model, row)) for row in rows(inputs.strange))
    assert len(set(inputs.usual)) > 100


def test_what_was_never_negative_stays_so() -> None:
    """Strange values of a length or a count are large, not negative: the service must accept them."""
    assert all(row[0] > 0 and row[1] > 0 for row in rows(INPUTS["iris"].strange))
    assert any(row[1] < -50.0 for row in rows(INPUTS["churn"].strange))


def test_whole_numbers_stay_whole() -> None:
    """A feature whose training rows hold whole numbers only gets no noise."""
    assert {row[0] for row in rows(INPUTS["churn"].usual)} == {3, 40, 60}


def test_without_examples_rows_are_drawn_from_the_statistics() -> None:
    """Statistics alone still give usual rows; no features at all give no inputs."""
    model = INFO.models[0].model_copy(update={"examples": []})
    inputs = make_inputs(model, random.Random(2))
    assert inputs is not None
    assert not any(any(drifted(model, row)) for row in rows(inputs.usual))
    assert make_inputs(ServedModel(name="unloaded"), random.Random(2)) is None


def test_a_constant_feature_can_still_be_strange() -> None:
    """A feature without spread is moved out of its range."""
    feature = {"name": "flag", "minimum": 0.0, "maximum": 0.0, "mean": 0.0, "std": 0.0}
    model = ServedModel.model_validate({"name": "m", "features": [feature], "examples": [[0.0]]})
    inputs = make_inputs(model, random.Random(2))
    assert inputs is not None
    assert all(row[0] > 0.0 for row in rows(inputs.strange))


def test_the_mix_keeps_its_weights_and_its_share_of_strange_inputs() -> None:
    """Models come by weight, strange inputs by their share, ids are unique, and a seed repeats all of it."""
    mix = Mix(random.Random(3), INPUTS, {"iris": 4.0, "churn": 1.0, "absent": 9.0, "none": 0.0}, 0.25)
    requests = [mix.draw() for _ in range(20_000)]
    again = Mix(random.Random(3), INPUTS, {"iris": 4.0, "churn": 1.0, "absent": 9.0, "none": 0.0}, 0.25)
    assert requests[:500] == [again.draw() for _ in range(500)]
    iris = [request for request in requests if request.model == "iris"]
    assert {request.path for request in iris} == {"/predict/iris"}
    assert len(iris) / len(requests) == pytest.approx(0.8, abs=0.02)
    strange = [request for request in iris if request.body in INPUTS["iris"].strange]
    assert len(strange) / len(iris) == pytest.approx(0.25, abs=0.02)
    assert len({request.id for request in requests}) == len(requests)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"<html>", "Invalid JSON"),
        (b'{"models": [{"features": []}]}', "models.0.name"),
        (b'{"models": [{"name": "x", "features": [], "examples": [[1.0]]}]}', "another number of values"),
        (b'{"status": "ok"}', "models: Field required"),
    ],
)
def test_a_foreign_model_info_is_named_with_its_fault(text: bytes, reason: str) -> None:
    """What is no /model-info of a Firedrill service is refused with the URL and the reason."""
    with pytest.raises(BadModelInfo, match=reason) as caught:
        read_model_info(text, "http://127.0.0.1:1/model-info")
    assert "http://127.0.0.1:1/model-info" in str(caught.value)
