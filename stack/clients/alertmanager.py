"""A typed, synchronous client of Alertmanager's HTTP API (v2). It asks and never changes anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import httpx
from pydantic import TypeAdapter

from stack.clients.answers import AlertmanagerStatus, HeldAlert, HeldGroup, KeptSilence, SilenceMatcher
from stack.clients.routing import Routing, read_routing
from stack.clients.source import Client
from stack.errors import QueryRefused

NAME = "Alertmanager"
_ALERTS = TypeAdapter(list[HeldAlert])
_STATUS = TypeAdapter(AlertmanagerStatus)
_GROUPS = TypeAdapter(list[HeldGroup])
_SILENCES = TypeAdapter(list[KeptSilence])


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


@dataclass(frozen=True)
class AlertGroup:
    """Alerts that Alertmanager notifies ``receiver`` of together."""

    receiver: str
    labels: Mapping[str, str]
    alerts: tuple[ReceivedAlert, ...]


@dataclass(frozen=True)
class Silence:
    """A silence that works now. ``matchers`` are as people write them, ``ends_at`` is Unix seconds."""

    id: str
    matchers: tuple[str, ...]
    ends_at: float
    created_by: str
    comment: str


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
        response = self._answer("/api/v2/alerts")
        return tuple(_received(each) for each in self._source.read(response, _ALERTS))

    def groups(self) -> tuple[AlertGroup, ...]:
        """Return the groups that it has put alerts into, one for each receiver that is to be told of them."""
        return tuple(
            AlertGroup(each.receiver.name, each.labels, tuple(_received(alert) for alert in each.alerts))
            for each in self._source.read(self._answer("/api/v2/alerts/groups"), _GROUPS)
        )

    def silences(self) -> tuple[Silence, ...]:
        """Return the silences that work now."""
        return tuple(
            Silence(
                each.id,
                tuple(_matcher(one) for one in each.matchers),
                each.ends_at.timestamp(),
                each.created_by,
                each.comment,
            )
            for each in self._source.read(self._answer("/api/v2/silences"), _SILENCES)
            if each.status.state == "active"
        )

    def routing(self) -> Routing:
        """Return whom it tells of what, from the configuration that it runs with."""
        status = self._source.read(self._answer("/api/v2/status"), _STATUS)
        return read_routing(status.config.original, self.url)

    def _answer(self, path: str) -> httpx.Response:
        response = self._source.get(path)
        if response.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.INTERNAL_SERVER_ERROR}:
            question = path.rpartition("/")[2]
            raise QueryRefused(NAME, question, response.text.strip()[:200] or f"status {response.status_code}")
        return response


def _matcher(one: SilenceMatcher) -> str:
    sign = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
    return f"{one.name}{sign[one.is_regex, one.is_equal]}{json.dumps(one.value, ensure_ascii=False)}"


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
