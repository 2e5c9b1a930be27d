"""A typed, synchronous client of Prometheus's HTTP API. It asks and never changes anything. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import TypeAdapter

from stack.clients.answers import (
    BuildInformation,
    Envelope,
    ExemplarSeries,
    KnownAlertmanagers,
    LoadedRecordings,
    LoadedRule,
    LoadedRules,
    MatrixResult,
    Metadata,
    QueryResult,
    RuntimeInformation,
    ScalarResult,
    Targets,
    VectorResult,
)
from stack.clients.series import (
    AlertInstance,
    AlertRule,
    AlertState,
    Exemplar,
    Sample,
    Series,
    TargetHealth,
)
from stack.clients.source import Client, Parameters, unix_seconds
from stack.errors import QueryRefused
from stack.rules.durations import parse_duration
from stack.rules.errors import BadDuration

__all__ = [
    "AlertInstance",
    "AlertRule",
    "AlertState",
    "Exemplar",
    "PrometheusClient",
    "Sample",
    "Series",
    "TargetHealth",
]

T = TypeVar("T")
NAME = "Prometheus"


class PrometheusClient(Client):
    """A client of the Prometheus at ``url``. Only ``ready`` never raises."""

    name = NAME

    def ready(self) -> bool:
        """Return whether it serves queries; nobody there is ``False``."""
        return self._source.answers("/-/ready")

    def reload(self) -> None:
        """Have it read its configuration and rules anew; raise ``UnexpectedAnswer`` where it refuses them."""
        answer = self._source.post("/-/reload")
        if answer.is_error:
            raise self._source.unexpected(answer, "it did not reload")

    def query(self, expr: str, at: float | None = None) -> tuple[Sample, ...]:
        """Return the value of ``expr`` at ``at`` (``None``: now), one sample per series; a scalar has no labels."""
        match self._ask("/api/v1/query", _instant(expr, at), _QUERY, expr):
            case VectorResult(result=elements):
                return tuple(Sample(each.metric, *each.value) for each in elements)
            case ScalarResult(result=point):
                return (Sample({}, *point),)
            case other:
                reason = f"it is a {other.result_type}, not a vector; `raw` takes range selectors"
                raise QueryRefused(NAME, expr, reason)

    def query_range(self, expr: str, start: float, end: float, step_s: float) -> tuple[Series, ...]:
        """Return ``expr`` evaluated from ``start`` to ``end``, both included, every ``step_s`` seconds."""
        asked = {"query": expr, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_s:.3f}"}
        return _series(self._ask("/api/v1/query_range", asked, _RANGE, expr))

    def raw(self, range_selector: str, at: float) -> tuple[Series, ...]:
        """Return the samples of a range selector such as ``ALERTS{…}[60s]`` before ``at``, with their true times."""
        result = self._ask("/api/v1/query", _instant(range_selector, at), _QUERY, range_selector)
        if not isinstance(result, MatrixResult):
            reason = f"it is a {result.result_type}, not a range selector such as x[1m]"
            raise QueryRefused(NAME, range_selector, reason)
        return _series(result)

    def rules(self) -> tuple[AlertRule, ...]:
        """Return every loaded alerting rule with its state and its active instances, in the order of the files."""
        answer = self._ask("/api/v1/rules", {"type": "alert"}, _RULES, "rules")
        return tuple(_alert_rule(group.name, group.interval, rule) for group in answer.groups for rule in group.rules)

    def recordings(self) -> tuple[tuple[str, str], ...]:
        """Return name and expression of every loaded recording rule, in the order of the files."""
        answer = self._ask("/api/v1/rules", {"type": "record"}, _RECORDINGS, "rules")
        return tuple((rule.name, rule.query) for group in answer.groups for rule in group.rules)

    def flags(self) -> Mapping[str, str]:
        """Return the flags it was started with, by name without dashes."""
        return self._ask("/api/v1/status/flags", {}, _FLAGS, "flags")

    def targets(self) -> tuple[TargetHealth, ...]:
        """Return every scrape target with the outcome of its last scrape."""
        answer = self._ask("/api/v1/targets", {"state": "active"}, _TARGETS, "targets")
        return tuple(
            TargetHealth(
                each.labels.get("job", ""),
                each.labels.get("instance", ""),
                each.scrape_url,
                each.health,
                unix_seconds(each.last_scrape),
                each.last_error,
                _seconds(each.scrape_interval),
                _seconds(each.scrape_timeout),
            )
            for each in answer.active_targets
        )

    def alertmanagers(self) -> tuple[str, ...]:
        """Return the addresses of the Alertmanagers that it sends alerts to."""
        answer = self._ask("/api/v1/alertmanagers", {}, _ALERTMANAGERS, "alertmanagers")
        return tuple(each.url for each in answer.active_alertmanagers)

    def metrics(self) -> tuple[str, ...]:
        """Return the name of every metric that it has samples of, by name."""
        names: list[str] = self._ask("/api/v1/label/__name__/values", {}, _NAMES, "names of metrics")
        return tuple(names)

    def types(self) -> Mapping[str, str]:
        """Return the type of each metric, such as ``counter``, as the targets say it; not of recorded series."""
        answer = self._ask("/api/v1/metadata", {}, _METADATA, "types of metrics")
        return {name: known[0].type for name, known in answer.items() if known}

    def exemplars(self, expr: str, start: float, end: float) -> tuple[Exemplar, ...]:
        """Return the exemplars of the series that ``expr`` selects, oldest first."""
        asked = {"query": expr, "start": f"{start:.3f}", "end": f"{end:.3f}"}
        answer = self._ask("/api/v1/query_exemplars", asked, _EXEMPLARS, expr)
        found = (
            Exemplar(each.labels, each.timestamp, each.value, series.series_labels)
            for series in answer
            for each in series.exemplars
        )
        return tuple(sorted(found, key=lambda exemplar: exemplar.time))

    def build_version(self) -> str:
        """Return its version, such as ``2.42.0``."""
        return self._ask("/api/v1/status/buildinfo", {}, _BUILD, "build information").version

    def started_at(self) -> float:
        """Return when its process started, Unix seconds."""
        return self._ask("/api/v1/status/runtimeinfo", {}, _RUNTIME, "runtime information").start_time.timestamp()

    def _ask(self, path: str, parameters: Parameters, answer: TypeAdapter[Envelope[T]], question: str) -> T:
        response = self._source.get(path, parameters)
        envelope = self._source.read(response, answer)
        if envelope.status == "error":
            raise QueryRefused(NAME, question, envelope.error or envelope.error_type or "no reason given")
        if envelope.data is None:
            raise self._source.unexpected(response, "the answer has no data")
        return envelope.data


_QUERY: TypeAdapter[Envelope[QueryResult]] = TypeAdapter(Envelope[QueryResult])
_RANGE = TypeAdapter(Envelope[MatrixResult])
_RULES = TypeAdapter(Envelope[LoadedRules])
_RECORDINGS = TypeAdapter(Envelope[LoadedRecordings])
_FLAGS = TypeAdapter(Envelope[dict[str, str]])
_TARGETS = TypeAdapter(Envelope[Targets])
_EXEMPLARS = TypeAdapter(Envelope[list[ExemplarSeries]])
_ALERTMANAGERS = TypeAdapter(Envelope[KnownAlertmanagers])
_NAMES: TypeAdapter[Envelope[list[str]]] = TypeAdapter(Envelope[list[str]])
_METADATA: TypeAdapter[Envelope[dict[str, list[Metadata]]]] = TypeAdapter(Envelope[dict[str, list[Metadata]]])
_BUILD = TypeAdapter(Envelope[BuildInformation])
_RUNTIME = TypeAdapter(Envelope[RuntimeInformation])


def _series(matrix: MatrixResult) -> tuple[Series, ...]:
    return tuple(Series(each.metric, tuple(each.values)) for each in matrix.result)


def _seconds(duration: str) -> float:
    try:
        return parse_duration(duration)
    except BadDuration:
        return 0.0


def _instant(expr: str, at: float | None) -> Parameters:
    return {"query": expr} if at is None else {"query": expr, "time": f"{at:.3f}"}


def _alert_rule(group: str, interval_s: float, rule: LoadedRule) -> AlertRule:
    alerts = tuple(
        AlertInstance(each.labels, each.annotations, each.state, each.active_at.timestamp(), each.value)
        for each in rule.alerts
    )
    return AlertRule(
        name=rule.name,
        group=group,
        expr=rule.query,
        for_s=rule.duration,
        keep_firing_for_s=rule.keep_firing_for,
        labels=rule.labels,
        annotations=rule.annotations,
        state=rule.state,
        health=rule.health,
        last_error=rule.last_error,
        evaluated_at=unix_seconds(rule.last_evaluation),
        interval_s=interval_s,
        alerts=alerts,
    )
