"""Training, artifacts, loading and letting go of models."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
from service_bench import SETOSA, Bench, TickClock

from service import train as train_command
from service.errors import LoadFailure, ModelLoadFailed, UnknownModel, UnknownProfile
from service.models import store, training
from service.models.base import MAX_EXAMPLES, Dataset, Profile
from service.models.parts.pictures import PictureProfile
from service.models.profiles import profile_named, profile_names
from service.seams import Seams
from tests.levels import thorough

pytestmark = pytest.mark.anyio
EVERY_PROFILE = [profile for profile in map(profile_named, profile_names()) if not profile.opt_in]
PROFILES = [
    pytest.param(profile, marks=thorough if isinstance(profile, PictureProfile) else ()) for profile in EVERY_PROFILE
]
"""As marked: training on pictures takes long."""
PART = 64
"""So many pictures are enough to see whether training is the same."""
MODEL_FILE = profile_named("iris").model_file


class Bomb:
    """Unpickling it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        """Say how it is unpickled: by making the mark."""
        return Path.touch, (self.mark,)


class Glutton:
    """Unpickling it asks for more memory than there is."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        """Say how it is unpickled: as an array of an exbibyte."""
        return np.zeros, (2**57,)


def _copy(trained: Path, tmp_path: Path, name: str = "iris") -> Path:
    """Return a copy of an artifact that may be damaged."""
    copy = tmp_path / "copy"
    shutil.copytree(store.artifact_dir(trained, profile_named(name)), copy)
    return copy


def _sign(directory: Path) -> None:
    """Make the manifest fit the files as they are now."""
    manifest = json.loads((directory / store.MANIFEST_FILE).read_text())
    manifest["files"] = {name: store._sha256((directory / name).read_bytes()) for name in manifest["files"]}
    (directory / store.MANIFEST_FILE).write_text(json.dumps(manifest))


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_profile_trains_loads_predicts_and_describes_itself(profile: Profile, trained: Path) -> None:
    """Each profile of the folder keeps the promises of a profile."""
    model = store.load(profile, store.artifact_dir(trained, profile))
    data = profile.dataset()
    items = profile.items_of(data.rows) if isinstance(profile, PictureProfile) else data.rows.tolist()
    output = model.predict(items)
    values = np.array(output.values)
    if profile.classes:
        assert np.mean(values == data.target) > 0.85
        assert {profile.classes.index(label) for label in output.classes} <= set(range(len(profile.classes)))
        assert all(0.0 < confidence <= 1.0 for confidence in output.confidence)
        assert np.mean(output.confidence) > 0.7
    else:
        assert 1.0 - np.var(values - data.target) / np.var(data.target) > 0.85
        assert output.classes == output.confidence == ()
    statistics = model.statistics
    assert [feature.name for feature in statistics.features] == list(profile.features)
    assert 0.0 <= statistics.flagged_share < 0.05
    assert 100 <= len(statistics.examples) <= MAX_EXAMPLES
    for feature in statistics.features:
        assert feature.minimum == feature.quantiles[0] <= feature.mean <= feature.quantiles[-1] == feature.maximum
    examples = np.array(statistics.examples)
    for row in profile.observed(profile.items_of(examples) if isinstance(profile, PictureProfile) else examples):
        bounds = zip(row, statistics.features, strict=True)
        assert all(feature.lower <= value <= feature.upper for value, feature in bounds)
    assert model.data_origin
    assert model.trained_at.endswith("Z")


def test_folded_weights_give_scikit_learns_own_probabilities(trained: Path) -> None:
    """The iris predictor is the pipeline, only faster."""
    profile = profile_named("iris")
    directory = store.artifact_dir(trained, profile)
    rows = profile.dataset().rows
    expected = joblib.load(directory / MODEL_FILE).predict_proba(rows).max(axis=1)
    assert np.allclose(store.load(profile, directory).predict(rows.tolist()).confidence, expected, atol=1e-12)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_training_is_the_same_every_time(profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trainings of one process give the same bytes; on a part of the pictures, where training takes long."""
    if isinstance(profile, PictureProfile):
        whole = profile.dataset()
        part = Dataset(whole.rows[:PART], whole.target[:PART])
        monkeypatch.setattr(type(profile), "dataset", lambda _profile: part)
    first, again = (training.train(profile, tmp_path / name, TickClock()) for name in ("first", "again"))
    assert (again / profile.model_file).read_bytes() == (first / profile.model_file).read_bytes()


@pytest.mark.parametrize("file", [MODEL_FILE, store.STATISTICS_FILE, store.MANIFEST_FILE])
def test_a_missing_file_is_refused(trained: Path, tmp_path: Path, file: str) -> None:
    """An artifact without one of its files is refused by that name."""
    directory = _copy(trained, tmp_path)
    (directory / file).unlink()
    with pytest.raises(ModelLoadFailed, match=file) as refused:
        store.load(profile_named("iris"), directory)
    assert refused.value.reason is LoadFailure.MISSING_FILE


def test_a_tampered_model_is_never_unpickled(trained: Path, tmp_path: Path) -> None:
    """With another hash than the manifest's the pickle is not touched; the same pickle, signed, shows that it bites."""
    directory, mark = _copy(trained, tmp_path), tmp_path / "mark"
    (directory / MODEL_FILE).write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(ModelLoadFailed, match="SHA-256") as refused:
        store.load(profile_named("iris"), directory)
    assert refused.value.reason is LoadFailure.HASH_MISMATCH
    assert not mark.exists()
    _sign(directory)
    with pytest.raises(ModelLoadFailed):
        store.load(profile_named("iris"), directory)
    assert mark.exists()


def test_each_kind_of_damage_has_its_reason(trained: Path, tmp_path: Path) -> None:
    """Truncated, too large for memory, not a manifest, another model's: each is refused as what it is."""
    profile, directory = profile_named("iris"), _copy(trained, tmp_path)
    model, manifest = directory / MODEL_FILE, directory / store.MANIFEST_FILE
    whole = model.read_bytes()
    for content, reason in (
        (whole[: len(whole) // 2], LoadFailure.DAMAGED_FILE),
        (b"", LoadFailure.DAMAGED_FILE),
        (pickle.dumps("not an estimator"), LoadFailure.DAMAGED_FILE),
        (pickle.dumps(Glutton()), LoadFailure.OUT_OF_MEMORY),
    ):
        model.write_bytes(content)
        _sign(directory)
        with pytest.raises(ModelLoadFailed) as refused:
            store.load(profile, directory)
        assert refused.value.reason is reason
    with pytest.raises(ModelLoadFailed) as refused:
        store.load(profile_named("churn"), store.artifact_dir(trained, profile))
    assert refused.value.reason is LoadFailure.OTHER
    manifest.write_text("{}")
    with pytest.raises(ModelLoadFailed) as refused:
        store.load(profile, directory)
    assert refused.value.reason is LoadFailure.DAMAGED_FILE


def _race(artifacts: Path) -> None:
    training.ensure(profile_named("iris"), artifacts, TickClock())
    training.train(profile_named("iris"), artifacts, TickClock())


@thorough
def test_racing_processes_leave_one_whole_artifact(tmp_path: Path) -> None:
    """Processes that train the same model at once leave a loadable artifact and nothing beside it."""
    context = multiprocessing.get_context("spawn")
    racers = [context.Process(target=_race, args=(tmp_path,)) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(120)
    assert [racer.exitcode for racer in racers] == [0, 0]
    assert [entry.name for entry in (tmp_path / "iris").iterdir()] == ["1.0.0"]
    assert store.load(profile_named("iris"), tmp_path / "iris" / "1.0.0").version == "1.0.0"


def test_the_training_command_names_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model by name is trained into ARTIFACTS_DIR; an unknown one is refused with the known names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path / "here"))
    assert train_command.main(["iris"]) == 0
    assert "iris 1.0.0 trained in" in capsys.readouterr().out
    assert (tmp_path / "here/iris/1.0.0/manifest.json").is_file()
    assert train_command.main(["nobody"]) == 1
    assert "known: churn, digits" in capsys.readouterr().err


async def test_what_is_missing_is_trained_at_the_start(make: Callable[..., Bench], tmp_path: Path) -> None:
    """On an empty folder the service trains its models and is ready."""
    bench = make(artifacts_dir=tmp_path / "new")
    async with bench.client() as client:
        answer = await client.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert bench.value("model_loaded", model_name="churn") == 1


async def test_a_damaged_artifact_keeps_one_model_out(
    make: Callable[..., Bench], trained: Path, tmp_path: Path
) -> None:
    """It is refused, counted and left as it is; its model answers 503 while the others serve."""
    artifacts = tmp_path / "artifacts"
    shutil.copytree(trained, artifacts)
    damaged = store.artifact_dir(artifacts, profile_named("iris")) / MODEL_FILE
    damaged.write_bytes(b"x")
    bench = make(artifacts_dir=artifacts)
    async with bench.client() as client:
        assert (await client.get("/ready")).status_code == 503
        assert (await client.get("/health")).json()["model_loaded"] is False
        refused = await client.post("/predict", json=SETOSA)
        served = await client.post("/predict/churn", json={"features": [[5, 60, 1, 40, 0, 12]]})
        info = (await client.get("/model-info")).json()
    assert (refused.status_code, refused.json()["error"]["type"]) == (503, "model_not_loaded")
    assert served.status_code == 200
    model = {"model_name": "iris", "model_version": "1.0.0"}
    assert bench.value("model_load_failures_total", reason="hash_mismatch", **model) == 1
    assert bench.value("prediction_errors_total", error_type="model_not_loaded", **model) == 1
    assert bench.value("model_loaded", model_name="iris") == 0
    assert [model["loaded"] for model in info["models"]] == [False, True, True, True]
    assert damaged.read_bytes() == b"x"


async def test_a_failed_reload_keeps_the_old_model(make: Callable[..., Bench], tmp_path: Path) -> None:
    """The model stays loaded and serves; the failure is counted; without the cause the next reload works."""
    bench = make()
    async with bench.client() as client:
        bench.seams.loads.append(lambda _name, _directory: tmp_path / "nowhere")
        assert await bench.models.reload("iris") is False
        assert (await client.post("/predict", json=SETOSA)).status_code == 200
        assert bench.value("model_loaded", model_name="iris") == 1
        bench.seams.loads.clear()
        assert await bench.models.reload("iris") is True
    labels = {"model_name": "iris", "model_version": "1.0.0", "reason": "missing_file"}
    assert bench.value("model_load_failures_total", **labels) == 1


async def test_a_failed_cold_load_leaves_the_model_unloaded(make: Callable[..., Bench], tmp_path: Path) -> None:
    """After an unload there is nothing to fall back on: 503 until a load works, then 200."""
    bench = make()

    def broken(_name: str, _directory: Path) -> Path:
        raise MemoryError

    async with bench.client() as client:
        await bench.models.unload("iris")
        assert bench.value("model_loaded", model_name="iris") == 0
        assert bench.value("model_info", model_name="iris", model_version="1.0.0", hash="") is None
        bench.seams.loads.append(broken)
        assert await bench.models.load("iris") is False
        assert (await client.post("/predict", json=SETOSA)).status_code == 503
        bench.seams.loads.clear()
        assert await bench.models.load("iris") is True
        assert (await client.post("/predict", json=SETOSA)).status_code == 200
    labels = {"model_name": "iris", "model_version": "1.0.0", "reason": "out_of_memory"}
    assert bench.value("model_load_failures_total", **labels) == 1
    assert bench.value("model_loaded", model_name="iris") == 1


async def test_unknown_models_are_refused(make: Callable[..., Bench]) -> None:
    """Loading, reloading or unloading what is not served is an error of the caller's."""
    bench = make(models=("iris",))
    async with bench.client():
        for act in (bench.models.load, bench.models.reload, bench.models.unload):
            with pytest.raises(UnknownModel, match="served models: iris"):
                await act("churn")
    with pytest.raises(UnknownProfile, match="churn"):
        profile_named("nobody")


async def test_model_info_has_what_traffic_needs(make: Callable[..., Bench]) -> None:
    """Examples of /model-info are accepted in the form that it tells, and none of them drifts."""
    bench = make()
    async with bench.client() as client:
        info = (await client.get("/model-info")).json()
        for model in info["models"]:
            for row in model["examples"]:
                body = {
                    "rows": {"features": [row]},
                    "fields": dict(zip([feature["name"] for feature in model["features"]], row, strict=True)),
                    "history": {"history": row[::-1]},
                }[model["input"]["form"]]
                assert (await client.post(f"/predict/{model['name']}", json=body)).status_code == 200
            labels = {"model_name": model["name"], "model_version": model["version"]}
            assert bench.value("data_drift_requests_total", **labels) == 0
    assert info["default"] == "iris"
    assert [feature["name"] for feature in info["models"][0]["features"]] == list(profile_named("iris").features)
    assert len(info["models"][0]["sha256"]) == 64


async def test_inline_the_whole_service_starts_no_thread(make: Callable[..., Bench], tmp_path: Path) -> None:
    """Start, training, prediction, reload and scrape happen in the caller's thread, or virtual time would not hold."""
    before = threading.enumerate()
    started: list[str] = []
    threading.setprofile(lambda *_: started.append(threading.current_thread().name))
    try:
        bench = make(artifacts_dir=tmp_path / "new", seams=Seams())
        async with bench.client() as client:
            assert (await client.post("/predict", json=SETOSA)).status_code == 200
            await bench.models.reload("churn")
            assert (await client.get("/metrics")).status_code == 200
    finally:
        threading.setprofile(None)
    assert started == []
    assert threading.enumerate() == before
