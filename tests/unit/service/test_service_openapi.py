"""The service against its own OpenAPI description."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from service_bench import Bench

from tests.generated import examples
from tests.levels import thorough

EXPECTED = {"/", "/predict", "/predict/{model}", "/health", "/ready", "/model-info", "/slo", "/metrics"}
EXPECTED |= {"/v2", "/v2/models/{model}/infer", "/v2/repository/index", "/v2/repository/models/{model}/load"}
TOKEN = "a-token-for-tests"  # noqa: S105 - not one


@pytest.mark.parametrize("sort", ["positive", pytest.param("negative", marks=thorough)])
def test_answers_are_as_described(make: Callable[..., Bench], sort: str) -> None:
    """Whatever is sent, good or bad, the answer's status, type and body are ones that the description names."""
    import schemathesis  # noqa: PLC0415 - seconds of import, which only its worker pays
    from schemathesis.generation import GenerationMode  # noqa: PLC0415 - as above

    assert {mode.value for mode in GenerationMode} == {"positive", "negative"}
    mode = GenerationMode(sort)
    bench = make(models=("iris", "churn", "housing", "exchange-rate", "digits"), control_token=TOKEN)
    asyncio.run(bench.models.start(warm_up=False))
    schema = schemathesis.openapi.from_asgi("/openapi.json", bench.app)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert {operation.path for operation in operations} == set(bench.app.openapi()["paths"]) >= EXPECTED
    for operation in operations:

        @settings(
            max_examples=examples(30),
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def answers_fit(case: schemathesis.Case) -> None:
            case.call_and_validate()
            if case.path.startswith("/v2/repository"):
                case.headers = {**(case.headers or {}), "authorization": f"Bearer {TOKEN}"}
                case.call_and_validate()

        try:
            answers_fit()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # nothing can be wrong with a GET without parameters
