"""Asks the judge's Prometheus and writes to it: thin, since a judgement asks hundreds of questions.

Each thread keeps a connection of its own. What the engine refuses becomes ``QuestionRefused`` or ``SamplesRefused``, a
question without an answer ``TimeUp``, an engine that is gone ``EngineDied``; nothing is tried twice.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from faults.drills.judge.errors import EngineDied, QuestionRefused, SamplesRefused, TimeUp

MOST_POINTS = 11_000
"""Of one series in one answer; Prometheus refuses more."""
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_WRITE = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}


@dataclass(frozen=True)
class Found:
    """One series of an answer: times in milliseconds, rising, each with its value."""

    labels: Mapping[str, str]
    times_ms: tuple[int, ...]
    values: tuple[float, ...]


class Questions:
    """Connections to the engine at ``host`` and ``port``; ``timeout_s`` is how long an answer may take."""

    def __init__(self, host: str, port: int, *, timeout_s: float) -> None:
        self._host, self._port, self._timeout_s = host, port, timeout_s
        self._here = threading.local()
        self._all: list[http.client.HTTPConnection] = []

    def over(self, expr: str, start_ms: int, end_ms: int, step_ms: int) -> tuple[Found, ...]:
        """Return ``expr`` from ``start_ms`` to ``end_ms``, both included, every ``step_ms``; one entry a series.

        A value is what an evaluation at that time alone would find. Raises ``QuestionRefused``, ``TimeUp`` and
        ``EngineDied``.
        """
        together: dict[tuple[tuple[str, str], ...], Found] = {}
        for low in range(start_ms, end_ms + 1, step_ms * MOST_POINTS):
            high = min(end_ms, low + step_ms * (MOST_POINTS - 1))
            asked = {"query": expr, "start": _time(low), "end": _time(high), "step": _time(step_ms)}
            for one in _matrix(self._asked("/api/v1/query_range", asked)):
                key = tuple(sorted(one.labels.items()))
                before = together.get(key)
                together[key] = one if before is None else _joined(before, one)
        return tuple(together.values())

    def at(self, expr: str, at_ms: int) -> tuple[Found, ...]:
        """Return ``expr`` at ``at_ms``, one sample a series; raise likewise."""
        return _vector(self._asked("/api/v1/query", {"query": expr, "time": _time(at_ms)}))

    def write(self, requests: Iterable[bytes]) -> None:
        """Send remote-write ``requests``, one after the other; raise ``SamplesRefused`` and ``EngineDied``."""
        for body in requests:
            try:
                status, answer = self._sent("POST", "/api/v1/write", body, _WRITE)
            except TimeoutError:
                raise EngineDied("did not take samples") from None
            if status // 100 != 2:
                raise SamplesRefused(status, " ".join(answer.decode("utf-8", "replace").split())[:300])

    def reload(self) -> None:
        """Make the engine read its configuration again."""
        status, answer = self._sent("POST", "/-/reload")
        if status // 100 != 2:
            raise EngineDied(f"refused its configuration ({answer.decode('utf-8', 'replace').strip()[:200]})")

    def close(self) -> None:
        """Close all connections."""
        for connection in self._all:
            connection.close()

    def _asked(self, path: str, parameters: Mapping[str, str]) -> Any:
        try:
            status, body = self._sent("GET", f"{path}?{urlencode(parameters)}")
        except TimeoutError:
            raise TimeUp(parameters["query"], self._timeout_s) from None
        try:
            answer = json.loads(body)
        except ValueError:
            raise EngineDied(f"gave an answer that is none (status {status})") from None
        if answer.get("status") != "success":
            raise QuestionRefused(answer.get("errorType", "unknown"), answer.get("error", f"status {status}"))
        return answer["data"]

    def _sent(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = _NO_HEADERS
    ) -> tuple[int, bytes]:
        connection = self._connection()
        try:
            connection.request(method, path, body or None, dict(headers))
            response = connection.getresponse()
            return response.status, response.read()
        except TimeoutError:
            connection.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise EngineDied(f"did not answer ({error or type(error).__name__})") from None

    def _connection(self) -> http.client.HTTPConnection:
        known: http.client.HTTPConnection | None = getattr(self._here, "connection", None)
        if known is None:
            known = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
            self._here.connection = known
            self._all.append(known)
        return known


def _time(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"


def _matrix(data: Any) -> tuple[Found, ...]:
    if data["resultType"] != "matrix":
        raise QuestionRefused("bad_data", f"the result is a {data['resultType']}, not a vector or scalar")
    return tuple(
        Found(
            each["metric"],
            tuple(round(at * 1000) for at, _ in each["values"]),
            tuple(float(value) for _, value in each["values"]),
        )
        for each in data["result"]
        if "values" in each
    )


def _vector(data: Any) -> tuple[Found, ...]:
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return (Found({}, (round(result[0] * 1000),), (float(result[1]),)),)
    if kind != "vector":
        raise QuestionRefused("bad_data", f"the result is a {kind}, not a vector or scalar")
    return tuple(
        Found(each["metric"], (round(each["value"][0] * 1000),), (float(each["value"][1]),))
        for each in result
        if "value" in each
    )


def _joined(before: Found, after: Found) -> Found:
    return Found(before.labels, before.times_ms + after.times_ms, before.values + after.values)
