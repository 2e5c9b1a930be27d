"""Models from a real MLflow registry in a SQLite database."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from service_bench import SETOSA, Bench, TickClock

from service.errors import LoadFailure, ModelLoadFailed
from service.models import mlflow_source, store
from service.models.profiles import profile_named
from tests.levels import thorough

if TYPE_CHECKING:
    from mlflow import MlflowClient

pytestmark = [thorough, pytest.mark.anyio]
FLOWERS = {"features": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    """Yield a registry that holds ``flowers`` twice; version 1 is in Production, version 2 the champion."""
    import mlflow  # noqa: PLC0415 - seconds of import, which only its worker pays
    from mlflow import MlflowClient  # noqa: PLC0415 - as above
    from sklearn.datasets import load_iris  # noqa: PLC0415 - as above
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - as above

    home = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        uri = f"sqlite:///{home}/registry.db"
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        mlflow.set_experiment(experiment_id=mlflow.create_experiment("iris", artifact_location=f"file://{home}/files"))
        rows, target = load_iris(return_X_y=True)
        for strength in (0.01, 1.0):
            with mlflow.start_run():
                mlflow.sklearn.log_model(
                    LogisticRegression(C=strength, max_iter=500).fit(rows, target),
                    name="model",
                    registered_model_name="flowers",
                    serialization_format="cloudpickle",
                    pip_requirements=["scikit-learn"],
                )
        client = MlflowClient()
        client.set_registered_model_alias("flowers", "champion", "2")
        with pytest.warns(FutureWarning, match="stages"):
            client.transition_model_version_stage("flowers", "1", "Production")
        yield client
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)


@pytest.mark.parametrize(
    ("uri", "version"),
    [
        ("models:/flowers/1", "mlflow-flowers-1"),
        ("models:/flowers/latest", "mlflow-flowers-2"),
        ("models:/flowers/Production", "mlflow-flowers-1"),
        ("models:/flowers@champion", "mlflow-flowers-2"),
    ],
)
async def test_every_kind_of_uri_is_served(
    registry: MlflowClient, make: Callable[..., Bench], tmp_path: Path, uri: str, version: str
) -> None:
    """Version, latest, stage and alias: the registered estimator answers, under the registry's version."""
    import mlflow  # noqa: PLC0415 - seconds of import, which only its worker pays

    bench = make(artifacts_dir=tmp_path / "new", models=("iris",), model_uris=f"iris={uri}")
    async with bench.client() as client:
        answer = (await client.post("/predict", json=FLOWERS)).json()
        info = (await client.get("/model-info")).json()["models"][0]
    name, number = version.removeprefix("mlflow-").split("-")
    estimator = mlflow.sklearn.load_model(f"models:/{name}/{number}")
    assert np.allclose(answer["confidence"], estimator.predict_proba(FLOWERS["features"]).max(axis=1))
    assert answer["classes"] == ["setosa", "virginica"]
    assert (info["version"], info["loaded"]) == (version, True)
    assert info["data_origin"] == f"MLflow registry, flowers version {number}"
    assert bench.value("prediction_requests_total", model_name="iris", model_version=version) == 1


async def test_a_reload_follows_the_alias(registry: MlflowClient, make: Callable[..., Bench], tmp_path: Path) -> None:
    """When the alias moves on, the next reload serves the other version."""
    registry.set_registered_model_alias("flowers", "moving", "1")
    bench = make(artifacts_dir=tmp_path / "new", models=("iris",), model_uris="iris=models:/flowers@moving")
    async with bench.client():
        assert bench.models.version("iris") == "mlflow-flowers-1"
        registry.set_registered_model_alias("flowers", "moving", "2")
        assert await bench.models.reload("iris") is True
        assert bench.models.version("iris") == "mlflow-flowers-2"


async def test_a_registry_that_fails_keeps_the_old_model(
    registry: MlflowClient, make: Callable[..., Bench], tmp_path: Path
) -> None:
    """A reload whose alias is gone is counted and changes nothing; a start without one answers 503."""
    registry.set_registered_model_alias("flowers", "gone", "1")
    settings = {"models": ("iris",), "model_uris": "iris=models:/flowers@gone"}
    bench, cold = (make(artifacts_dir=tmp_path / folder, **settings) for folder in ("one", "two"))
    async with bench.client() as client:
        registry.delete_registered_model_alias("flowers", "gone")
        assert await bench.models.reload("iris") is False
        assert (await client.post("/predict", json=SETOSA)).status_code == 200
    labels = {"model_name": "iris", "model_version": "mlflow-flowers-1", "reason": "other"}
    assert bench.value("model_load_failures_total", **labels) == 1
    async with cold.client() as client:
        assert (await client.post("/predict", json=SETOSA)).json()["error"]["type"] == "model_not_loaded"


def test_what_was_brought_is_hashed_like_every_artifact(registry: MlflowClient, tmp_path: Path) -> None:
    """A second fetch takes the artifact that is here; altered, it is refused."""
    profile = profile_named("iris")
    directory = mlflow_source.bring(profile, "models:/flowers/2", tmp_path, TickClock())
    assert store.load(profile, directory).version == "mlflow-flowers-2"
    model = directory / profile.model_file
    model.write_bytes(model.read_bytes() + b"x")
    assert mlflow_source.bring(profile, "models:/flowers/2", tmp_path, TickClock()) == directory
    with pytest.raises(ModelLoadFailed) as refused:
        store.load(profile, directory)
    assert refused.value.reason is LoadFailure.HASH_MISMATCH


def test_a_model_of_other_classes_is_refused(registry: MlflowClient, tmp_path: Path) -> None:
    """An estimator that cannot be a profile's, here flowers for churn, is a damaged artifact, not a wrong answer."""
    profile = profile_named("churn")
    with pytest.raises(ModelLoadFailed, match="expected") as refused:
        store.load(profile, mlflow_source.bring(profile, "models:/flowers/2", tmp_path, TickClock()))
    assert refused.value.reason is LoadFailure.DAMAGED_FILE


def test_without_mlflow_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The optional extra is named where it is missed."""
    monkeypatch.setitem(sys.modules, "mlflow.artifacts", None)
    with pytest.raises(ModelLoadFailed, match=r"requirements-mlflow\.txt"):
        mlflow_source.bring(profile_named("iris"), "models:/flowers/1", tmp_path, TickClock())
