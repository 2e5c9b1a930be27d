"""The service process as a whole: two ports, one shutdown, faults that end with it, clear refusals to start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from faults.scratch import open_scratch
from stack.endpoints import Endpoints
from stack.home import Home
from tests.levels import thorough
from tests.ports import free_endpoints

ROOT = Path(__file__).parents[3]
IRIS = {"features": [[5.8, 3.0, 4.3, 1.3]]}
START_S = 60.0


@dataclass
class Process:
    """A service process under test."""

    popen: subprocess.Popen[str]
    home: Home
    endpoints: Endpoints

    def control(self, method: str, path: str, **body: object) -> httpx.Response:
        """Ask the control endpoint."""
        headers = {"Authorization": f"Bearer {self.home.token()}"}
        return httpx.request(
            method, self.endpoints.url("control", path), headers=headers, json=body or None, timeout=30
        )

    def predict(self) -> httpx.Response:
        """Ask for a prediction."""
        return httpx.post(self.endpoints.url("service", "/predict"), json=IRIS, timeout=30)

    def wait_ready(self) -> None:
        """Wait until both ports answer; fail with the process's output when it dies or takes too long."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.popen.poll() is None:
            try:
                ready = httpx.get(self.endpoints.url("service", "/ready"), timeout=5).status_code == 200
                if ready and self.control("GET", "/health").status_code == 200:
                    return
            except httpx.TransportError:
                ready = False
            time.sleep(0.05)
        self.popen.kill()
        pytest.fail(f"the service process did not get ready:\n{self.popen.communicate()[0]}")


@dataclass
class Starter:
    """Starts service processes in one home, and ends those that a test leaves behind."""

    home: Home
    started: list[subprocess.Popen[str]]

    def start(self, endpoints: Endpoints | None = None, **environment: str) -> Process:
        """Start a process; it is not ready yet."""
        endpoints = endpoints or free_endpoints("service", "control")
        variables = {
            **os.environ,
            "FIREDRILL_HOME": str(self.home.root),
            "FIREDRILL_PORT_OFFSET": str(endpoints.offset),
            "ENABLE_TRACING": "false",
            "MODELS": "iris",
            **environment,
        }
        popen = subprocess.Popen(
            [sys.executable, "-m", "faults.serve"],
            cwd=ROOT,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(popen)
        return Process(popen, self.home, endpoints)


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """Offer a home, and end whatever was started in it."""
    offered = Starter(Home(tmp_path_factory.mktemp("home")), [])
    yield offered
    for popen in offered.started:
        if popen.poll() is None:
            popen.kill()
        popen.communicate()


@thorough
def test_a_fault_is_lit_seen_and_ended_by_sigterm(starter: Starter) -> None:
    """Errors and metrics of a lit fault show from outside; SIGTERM lets a held request go on and exits 0, soon."""
    process = starter.start()
    process.wait_ready()
    assert process.predict().status_code == 200
    lit = process.control("POST", "/faults", kind="error", parameters={"status": 503}, ttl_s=60)
    assert lit.status_code == 201
    assert process.predict().status_code == 503
    metrics = httpx.get(process.endpoints.url("service", "/metrics"), timeout=10).text
    assert 'firedrill_fault_active{kind="error"} 1.0' in metrics
    assert 'firedrill_fault_injections_total{kind="error"} 1.0' in metrics
    assert 'firedrill_fault_injections_total{kind="latency"} 0.0' in metrics
    assert [record["kind"] for record in process.control("POST", "/reset").json()] == ["error"]
    assert process.predict().status_code == 200
    process.control("POST", "/faults", kind="latency", parameters={"delay_ms": 60_000}, ttl_s=600)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(process.predict)
        while process.control("GET", "/faults").json()[0]["injections"] == 0:
            time.sleep(0.02)
        started = time.monotonic()
        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait(20) == 0
        assert time.monotonic() - started < 8
        assert held.result().status_code == 200
    assert list((starter.home.run / "scratch").iterdir()) == []


@thorough
def test_a_killed_process_leaves_nothing_that_burns(starter: Starter) -> None:
    """After kill -9 with a load failure active, the next start serves the untouched model and removes the copies."""
    process = starter.start()
    process.wait_ready()
    wanted = {"kind": "model_load_failure", "parameters": {"when": "cold"}, "ttl_s": 600}
    assert process.control("POST", "/faults", **wanted).status_code == 201
    assert process.predict().status_code == 503
    scratch = starter.home.run / "scratch"
    left = list(scratch.iterdir())
    assert list(scratch.glob("*/overlays/*/iris/*/manifest.json"))
    process.popen.kill()
    process.popen.wait(10)
    again = starter.start()
    again.wait_ready()
    assert again.predict().status_code == 200
    assert again.control("GET", "/faults").json() == []
    assert not any(folder.exists() for folder in left)
    again.popen.terminate()
    assert again.popen.wait(20) == 0


@pytest.mark.parametrize("name", ["service", "control"])
def test_a_taken_port_is_named_with_its_holder(starter: Starter, name: str) -> None:
    """With one of its ports taken the process exits with 2 and says which, who has it, and what to do."""
    endpoints = free_endpoints("service", "control")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", endpoints.port(name)))
        taken.listen()
        process = starter.start(endpoints)
        output = process.popen.communicate(timeout=START_S)[0]
    assert process.popen.returncode == 2
    assert f"127.0.0.1:{endpoints.port(name)} ({name})" in output
    assert f"pid {os.getpid()}" in output
    assert "--port-offset" in output
    assert "Traceback" not in output


def test_a_bad_setting_stops_the_start(starter: Starter) -> None:
    """A setting out of bounds is named with its value, on one page without a traceback, and the exit code is 2."""
    process = starter.start(MAX_QUEUE_SIZE="many")
    output = process.popen.communicate(timeout=START_S)[0]
    assert process.popen.returncode == 2
    assert "MAX_QUEUE_SIZE='many'" in output
    assert "Traceback" not in output


def test_scratch_folders_of_the_dead_go_and_of_the_living_stay(tmp_path: Path) -> None:
    """A new process removes what dead processes and strangers left, and keeps the folder of one that still runs."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    living = open_scratch(tmp_path)
    for name in (f"{dead.pid}-1", f"{os.getpid()}-1", "nonsense"):
        (tmp_path / name / "overlays").mkdir(parents=True)
    assert open_scratch(tmp_path) == living
    assert list(tmp_path.iterdir()) == [living]
