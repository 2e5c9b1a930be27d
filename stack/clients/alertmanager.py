"""A typed, synchronous client of Alertmanager's HTTP API (v2). It asks and never changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import httpx
from pydantic import TypeAdapter

from stack.clients.answers import AlertmanagerStatus, HeldAlert
from stack.clients.source import Client
from stack.errors import QueryRefused

NAME = "Alertmanager"
_ALERTS = TypeAdapter(list[HeldAlert])
_STATUS = TypeAdapter(AlertmanagerStatus)


@dataclass(frozen=True)
class ReceivedAlert:
    """An alert that Alertmanager holds. Times are Unix seconds.

    ``starts_at`` is when it fired, ``updated_at`` when Prometheus last said so, ``ends_at`` when it lapses unless said
    again. ``suppressed`` is silenced or inhibited.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: float
    ends_at: float
    updated_at: float
    state: Literal["unprocessed", "active", "suppressed"]
    receivers: tuple[str, ...]
    fingerprint: str
    silenced_by: tuple[str, ...]
    inhibited_by: tuple[str, ...]


class AlertmanagerClient(Client):
    """A client of the Alertmanager at ``url``. Only ``ready`` never raises."""

    name = NAME

    def ready(self) -> bool:
        """Return whether it takes alerts; nobody there is ``False``."""
        return self._source.answers("/-/ready")

    def started_at(self) -> float:
        """Return when its process started, Unix seconds."""
        return self._source.read(self._source.get("/api/v2/status"), _STATUS).uptime.timestamp()

    def alerts(self) -> tuple[ReceivedAlert, ...]:
        """Return the alerts that have not ended, silenced and inhibited ones included."""
        response = self._source.get("/api/v2/alerts")
        if response.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.INTERNAL_SERVER_ERROR}:
            raise QueryRefused(NAME, "alerts", response.text.strip()[:200] or f"status {response.status_code}")
        return tuple(_received(each) for each in self._source.read(response, _ALERTS))


def _received(alert: HeldAlert) -> ReceivedAlert:
    return ReceivedAlert(
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.starts_at.timestamp(),
        ends_at=alert.ends_at.timestamp(),
        updated_at=alert.updated_at.timestamp(),
        state=alert.status.state,
        receivers=tuple(receiver.name for receiver in alert.receivers),
        fingerprint=alert.fingerprint,
        silenced_by=tuple(alert.status.silenced_by),
        inhibited_by=tuple(alert.status.inhibited_by),
    )
