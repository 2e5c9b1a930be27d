"""The calls of docs/models.md, typed as they stand there, against a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from service.models.digits import PROFILE as DIGITS
from service.models.profiles import profile_names
from tests.levels import thorough
from tests.ports import free_port

PAGE = (Path(__file__).resolve().parents[3] / "docs/models.md").read_text(encoding="utf-8")
USUAL = "http://127.0.0.1:8000"
CALLS = [block for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) if block.startswith("curl ")]
DEADLINE_S = 200.0


@pytest.fixture(scope="module")
def place(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Run the plain service with every profile; yield its URL and a folder with pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    pixels = (DIGITS.dataset().rows[0].reshape(8, 8) * 255.0 / 16.0).round().astype(np.uint8)
    Image.fromarray(pixels).save(folder / "digit.png")
    Image.linear_gradient("L").resize((400, 300)).save(folder / "photo.jpg")
    port = free_port()
    own = {
        "PORT": str(port),
        "MODELS": ",".join(profile_names()),
        "RESNET50_WEIGHTS": "seeded",
        "ARTIFACTS_DIR": str(shutil.copytree(trained, folder / "artifacts")),
        "ENABLE_TRACING": "false",
    }
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + DEADLINE_S
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "service"], env={**os.environ, **own}, stdout=log, stderr=log)
    try:
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            try:
                if httpx.get(f"{url}/ready").is_success:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        yield url, folder
    finally:
        process.kill()
        process.wait()


def test_every_profile_has_a_call() -> None:
    """The page shows at least one call for each profile."""
    called = {name for call in CALLS for name in re.findall(r"/predict/([a-z0-9-]+)", call)}
    assert called == set(profile_names())


@thorough
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.split()[2].rsplit("/", 1)[1])
def test_the_call_works_as_it_is_written(place: tuple[str, Path], call: str) -> None:
    """Run by a shell, it prints a prediction."""
    url, folder = place
    typed = call.replace(USUAL, url)
    assert typed != call
    done = subprocess.run(["sh", "-c", typed], cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    answer = json.loads(done.stdout)
    assert "prediction" in answer or "predictions" in answer, done.stdout
    if "digits" in call:
        assert answer["prediction"] == "0"
    if "housing" in call:
        assert answer["prediction"] == pytest.approx(30.8, abs=0.1)
        assert set(answer["metadata"]) == {"app_version", "model_version", "timestamp_utc"}
