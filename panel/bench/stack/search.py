"""How long a search takes over a million spans: service, tag and duration, for rare, common and absent tags.

The store is filled in this process and then served by one of its own, as the supervisor starts it; what is timed is the
whole HTTP answer of Jaeger's v3 API, traces included.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, TracesData
from prometheus_client import CollectorRegistry

from panel.bench.figures import Figure
from panel.bench.stack.store import MAX_BYTES, trace_store
from panel.commands.console import CommandError
from stack.home import Home
from stack.tracestore.limits import Limits
from stack.tracestore.store import TraceStore
from stack.tracestore.telemetry import StoreMetrics

SPANS = 1_000_000
BATCH_SPANS = 510
SPAN_EVERY_NS = 3_600_000
"""The spans lie so far apart that a million of them fill an hour."""
HOUR_NS = 3600 * 10**9
TURNS = 5
LIMIT = 20
MEDIAN_MS, WORST_MS = 200.0, 1000.0
_SERVICES = ("gateway", "firedrill", "firedrill", "firedrill", "registry")
"""Who makes the spans of a trace, one after the other: the service searched for makes most of them."""
SPANS_PER_TRACE = len(_SERVICES)
_MS = 1_000_000


@dataclass(frozen=True)
class Case:
    """One search: what it is called, its tags, the least duration, and whether it must find something (if known)."""

    name: str
    tags: Mapping[str, str]
    shortest: str = "1us"
    finds: bool | None = True


def measure_search(say: Callable[[str], None], spans: int = SPANS, turns: int = TURNS) -> list[Figure]:
    """Fill a store with ``spans`` spans, search it, and return the median and the worst time, and those by case."""
    with tempfile.TemporaryDirectory(prefix="firedrill-bench-") as name:
        folder = Path(name)
        database = Home(folder / "home").data / "traces" / "traces.db"
        say(f"storing {spans:,} spans")
        end_ns = time.time_ns()
        start_ns = end_ns - spans * SPAN_EVERY_NS
        asyncio.run(_fill(database, spans, start_ns))
        bytes_per_span = database.stat().st_size / spans
        say("searching them")
        with (
            trace_store(folder) as store,
            httpx.Client(base_url=store.endpoints.url("tracestore"), timeout=60.0, trust_env=False) as client,
        ):
            window = (start_ns - HOUR_NS, end_ns + HOUR_NS)
            times = {case.name: [_timed(client, case, window) for _ in range(turns)] for case in cases(spans)}
    return figures(times, spans, bytes_per_span)


def figures(times: Mapping[str, list[float]], spans: int, bytes_per_span: float) -> list[Figure]:
    """Return the figures of measured times (milliseconds by case)."""
    all_ms = [ms for each in times.values() for ms in each]
    worst = max(times, key=lambda name: max(times[name]))
    told = "; ".join(f"{name} {statistics.median(each):.0f} ms" for name, each in times.items())
    over = f"search over {spans:,} spans for service, tag and duration"
    return [
        Figure(f"{over}: median", round(statistics.median(all_ms), 1), "ms", MEDIAN_MS, note=told),
        Figure(f"{over}: worst", round(max(all_ms), 1), "ms", WORST_MS, note=f"worst case: {worst}"),
        Figure("database while searched, index included", round(bytes_per_span), "bytes per span"),
    ]


def cases(spans: int) -> list[Case]:
    """Return what is searched for, from rare to common to absent."""
    return [
        Case("a tag of one trace", {"order.id": f"order-{spans // SPANS_PER_TRACE // 2}"}),
        Case("a tag of one span in 10,000", {"rare": "yes"}),
        Case("a tag of every third span", {"tier": "gold"}, "5ms"),
        Case("a tag of every span", {"cluster": "bench"}, "1ms"),
        Case("a tag of every span, a duration of few", {"cluster": "bench"}, "90ms", None),
        Case("an absent value", {"tier": "platinum"}, finds=False),
        Case("an absent key", {"no.such.key": "1"}, finds=False),
        Case("two common tags that never meet", {"tier": "gold", "silver": "yes"}, finds=False),
    ]


async def _fill(path: Path, spans: int, start_ns: int) -> None:
    """Store spans from ``start_ns`` (nanoseconds) on."""
    store = TraceStore(path, Limits(max_bytes=MAX_BYTES), StoreMetrics(CollectorRegistry()))
    await asyncio.to_thread(store.start)
    try:
        waiting: set[asyncio.Task[object]] = set()
        for first in range(0, spans, BATCH_SPANS):
            body = _batch(first, min(BATCH_SPANS, spans - first), start_ns)
            waiting.add(asyncio.ensure_future(store.submit("traces", body, "identity", "protobuf")))
            if len(waiting) >= 4:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        await asyncio.gather(*waiting)
    finally:
        await asyncio.to_thread(store.stop)


def _batch(first: int, count: int, start_ns: int) -> bytes:
    """Return an export of spans by number: every trace goes through all services, by turns of the batch."""
    data = TracesData()
    chance = random.Random(first)
    scopes: dict[str, ScopeSpans] = {}
    for service in dict.fromkeys(_SERVICES):
        made_by = data.resource_spans.add()
        made_by.resource.attributes.extend(_attributes({"service.name": service, "host.name": "bench-1"}))
        scopes[service] = made_by.scope_spans.add()
    for number in range(first, first + count):
        trace, place = divmod(number, SPANS_PER_TRACE)
        start = start_ns + number * SPAN_EVERY_NS
        made = scopes[_SERVICES[place]].spans.add(
            trace_id=(trace + 1).to_bytes(16, "big"),
            span_id=(number + 1).to_bytes(8, "big"),
            parent_span_id=number.to_bytes(8, "big") if place else b"",
            name=f"{('GET', 'POST')[trace % 2]} /route-{trace % 7}",
            kind=Span.SPAN_KIND_SERVER,
            start_time_unix_nano=start,
            end_time_unix_nano=start + int(chance.expovariate(0.1) * _MS),
        )
        gold = number % 3 == 0
        tags = {
            "cluster": "bench",
            "tier": "gold" if gold else "basic",
            "order.id": f"order-{trace}",
            "http.response.status_code": "500" if number % 97 == 0 else "200",
            "user": f"user-{chance.randrange(5000)}",
            "rare": "yes" if number % 10_000 == 7 else "no",
            "silver": "no" if gold else "yes",
            "url.path": f"/items/{chance.randrange(10**6)}",
        }
        made.attributes.extend(_attributes(tags))
    return bytes(data.SerializeToString())


def _attributes(texts: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in texts.items()]


def _timed(client: httpx.Client, case: Case, window: tuple[int, int]) -> float:
    """Return how many milliseconds a search took; raise ``CommandError`` where its answer is not the right one."""
    parameters = {
        "query.service_name": "firedrill",
        "query.attributes": json.dumps(dict(case.tags)),
        "query.duration_min": case.shortest,
        "query.start_time_min": _rfc3339(window[0]),
        "query.start_time_max": _rfc3339(window[1]),
        "query.search_depth": str(LIMIT),
    }
    started = time.perf_counter()
    answer = client.get("/api/v3/traces", params=parameters)
    took_ms = (time.perf_counter() - started) * 1000
    right = {True: {200}, False: {404}, None: {200, 404}}[case.finds]
    if answer.status_code not in right:
        raise CommandError(f"the search for {case.name} answered {answer.status_code}: {answer.text[:200]}")
    return took_ms


def _rfc3339(moment_ns: int) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(moment_ns // 10**9))}Z"
