"""How many spans a second the trace store takes on one core, what it holds then, and that it holds all.

The sender is this process, on another core; batches are made beforehand. The store is killed at the end, and what a
second process finds in the file is compared with what was acknowledged.
"""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc

from panel.bench.figures import Figure
from panel.bench.service.processes import Cores, on_core
from panel.bench.stack.batches import BATCH, Batches
from panel.bench.stack.store import Store, trace_store
from panel.commands.console import CommandError
from stack.endpoints import HOST

CONNECTIONS = 8
WARM_UP_S = 2.0
LOAD_S = 30.0
BESIDE_S = 8.0
_HEADERS = {"Content-Type": "application/x-protobuf"}
_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

Send = Callable[[bytes], str]
"""Sends one batch and says what was wrong with the answer; nothing where it was taken whole."""


@dataclass(frozen=True)
class Run:
    """What one load did: acknowledged spans of all of it, and of its measured part with the time that took."""

    acknowledged: int
    measured: int
    seconds: float
    cpu_s: float


def measure_ingest(say: Callable[[str], None], load_s: float = LOAD_S, beside_s: float = BESIDE_S) -> list[Figure]:
    """Load a trace store, kill it, start it again and count; raise ``CommandError`` where it refuses an export."""
    batches = Batches()
    with tempfile.TemporaryDirectory(prefix="firedrill-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with trace_store(folder) as store:
            say(f"{load_s:.0f} s of batches of {BATCH} spans into the trace store")
            plain = _load(store, batches, _http, load_s)
            say(f"{beside_s:.0f} s of the same over gRPC")
            called = _load(store, batches, _grpc, beside_s)
            stored_bytes, peak_bytes = store.value("tracestore_stored_bytes"), store.server.peak_bytes()
            store.server.process.kill()
            store.server.process.wait()
        say("counting what a kill left")
        with trace_store(folder) as store:
            found = store.value("tracestore_stored_items", signal="traces")
    sent = plain.acknowledged + called.acknowledged
    return [
        Figure(
            f"spans/s into the trace store, OTLP/HTTP, batches of {BATCH}, one core",
            round(plain.measured / plain.seconds),
            "spans/s",
            10_000,
            "at least",
        ),
        Figure("spans acknowledged and not found after a kill -9", sent - found, "spans", 0),
        Figure("memory of the trace store under that load, peak", round(peak_bytes / 1e6), "MB", 250),
        Figure("the same for each second of processor time", round(plain.measured / plain.cpu_s), "spans/s"),
        Figure("the same over gRPC", round(called.measured / called.seconds), "spans/s"),
        Figure("spans sent", sent, "spans"),
        Figure("bytes on disk for each span", round(stored_bytes / sent), "B"),
    ]


def _http(store: Store) -> Send:
    connection = http.client.HTTPConnection(HOST, store.endpoints.port("otlp"), timeout=60.0)

    def send(body: bytes) -> str:
        connection.request("POST", "/v1/traces", body, _HEADERS)
        answer = connection.getresponse()
        said = answer.read()
        return f"{answer.status} {said[:200]!r}" if answer.status != http.client.OK or said else ""

    return send


def _grpc(store: Store) -> Send:
    call = grpc.insecure_channel(store.endpoints.address("otlp_grpc")).unary_unary(_METHOD)

    def send(body: bytes) -> str:
        try:
            said: bytes = call(body, timeout=60.0)
        except grpc.RpcError as error:
            return f"{error.code()} {error.details()}"
        return repr(said[:200]) if said else ""

    return send


def _load(store: Store, batches: Batches, connect: Callable[[Store], Send], seconds: float) -> Run:
    """Send batches over a few connections for a while."""
    lock, ended, failures = threading.Lock(), threading.Event(), []
    taken = 0

    def keep_sending() -> None:
        nonlocal taken
        send = connect(store)
        while not ended.is_set():
            with lock:
                body = batches.next()
            wrong = send(body)
            if wrong:
                failures.append(wrong)
                ended.set()
                break
            with lock:
                taken += BATCH

    with on_core(Cores.of_this_machine().load):
        senders = [threading.Thread(target=keep_sending, daemon=True) for _ in range(CONNECTIONS)]
        for sender in senders:
            sender.start()
    ended.wait(WARM_UP_S)
    begun, before, cpu_s = time.monotonic(), taken, store.server.cpu_s()
    ended.wait(seconds)
    measured, took_s, cpu_s = taken - before, time.monotonic() - begun, store.server.cpu_s() - cpu_s
    ended.set()
    for sender in senders:
        sender.join()
    if failures:
        raise CommandError(f"the trace store answered {failures[0]} in the benchmark; see {store.server.log}")
    return Run(taken, measured, took_s, cpu_s)
