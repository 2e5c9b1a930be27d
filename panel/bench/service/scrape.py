"""The size of ``/metrics``, the time it takes, and that no caller can make it grow."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable
from itertools import chain

from panel.bench.figures import Figure
from panel.bench.service.bodies import usual_requests
from panel.bench.service.contenders import Bench
from panel.bench.service.pressure import OK, LoadFailed, send
from panel.bench.service.processes import Server

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
SCRAPES = 11
ROWS_OF_EACH = 600
"""Requests to each model beforehand: more than the windows of PSI and KS hold, so that every series has its value."""
BETWEEN = 50
"""Requests to each model between two scrapes, so that each scrape has something to work out."""
CONNECTIONS = 8
UNKNOWN = 10_000
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "MKCOL", "LOCK", "SUBSCRIBE")
"""What the HTTP parser lets pass; an invented method ends at the server, before the app."""
OPT_IN = "resnet50"


def measure(bench: Bench, sink: Server, trained: Iterable[str], say: Callable[[str], None]) -> list[Figure]:
    """Scrape the service with its default models and with all, then send it what it does not know."""
    say("/metrics with the default models")
    with bench.service(sink, name="service with default models") as server:
        lines, milliseconds = _scraped(bench, server)
        say(f"{UNKNOWN} unknown paths and methods")
        added = _unknown(bench, server)
    say("/metrics with all models")
    everything = {"MODELS": ",".join((*trained, OPT_IN)), "RESNET50_WEIGHTS": "seeded"}
    with bench.service(sink, name="service with all models", settings=everything) as server:
        all_lines, all_milliseconds = _scraped(bench, server, leave_out=OPT_IN)
        memory = server.peak_bytes() / 1e6
    return [
        Figure("lines of /metrics with the default models", lines, "lines", 900.0),
        Figure("/metrics with the default models as OpenMetrics, median", milliseconds, "ms", 20.0),
        Figure("lines of /metrics with all models", all_lines, "lines"),
        Figure("/metrics with all models as OpenMetrics, median", all_milliseconds, "ms"),
        Figure("peak memory of the service with all models", round(memory), "MB"),
        Figure(f"series added by {UNKNOWN} unknown paths and methods", added, "series", 0.0),
    ]


def _scraped(bench: Bench, server: Server, *, leave_out: str = "", scrapes: int = SCRAPES) -> tuple[int, float]:
    """Return lines and median milliseconds of a scrape, after traffic to every model."""
    requests = {name: sent for name, sent in usual_requests(server).items() if name != leave_out}
    _send_once(bench, server, chain.from_iterable((sent * 3)[:ROWS_OF_EACH] for sent in requests.values()))
    between = [request for sent in requests.values() for request in sent[:BETWEEN]]
    times, lines = [], 0
    for _ in range(scrapes):
        _send_once(bench, server, between)
        started = time.perf_counter()
        text = server.get("/metrics", OPENMETRICS)
        times.append((time.perf_counter() - started) * 1000.0)
        lines = text.count(b"\n")
    return lines, round(statistics.median(times), 1)


def _unknown(bench: Bench, server: Server, number: int = UNKNOWN) -> int:
    """Return how many series ``number`` unknown requests add, the first of each sort included."""
    before = _series(server)
    requests = unknown_requests(random.Random(2026), number)
    send(bench.cores, server, requests, connections=CONNECTIONS, seconds=0.0)
    return len(_series(server) - before)


def unknown_requests(dice: random.Random, number: int) -> list[bytes]:
    """Return requests that all differ: unknown paths, methods that a path has not, invented ones."""
    requests = []
    for turn in range(number):
        word = f"{dice.getrandbits(64):016x}"
        method = METHODS[turn % len(METHODS)]
        sort = turn // len(METHODS) % 4
        if sort == 0:
            requests.append(_plain(method, f"/{word}"))
        elif sort == 1:
            requests.append(_plain(method, f"/predict/{word}/{word}"))
        elif sort == 2:
            requests.append(_plain("POST" if method == "GET" else method, f"/model-info?{word}"))
        else:
            requests.append(_plain(f"X{word.upper()}", "/predict"))
    return requests


def _plain(method: str, target: str) -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n".encode("ascii")


def _series(server: Server) -> set[bytes]:
    """Return what names each series: its line without value and exemplar."""
    lines = server.get("/metrics", OPENMETRICS).splitlines()
    return {line.split(b" # ")[0].rpartition(b" ")[0] for line in lines if not line.startswith(b"#")}


def _send_once(bench: Bench, server: Server, requests: Iterable[bytes]) -> None:
    result = send(bench.cores, server, list(requests), connections=CONNECTIONS, seconds=0.0)
    if set(result.statuses) != {OK}:
        raise LoadFailed(server.name, result.statuses)
