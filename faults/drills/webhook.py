"""Reads Alertmanager's webhook payload, version 4, tolerant of keys that it does not know. No storage, no HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from faults.drills.errors import BadNotification
from faults.drills.wire import Notification


class _Alert(BaseModel):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    startsAt: datetime  # noqa: N815 - Alertmanager's name
    endsAt: datetime | None = None  # noqa: N815 - as above


class _Payload(BaseModel):
    version: Literal["4"]
    groupKey: str  # noqa: N815 - as above
    receiver: str
    alerts: list[_Alert]


def read_notifications(body: bytes, at: float) -> list[Notification]:
    """Return one notification for each alert in ``body``, delivered at Unix second ``at``, their ids still 0.

    Raises ``BadNotification``.
    """
    try:
        payload = _Payload.model_validate_json(body)
        return [_notification(payload, alert, at) for alert in payload.alerts]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise BadNotification(f"{where}: {first['msg']}") from None


def _notification(payload: _Payload, alert: _Alert, at: float) -> Notification:
    if not alert.labels.get("alertname"):
        raise BadNotification("alerts: an alert without the label alertname")
    if alert.startsAt.tzinfo is None or (alert.endsAt is not None and alert.endsAt.tzinfo is None):
        raise BadNotification("alerts: a time without its zone")
    ends_at = alert.endsAt.timestamp() if alert.endsAt is not None else 0.0
    return Notification(
        id=0,
        at=at,
        status=alert.status,
        alert=alert.labels["alertname"],
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.startsAt.timestamp(),
        ends_at=ends_at if ends_at > 0 else None,  # Go's zero time stands for "not yet"
        group_key=payload.groupKey,
        receiver=payload.receiver,
    )
