"""The stack as a person starts and stops it, and what is left when its processes are killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import psutil
import pytest

from faults.base import FaultRequest
from stack.endpoints import HOST
from stack.status import read_status
from tests.levels import thorough
from tests.live.conftest import LiveStack, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

FLOWER = {"features": [[5.1, 3.5, 1.4, 0.2]]}
TTL_S = 4.0
"""Longer than most components take to come back: the fault then still burns when they are."""


def pids(stack: LiveStack) -> dict[str, int | None]:
    """Return the process id of every component."""
    return {each.name: each.pid for each in read_status(stack.home).components}


def gone(processes: list[psutil.Process]) -> bool:
    """Return whether none of the processes runs."""
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def family(stack: LiveStack) -> list[psutil.Process]:
    """Return the supervisor and everything under it."""
    supervisor = psutil.Process(stack.status()["supervisor_pid"])
    return [supervisor, *supervisor.children(recursive=True)]


@thorough
@pytest.mark.timeout(420)
def test_three_starts_and_three_ends(fresh: LiveStack) -> None:
    """`up` from nothing and `down`, in the foreground and Ctrl-C, again and kill -9: nothing survives, all starts anew.

    Each start is also the proof that the end before it left nothing in its way; between them the stack is looked at.
    """
    fresh.start()
    status = fresh.status()
    assert status["state"] == "up"
    assert {each["state"] for each in status["components"]} == {"ready"}
    again = fresh.cli("up", "--detach", "--port-offset", str(fresh.offset))
    assert again.returncode == 2
    assert "already" in again.stderr
    running = family(fresh)
    assert fresh.cli("down").returncode == 0
    assert gone(running)
    assert fresh.free_ports()
    assert fresh.status()["state"] == "down"
    assert fresh.cli("down").returncode == 0

    in_the_foreground_until_interrupted(fresh)

    fresh.start("--no-traffic")
    assert fresh.status()["state"] == "up"
    control_needs_the_token(fresh)
    killed_leaves_nothing(fresh, family(fresh), signal.SIGKILL)


def test_busy_port_is_named_with_its_holder(fresh: LiveStack) -> None:
    """`up` on a port that something else holds names the port and the process, and starts nothing."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # an earlier stack's connections may linger on it
        holder.bind((HOST, fresh.endpoints.port("alertmanager")))
        holder.listen()
        done = fresh.cli("up", "--detach", "--port-offset", str(fresh.offset))
    assert done.returncode == 2
    assert str(fresh.endpoints.port("alertmanager")) in done.stderr
    assert str(os.getpid()) in done.stderr
    assert "--port-offset" in done.stderr
    assert "Traceback" not in done.stderr
    assert fresh.free_ports()


def in_the_foreground_until_interrupted(stack: LiveStack) -> None:
    """Start it in the foreground and end it by Ctrl-C: soon no process runs and no port is held."""
    command = [sys.executable, "-m", "panel.cli", "up", "--port-offset", str(stack.offset)]
    with subprocess.Popen(command, env=stack.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as up:
        try:
            until(lambda: read_status(stack.home).state == "up", "a stack that is up", timeout_s=120)
            killed_leaves_nothing(stack, family(stack), signal.SIGINT)
            up.wait(timeout=30)
        finally:
            up.kill()  # where it has not ended: the whole test would wait for it


def killed_leaves_nothing(stack: LiveStack, running: list[psutil.Process], end: signal.Signals) -> None:
    """Signal the supervisor, the first of what is running, and wait until every process and every port is gone."""
    assert len(running) > 7
    running[0].send_signal(end)
    until(lambda: gone(running) and stack.free_ports(), f"the end of every process after {end.name}")


@thorough
def test_each_process_killed_in_turn_while_a_fault_is_active(fresh: LiveStack) -> None:
    """Whatever is killed comes back; the fault ends by its time to live or with the service, never later."""
    fresh.start()
    for name in sorted(pids(fresh)):
        with fresh.conductor() as conductor:
            conductor.light(FaultRequest(kind="latency", parameters={"delay_ms": 300}, ttl_s=TTL_S), actor="test")
        overdue = time.time() + TTL_S + 0.5
        old = pids(fresh)[name]
        assert old is not None, name
        os.kill(old, signal.SIGKILL)
        await_return(fresh, name, old)
        time.sleep(max(0.0, overdue - time.time()))
        assert not any(fault.state == "active" for fault in fresh.conductor().faults()), f"after {name} was killed"
        answer = httpx.post(fresh.endpoints.url("service", "/predict"), json=FLOWER, timeout=5)
        assert answer.status_code == 200
    assert fresh.status()["state"] == "up"
    assert fresh.conductor().journal(), "the journal is readable after its process was killed"


def await_return(stack: LiveStack, name: str, old: int) -> None:
    """Wait until a component that was killed as ``old`` is ready as another process."""

    def returned() -> bool:
        now = next(each for each in read_status(stack.home).components if each.name == name)
        return now.state == "ready" and now.pid != old

    until(returned, f"{name} to be ready again", timeout_s=40)


def control_needs_the_token(fresh: LiveStack) -> None:
    """See that without the token nobody lights a fault, at the service's control endpoint or at the conductor."""
    body = {"kind": "error", "ttl_s": 5}
    for name, path in (("control", "/faults"), ("conductor", "/faults"), ("conductor", "/webhook/alertmanager")):
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            answer = httpx.post(fresh.endpoints.url(name, path), json=body, headers=headers)
            assert answer.status_code == 401, (name, path)
    foreign = {"Authorization": f"Bearer {fresh.home.token()}", "Host": "evil.example"}
    assert httpx.post(fresh.endpoints.url("control", "/faults"), json=body, headers=foreign).status_code == 403
    plain = httpx.post(fresh.endpoints.url("service", "/faults"), json=body)
    assert plain.status_code == 404
    assert fresh.conductor().faults() == []
    for arguments, says in (
        (("fault", "on", "nonsense"), "nonsense"),
        (("fault", "on", "latency", "delay_ms=-5"), "delay_ms"),
        (("fault", "on", "error", "--ttl", "soon"), "soon"),
        (("fault", "off", "no-such-id"), "no-such-id"),
        (("drill", "run", "no-such-drill"), "no-such-drill"),
    ):
        done = fresh.cli(*arguments)
        assert done.returncode == 2, arguments
        assert says in done.stderr
        assert "Traceback" not in done.stderr
