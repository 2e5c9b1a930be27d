"""Traffic against the real service: what it calls usual and strange is what the service's own drift check finds."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from faults.drills.wire import TrafficSettings
from faults.traffic.load import LoadPlan, LoadReport, run_load
from tests.levels import thorough
from tests.ports import free_port

DEADLINE_S = 200.0
MODELS = ("iris", "churn", "housing", "exchange-rate", "digits")


@pytest.fixture(scope="module")
def service_url(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the plain service with every profile that trains offline until it is ready."""
    home: Path = tmp_path_factory.mktemp("service")
    port = free_port()
    own = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "ARTIFACTS_DIR": str(shutil.copytree(trained, home / "artifacts")),
        "ENABLE_TRACING": "false",
        "MODELS": ",".join(MODELS),
    }
    with (home / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "service"], env={**os.environ, **own}, stdout=log, stderr=log)
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + DEADLINE_S
    try:
        while True:
            assert process.poll() is None, (home / "log").read_text()
            assert time.monotonic() < deadline, (home / "log").read_text()
            try:
                if httpx.get(f"{url}/ready").is_success:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()


def send(url: str, model: str, ood_share: float) -> LoadReport:
    """Send a second and a half of 100 requests/s to one model."""
    settings = TrafficSettings(rate=100.0, models={model: 1.0}, ood_share=ood_share)
    return asyncio.run(run_load(LoadPlan(url=url, settings=settings, duration_s=1.5, seed=6)))


def total(url: str, metric: str, model: str) -> float:
    """Return the sum of a metric's series of ``model``."""
    series = rf'^{metric}{{[^}}]*model_name="{model}"[^}}]*}} (\S+)$'
    return sum(float(value) for value in re.findall(series, httpx.get(f"{url}/metrics").text, flags=re.MULTILINE))


@pytest.mark.parametrize("model", [MODELS[0], *(pytest.param(one, marks=thorough) for one in MODELS[1:])])
def test_the_services_drift_check_agrees(service_url: str, model: str) -> None:
    """No usual request counts as drifted, and confidence is healthy; every strange request counts; all are answered."""
    usual = send(service_url, model, ood_share=0.0)
    assert usual.statuses == {"200": usual.scheduled}
    assert total(service_url, "data_drift_requests_total", model) == 0.0
    assert total(service_url, "prediction_requests_total", model) >= usual.sent
    sums = [total(service_url, f"model_prediction_confidence_{part}", model) for part in ("sum", "count")]
    assert sums[1] == 0.0 if model in {"housing", "exchange-rate"} else sums[0] / sums[1] > 0.75
    strange = send(service_url, model, ood_share=1.0)
    assert strange.statuses == {"200": strange.scheduled}
    assert total(service_url, "data_drift_requests_total", model) == strange.sent
