"""Batches of spans as an exporter of the service sends them: five spans a trace, resource, scope, attributes, events.

Made once and then told apart by the upper half of their trace ids, so that the sender costs next to nothing.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Mapping

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

BATCH = 512
"""Spans in a batch: what OpenTelemetry's batch processors send at most unless told otherwise."""
STAGES = ("POST /predict", "validate", "queue", "predict", "respond")
_UPPER = b"\xfd\xf1\xed\xf2\x11\xdc\xa7\xe5"
_MS = 1_000_000


class Batches:
    """Export bodies of 512 spans with trace ids that nobody else has. Deterministic but for the time."""

    def __init__(self, kinds: int = 16, seed: int = 7) -> None:
        drawn = random.Random(seed)
        self._made = 0
        start_ns = time.time_ns() - 3600 * 1000 * _MS
        self._bodies: list[bytes] = [
            _batch(drawn, start_ns + kind * 60_000 * _MS).SerializeToString() for kind in range(kinds)
        ]

    def next(self) -> bytes:
        """Return the body of one more batch."""
        self._made += 1
        return self._bodies[self._made % len(self._bodies)].replace(_UPPER, struct.pack(">Q", self._made))


def _batch(drawn: random.Random, start_ns: int) -> TracesData:
    scope = ScopeSpans(spans=[_span(drawn, start_ns, *divmod(place, len(STAGES))) for place in range(BATCH)])
    scope.scope.name, scope.scope.version = "firedrill", "1.0"
    resource = ResourceSpans(scope_spans=[scope])
    resource.resource.attributes.extend(
        _pairs(
            {"service.name": "firedrill", "service.version": "0.1.0", "service.instance.id": f"{drawn.random():.12f}"}
        )
    )
    return TracesData(resource_spans=[resource])


def _span(drawn: random.Random, start_ns: int, trace: int, stage: int) -> Span:
    begun = start_ns + trace * 10 * _MS + stage * _MS
    failed = drawn.random() < 0.02
    made = Span(
        trace_id=_UPPER + struct.pack(">Q", trace + 1),
        span_id=struct.pack(">Q", drawn.getrandbits(63) + 1),
        parent_span_id=b"" if stage == 0 else struct.pack(">Q", drawn.getrandbits(63) + 1),
        name=STAGES[stage],
        kind=Span.SPAN_KIND_SERVER if stage == 0 else Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=begun,
        end_time_unix_nano=begun + drawn.randrange(_MS // 10, 9 * _MS),
    )
    made.attributes.extend(
        _pairs(
            {
                "http.request.method": "POST",
                "http.route": "/predict/{model}",
                "http.response.status_code": 500 if failed else 200,
                "model.name": drawn.choice(("iris", "churn", "housing")),
                "model.version": "1",
                "request.id": f"{drawn.getrandbits(64):016x}",
                "batch.size": drawn.randrange(1, 32),
                "confidence": drawn.random(),
            }
        )
    )
    if failed:
        made.status.MergeFrom(Status(code=Status.STATUS_CODE_ERROR))
        made.events.add(name="exception", time_unix_nano=begun).attributes.extend(
            _pairs({"exception.type": "ValueError", "exception.message": "the model said no"})
        )
    return made


def _pairs(values: Mapping[str, str | float]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _value(value: str | float) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)
