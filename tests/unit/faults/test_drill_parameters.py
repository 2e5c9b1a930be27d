"""Parameters against a kind's schema: as strict as the kind itself where drills are written."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, JsonValue, ValidationError

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.base import Parameters, catalogue
from faults.drills.parameters import parameter_problems


class Sample(Parameters):
    """Every form of field that kinds use."""

    delay_ms: float = Field(default=1.0, ge=1.0, lt=100.0)
    count: int = Field(ge=1)
    mode: Literal["soft", "hard"] = "soft"
    only: Literal["one"] = "one"
    name: str | None = None
    where: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(), max_length=2)
    on: bool = False


SCHEMA = Sample.model_json_schema()


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "count: is missing"),
        ({"count": 1, "delay_ms": 0.5}, "delay_ms: expected at least 1, got 0.5"),
        ({"count": 1, "delay_ms": 100}, "delay_ms: expected less than 100, got 100"),
        ({"count": 1, "delay_ms": float("nan")}, "delay_ms: expected a finite number, got nan"),
        ({"count": 1, "delay_ms": "fast"}, "delay_ms: expected number, got 'fast'"),
        ({"count": True}, "count: expected integer, got True"),
        ({"count": 1.5}, "count: expected integer, got 1.5"),
        ({"count": 1, "mode": "odd"}, "mode: expected one of soft, hard, got 'odd'"),
        ({"count": 1, "only": "two"}, "only: expected one of one, got 'two'"),
        ({"count": 1, "name": 3}, "name: expected string, got 3"),
        ({"count": 1, "where": [1, -1]}, "where[1]: expected at least 0, got -1"),
        ({"count": 1, "where": [1, 2, 3]}, "where: expected at most 2 items, got 3"),
        ({"count": 1, "on": "yes"}, "on: expected boolean, got 'yes'"),
        ({"count": 1, "speed": 1}, "speed: unknown; known are count, delay_ms, mode, name, on, only, where"),
    ],
)
def test_what_the_schema_forbids_is_said_in_words(parameters: dict[str, JsonValue], expected: str) -> None:
    """Each rule of the schema has its sentence, with the key it is about."""
    assert expected in parameter_problems(SCHEMA, parameters)


def test_what_the_schema_allows_passes() -> None:
    """Good values, and an integer where a number is asked, are no problem."""
    good: dict[str, JsonValue] = {"count": 2, "delay_ms": 5, "name": None, "where": [0, 7], "on": True, "mode": "hard"}
    assert parameter_problems(SCHEMA, good) == ()


_values = (
    st.none()
    | st.booleans()
    | st.integers(-10, 100_000)
    | st.floats(-10, 1e6)
    | st.sampled_from(["fixed", "status", "cold", "reload", "shift", "swap", "missing_file", "request", "x"])
)


@pytest.mark.parametrize("kind", ["latency", "error", "model_load_failure", "ood_inputs"])
@given(st.data())
def test_it_refuses_nothing_that_the_kind_takes(kind: str, data: st.DataObject) -> None:
    """For every kind of the catalogue: what its own model accepts strictly has no problem here."""
    model = catalogue()[kind].parameters_type
    schema = model.model_json_schema()
    names = st.sampled_from([*schema["properties"], "unknown"])
    parameters = data.draw(st.dictionaries(names, _values, max_size=4))
    try:
        model.model_validate(parameters, strict=True)
    except ValidationError:
        return
    assert parameter_problems(schema, parameters) == ()
