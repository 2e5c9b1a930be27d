"""Clients of every kind, good, mistaken and rude, against a real service; what was sent must be what was counted.

``python tests/unit/service/mixed_clients.py 50000`` starts a service of its own and prints the comparison.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
HOST = "127.0.0.1"
DEADLINE_S = 60.0
CLIENTS = 24
LIMIT = 4096
"""MAX_BODY_BYTES of the service under test."""

GOOD = json.dumps({"features": [[5.1, 3.5, 1.4, 0.2]]}).encode()
Place = tuple[str, str]
"""Method and endpoint as the metrics name them."""


@dataclass(frozen=True)
class Manner:
    """How a client behaves: what it sends, where that is counted, the status that it must see.

    ``leaves`` is where it hangs up without reading: never, after the ``headers``, in the ``body``, or after ``all``.
    """

    method: str
    path: str
    body: bytes
    endpoint: str
    status: int
    leaves: str = ""
    chunked: bool = False


MANNERS: Mapping[str, tuple[int, Manner]] = {
    "good": (30, Manner("POST", "/predict", GOOD, "/predict", 200)),
    "by name": (15, Manner("POST", "/predict/iris", GOOD, "/predict/{model}", 200)),
    "bad JSON": (6, Manner("POST", "/predict", b'{"features": [[5.1', "/predict", 422)),
    "wrong count": (6, Manner("POST", "/predict", b'{"features": [[1, 2]]}', "/predict", 422)),
    "NaN": (6, Manner("POST", "/predict", b'{"features": [[NaN, 1, 1, 1]]}', "/predict", 422)),
    "infinite": (3, Manner("POST", "/predict", b'{"features": [[1e999, 1, 1, 1]]}', "/predict", 422)),
    "empty": (3, Manner("POST", "/predict", b"", "/predict", 422)),
    "unknown model": (6, Manner("POST", "/predict/nobody", GOOD, "/predict/{model}", 404)),
    "unknown path": (6, Manner("GET", "/nowhere", b"", "unmatched", 404)),
    "wrong method": (4, Manner("GET", "/predict", b"", "unmatched", 405)),
    "too large": (3, Manner("POST", "/predict", b"x" * 20_000, "/predict", 413)),
    "too large, chunked": (3, Manner("POST", "/predict", b"x" * 20_000, "/predict", 413, chunked=True)),
    "gone after headers": (4, Manner("POST", "/predict", GOOD, "/predict", 499, leaves="headers")),
    "gone in mid-body": (4, Manner("POST", "/predict", GOOD, "/predict", 499, leaves="body")),
    "gone before the answer": (6, Manner("POST", "/predict", GOOD, "/predict", 0, leaves="all")),
}


@dataclass
class Tally:
    """What was sent, by place, and what well-behaved clients saw, by place and status."""

    sent: Counter[Place] = field(default_factory=Counter)
    seen: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    left: Counter[Place] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def request_bytes(manner: Manner) -> tuple[bytes, bytes]:
    """Return head and body as they go over the wire."""
    lines = [f"{manner.method} {manner.path} HTTP/1.1", "host: x", "content-type: application/json"]
    body = manner.body
    if manner.chunked:
        lines.append("transfer-encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode(), body


async def send(port: int, name: str, manner: Manner, tally: Tally) -> None:
    """Make one request on a connection of its own, as the manner has it."""
    reader, writer = await asyncio.open_connection(HOST, port)
    head, body = request_bytes(manner)
    tally.sent[manner.method, manner.endpoint] += 1
    try:
        writer.write(head)
        if manner.leaves == "headers":
            await writer.drain()
        elif manner.leaves == "body":
            writer.write(body[: len(body) // 2])
            await writer.drain()
        else:
            writer.write(body)
            await writer.drain()
        if manner.leaves:
            tally.left[manner.method, manner.endpoint] += 1
            return
        status = int((await asyncio.wait_for(reader.readline(), DEADLINE_S)).split()[1])
        tally.seen[manner.method, manner.endpoint, status] += 1
        if status != manner.status:
            tally.wrong.append(f"{name}: {status}")
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE_S)
    finally:
        writer.close()


async def run(port: int, count: int, seed: int) -> Tally:
    """Make ``count`` requests of mixed manners, ``CLIENTS`` at a time."""
    rng, tally = random.Random(seed), Tally()
    names = list(MANNERS)
    chosen = iter(rng.choices(names, [MANNERS[name][0] for name in names], k=count))

    async def client() -> None:
        for name in chosen:
            await send(port, name, MANNERS[name][1], tally)

    await asyncio.gather(*[client() for _ in range(CLIENTS)])
    return tally


def counted(port: int, metric: str, *labels: str) -> Counter[tuple[str, ...]]:
    """Return the samples of a metric by labels."""
    text = httpx.get(f"http://{HOST}:{port}/metrics").text
    found: Counter[tuple[str, ...]] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == metric:
                found[tuple([sample.labels[label] for label in labels])] += int(sample.value)
    return found


def differences(port: int, tally: Tally) -> list[str]:
    """Return where counters and tally differ, once nothing is under way any more."""
    expected = sum(tally.sent.values())
    deadline = time.monotonic() + DEADLINE_S
    labels = ("method", "endpoint", "status")
    while counted(port, "http_requests_total").total() < expected and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.3)
    requests = counted(port, "http_requests_total", *labels)
    problems = list(tally.wrong)
    by_place: Counter[Place] = Counter()
    for (method, endpoint, _), number in requests.items():
        by_place[method, endpoint] += number
    problems += [
        f"{place}: sent {tally.sent[place]}, counted {by_place[place]}"
        for place in {*tally.sent, *(+by_place)}
        if by_place[place] != tally.sent[place]
    ]
    for (method, endpoint, status), number in tally.seen.items():
        most = number + (tally.left[method, endpoint] if status == 200 else 0)
        if not number <= requests[method, endpoint, str(status)] <= most:
            problems.append(
                f"{method} {endpoint} {status}: seen {number}, counted {requests[method, endpoint, str(status)]}"
            )
    timed = counted(port, "http_request_duration_seconds_count", *labels)
    expected: Counter[tuple[str, str, str]] = Counter()
    for (method, endpoint, status), number in requests.items():
        expected["other" if endpoint == "unmatched" else method, endpoint, status] += number
    if +expected != +timed:
        problems.append("the histogram counted other requests than the counter")
    failed = sum(number for (_, _, status), number in requests.items() if int(status) >= 400)
    errors = counted(port, "http_errors_total").total()
    if errors != failed:
        problems.append(f"{failed} answers of 400 and above, {errors} errors")
    return problems


@contextmanager
def service(artifacts: Path, folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes], Path]]:
    """Yield the port of a plain service, its process and its output; nobody collects its spans."""
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "ARTIFACTS_DIR": str(artifacts),
        "PORT": str(port),
        "MODELS": "iris",
        "MAX_BODY_BYTES": str(LIMIT),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:9",
    }
    output = folder / "service.out"
    with output.open("wb") as stream:
        command = [sys.executable, "-m", "service"]
        running = subprocess.Popen(command, cwd=folder, env=environment, stdout=stream, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + DEADLINE_S
            while True:
                assert running.poll() is None, output.read_text()
                assert time.monotonic() < deadline, output.read_text()
                try:
                    httpx.get(f"http://{HOST}:{port}/ready").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.1)
            yield port, running, output
        finally:
            running.terminate()
            try:
                running.wait(15)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def main() -> int:
    """Compare after as many requests as asked for and return the exit code."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as folder, service(Path(folder) / "artifacts", Path(folder)) as (port, _, _):
        started = time.monotonic()
        tally = asyncio.run(run(port, count, seed=1))
        problems = differences(port, tally)
        left = counted(port, "http_requests_total", "status")["499",]
    took = f"{count} requests in {time.monotonic() - started:.0f} s"
    print(f"{took}, {tally.left.total()} hung up, {left} counted as 499")  # noqa: T201 - a command's output
    print("\n".join(problems) or "sent and counted agree")  # noqa: T201 - as above
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
