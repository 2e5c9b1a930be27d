"""Evidence of made-up runs, with names that try to break out of whatever they are written into."""

from __future__ import annotations

from faults.base import Effect, FaultRecord, Target
from faults.drills.evidence import (
    AlertEvidence,
    Evidence,
    FaultEvidence,
    Line,
    RuleText,
    Setup,
    Signal,
    SpanEvidence,
    StateSpan,
    TraceEvidence,
)
from faults.drills.wire import AlertOutcome, AlertVerdict, DrillRun, StageCheck, StageTimes, Verdict

NASTY = (
    """</script><img src="http://evil.example/x" onerror='alert(1)'> & ]]> `a|b` *c* [d](http://evil.example) é\x07"""
)
FAULT_AT = 1_000_010.0
ROLLBACK_AT = FAULT_AT + 30.0
STAGES = StageTimes(
    condition_true=FAULT_AT + 2.0,
    pending=FAULT_AT + 3.0,
    firing=FAULT_AT + 23.0,
    received=FAULT_AT + 23.1,
    grouped=FAULT_AT + 23.5,
    delivered=FAULT_AT + 25.0,
    resolved=ROLLBACK_AT + 18.0,
    resolution_delivered=ROLLBACK_AT + 19.0,
)


def outcome(
    alert: str = "HighErrorRate",
    verdict: AlertVerdict | None = "as expected",
    *,
    expected: bool = True,
    stages: StageTimes = STAGES,
    detail: str = "",
) -> AlertOutcome:
    """Return an outcome with two checks, one of which does not hold."""
    return AlertOutcome(
        alert=alert,
        labels={"severity": "critical"},
        expected=expected,
        stages=stages,
        verdict=verdict,
        detail=detail,
        checks=[
            StageCheck(
                stage="firing", measured_s=23.0, earliest_s=20.0, latest_s=24.0, within=True, cause="`for` 20 s"
            ),
            StageCheck(
                stage="resolved", measured_s=18.0, earliest_s=1.0, latest_s=3.0, within=False, cause="no cause found"
            ),
        ],
    )


def run_of(
    verdict: Verdict = "passed",
    *,
    run_id: str = "abc123",
    name: str = "small",
    title: str = "A small drill",
    reason: str = "all went well",
    outcomes: list[AlertOutcome] | None = None,
) -> DrillRun:
    """Return a run that is over."""
    return DrillRun(
        id=run_id,
        name=name,
        title=title,
        pace="workshop",
        phase="done",
        verdict=verdict,
        reason=reason,
        seed=7,
        queued_at=FAULT_AT - 10.0,
        fault_at=FAULT_AT,
        rollback_at=ROLLBACK_AT,
        ended_at=ROLLBACK_AT + 20.0,
        fault_ids=["f1"],
        outcomes=[outcome()] if outcomes is None else outcomes,
    )


def evidence_of(run: DrillRun | None = None, *, words: str = "plain", for_s: float = 20.0) -> Evidence:
    """Return evidence of ``run`` with ``words`` wherever something from outside may stand."""
    run = run_of() if run is None else run
    rule = RuleText(
        group="small",
        interval_s=1.0,
        expr="sum(rate(errors[20s])) > 0.05",
        for_s=for_s,
        keep_firing_for_s=0.0,
        labels={"severity": words},
        annotations={"summary": words},
        yaml=f"groups:\n  - name: small\n    rules:\n      - alert: x\n        for: {for_s:g}s\n        # {words}\n",
    )
    points = [(run.queued_at + step, step / 60) for step in range(61) if step not in {20, 21, 22}]
    signal = Signal(
        key="HighErrorRate",
        title="HighErrorRate",
        unit="1",
        expr="sum(rate(errors[20s]))",
        lines=[Line(labels={"path": words}, points=points)],
        operator=">",
        threshold=0.05,
    )
    record = FaultRecord(
        id="f1",
        kind="error",
        parameters={"status": 500, "note": words},
        target=Target(model=None, endpoint="/predict*"),
        probability=0.5,
        ttl_s=60.0,
        seed=1,
        ramp_s=5.0,
        state="ended",
        started_at=FAULT_AT,
        ends_at=FAULT_AT + 60.0,
        ended_at=ROLLBACK_AT,
        end_reason="rolled_back",
        injections=42,
    )
    effect = Effect(promql="errors", moves="up", meaning=words, unit="ratio")
    span = SpanEvidence(
        operation=words, service=words, start=FAULT_AT + 5, duration_s=1.5, depth=0, error=True, fault="error"
    )
    trace = TraceEvidence(
        trace_id="a" * 32,
        url=f"http://127.0.0.1:16686/trace/{'a' * 32}",
        why=["slowest", "failed"],
        operation=words,
        start=FAULT_AT + 5,
        duration_s=1.5,
        error=True,
        hit_by=["error"],
        spans=[span, span.model_copy(update={"depth": 1, "start": FAULT_AT + 5.5, "duration_s": 0.5, "error": False})],
        spans_left_out=2,
    )
    return Evidence(
        run=run,
        drill_text=f"# {words}\nversion: 1\nname: small\n",
        gathered_at=run.ended_at or 0.0,
        start=run.queued_at,
        end=run.ended_at or 0.0,
        step_s=1.0,
        faults=[
            FaultEvidence(
                record=record,
                title="Errors",
                effect=effect,
                signal=signal.model_copy(update={"key": "effect error", "unit": "ratio", "threshold": None}),
            )
        ],
        alerts=[
            AlertEvidence(
                alert=one.alert,
                expected=one.expected,
                rule=rule,
                signals=[signal],
                states=[
                    StateSpan(state="pending", start=FAULT_AT + 3, end=FAULT_AT + 23),
                    StateSpan(state="firing", start=FAULT_AT + 23, end=ROLLBACK_AT + 18),
                ],
            )
            for one in run.outcomes
        ],
        signals=[signal.model_copy(update={"key": "request_rate", "title": "Request rate", "unit": "1/s"})],
        traces=[trace],
        setup=Setup(versions={"Prometheus": words}, configuration={"pace": "workshop"}, host={"system": "Linux"}),
        notes=[words],
    )
