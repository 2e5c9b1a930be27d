"""A client that others wrote, Triton's, against the service as a process: all that it can ask for over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.environments import python_with
from tests.levels import thorough
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
CLIENT = ("tritonclient[http]>=2.73.0", "numpy>=2.4.6")
"""In an environment of its own: it asks for an older greenlet than Playwright has."""
DEADLINE_S = 60.0
SCRIPT = """
import json, sys
import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

client = http.InferenceServerClient(sys.argv[1])
token = {"Authorization": "Bearer s3cret"}
flowers = np.array([[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]])
said = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model_ready": client.is_model_ready("iris"),
    "version_ready": client.is_model_ready("iris", "1.0.0"),
    "server": client.get_server_metadata(),
    "model": client.get_model_metadata("iris"),
    "index": client.get_model_repository_index(headers=token),
}

def infer(binary, dtype, name):
    tensor = http.InferInput("features", list(flowers.shape), name)
    tensor.set_data_from_numpy(flowers.astype(dtype), binary_data=binary)
    wanted = [http.InferRequestedOutput(output, binary_data=binary) for output in ("classes", "confidence")]
    result = client.infer("iris", [tensor], outputs=wanted, request_id="r-7")
    classes = [item.decode() if isinstance(item, bytes) else item for item in result.as_numpy("classes").tolist()]
    return [result.get_response()["id"], classes, (result.as_numpy("confidence") > 0.8).tolist()]

said["infer"] = [infer(binary, *kind) for binary in (True, False) for kind in (("f8", "FP64"), ("f4", "FP32"))]
tensor = http.InferInput("features", [2, 4], "FP64")
tensor.set_data_from_numpy(flowers)
said["default"] = client.infer("iris", [tensor], model_version="1.0.0").as_numpy("predictions").tolist()

def refused(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except InferenceServerException as error:
        return [error.status(), error.message()]

wrong = http.InferInput("features", [1, 3], "FP64")
wrong.set_data_from_numpy(np.zeros((1, 3)))
said["wrong"] = refused(client.infer, "iris", [wrong])
said["unknown"] = refused(client.get_model_metadata, "none")
said["closed"] = refused(client.unload_model, "iris")
client.unload_model("iris", headers=token)
said["unloaded"] = [client.is_model_ready("iris"), client.is_server_ready(), refused(client.infer, "iris", [tensor])[0]]
client.load_model("iris", headers=token)
said["loaded"] = client.is_model_ready("iris")
print(json.dumps(said))
"""


@pytest.fixture
def address(trained: Path, tmp_path: Path) -> Iterator[str]:
    """Run ``python -m service`` with a token and give its address."""
    port = free_port()
    settings = {"ARTIFACTS_DIR": str(trained), "PORT": str(port), "MODELS": "iris", "CONTROL_TOKEN": "s3cret"}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ENABLE_TRACING": "false", **settings}
    with (tmp_path / "service.log").open("w+") as log:
        command = [sys.executable, "-m", "service"]
        running = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + DEADLINE_S
            while not _ready(f"http://127.0.0.1:{port}/ready"):
                assert running.poll() is None, (tmp_path / "service.log").read_text()
                assert time.monotonic() < deadline, (tmp_path / "service.log").read_text()
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            running.terminate()
            running.wait(DEADLINE_S)


def _ready(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


@thorough
@pytest.mark.timeout(600)  # the environment is built once
def test_tritons_client_is_understood(address: str) -> None:
    """Health, metadata, index, inference as JSON and as raw bytes, errors, unloading and loading."""
    python = python_with(*CLIENT)
    command = [str(python), "-c", SCRIPT, address]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [said[key] for key in ("live", "ready", "model_ready", "version_ready")] == [True] * 4
    assert said["server"]["name"] == "firedrill-service"
    assert said["model"]["inputs"] == [{"name": "features", "datatype": "FP64", "shape": [-1, 4]}]
    assert said["index"] == [{"name": "iris", "version": "1.0.0", "state": "READY", "reason": ""}]
    assert said["infer"] == [["r-7", ["setosa", "virginica"], [True, True]]] * 4
    assert said["default"] == [0, 2]
    assert said["wrong"][0] == "422"
    assert "is [-1, 4], not [1, 3]" in said["wrong"][1]
    assert said["unknown"][0] == "404"
    assert said["closed"][0] == "401"
    assert said["unloaded"] == [False, False, "503"]
    assert said["loaded"] is True
