"""A typed client of whatever keeps the log records: the embedded store, or Loki where that runs. It writes nothing.

A Jaeger keeps none; where one stands without a Loki, that is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import BaseModel, Field, TypeAdapter

from stack.clients.jaeger_v1 import Names, Problem, RawRecord, Tag, text_of
from stack.clients.source import Client
from stack.errors import QueryRefused, SourceError, SourceUnreachable

SOURCE = "the log store"
Severity = Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "UNSET"]
LEAST: Mapping[Severity, int] = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
"""The lowest severity number of each range, as OpenTelemetry numbers them."""


class NoLogStore(SourceError):  # noqa: N818 - reads as a state where it is raised
    """Traces have a store that keeps no log records, and there is no Loki."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"what answers at {url} keeps no log records (a Jaeger does not); "
            "start the stack with `firedrill up --runtime docker --with loki`, or read `firedrill logs`"
        )


@dataclass(frozen=True)
class LogSearch:
    """Which records are looked for, between two Unix times. Empty strings mean any.

    ``text`` must occur letter by letter: in the embedded store in the record's body or the value of an attribute, in
    Loki in the body alone.
    """

    start: float
    end: float
    service: str = ""
    text: str = ""
    least: Severity = "UNSET"
    trace_id: str = ""
    request_id: str = ""
    limit: int = 200
    slots: int = 60


@dataclass(frozen=True)
class LogLine:
    """One record. Time in Unix seconds; ids are empty where it has none; ``resource`` is who wrote it."""

    time: float
    severity: str
    body: str
    service: str
    trace_id: str
    span_id: str
    attributes: Mapping[str, str]
    resource: Mapping[str, str]


@dataclass(frozen=True)
class LogCounts:
    """How many records match: ``rows`` has a number for each of ``slots`` of ``step_s`` from ``start`` on, by severity.

    They are complete from ``complete_from`` (Unix seconds) on: before, not every record was counted.
    """

    start: float
    step_s: float
    complete_from: float
    slots: int
    rows: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def end(self) -> float:
        """Where the last slot ends, Unix seconds."""
        return self.start + self.slots * self.step_s

    @property
    def total(self) -> int:
        """How many records were counted."""
        return sum(sum(row) for _, row in self.rows)


@dataclass(frozen=True)
class LogPage:
    """The newest matching records, newest first, and the counts of all that match."""

    lines: tuple[LogLine, ...]
    counts: LogCounts


class LogStore(Protocol):
    """What can be asked for log records."""

    def services(self) -> tuple[str, ...]:
        """Return the services that have log records, by name."""

    def search(self, search: LogSearch) -> LogPage:
        """Return what matches."""


class _Record(RawRecord):
    trace_id: str = Field("", alias="traceID")
    resource: list[Tag] = Field(default_factory=list)


class _Counts(BaseModel):
    start: int
    step: int
    complete_from: int = Field(alias="completeFrom")
    series: dict[str, list[int]]


class _Page(BaseModel):
    data: list[_Record] | None = None
    errors: list[Problem] | None = None
    counts: _Counts | None = None


class EmbeddedLogs(Client):
    """The log records of the embedded trace store at ``url``."""

    name = SOURCE

    def keeps_logs(self) -> bool:
        """Say whether it is the embedded store that answers: others have no such path. Raises ``SourceUnreachable``."""
        response = self._source.get("/api/logs/services")
        return response.is_success and "json" in response.headers.get("content-type", "")

    def services(self) -> tuple[str, ...]:
        """Return the services that have log records, by name."""
        answer = self._source.read(self._source.get("/api/logs/services"), TypeAdapter(Names))
        return tuple(answer.data or ())

    def search(self, search: LogSearch) -> LogPage:
        """Return what matches. Raises ``QueryRefused`` with the store's words, such as for a trace id that is none."""
        wanted: dict[str, str] = {
            "start": str(round(search.start * 1e6)),
            "end": str(round(search.end * 1e6)),
            "limit": str(search.limit),
            "slots": str(search.slots),
            "severity": str(LEAST.get(search.least, 0)),
            "service": search.service,
            "text": search.text,
            "traceID": search.trace_id,
            "attribute": f"request_id:{search.request_id}" if search.request_id else "",
        }
        response = self._source.get("/api/logs/search", {name: text for name, text in wanted.items() if text})
        page = self._source.read(response, TypeAdapter(_Page))
        if not response.is_success or page.counts is None:
            reason = "; ".join(problem.msg for problem in page.errors or ()) or f"status {response.status_code}"
            raise QueryRefused(SOURCE, "a search of log records", reason)
        return LogPage(tuple(_line(record) for record in page.data or ()), _counts(page.counts, search.slots))


class LogsClient:
    """The log records of a stack, wherever they are. It finds that out at the first question, and after a failure."""

    def __init__(self, embedded: EmbeddedLogs, loki: LogStore) -> None:
        self._embedded, self._loki = embedded, loki
        self._chosen: LogStore | None = None

    def services(self) -> tuple[str, ...]:
        """Return the services that have log records, by name. Raises ``SourceError``."""
        return self._store().services()

    def search(self, search: LogSearch) -> LogPage:
        """Return what matches. Raises ``SourceError``."""
        try:
            return self._store().search(search)
        except QueryRefused:
            raise
        except SourceError:
            self._chosen = None
            raise

    def _store(self) -> LogStore:
        if self._chosen is None:
            if self._embedded.keeps_logs():
                self._chosen = self._embedded
            else:
                try:
                    self._loki.services()
                except SourceUnreachable:
                    raise NoLogStore(self._embedded.url) from None
                self._chosen = self._loki
        return self._chosen


def _line(raw: _Record) -> LogLine:
    return LogLine(
        raw.timestamp / 1e6,
        raw.severity,
        raw.body,
        raw.service,
        raw.trace_id,
        raw.span_id,
        {tag.key: text_of(tag.value) for tag in raw.attributes},
        {tag.key: text_of(tag.value) for tag in raw.resource},
    )


def _counts(raw: _Counts, slots: int) -> LogCounts:
    rows = tuple((name, tuple(row)) for name, row in raw.series.items())
    return LogCounts(raw.start / 1e6, raw.step / 1e6, raw.complete_from / 1e6, slots, rows)
