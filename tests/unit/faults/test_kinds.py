"""What each kind does by itself: delays drawn, rows moved, artifacts broken, parameters bounded."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.base import Target, catalogue
from faults.kinds.latency import MAX_DELAY_S, Latency, LatencyParameters
from faults.kinds.model_load_failure import Reason, break_artifact
from faults.kinds.ood_inputs import OodInputs, OodInputsParameters
from faults.middleware import HttpCall
from service.errors import LoadFailure, ModelLoadFailed
from service.models import store
from service.models.base import FeatureStatistics, Rows, TrainingStatistics
from service.models.profiles import profile_named

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
CALL = HttpCall("/predict", "iris")
KINDS = sorted(catalogue())


def latency(seed: int = 1, **parameters: Any) -> Latency:
    """Return a latency fault that was not lit."""
    return Latency(LatencyParameters(**parameters), Target(), random.Random(seed))


def inputs(seed: int = 1, **parameters: Any) -> OodInputs:
    """Return an out-of-distribution fault that was not lit."""
    return OodInputs(OodInputsParameters(**parameters), Target(), random.Random(seed))


def flagged(features: Sequence[FeatureStatistics], row: Sequence[float]) -> bool:
    """Say whether the drift rule flags a row."""
    return any(not feature.lower <= value <= feature.upper for value, feature in zip(row, features, strict=True))


@pytest.fixture(scope="module", params=["iris", "churn"])
def known(request: pytest.FixtureRequest) -> TrainingStatistics:
    """Return the training statistics of a real profile."""
    profile = profile_named(request.param)
    return TrainingStatistics.of(profile.dataset().rows, profile.features)


@pytest.fixture(scope="module")
def artifact(trained: Path) -> Path:
    """Give a real iris artifact."""
    return _artifact(trained, "iris")


@pytest.fixture(scope="module", params=["iris", "digits"])
def either(request: pytest.FixtureRequest, trained: Path) -> Path:
    """Give a real artifact of scikit-learn, and one of torch."""
    return _artifact(trained, request.param)


def _artifact(artifacts: Path, name: str) -> Path:
    return artifacts / name / profile_named(name).version


@pytest.mark.parametrize("distribution", ["normal", "lognormal", "pareto"])
def test_delays_have_the_mean_and_spread_asked_for(distribution: str) -> None:
    """Over many draws the mean and the standard deviation are those of the parameters."""
    fault = latency(delay_ms=400, jitter_ms=80, distribution=distribution)
    draws = [fault.delay_s() for _ in range(20_000)]
    assert statistics.fmean(draws) == pytest.approx(0.4, rel=0.02)
    assert statistics.stdev(draws) == pytest.approx(0.08, rel=0.1)


@patient
@given(
    delay_ms=st.floats(1, 60_000),
    jitter_ms=st.floats(0, 60_000),
    distribution=st.sampled_from(["fixed", "normal", "lognormal", "pareto"]),
    seed=st.integers(0, 2**32),
)
def test_no_delay_is_negative_or_endless(delay_ms: float, jitter_ms: float, distribution: str, seed: int) -> None:
    """Whatever the parameters, a draw lies between 0 and the cap, and a fixed delay is exact."""
    fault = latency(seed, delay_ms=delay_ms, jitter_ms=jitter_ms, distribution=distribution)
    draws = [fault.delay_s() for _ in range(20)]
    assert all(0.0 <= draw <= MAX_DELAY_S for draw in draws)
    if distribution == "fixed":
        assert set(draws) == {delay_ms / 1000.0}


def test_the_default_shift_is_always_flagged(known: TrainingStatistics) -> None:
    """Every training row that the drift rule lets pass is flagged after the fault at default parameters."""
    rows = [list(row) for row in known.examples]
    assert not any(flagged(known.features, row) for row in rows)
    changed = inputs().on_inputs(CALL, rows, known.features)
    assert all(flagged(known.features, row) for row in changed)


@pytest.mark.parametrize("mode", ["out_of_range", "swap", "scale"])
def test_every_mode_changes_the_inputs(known: TrainingStatistics, mode: str) -> None:
    """Each mode changes every row, leaves the caller's rows alone, and is mostly flagged."""
    rows = [list(row) for row in known.examples]
    before = [list(row) for row in rows]
    changed = inputs(mode=mode).on_inputs(CALL, rows, known.features)
    assert rows == before
    assert all(new != old for new, old in zip(changed, rows, strict=True))
    assert sum(flagged(known.features, row) for row in changed) >= 0.9 * len(rows)


def test_the_real_drift_monitor_agrees(artifact: Path) -> None:
    """The service's own drift check passes the training examples and flags them after the fault."""
    model = store.load(profile_named("iris"), artifact)
    rows: Rows = [list(row) for row in model.statistics.examples[:1]]
    features = model.statistics.features
    assert flagged(features, rows[0]) is False
    assert flagged(features, inputs().on_inputs(CALL, rows, features)[0]) is True


def test_only_the_chosen_features_change(known: TrainingStatistics) -> None:
    """Named positions change and no others; positions past the end are ignored; a share picks some of them."""
    row = list(known.examples[0])

    def changed(**parameters: Any) -> set[int]:
        new = inputs(**parameters).on_inputs(CALL, [row], known.features)[0]
        return {index for index, value in enumerate(new) if value != row[index]}

    assert changed(features=[0, 2]) == {0, 2}
    assert changed(features=[1, 4000]) == {1}
    assert changed(features=[4000]) == set()
    assert len(changed(share=0.5)) == round(len(row) / 2)
    assert len(changed(share=0.001)) == 1
    assert len(changed(mode="swap", features=[0, 1, 2])) in {2, 3}


def test_swap_needs_two_features() -> None:
    """Swapping a single feature would change nothing and is refused."""
    with pytest.raises(ValidationError, match="at least two"):
        OodInputsParameters(mode="swap", features=(1,))


@pytest.mark.parametrize("reason", ["missing_file", "damaged_file", "hash_mismatch", "out_of_memory"])
def test_the_real_load_path_fails_for_the_reason_named(either: Path, tmp_path: Path, reason: Reason) -> None:
    """The service's store refuses the broken copy with exactly that reason, and the artifact itself is untouched."""
    profile = profile_named(either.parent.name)
    before = {file.name: file.read_bytes() for file in either.iterdir()}
    break_artifact(either, tmp_path, reason)
    with pytest.raises(ModelLoadFailed) as failure:
        store.load(profile, tmp_path)
    assert failure.value.reason is LoadFailure(reason)
    assert {file.name: file.read_bytes() for file in either.iterdir()} == before
    assert store.load(profile, either).name == profile.name


@pytest.mark.parametrize("first", ["missing_file", "damaged_file", "hash_mismatch", "out_of_memory"])
@pytest.mark.parametrize("second", ["missing_file", "damaged_file", "hash_mismatch", "out_of_memory"])
def test_breaking_a_broken_artifact_is_no_accident(either: Path, tmp_path: Path, first: Reason, second: Reason) -> None:
    """Two load failures at once compose: the copy of a broken copy does not load either."""
    once, twice = tmp_path / "once", tmp_path / "twice"
    once.mkdir()
    twice.mkdir()
    break_artifact(either, once, first)
    break_artifact(once, twice, second)
    with pytest.raises(ModelLoadFailed):
        store.load(profile_named(either.parent.name), twice)


def bounds(schema: dict[str, Any]) -> list[tuple[str, float]]:
    """Return every value just outside what the schema's numeric properties allow."""
    outside: list[tuple[str, float]] = []
    for name, field in schema["properties"].items():
        if "minimum" in field:
            outside.append((name, field["minimum"] - 1))
        if "exclusiveMinimum" in field:
            outside.append((name, field["exclusiveMinimum"]))
        if "maximum" in field:
            outside.append((name, field["maximum"] + 1))
    return outside


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_bounded_described_and_have_defaults(kind: str) -> None:
    """Every parameter has a description and a default; numbers have both bounds and are held to them."""
    parameters = catalogue()[kind].parameters_type
    schema = parameters.model_json_schema()
    assert parameters()
    for name, field in schema["properties"].items():
        assert field.get("description"), name
        assert "default" in field, name
        if field.get("type") in {"number", "integer"}:
            assert field.keys() & {"minimum", "exclusiveMinimum"}, name
            assert field.keys() & {"maximum", "exclusiveMaximum"}, name
    for name, value in bounds(schema):
        with pytest.raises(ValidationError, match=name):
            parameters.model_validate({name: value})
    for value in (float("nan"), float("inf")):
        for name, field in schema["properties"].items():
            if field.get("type") == "number":
                with pytest.raises(ValidationError, match=name):
                    parameters.model_validate({name: value})


@pytest.mark.parametrize("kind", KINDS)
def test_presets_are_valid(kind: str) -> None:
    """Every preset passes the kind's own validation, and differs from the others."""
    presets = catalogue()[kind].presets
    assert presets
    seen = []
    for name, preset in presets.items():
        catalogue()[kind].parameters_type.model_validate(preset.parameters)
        assert 0.0 < preset.probability <= 1.0, name
        assert preset not in seen
        seen.append(preset)


@patient
@given(data=st.data())
@pytest.mark.parametrize("kind", KINDS)
def test_no_parameters_crash_the_validation(kind: str, data: st.DataObject) -> None:
    """Arbitrary JSON for the parameters is either valid or a ValidationError, nothing else."""
    parameters = catalogue()[kind].parameters_type
    value = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from(["", "7", "fixed"]),
        st.lists(st.integers(), max_size=3),
    )
    names = st.sampled_from([*sorted(parameters.model_fields), "unknown"])
    given_values = data.draw(st.dictionaries(names, value))
    try:
        parsed = parameters.model_validate(given_values)
    except ValidationError:
        return
    assert parameters.model_validate(parsed.model_dump(mode="json")) == parsed
