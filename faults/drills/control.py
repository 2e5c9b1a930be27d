"""The conductor's connections to what it conducts: the service's control endpoint and the traffic generator.

Both are HTTP on loopback with the stack's token. Every failure is a ``ControlError`` that says what to do next.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from faults.admission import draw_id
from faults.base import FaultKind, FaultRecord, FaultRequest
from faults.drills.errors import ControlError, ControlRefused, ControlUnreachable, PartlyLit
from faults.drills.replicas import merged, merged_lists
from faults.drills.wire import TrafficSettings, TrafficStatus

T = TypeVar("T")

_KINDS = TypeAdapter(list[FaultKind])
_RECORD = TypeAdapter(FaultRecord)
_RECORDS = TypeAdapter(list[FaultRecord])
_STATUS = TypeAdapter(TrafficStatus)
_SETTINGS = TypeAdapter(TrafficSettings)


@dataclass(frozen=True)
class Instance:
    """One start of the service process: ``id`` differs after a restart. ``started_at`` in Unix seconds."""

    id: str
    started_at: float


class _Health(BaseModel):
    instance: str | int
    started_at: float


class Heard(BaseModel):
    """How a place answers a heartbeat: how many faults it keeps burning."""

    guarded: int


_HEALTH = TypeAdapter(_Health)
_HEARD = TypeAdapter(Heard)


class _Endpoint:
    """Calls to one control endpoint; answers are read as what they should be or refused."""

    def __init__(self, what: str, url: str, token: str, timeout_s: float) -> None:
        self._what, self._url = what, url
        self._client = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=timeout_s, trust_env=False
        )

    async def call(
        self,
        method: str,
        path: str,
        answer: TypeAdapter[T],
        body: BaseModel | None = None,
        *,
        timeout_s: float | None = None,
    ) -> T:
        """Return the answer to one request; raise ``ControlUnreachable`` or ``ControlRefused``."""
        try:
            response = await self._client.request(
                method,
                path,
                content=None if body is None else body.model_dump_json(),
                headers={} if body is None else {"Content-Type": "application/json"},
                timeout=self._client.timeout if timeout_s is None else timeout_s,
            )
        except httpx.HTTPError as error:
            raise ControlUnreachable(self._what, self._url, str(error) or type(error).__name__) from error
        if response.is_error:
            kind, message = _reason(response)
            raise ControlRefused(response.status_code, kind, message or f"{self._what} answered {response.status_code}")
        try:
            return answer.validate_json(response.content)
        except ValidationError as error:
            reason = f"it answered something else than expected: {error.errors()[0]['msg']}"
            raise ControlUnreachable(self._what, self._url, reason) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _reason(response: httpx.Response) -> tuple[str, str]:
    """Return type and message of an error answer, empty where it does not have the usual shape."""
    try:
        error = response.json()["error"]
        return str(error["type"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return "unknown", ""


class ServiceControl:
    """The control endpoints of the service: one, or one for each of its replicas, told of as if they were one.

    A fault has one id and one seed on all replicas. Where a replica does not answer, so does the whole.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        token: str,
        *,
        what: str = "the service's control endpoint",
        timeout_s: float = 10.0,
        rng: random.Random | None = None,
    ) -> None:
        """Errors call it ``what``. ``rng`` draws ids and missing seeds where there are several replicas."""
        given = [urls] if isinstance(urls, str) else [*urls]
        names = [what] if len(given) == 1 else [f"{what} (replica {index})" for index in range(len(given))]
        self._replicas = [_Endpoint(name, url, token, timeout_s) for name, url in zip(names, given, strict=True)]
        self._rng = rng or random.Random()

    async def instance(self) -> Instance:
        """Return which start of the service answers; the restart of one replica makes it another."""
        answers = await self._ask("GET", "/health", _HEALTH, timeout_s=3.0)
        health = _good(answers)
        return Instance("+".join(str(one.instance) for one in health), max(one.started_at for one in health))

    async def kinds(self) -> Sequence[FaultKind]:
        """Return the kinds of fault that it can bring about."""
        return await self._replicas[0].call("GET", "/kinds", _KINDS)

    async def faults(self) -> Sequence[FaultRecord]:
        """Return the faults, active ones first."""
        answers = await self._ask("GET", "/faults", _RECORDS)
        lists = _good(answers)
        return lists[0] if len(lists) == 1 else merged_lists(lists)

    async def light(self, request: FaultRequest) -> FaultRecord:
        """Light a fault on every replica. Where one of them does not, none keeps it, and the error says which."""
        if len(self._replicas) == 1:
            return await self._replicas[0].call("POST", "/faults", _RECORD, request)
        seed = self._rng.getrandbits(32) if request.seed is None else request.seed
        fault_id = request.id or draw_id(request.kind, self._rng)
        wanted = request.model_copy(update={"seed": seed, "id": fault_id})
        answers = await self._ask("POST", "/faults", _RECORD, wanted)
        refused = [answer for answer in answers if isinstance(answer, ControlError)]
        if not refused:
            return merged(_good(answers))
        first = refused[0]
        if len(refused) == len(answers) and isinstance(first, ControlRefused) and first.status < 500:
            raise first
        raise await self._taken_back(fault_id, answers)

    async def put_out(self, fault_id: str) -> FaultRecord:
        """Put a fault out; harmless when it has ended. A replica that was restarted since has forgotten it."""
        answers = await self._ask("DELETE", f"/faults/{fault_id}", _RECORD)
        known = [one for one in answers if not (isinstance(one, ControlRefused) and one.status == 404)]
        return merged(_good(known or answers))

    async def reset(self) -> Sequence[FaultRecord]:
        """Put everything out; return what was burning."""
        answers = await self._ask("POST", "/reset", _RECORDS)
        lists = _good(answers)
        return lists[0] if len(lists) == 1 else merged_lists(lists)

    async def heartbeat(self) -> None:
        """Tell every replica that the conductor is there; raise ``ControlError`` where one does not hear it."""
        answers = await self._ask("POST", "/heartbeat", _HEARD, timeout_s=2.0)
        _good(answers)

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(replica.close() for replica in self._replicas))

    async def _ask(
        self,
        method: str,
        path: str,
        answer: TypeAdapter[T],
        body: BaseModel | None = None,
        *,
        timeout_s: float | None = None,
    ) -> list[T | ControlError]:
        """Return every replica's answer, or what went wrong in its place."""

        async def ask(replica: _Endpoint) -> T | ControlError:
            try:
                return await replica.call(method, path, answer, body, timeout_s=timeout_s)
            except ControlError as error:
                return error

        return await asyncio.gather(*(ask(replica) for replica in self._replicas))

    async def _taken_back(self, fault_id: str, lit: Sequence[FaultRecord | ControlError]) -> ControlError:
        """Put ``fault_id`` out wherever it may burn; return the error that tells what happened on which replica."""
        ended = await self._ask("DELETE", f"/faults/{fault_id}", _RECORD)
        failed = [f"replica {index}: {one}" for index, one in enumerate(lit) if isinstance(one, ControlError)]
        burning = [
            str(index)
            for index, (before, after) in enumerate(zip(lit, ended, strict=True))
            if isinstance(after, ControlError)
            and not (isinstance(after, ControlRefused) and after.status == 404)
            and not isinstance(before, ControlRefused)
        ]
        return PartlyLit(len(lit), failed, burning)


def _good(answers: Sequence[T | ControlError]) -> list[T]:
    """Return the answers, or raise the first error among them."""
    for answer in answers:
        if isinstance(answer, ControlError):
            raise answer
    return [answer for answer in answers if not isinstance(answer, ControlError)]


class TrafficControl:
    """The traffic generator."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 5.0) -> None:
        self._endpoint = _Endpoint("the traffic generator", url, token, timeout_s)

    async def settings(self) -> TrafficSettings:
        """Return what it is told to send."""
        return await self._endpoint.call("GET", "/settings", _SETTINGS)

    async def status(self) -> TrafficStatus:
        """Return what it has sent."""
        return await self._endpoint.call("GET", "/status", _STATUS)

    async def apply(self, settings: TrafficSettings) -> TrafficStatus:
        """Tell it what to send."""
        return await self._endpoint.call("PUT", "/settings", _STATUS, settings)

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()
