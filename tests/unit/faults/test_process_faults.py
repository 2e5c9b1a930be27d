"""Crash and hang on real processes: the right ones are hit, and nothing stays stopped, whoever dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import MappingProxyType

import psutil
import pytest
from kept_service import KeptService, kept_service, reached, stopped, until

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.base import FaultRequest, catalogue
from faults.drills.guard import let_go_on
from faults.drills.leftovers import Leftovers, Stopped
from faults.drills.stackhost import StackHost
from faults.errors import FaultNotApplied, FaultUnavailable
from faults.host import BareHost
from faults.injector import Injector
from stack.endpoints import Endpoints
from stack.expected import ends_are_expected
from stack.home import Home
from stack.state import ProcessIdentity

ROOT = Path(__file__).resolve().parents[3]
KINDS = ("crash", "hang")
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a system without signals")

CONDUCTOR = """
import asyncio, sys
from pathlib import Path
import faults.kinds
from faults.base import FaultRequest
from faults.drills.stackhost import StackHost
from faults.injector import Injector
from stack.endpoints import Endpoints
from stack.home import Home

async def main():
    injector = Injector(StackHost(Home(Path(sys.argv[1])), Endpoints()))
    await injector.light(FaultRequest(kind="hang", ttl_s=float(sys.argv[2])))
    print("lit", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[KeptService]:
    """Run a process that stands for the service."""
    with kept_service(Home(tmp_path)) as running:
        yield running


def with_injector(home: Home, scenario: Callable[[Injector], Awaitable[None]]) -> None:
    """Run a scenario with the injector of a conductor of ``home``."""

    async def run() -> None:
        injector = Injector(StackHost(home, Endpoints()))
        try:
            await scenario(injector)
        finally:
            await injector.close()

    asyncio.run(run())


def lit(kind: str, ttl_s: float = 60.0, **parameters: str | float) -> FaultRequest:
    """Return the request for a fault."""
    return FaultRequest(kind=kind, parameters=dict(parameters), ttl_s=ttl_s, seed=1)


def guards(home: Home) -> list[psutil.Process]:
    """Return the guards that watch over the service of ``home``."""
    pid = f'"pid":{_pid_in(home)},'
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if "faults.drills.guard" in line and pid in line:
            found.append(process)
    return found


def _pid_in(home: Home) -> int:
    (note,) = (home.run / "leftovers").glob("*.json")
    return Stopped.model_validate_json(note.read_bytes()).processes[0].pid


def notes(home: Home) -> list[str]:
    """Return what is written down as still to be taken back."""
    return [path.name for path in (home.run / "leftovers").glob("*.json")]


def test_a_hang_stops_the_process_until_it_is_put_out(service: KeptService) -> None:
    """SIGSTOP, and SIGCONT; put out twice it is no different, and neither guard nor note is left."""

    async def scenario(injector: Injector) -> None:
        record = await injector.light(lit("hang"))
        assert stopped(service.pid)
        assert (record.injections, record.place) == (1, "stack")
        (guard,) = guards(service.home)
        for _ in range(2):
            record = await injector.put_out(record.id)
            assert (record.end_reason, record.error) == ("rolled_back", None)
        assert not stopped(service.pid)
        assert not guard.is_running()
        assert notes(service.home) == []

    with_injector(service.home, scenario)


def test_of_two_hangs_the_last_one_lets_go(service: KeptService) -> None:
    """As long as one burns, the process stands still."""

    async def scenario(injector: Injector) -> None:
        first, second = [await injector.light(lit("hang")) for _ in range(2)]
        await injector.put_out(first.id)
        assert stopped(service.pid)
        await injector.put_out(second.id)
        assert not stopped(service.pid)

    with_injector(service.home, scenario)


def test_a_hang_expires(service: KeptService) -> None:
    """Left alone, it ends by its time to live."""

    async def scenario(injector: Injector) -> None:
        record = await injector.light(lit("hang", ttl_s=5.0))
        await reached(lambda: injector.records()[0].state == "ended", "it expires")
        assert injector.records()[0].end_reason == "expired"
        assert record.ends_at == record.started_at + 5.0
        assert not stopped(service.pid)

    with_injector(service.home, scenario)


def _hanging(home: Home, ttl_s: float) -> subprocess.Popen[str]:
    """Return a conductor that has stopped the service of ``home``."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CONDUCTOR, str(home.root), str(ttl_s)]
    conductor = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert conductor.stdout is not None
    assert conductor.stdout.readline() == "lit\n"
    return conductor


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_nothing_stays_stopped_when_the_conductor_is_gone(service: KeptService, how: signal.Signals) -> None:
    """Killed, the guard acts at once; hanging itself, the guard acts when the time to live is over."""
    conductor = _hanging(service.home, 60.0 if how == signal.SIGKILL else 2.0)
    try:
        assert stopped(service.pid)
        conductor.send_signal(how)
        until(lambda: not stopped(service.pid), "the service goes on")
    finally:
        conductor.kill()
        conductor.wait()
    assert service.process.poll() is None


def test_the_next_conductor_takes_back_what_guard_and_conductor_left(service: KeptService) -> None:
    """With both killed the process stays stopped until a conductor starts in this home."""
    conductor = _hanging(service.home, 600.0)
    for guard in guards(service.home):
        guard.kill()
    conductor.kill()
    conductor.wait()
    assert stopped(service.pid)
    assert len(notes(service.home)) == 1
    asyncio.run(StackHost(service.home, Endpoints()).clean_up())
    assert not stopped(service.pid)
    assert notes(service.home) == []


def test_a_stranger_with_the_same_id_is_left_alone(service: KeptService) -> None:
    """An id alone proves nothing: who was born at another time gets no signal."""
    os.kill(service.pid, signal.SIGSTOP)
    until(lambda: stopped(service.pid), "it is stopped")
    stranger = ProcessIdentity(pid=service.pid, created_at=time.time() - 1e6)
    assert let_go_on([stranger]) == 0
    assert stopped(service.pid)


def test_a_note_that_nobody_can_read_is_removed(tmp_path: Path) -> None:
    """It is said in the log, and stops nobody from taking back the rest."""
    (tmp_path / "stopped-x.json").write_text("{not json")
    assert list(Leftovers(tmp_path).of_others()) == []
    assert list(tmp_path.iterdir()) == []


def test_a_crash_loop_kills_whatever_comes_back(service: KeptService) -> None:
    """Every new process is killed while it burns, the supervisor is told, and afterwards one may live."""

    async def scenario(injector: Injector) -> None:
        record = await injector.light(lit("crash", every_s=0.1))
        for _ in range(3):
            assert await asyncio.to_thread(service.process.wait, 20) == -signal.SIGKILL
            assert ends_are_expected(service.home, "service")
            service.start()
        await asyncio.to_thread(service.process.wait, 20)
        record = await injector.put_out(record.id)
        assert record.injections == 4
        service.start()
        await asyncio.sleep(0.5)
        assert service.process.poll() is None

    with_injector(service.home, scenario)


def test_a_single_crash_is_one(service: KeptService) -> None:
    """Once is once, also when the process is back."""

    async def scenario(injector: Injector) -> None:
        record = await injector.light(lit("crash", mode="once"))
        assert await asyncio.to_thread(service.process.wait, 20) == -signal.SIGKILL
        service.start()
        await asyncio.sleep(1.0)
        assert service.process.poll() is None
        assert (await injector.put_out(record.id)).injections == 1

    with_injector(service.home, scenario)


@pytest.mark.parametrize(("replicas", "hit"), [("all", 2), ("one", 1)])
def test_replicas_are_hit_and_never_their_parent(tmp_path: Path, replicas: str, hit: int) -> None:
    """All of them, or one that the seed draws."""
    with kept_service(Home(tmp_path), workers=2) as service:
        children = service.children()

        async def scenario(injector: Injector) -> None:
            record = await injector.light(lit("hang", replicas=replicas))
            assert sum(stopped(child.pid) for child in children) == hit == record.injections
            assert not stopped(service.pid)
            await injector.put_out(record.id)
            assert not any(stopped(child.pid) for child in children)
            await injector.light(lit("crash", mode="once", replicas=replicas))
            gone, _ = await asyncio.to_thread(psutil.wait_procs, children, 0.2)
            dead = [child for child in children if not child.is_running() or child.status() == psutil.STATUS_ZOMBIE]
            assert len(gone) + len(dead) == hit
            assert service.process.poll() is None

        with_injector(service.home, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_process_there_is_nothing_to_hit(service: KeptService, kind: str) -> None:
    """A service that is down is not taken for one that was hit, and nothing is left of the attempt."""
    service.end()

    async def scenario(injector: Injector) -> None:
        with pytest.raises(FaultNotApplied, match="no process of the service runs"):
            await injector.light(lit(kind))
        assert injector.active() == {}

    with_injector(service.home, scenario)
    assert notes(service.home) == []


@pytest.mark.parametrize("kind", KINDS)
def test_where_no_signal_reaches_it_is_said(tmp_path: Path, kind: str) -> None:
    """No supervisor, another container, or a process that is no conductor: unavailable, with the reason."""

    async def scenario(injector: Injector) -> None:
        with pytest.raises(FaultUnavailable, match="no supervisor of this stack runs the service"):
            await injector.light(lit(kind))

    with_injector(Home(tmp_path), scenario)
    elsewhere = Endpoints(hosts=MappingProxyType({"service": "service"}))
    because = catalogue()[kind].unavailable(StackHost(Home(tmp_path), elsewhere))
    assert because == "the service runs in a container of its own; use container_pause or container_kill"
    assert catalogue()[kind].unavailable(BareHost()) == "it acts from outside of the service"


@pytest.mark.parametrize("kind", ["container_pause", "container_kill", "network_cut"])
def test_without_containers_their_faults_are_unavailable(service: KeptService, kind: str) -> None:
    """In the native runtime the reason names what to use in their place; no engine is asked."""

    async def scenario(injector: Injector) -> None:
        with pytest.raises(FaultUnavailable, match="the service is no container here; use crash or hang"):
            await injector.light(lit(kind))

    with_injector(service.home, scenario)


def test_in_a_container_without_an_engine_the_reason_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address, the cause, and the page that says how to give the conductor an engine."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    host = StackHost(Home(tmp_path), Endpoints(hosts=MappingProxyType({"service": "service"})))
    asyncio.run(host.look())
    because = catalogue()["network_cut"].unavailable(host)
    assert because is not None
    assert because.startswith(f"the conductor reaches no Docker engine at unix://{tmp_path}/none.sock (")
    assert because.endswith("docs/docker.md says how to give it one")
