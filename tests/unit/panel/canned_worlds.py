"""What the canned stack says: builders for single things, and one world in which something goes on on every page."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from canned_service import CannedService, served
from canned_stack import World, fault

from faults.base import Effect, FaultKind, Preset
from faults.drills.wire import AlertOutcome, AlertStatus, DrillInfo, DrillRun, Notification, StageTimes

LATENCY_SCHEMA = {
    "type": "object",
    "$defs": {"Shape": {"enum": ["fixed", "normal", "lognormal"], "type": "string"}},
    "properties": {
        "distribution": {"$ref": "#/$defs/Shape", "default": "normal", "description": "How the delay is drawn."},
        "delay_ms": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 30000,
            "default": 1500,
            "title": "Delay (ms)",
            "description": "Mean delay in milliseconds.",
        },
        "jitter_ms": {"type": "number", "minimum": 0, "maximum": 10000, "default": 200, "title": "Jitter (ms)"},
        "stage": {"enum": ["request", "preprocess", "model_prediction"], "type": "string", "default": "request"},
    },
}
ERROR_SCHEMA = {
    "type": "object",
    "properties": {
        "mode": {"enum": ["status", "exception"], "type": "string", "default": "status"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599, "default": 503, "description": "HTTP status."},
        "features": {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}], "default": None},
    },
}


def kind(name: str, title: str, schema: object, effect: Effect, presets: Mapping[str, Preset]) -> FaultKind:
    """Return a fault kind as the control endpoint would describe it."""
    raw = {
        "kind": name,
        "title": title,
        "summary": f"What {name} does, in a sentence.",
        "clock": "run",
        "schema": schema,
    }
    return FaultKind.model_validate({**raw, "effect": effect, "presets": dict(presets)})


def alert(name: str, state: str, waits_for: str, *, due_at: float | None = None, **stages: float) -> AlertStatus:
    """Return an alert rule's status."""
    return AlertStatus.model_validate(
        {
            "alert": name, "group": "service", "severity": "critical", "summary": f"{name} in one line", "state": state,
            "runbook": f"docs/alerts.md#{name.lower()}", "expr": f"{name.lower()}_total > 0.05", "for_s": 20.0,
            "instances": int(state != "inactive"), "value": 0.4 if state != "inactive" else None, "due_at": due_at,
            "waits_for": waits_for, "stages": StageTimes(**stages),
        }
    )  # fmt: skip


def trace(trace_id: str, start: float, *, error: bool = False, fault: str | None = None) -> dict[str, object]:
    """Return a trace of three spans in Jaeger's v1 shape."""

    def span(span_id: str, name: str, parent: str | None, offset_ms: float, length_ms: float) -> dict[str, object]:
        tags = [{"key": "model.name", "type": "string", "value": "iris"}]
        hit = name == "model_prediction"
        if hit and error:
            tags.append({"key": "error", "type": "bool", "value": True})  # type: ignore[dict-item]
        logs = [
            {
                "timestamp": round((start + offset_ms / 1000) * 1e6),
                "fields": [
                    {"key": "event", "type": "string", "value": "fault.injected"},
                    {"key": "fault.kind", "type": "string", "value": fault},
                    {"key": "note", "type": "string", "value": "<script>alert(1)</script>"},
                ],
            }
        ]
        return {
            "traceID": trace_id, "spanID": span_id, "operationName": name, "processID": "p1", "flags": 1,
            "startTime": round((start + offset_ms / 1000) * 1e6), "duration": round(length_ms * 1000), "tags": tags,
            "references": [{"refType": "CHILD_OF", "traceID": trace_id, "spanID": parent}] if parent else [],
            "logs": logs if hit and fault else [],
        }  # fmt: skip

    spans = [
        span("00000000000000aa", "POST /predict", None, 0, 1540 if fault else 6.1),
        span("00000000000000ab", "preprocess", "00000000000000aa", 0.4, 0.3),
        span("00000000000000ac", "queue", "00000000000000aa", 0.8, 0.2),
        span("00000000000000ad", "model_prediction", "00000000000000aa", 1.1, 1538 if fault else 4.2),
        span("00000000000000ae", "drift", "00000000000000aa", 1539.2 if fault else 5.4, 0.4),
    ]
    return {
        "traceID": trace_id,
        "spans": spans,
        "processes": {"p1": {"serviceName": "firedrill", "tags": []}},
        "warnings": None,
    }


def lively() -> World:
    """Return a world in which something goes on on every page."""
    now = time.time()
    lit, before = now - 24, now - 170

    def value(expr: str, at: float) -> float | None:
        wave = 1 + 0.12 * math.sin(at / 3.7) + 0.06 * math.sin(at * 1.9)
        slow, broken = before <= at <= before + 45, lit + 1 <= at
        if "histogram_quantile" in expr or "duration" in expr:
            return (1.52 if slow else 0.0094) * wave
        if "5.." in expr:
            return min(0.42, (at - lit) * 0.1) * wave if broken else 0.0
        if "confidence" in expr:
            return 0.94 - 0.02 * wave
        if "drift" in expr:
            return 0.008 * wave
        return 5.0 * wave

    p95 = Effect(promql="histogram_quantile(0.95, duration)", moves="up", meaning="p95 of predictions", unit="s")
    share = Effect(promql='sum(rate(x{status=~"5.."}[1m]))', moves="up", meaning="Share of 5xx answers", unit="ratio")
    stages = {"condition_true": lit + 2, "pending": lit + 2.2}
    old = {"condition_true": before + 3, "pending": before + 3.2, "firing": before + 23.2, "received": before + 23.3}
    world = World(
        now=now,
        kinds=[
            kind(
                "latency",
                "Latency",
                LATENCY_SCHEMA,
                p95,
                {"slow": Preset(parameters={"delay_ms": 3000.0}, probability=0.5)},
            ),
            kind("error", "Errors", ERROR_SCHEMA, share, {"half": Preset(probability=0.5)}),
        ],
        faults=[
            fault("e1", "error", lit, 60, hits=52),
            fault("l1", "latency", before, 45, ended_at=before + 45, hits=223),
        ],
        alerts=[
            alert("HighErrorRate", "pending", "Pending for 12 s of 20 s.", due_at=lit + 22.2 + 20, **stages),
            alert(
                "HighLatency",
                "inactive",
                "Condition is not true: 0.0094 is not above 1.",
                **{**old, "delivered": before + 25.4, "resolved": before + 52},
            ),
            alert("SlowInference", "firing", "Firing; delivered 3 s ago.", **old, delivered=before + 25.4),
            alert("ServiceDown", "inactive", "Condition is not true."),
        ],
        drills=[
            DrillInfo(
                name="error-burst",
                title="Error burst",
                description="A third of all predictions fail for two minutes.",
                kinds=["error"],
                alerts=["HighErrorRate"],
                estimate_s=58,
            ),
            DrillInfo(
                name="slow-responses",
                title="Slow responses",
                description="Every prediction takes a second and a half.",
                kinds=["latency"],
                alerts=["HighLatency"],
                estimate_s=66,
            ),
        ],
        notifications=[
            Notification(
                id=1,
                at=before + 25.4,
                status="firing",
                alert="HighLatency",
                labels={"severity": "warning"},
                annotations={"summary": "p95 is above 1 s"},
                starts_at=before + 23.2,
                ends_at=None,
                group_key="g",
                receiver="firedrill",
            ),
        ],
        traces=[trace(f"{i:032x}", now - i, error=i == 2, fault="latency" if i == 3 else None) for i in range(1, 9)],
        value=value,
        seen_active={"latency": (before, before + 45)},
        seen_alerts={
            ("HighLatency", "pending"): (before + 3, before + 23),
            ("HighLatency", "firing"): (before + 23, before + 52),
        },
        exemplars=[(now - i, 0.012 if i != 3 else 1.54, f"{i:032x}") for i in range(1, 9)],
        labels={
            "le": ("0.1", "0.5", "+Inf"),
            "endpoint": ("/predict", "/predict/{model}"),
            "status": ("200", "503"),
            "model_name": ("churn", "iris"),
            "instance": ("127.0.0.1:8000",),
        },
        service=CannedService(served()),
        logs=[
            {
                "traceID": f"{i:032x}",
                "spanID": "00000000000000aa",
                "timestamp": round((now - i) * 1e6),
                "severity": "ERROR" if i == 2 else "INFO",
                "severityNumber": 17 if i == 2 else 9,
                "serviceName": "firedrill",
                "body": "prediction_failed" if i == 2 else "request_completed",
                "attributes": [{"key": "request_id", "type": "string", "value": f"r{i}"}],
                "resource": [],
            }
            for i in range(1, 9)
        ],
        models=("churn", "iris"),
        up=True,
    )
    outcome = AlertOutcome(
        alert="HighErrorRate", expected=True, firing_within_s=30, resolved_within_s=30, stages=StageTimes(**stages)
    )
    done = outcome.model_copy(
        update={
            "alert": "HighLatency",
            "verdict": "as expected",
            "stages": StageTimes(**{**old, "delivered": before + 25.4, "resolved": before + 52}),
        }
    )
    world.runs = [
        DrillRun(
            id="run-2",
            name="error-burst",
            title="Error burst",
            pace="workshop",
            phase="fault",
            queued_at=lit - 9,
            fault_at=lit,
            progress="HighErrorRate is pending: due to fire in 8 s.",
            outcomes=[outcome],
            fault_ids=["e1"],
        ),
        DrillRun(
            id="run-1",
            name="slow-responses",
            title="Slow responses",
            pace="workshop",
            phase="done",
            verdict="passed",
            reason="HighLatency fired after 23 s and resolved after 7 s.",
            queued_at=before - 9,
            fault_at=before,
            rollback_at=before + 45,
            ended_at=before + 60,
            outcomes=[done],
        ),
    ]
    return world
