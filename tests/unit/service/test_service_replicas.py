"""``WORKERS=N`` as real processes: exact counters, one that dies, one that cannot start, and a reload under load."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from service_bench import SETOSA

from service.server import build_live_service, serve, server
from service.settings import Settings
from tests.levels import thorough
from tests.ports import free_ports

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_S = 90.0
COUNT = 3


@dataclass
class Group:
    """A parent with its replicas: the shared port, and behind it each one's own."""

    parent: subprocess.Popen[str]
    port: int

    def own(self, index: int) -> str:
        """Return the address of one replica alone."""
        return f"http://127.0.0.1:{self.port + 1 + index}"

    def replicas(self) -> Mapping[int, psutil.Process]:
        """Return the living replicas by index."""
        found = {}
        for child in psutil.Process(self.parent.pid).children():
            said = re.search(r"--replica=(\d+):", " ".join(child.cmdline()))
            if said and child.status() != psutil.STATUS_ZOMBIE:
                found[int(said.group(1))] = child
        return found

    def served(self, index: int) -> int:
        """Return how many predictions one replica has answered with 200."""
        text = httpx.get(f"{self.own(index)}/metrics", timeout=10).text
        lines = [line for line in text.splitlines() if line.startswith("http_requests_total") and "/predict" in line]
        return int(sum(float(line.split()[-1]) for line in lines if 'status="200"' in line))

    def predict(self, _number: int = 0) -> int:
        """Ask for one prediction over a connection of its own; return the status."""
        return httpx.post(f"http://127.0.0.1:{self.port}/predict", json=SETOSA, timeout=20).status_code

    def wait_ready(self) -> None:
        """Wait until every replica serves."""
        deadline = time.monotonic() + DEADLINE_S
        for index in range(COUNT):
            while not answers(self.own(index)):
                if self.parent.poll() is not None or time.monotonic() > deadline:
                    self.parent.kill()
                    pytest.fail(f"replica {index} does not serve: {self.parent.communicate()[0]}")
                time.sleep(0.05)


def answers(address: str) -> bool:
    """Return whether a service is ready there."""
    try:
        return httpx.get(f"{address}/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def start(artifacts: Path, folder: Path, port: int) -> subprocess.Popen[str]:
    """Start a parent of three replicas."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PORT": str(port),
        "REPLICA_PORT": str(port + 1),
        "WORKERS": str(COUNT),
        "MODELS": "iris",
        "ENABLE_TRACING": "false",
        "LOG_LEVEL": "warning",
        "ARTIFACTS_DIR": str(artifacts),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "service"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def group(trained: Path, tmp_path: Path) -> Iterator[Group]:
    """Give three replicas that serve; end them."""
    port = free_ports(1 + COUNT)
    running = Group(start(trained, tmp_path, port), port)
    running.wait_ready()
    yield running
    if running.parent.poll() is None:
        running.parent.kill()
    running.parent.communicate()


@thorough
def test_three_replicas_count_exactly_and_outlive_one(group: Group) -> None:
    """Counters sum to what was sent; when one is killed the rest serve and it returns; with the parent all are gone."""
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(group.predict, range(300))) == {200}
        served = [group.served(index) for index in range(COUNT)]
        assert sum(served) == 300
        assert all(count > 0 for count in served)
        victim = group.replicas()[1]
        victim.kill()
        psutil.wait_procs([victim], timeout=5)
        assert set(pool.map(group.predict, range(60))) == {200}
        group.wait_ready()
        assert group.replicas()[1].pid != victim.pid
        assert sum(group.served(index) for index in (0, 2)) - served[0] - served[2] + group.served(1) == 60
        assert set(pool.map(group.predict, range(30))) == {200}
    children = [*group.replicas().values()]
    assert len(children) == COUNT
    group.parent.kill()
    assert psutil.wait_procs(children, timeout=10)[1] == []
    with pytest.raises(httpx.ConnectError):
        group.predict()
    output = group.parent.communicate(timeout=DEADLINE_S)[0]
    assert "replica 1 was ended by signal 9" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("which", [0, 2])
def test_a_taken_port_is_named_before_anything_starts(trained: Path, tmp_path: Path, which: int) -> None:
    """The parent exits with 2 and says which port and setting, also where the holder would share it."""
    port = free_ports(1 + COUNT)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", port + which))
        taken.listen()
        ended = start(trained, tmp_path, port)
        output = ended.communicate(timeout=DEADLINE_S)[0]
    assert ended.returncode == 2
    assert f"127.0.0.1:{port + which} ({'REPLICA_PORT' if which else 'PORT'})" in output
    assert "Traceback" not in output


def test_a_replica_that_cannot_start_ends_them_all(tmp_path: Path) -> None:
    """What every replica would stumble over stops the parent too, with the reason and exit code 2."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WORKERS": "2", "MODEL_NAME": "x", "MODELS": "x"}
    port = free_ports(3)
    environment |= {"PORT": str(port), "REPLICA_PORT": str(port + 1)}
    ended = subprocess.run(
        [sys.executable, "-m", "service"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert ended.returncode == 2
    assert "no model profile 'x'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_twenty_reloads_under_load_drop_no_request(
    trained: Path, tmp_path: Path, in_folder: Callable[..., None]
) -> None:
    """While models are loaded anew twenty times, eight clients on real connections get nothing but 200."""
    in_folder(tmp_path)
    live = build_live_service(
        Settings(artifacts_dir=trained, models="iris", port=0, enable_tracing=False, log_level="error")
    )
    plain = server(live.app, live.settings)

    async def scenario() -> list[int]:
        serving = asyncio.ensure_future(serve([plain]))
        await _until(lambda: plain.started)
        port = plain.servers[0].sockets[0].getsockname()[1]
        statuses: list[int] = []
        done = False

        async def ask(client: httpx.AsyncClient) -> None:
            while not done:
                statuses.append((await client.post("/predict", json=SETOSA)).status_code)

        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            asking = [asyncio.ensure_future(ask(client)) for _ in range(8)]
            for _ in range(20):
                before = len(statuses)
                assert await live.app.state.models.reload("iris")
                await _until(partial(lambda wanted: len(statuses) >= wanted, before + 8))
            done = True
            await asyncio.gather(*asking)
        plain.should_exit = True
        await serving
        return statuses

    try:
        statuses = asyncio.run(asyncio.wait_for(scenario(), DEADLINE_S))
    finally:
        live.close()
    assert len(statuses) >= 160
    assert set(statuses) == {200}


async def _until(check: Callable[[], bool]) -> None:
    """Wait until ``check`` holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not check():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


@pytest.fixture
def in_folder(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what changes the working directory for one test."""
    return monkeypatch.chdir
