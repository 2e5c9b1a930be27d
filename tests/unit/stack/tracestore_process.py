"""The trace store as a process, started as the supervisor starts it, to be killed or put on a small disk by tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tracestore_lab import PROTOBUF, eventually, export_of

from stack.clients.jaeger import JaegerClient
from stack.endpoints import Endpoints
from tests.ports import free_endpoints

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Process:
    """A trace store as the supervisor starts it."""

    popen: subprocess.Popen[bytes]
    endpoints: Endpoints
    log: Path

    def post(self, *spans: Span) -> httpx.Response:
        """Export spans."""
        body = export_of(*spans).SerializeToString()
        return httpx.post(self.endpoints.url("otlp", "/v1/traces"), content=body, headers=PROTOBUF, timeout=20)

    def client(self) -> JaegerClient:
        """Return a client of its query API."""
        return JaegerClient(self.endpoints.url("tracestore"))

    def health(self) -> dict[str, object]:
        """Return what the store says of itself."""
        answer: dict[str, object] = httpx.get(self.endpoints.url("tracestore", "/health")).json()
        return answer

    def answers(self) -> bool:
        """Return whether it answers; fail with its output when it died."""
        assert self.popen.poll() is None, self.log.read_text()
        try:
            return httpx.get(self.endpoints.url("tracestore", "/health")).is_success
        except httpx.TransportError:
            return False


@contextmanager
def process(home: Path, *, before: Sequence[str] = (), **environment: str) -> Iterator[Process]:
    """Run ``python -m stack.tracestore``, by the command ``before`` where there is one, until the block ends."""
    endpoints = free_endpoints()
    log = home.parent / f"{home.name}.log"
    settings = {"FIREDRILL_HOME": str(home), "FIREDRILL_PORT_OFFSET": str(endpoints.offset), "PYTHONPATH": str(ROOT)}
    with log.open("ab") as stream:
        popen = subprocess.Popen(
            [*before, sys.executable, "-m", "stack.tracestore"],
            env=os.environ | settings | environment,
            stdout=stream,
            stderr=stream,
        )
    started = Process(popen, endpoints, log)
    try:
        eventually(started.answers)
        yield started
    finally:
        if popen.poll() is None:
            popen.terminate()
        popen.wait(20)


def on_small_disk(home: Path, mebibytes: int, *, full: bool = False) -> list[str]:
    """Return a command before which ``home`` is a small disk of the process's own, filled to the brim where ``full``.

    Skips the test where the kernel lets nobody mount one.
    """
    home.mkdir(exist_ok=True)
    fill = f'(head -c {mebibytes}M /dev/zero > "{home}/filler" 2>/dev/null || true) &&' if full else ""
    mount = f'mount -t tmpfs -o size={mebibytes}m none "{home}" && {fill} exec "$@"'
    before = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*before, "true"], check=False, timeout=20).returncode != 0:
        pytest.skip("needs user namespaces, to mount a small disk")
    return before


def seen_by(process: Process, path: Path) -> Path:
    """Return a path by which a file on the process's own disk can be reached from outside."""
    return Path(f"/proc/{process.popen.pid}/root{path}")
