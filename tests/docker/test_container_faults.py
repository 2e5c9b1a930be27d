"""Faults of containers on a real engine: a stack whose conductor was given the socket pauses, kills and cuts off."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from container_stack import ROOT, ContainerStack, firedrill

from faults.base import FaultRequest
from faults.client import ConductorClient
from stack.docker_containers import Project
from stack.docker_engine import engine_address
from stack.endpoints import Endpoints
from stack.home import Home
from tests.ports import free_endpoints

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]
KINDS = ("container_pause", "container_kill", "network_cut")
NEEDLESS = ("panel", "node", "jaeger")
PATIENCE_S = 60.0


def until(what: str, holds: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Wait until ``holds``, or fail saying ``what`` did not come about."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def armed(engine: Any, images: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerStack]:
    """Bring up a stack whose conductor has the engine's socket, without the parts that do not matter here."""
    scheme, _, path = engine_address().partition("://")
    if scheme != "unix":
        pytest.skip("the engine is not behind a socket of this machine, which is what the override hands over")
    home, offset = Home(tmp_path_factory.mktemp("armed")), free_endpoints().offset
    project = Project(engine, f"firedrill-armed-{os.getpid()}", ROOT)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FIREDRILL_HOME": str(home.root),
        "FIREDRILL_PROJECT": project.name,
        "FIREDRILL_WITH_TORCH": "0",
        "FIREDRILL_SOCKET": path,
        "DOCKER_GID": str(Path(path).stat().st_gid),
        "COMPOSE_FILE": f"{ROOT / 'docker-compose.yml'}{os.pathsep}{ROOT / 'docker-compose.socket.yml'}",
        "COLUMNS": "200",
    }
    without = (*images, *NEEDLESS)
    leave_out = [part for name in without for part in ("--without", name)]
    try:
        done = firedrill(environment, "up", "--runtime", "docker", "--detach", "--port-offset", str(offset), *leave_out)
        yield ContainerStack(home, Endpoints(offset), environment, engine, project, without, done.stdout)
    finally:
        firedrill(environment, "down", check=False)
        for container in project.containers().values():
            container.remove(v=True, force=True)
        project.remove_network()
        project.remove_volumes()


def conductor_of(stack: ContainerStack) -> ConductorClient:
    """Return a client of the stack's conductor."""
    return ConductorClient(stack.endpoints.url("conductor"), stack.home.token())


def answers(stack: ContainerStack) -> bool:
    """Return whether the service answers at its published port."""
    try:
        return httpx.get(stack.endpoints.url("service", "/ready"), timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def answers_the_others(stack: ContainerStack) -> bool:
    """Return whether the service answers another container under its name."""
    script = "import urllib.request; urllib.request.urlopen('http://service:8000/ready', timeout=2)"
    code, _ = stack.project.containers()["traffic"].exec_run(["python", "-c", script])
    return bool(code == 0)


def leftovers(stack: ContainerStack) -> list[str]:
    """Return what the conductor has written down to be taken back."""
    container = stack.project.containers()["conductor"]
    _, output = container.exec_run(["sh", "-c", "ls /home/firedrill/run/leftovers 2>/dev/null || true"])
    text: str = output.decode()
    return text.split()


def test_container_faults_are_available_and_signals_are_not(armed: ContainerStack) -> None:
    """With the socket the conductor reaches the engine; the service's process is in another container."""
    kinds = {kind.kind: kind for kind in conductor_of(armed).kinds()}
    assert [kinds[kind].unavailable_because for kind in KINDS] == [None] * len(KINDS)
    for kind in ("crash", "hang"):
        assert "runs in a container of its own" in (kinds[kind].unavailable_because or "")


@pytest.mark.parametrize("kind", KINDS)
def test_the_service_is_away_while_it_burns_and_back_afterwards(armed: ContainerStack, kind: str) -> None:
    """Nobody reaches it, from outside or inside; put out, everybody does, under the same name, and no note is left."""
    client = conductor_of(armed)
    until("the service answers", lambda: answers(armed) and answers_the_others(armed))
    record = client.light(FaultRequest(kind=kind, ttl_s=120.0), actor="test")
    assert (record.place, record.injections) == ("stack", 1)
    assert not answers(armed)
    assert not answers_the_others(armed)
    assert len(leftovers(armed)) == 1
    assert [one.id for one in client.faults() if one.state == "active"] == [record.id]
    assert client.put_out(record.id, actor="test").error is None
    until("the service is back", lambda: answers(armed) and answers_the_others(armed))
    assert leftovers(armed) == []


def test_a_container_fault_expires(armed: ContainerStack) -> None:
    """Left alone, it ends by its time to live."""
    until("the service answers", lambda: answers(armed))
    record = conductor_of(armed).light(FaultRequest(kind="container_pause", ttl_s=4.0), actor="test")
    until("it has expired", lambda: conductor_of(armed).faults()[0].state == "ended")
    (ended,) = [one for one in conductor_of(armed).faults() if one.id == record.id]
    assert (ended.end_reason, ended.error) == ("expired", None)
    until("the service is back", lambda: answers(armed))


@pytest.mark.parametrize("kind", KINDS)
def test_a_conductor_that_is_killed_takes_it_back_when_it_is_started_again(armed: ContainerStack, kind: str) -> None:
    """Its container starts again, by the engine, and what was left of the fault is undone."""
    until("the service answers", lambda: answers(armed))
    conductor_of(armed).light(FaultRequest(kind=kind, ttl_s=600.0), actor="test")
    assert not answers(armed)
    conductor = armed.project.containers()["conductor"]
    os.kill(int(conductor.attrs["State"]["Pid"]), 9)
    until("the service is back", lambda: answers(armed))
    until("the note is gone", lambda: leftovers(armed) == [])


@pytest.mark.parametrize("name", ["container-paused", "container-killed", "network-cut"])
def test_the_library_drill_passes(armed: ContainerStack, name: str) -> None:
    """ServiceDown rings and stops again."""
    until("the conductor answers", lambda: _healthy(armed))
    done = armed.firedrill("drill", "run", name, "--json", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["verdict"] == "passed"


def _healthy(stack: ContainerStack) -> bool:
    try:
        return bool(conductor_of(stack).health())
    except Exception:  # noqa: BLE001 - whatever it is, it is not healthy yet
        return False
