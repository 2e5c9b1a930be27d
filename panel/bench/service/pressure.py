"""Load on a server of the benchmark, and what it cost the server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from panel.bench.service.contenders import python_path
from panel.bench.service.processes import Cores, Server, on_core
from panel.bench.service.programs.load import GRACE_S, Job, Result
from panel.commands.console import CommandError

OK = 200
QUIET_S = 1.3
"""Exports leave once a second: a sink that got nothing for so long has everything."""
DRAINED_WITHIN_S = 20.0


class LoadFailed(CommandError):  # noqa: N818 - reads as a fact where it is raised
    """The load of the benchmark was not answered as it should be."""

    def __init__(self, server: str, statuses: dict[int, int]) -> None:
        told = ", ".join(f"{number} × {status or 'no answer'}" for status, number in sorted(statuses.items()))
        super().__init__(f"each request of the benchmark to the {server} was to be answered with 200; it got {told}")


@dataclass(frozen=True)
class Cost:
    """One round: requests answered, requests per second, the server's processor time per request, spans that arrived.

    The processor time includes what the server does after its answers: exports, up to the last one.
    """

    requests: int
    per_s: float
    cpu_us: float
    spans: int
    server_spans: int


def send(cores: Cores, server: Server, requests: Sequence[bytes], *, connections: int, seconds: float) -> Result:
    """Send ``requests`` from a process of its own, over and over for ``seconds``, or once where that is 0."""
    job = Job.of(server.port, requests, connections=connections, seconds=seconds)
    with on_core(cores.load):
        done = subprocess.run(
            [sys.executable, "-m", "panel.bench.service.programs.load"],
            input=job.model_dump_json().encode(),
            capture_output=True,
            check=False,
            timeout=seconds + 3 * GRACE_S,
            env={**os.environ, **python_path()},
        )
    if done.returncode != 0:
        raise CommandError(f"the benchmark's load on the {server.name} broke: {done.stderr.decode()[-2000:]}")
    return Result.model_validate_json(done.stdout)


def press(
    cores: Cores, server: Server, sink: Server, requests: Sequence[bytes], *, connections: int, seconds: float
) -> Cost:
    """Load ``server`` and return what that cost it; raise ``LoadFailed`` where an answer was not 200."""
    spans, cpu_s = _arrived(sink), server.cpu_s()
    result = send(cores, server, requests, connections=connections, seconds=seconds)
    if set(result.statuses) != {OK}:
        raise LoadFailed(server.name, result.statuses)
    arrived = _drained(sink)
    answered = result.statuses[OK]
    return Cost(
        requests=answered,
        per_s=answered / result.seconds,
        cpu_us=(server.cpu_s() - cpu_s) / answered * 1e6,
        spans=arrived.spans - spans.spans,
        server_spans=arrived.server_spans - spans.server_spans,
    )


class Arrived(BaseModel):
    """What the sink has counted."""

    spans: int
    server_spans: int
    records: int


def _arrived(sink: Server) -> Arrived:
    return Arrived.model_validate_json(sink.get("/"))


def _drained(sink: Server) -> Arrived:
    """Return the counts once nothing more comes."""
    deadline = time.monotonic() + DRAINED_WITHIN_S
    before = None
    while (now := _arrived(sink)) != before and time.monotonic() < deadline:
        before = now
        time.sleep(QUIET_S)
    return now
