"""What hangs at the seams behind the model and before the pixels is what everybody sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from service_bench import SETOSA, Bench

from service.images import Pixels
from service.models.base import Output
from service.models.profiles import profile_named
from service.seams import Call
from tests.levels import thorough

pytestmark = pytest.mark.anyio
DIGITS = profile_named("digits")


async def test_a_changed_prediction_is_what_caller_metrics_and_spans_see(make: Callable[..., Bench]) -> None:
    """A hook at ``predictions`` changes class and confidence; answer, series and span agree on it."""
    bench = make()

    def otherwise(call: Call, output: Output) -> Output:
        assert (call.model, output.classes) == ("iris", ("setosa",))
        return replace(output, values=(2.0,), classes=("virginica",), confidence=(0.4,))

    bench.seams.predictions.append(otherwise)
    async with bench.client() as client:
        answer = (await client.post("/predict", json=SETOSA)).json()
    assert (answer["predictions"], answer["classes"], answer["confidence"]) == ([2], ["virginica"], [0.4])
    labels = {"model_name": "iris", "model_version": bench.models.version("iris")}
    assert bench.value("model_predictions_total", prediction_class="virginica", **labels) == 1
    assert bench.value("model_predictions_total", prediction_class="setosa", **labels) == 0
    assert bench.value("model_prediction_confidence_sum", **labels) == pytest.approx(0.4)
    attributes = bench.spans()["model_prediction"].attributes or {}
    assert (attributes["prediction.class"], attributes["prediction.confidence"]) == ("virginica", 0.4)


@pytest.mark.parametrize("change", [pytest.param("invert", marks=thorough), "nothing"])
async def test_changed_pixels_reach_the_model_and_the_drift_check(make: Callable[..., Bench], change: str) -> None:
    """A hook at ``pictures`` sees the pixels; their negative drifts, the picture itself does not."""
    bench = make(models=("digits",), model_name="digits")
    rows = DIGITS.dataset().rows
    seen: list[Sequence[Pixels]] = []

    def hook(_call: Call, pictures: Sequence[Pixels]) -> Sequence[Pixels]:
        seen.append(pictures)
        return pictures if change == "nothing" else [np.float32(1.0) - one for one in pictures]

    bench.seams.pictures.append(hook)
    async with bench.client() as client:
        answer = await client.post("/predict", json={"pixels": rows[0].reshape(8, 8).tolist()})
    assert answer.status_code == 200
    assert seen[0][0].shape == (8, 8)
    assert (seen[0][0].min(), seen[0][0].max()) == (0.0, rows[0].max() / 16)
    labels = {"model_name": "digits", "model_version": bench.models.version("digits")}
    assert bench.value("data_drift_requests_total", **labels) == (1 if change == "invert" else 0)


async def test_rows_pass_the_pictures_seam_untouched(make: Callable[..., Bench]) -> None:
    """What hangs at ``pictures`` is not asked about a model of rows."""
    bench = make()

    def never(_call: Call, _pictures: Sequence[Pixels]) -> Sequence[Pixels]:
        raise AssertionError("rows are no pictures")

    bench.seams.pictures.append(never)
    async with bench.client() as client:
        assert (await client.post("/predict", json=SETOSA)).status_code == 200
