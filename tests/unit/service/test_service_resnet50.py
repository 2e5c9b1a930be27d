"""ResNet-50: the official shape, where weights come from, and serving with seeded ones."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from service_bench import Bench, TickClock

from service import train as train_command
from service.errors import WeightsUnavailable
from service.models import store, training
from service.models.base import Options
from service.models.parts.resnet_weights import OFFICIAL, official, weights_of
from service.models.resnet50 import PROFILE, class_names
from tests.levels import thorough

pytestmark = [thorough, pytest.mark.anyio]
SEEDED = PROFILE.with_options(Options(resnet50_weights="seeded"))


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts of the network with seeded weights, made once."""
    artifacts = tmp_path_factory.mktemp("resnet50")
    training.train(SEEDED, artifacts, TickClock())
    return artifacts


def test_parameters_and_keys_are_those_of_the_official_files() -> None:
    """25,557,032 parameters under the names, and of the shapes, that the weight files have."""
    import torch  # noqa: PLC0415 - seconds of import, which only its worker pays

    with torch.device("meta"):
        network = PROFILE.network()
    assert sum(parameter.numel() for parameter in network.parameters()) == 25_557_032
    state = network.state_dict()
    expected = ["conv1.weight", "fc.weight", "fc.bias"]
    batch = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected += [f"bn1.{name}" for name in batch]
    for stage, blocks in ((1, 3), (2, 4), (3, 6), (4, 3)):
        for block in range(blocks):
            place = f"layer{stage}.{block}"
            for number in (1, 2, 3):
                expected += [f"{place}.conv{number}.weight", *[f"{place}.bn{number}.{name}" for name in batch]]
            if block == 0:
                expected += [f"{place}.downsample.0.weight", *[f"{place}.downsample.1.{name}" for name in batch]]
    assert sorted(state) == sorted(expected)
    assert state["layer3.0.downsample.0.weight"].shape == (1024, 512, 1, 1)
    assert state["layer2.0.conv2.weight"].shape == (128, 128, 3, 3)
    assert network.layer2[0].conv2.stride == (2, 2)
    assert network.layer2[0].conv1.stride == (1, 1)


def test_the_classes_are_a_thousand_different_ones() -> None:
    """Known positions have their known names."""
    names = class_names()
    assert len({name.lower() for name in names}) == 1000
    known = {0: "tench", 1: "goldfish", 207: "golden retriever", 281: "tabby", 817: "sports car", 999: "toilet tissue"}
    assert {position: names[position] for position in known} == known


async def test_it_serves_uploads_with_seeded_weights(make: Callable[..., Bench], seeded: Path) -> None:
    """A picture of any shape gets one of the classes; its own examples do not drift."""
    import torch  # noqa: PLC0415 - seconds of import, which only its worker pays

    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((300, 200)).save(buffer, "JPEG")
    bench = make(models=("resnet50",), model_name="resnet50", artifacts_dir=seeded, resnet50_weights="seeded")
    async with bench.client() as client:
        answer = (await client.post("/predict", files={"file": buffer.getvalue()})).json()
    assert answer["prediction"] in class_names()
    assert 0.0 < answer["confidence"] < 1.0
    assert torch.get_num_threads() == 1
    statistics = store.load(SEEDED, store.artifact_dir(seeded, SEEDED)).statistics
    assert statistics.flagged_share < 0.05
    assert len(statistics.examples) == 12


def test_seeded_weights_are_the_same_every_time() -> None:
    """The seed gives the same weights, and leaves the caller's random state alone."""
    import torch  # noqa: PLC0415 - seconds of import, which only its worker pays

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = (weights_of(SEEDED.options, PROFILE.network, 1).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.rand(1), expected)


def test_a_file_of_ones_own_is_used_and_checked(tmp_path: Path) -> None:
    """A state dict by path is loaded; a wrong hash in its name, other keys, or code inside are refused."""
    import torch  # noqa: PLC0415 - seconds of import, which only its worker pays

    network = weights_of(SEEDED.options, PROFILE.network, 3)
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    good, wrong = tmp_path / f"mine-{digest[:8]}.pth", tmp_path / "mine-00000000.pth"
    for path in (good, wrong):
        path.write_bytes(buffer.getvalue())
    loaded = weights_of(Options(resnet50_weights=str(good)), PROFILE.network, 1)
    assert torch.equal(loaded.state_dict()["fc.weight"], network.state_dict()["fc.weight"])
    other, code = tmp_path / "other.pth", tmp_path / "code.pth"
    torch.save({"fc.weight": torch.zeros(3)}, other)
    torch.save(subprocess.run, code)
    for path, problem in (
        (wrong, "its name says 00000000"),
        (other, "no state dict of ResNet-50"),
        (code, "no state dict of ResNet-50"),
        (tmp_path / "absent.pth", "No such file"),
        ("", "none are chosen"),
    ):
        with pytest.raises(WeightsUnavailable, match=problem):
            weights_of(Options(resnet50_weights=str(path)), PROFILE.network, 1)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the address of a small server, and the folder that it serves."""
    folder = tmp_path / "shop"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", folder
        server.shutdown()
        thread.join()


def test_official_files_are_fetched_once_and_checked(shop: tuple[str, Path], tmp_path: Path) -> None:
    """What the address gives is kept where its hash is the one in the name; else nothing is left behind."""
    address, folder = shop
    content = b"weights"
    name = f"resnet50-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (folder / name).write_bytes(content)
    path = official(name, tmp_path / "here", address)
    (folder / name).unlink()
    assert official(name, tmp_path / "here", address) == path
    assert path.read_bytes() == content
    (folder / OFFICIAL["V2"]).write_bytes(b"something else")
    with pytest.raises(WeightsUnavailable, match="11ad3fa6"):
        official(OFFICIAL["V2"], tmp_path / "here", address)
    with pytest.raises(WeightsUnavailable, match="cannot be fetched"):
        official(OFFICIAL["V1"], tmp_path / "here", address)
    assert [entry.name for entry in (tmp_path / "here").iterdir()] == [name]


async def test_without_weights_it_stays_unloaded(make: Callable[..., Bench], trained: Path) -> None:
    """Enabled without RESNET50_WEIGHTS it answers 503, and the others serve."""
    bench = make(models=("iris", "resnet50"))
    async with bench.client() as client:
        refused = await client.post("/predict/resnet50", files={"file": b"x"})
        assert (await client.post("/predict", json={"features": [[1, 2, 3, 4]]})).status_code == 200
    assert refused.json()["error"]["type"] == "model_not_loaded"


def test_training_all_leaves_it_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is trained only when named, and then says which weights it lacks."""
    monkeypatch.chdir(tmp_path)
    assert train_command.main(["resnet50"]) == 1
    assert "RESNET50_WEIGHTS" in capsys.readouterr().err
    assert "resnet50" not in [profile.name for profile in train_command._chosen([])]


def test_a_service_of_iris_alone_loads_neither_torch_nor_pillow() -> None:
    """The import of torch costs a second and 200 MB: only services with such models pay."""
    code = (
        "import sys; from service.settings import load_settings; from service.server import build_live_service;"
        "live = build_live_service(load_settings(models=('iris',), enable_tracing=False)); live.close();"
        "assert not {'torch', 'PIL', 'mlflow'} & set(sys.modules), 'loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
