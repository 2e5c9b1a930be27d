"""One fault on several replicas of the service: their records told as one. Pure; it asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from faults.base import FaultRecord


def merged(records: Sequence[FaultRecord]) -> FaultRecord:
    """Return what the replicas say of the fault of one id, as one record.

    It is active while any of them burns; injections are summed, times span all, and a failed end shows before others.
    """
    first, *others = records
    if not others:
        return first
    active = any(record.state == "active" for record in records)
    ends = [record.ended_at for record in records if record.ended_at is not None]
    reasons = [record.end_reason for record in records if record.end_reason is not None]
    return first.model_copy(
        update={
            "state": "active" if active else "ended",
            "started_at": min(record.started_at for record in records),
            "ends_at": max(record.ends_at for record in records),
            "ended_at": None if active or not ends else max(ends),
            "end_reason": None if active or not reasons else "failed" if "failed" in reasons else reasons[0],
            "injections": sum(record.injections for record in records),
            "error": "; ".join(dict.fromkeys(record.error for record in records if record.error)) or None,
        }
    )


def merged_lists(lists: Iterable[Iterable[FaultRecord]]) -> list[FaultRecord]:
    """Return the faults of all replicas, one record an id: active ones first, each group newest first."""
    by_id: dict[str, list[FaultRecord]] = {}
    for records in lists:
        for record in records:
            by_id.setdefault(record.id, []).append(record)
    together = [merged(records) for records in by_id.values()]
    return sorted(together, key=lambda one: (one.state == "ended", -(one.ended_at or one.started_at)))
