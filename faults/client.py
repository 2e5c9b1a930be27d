"""The conductor's client: what the command line and the panel use. Synchronous, usable from any thread."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from faults.base import FaultKind, FaultRecord, FaultRequest
from faults.drills.evidence import Evidence
from faults.drills.reasons import Why
from faults.drills.wire import (
    AlertStatus,
    ConductorHealth,
    DrillCheck,
    DrillInfo,
    DrillRun,
    DrillStart,
    JournalEntry,
    Notification,
    ResetProof,
    TrafficSettings,
    TrafficStatus,
)
from faults.errors import FaultError

ACTOR_HEADER = "X-Firedrill-Actor"
SILENT_HEADER = "X-Firedrill-Silent"
"""The places that said nothing of their faults just now, by commas."""
EVIDENCE_TIMEOUT_S = 30.0
RESET_TIMEOUT_S = 60.0
"""The conductor takes its time to prove a reset; it gives up by itself long before."""

T = TypeVar("T")

_HEALTH = TypeAdapter(ConductorHealth)
_KINDS = TypeAdapter(list[FaultKind])
_RECORD = TypeAdapter(FaultRecord)
_RECORDS = TypeAdapter(list[FaultRecord])
_DRILLS = TypeAdapter(list[DrillInfo])
_RUN = TypeAdapter(DrillRun)
_CHECK = TypeAdapter(DrillCheck)
_RUNS = TypeAdapter(list[DrillRun])
_EVIDENCE = TypeAdapter(Evidence)
_ALERTS = TypeAdapter(list[AlertStatus])
_WHY = TypeAdapter(Why)
_ENTRIES = TypeAdapter(list[JournalEntry])
_NOTIFICATIONS = TypeAdapter(list[Notification])
_STATUS = TypeAdapter(TrafficStatus)
_PROOF = TypeAdapter(ResetProof)


class ConductorUnreachable(FaultError):  # noqa: N818 - reads as a state in `except` and in the panel
    """Nothing answers at the conductor's address, or not in time."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(
            f"the conductor is unreachable at {url} ({reason}); start it with `firedrill up`, or see `firedrill status`"
        )


class ConductorRefused(FaultError):  # noqa: N818 - as above
    """The conductor answered, and refused. ``status`` is its HTTP status, ``message`` says why."""

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


class ConductorClient:
    """Calls to one conductor. Every method raises ``ConductorUnreachable`` or ``ConductorRefused``.

    ``actor`` is who stands in the journal for what is done.
    """

    def __init__(self, url: str, token: str, *, timeout_s: float = 10.0) -> None:
        self._url = url
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_s,
            trust_env=False,
            verify=url.startswith("https:"),  # where it is not, reading all certificates would cost 50 ms for nothing
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def health(self) -> ConductorHealth:
        """Return the conductor's own state."""
        return self._get("/health", _HEALTH)

    def kinds(self) -> list[FaultKind]:
        """Return the kinds of fault that the service can bring about."""
        return self._get("/faults/kinds", _KINDS)

    def faults(self) -> list[FaultRecord]:
        """Return the faults: active ones first, then those that ended last."""
        return self._get("/faults", _RECORDS)

    def light(self, request: FaultRequest, *, actor: str) -> FaultRecord:
        """Light a fault."""
        return self._call("POST", "/faults", _RECORD, body=request, actor=actor)

    def put_out(self, fault_id: str, *, actor: str) -> FaultRecord:
        """Put a fault out; harmless when it has ended already."""
        return self._call("DELETE", f"/faults/{quote(fault_id, safe='')}", _RECORD, actor=actor)

    def reset(self, *, actor: str) -> ResetProof:
        """Put every fault out; return those that were burning, and what proves that they are out."""
        return self._call("POST", "/faults/reset", _PROOF, actor=actor, timeout_s=RESET_TIMEOUT_S)

    def drills(self) -> list[DrillInfo]:
        """Return the drills of the library."""
        return self._get("/drills", _DRILLS)

    def start_drill(self, start: DrillStart, *, actor: str) -> DrillRun:
        """Start a drill and return its run, which goes on by itself."""
        return self._call("POST", "/drills/runs", _RUN, body=start, actor=actor)

    def check_drill(self, start: DrillStart) -> DrillCheck:
        """Return what there is to say of a drill that could run here; nothing is started."""
        return self._call("POST", "/drills/check", _CHECK, body=start)

    def runs(self, limit: int = 20) -> list[DrillRun]:
        """Return the newest runs, newest first."""
        return self._get(f"/drills/runs?limit={limit}", _RUNS)

    def run(self, run_id: str) -> DrillRun:
        """Return one run as it is now."""
        return self._get(f"/drills/runs/{quote(run_id, safe='')}", _RUN)

    def evidence(self, run_id: str) -> Evidence:
        """Return everything that was kept of a run when it ended."""
        path = f"/drills/runs/{quote(run_id, safe='')}/evidence"
        return self._call("GET", path, _EVIDENCE, timeout_s=EVIDENCE_TIMEOUT_S)

    def abort(self, run_id: str, *, actor: str) -> DrillRun:
        """Stop a run: its faults are put out before this returns. Harmless when it has ended already."""
        return self._call("POST", f"/drills/runs/{quote(run_id, safe='')}/abort", _RUN, actor=actor)

    def alerts(self) -> list[AlertStatus]:
        """Return every alerting rule with its state and what it waits for."""
        return self._get("/alerts", _ALERTS)

    def why(self, alert: str) -> Why:
        """Return why an alert has not fired, or not reached the webhook."""
        return self._get(f"/alerts/{quote(alert, safe='')}/why", _WHY)

    def journal(self, limit: int = 100, *, since: float = 0.0, actor: str = "") -> list[JournalEntry]:
        """Return what was done by whom, newest first: not before ``since`` (Unix seconds), of one ``actor`` or all."""
        return self._get(f"/journal?limit={limit}&since={since!r}&actor={quote(actor, safe='')}", _ENTRIES)

    def notifications(self, limit: int = 100) -> list[Notification]:
        """Return what Alertmanager delivered, newest first."""
        return self._get(f"/notifications?limit={limit}", _NOTIFICATIONS)

    def traffic(self) -> TrafficStatus:
        """Return what the traffic generator sends and has sent."""
        return self._get("/traffic", _STATUS)

    def set_traffic(self, settings: TrafficSettings, *, actor: str) -> TrafficStatus:
        """Tell the traffic generator what to send."""
        return self._call("PUT", "/traffic", _STATUS, body=settings, actor=actor)

    def _get(self, path: str, answer: TypeAdapter[T]) -> T:
        return self._call("GET", path, answer)

    def _call(
        self,
        method: str,
        path: str,
        answer: TypeAdapter[T],
        *,
        body: BaseModel | None = None,
        actor: str = "",
        timeout_s: float | None = None,
    ) -> T:
        headers = {ACTOR_HEADER: quote(actor, safe=" @.:-_/")} if actor else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = self._client.request(
                method,
                path,
                content=None if body is None else body.model_dump_json(),
                headers=headers,
                timeout=self._client.timeout if timeout_s is None else timeout_s,
            )
        except httpx.HTTPError as error:
            raise ConductorUnreachable(self._url, str(error) or type(error).__name__) from error
        if response.is_error:
            raise ConductorRefused(response.status_code, _message(response))
        try:
            return answer.validate_json(response.content)
        except ValidationError as error:
            reason = f"something else answers there: {error.errors()[0]['msg']}"
            raise ConductorUnreachable(self._url, reason) from error


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the conductor answered {response.status_code}"
