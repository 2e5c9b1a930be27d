"""The JSON of Prometheus's and Alertmanager's HTTP APIs, as far as it is read here. Unknown keys are ignored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from stack.clients.series import AlertState

T = TypeVar("T")
Texts = dict[str, str]
Point = tuple[float, float]
"""Time and value; the value comes as text, ``NaN`` and ``+Inf`` included, and is read as a number."""


class Answer(BaseModel):
    """Base of all: the names here are Python's, those of the wire are in camel case."""

    model_config = ConfigDict(alias_generator=to_camel)


class Envelope(Answer, Generic[T]):
    """What is around every answer of Prometheus."""

    status: Literal["success", "error"]
    data: T | None = None
    error_type: str = ""
    error: str = ""


class VectorElement(Answer):
    """One series and its value."""

    metric: Texts
    value: Point


class VectorResult(Answer):
    """An instant query's usual result."""

    result_type: Literal["vector"]
    result: list[VectorElement]


class Metadata(Answer):
    """What a target says of one of its metrics."""

    type: str


class MatrixElement(Answer):
    """One series and its points; none where it has native histograms alone."""

    metric: Texts
    values: list[Point] = Field(default_factory=list)


class MatrixResult(Answer):
    """The result of a range query, and of a range selector."""

    result_type: Literal["matrix"]
    result: list[MatrixElement]


class ScalarResult(Answer):
    """A number without labels."""

    result_type: Literal["scalar"]
    result: Point


class StringResult(Answer):
    """A text, which nothing here asks for."""

    result_type: Literal["string"]
    result: tuple[float, str]


QueryResult = Annotated[
    VectorResult | MatrixResult | ScalarResult | StringResult,
    Field(discriminator="result_type"),
]


class ActiveAlert(Answer):
    """An instance of a rule."""

    labels: Texts
    annotations: Texts = Field(default_factory=dict)
    state: Literal["pending", "firing"]
    active_at: datetime
    value: float


class LoadedRule(Answer):
    """An alerting rule."""

    name: str
    query: str
    duration: float
    keep_firing_for: float = 0.0
    labels: Texts = Field(default_factory=dict)
    annotations: Texts = Field(default_factory=dict)
    state: AlertState
    health: Literal["ok", "err", "unknown"]
    last_error: str = ""
    last_evaluation: datetime | None = None
    alerts: list[ActiveAlert] = Field(default_factory=list)


class LoadedGroup(Answer):
    """A group of alerting rules."""

    name: str
    interval: float
    rules: list[LoadedRule]


class LoadedRules(Answer):
    """All groups."""

    groups: list[LoadedGroup]


class LoadedRecording(Answer):
    """A recording rule."""

    name: str
    query: str


class RecordingGroup(Answer):
    """A group of recording rules."""

    rules: list[LoadedRecording]


class LoadedRecordings(Answer):
    """All groups, with their recording rules alone."""

    groups: list[RecordingGroup]


class ActiveTarget(Answer):
    """A scrape target."""

    labels: Texts
    scrape_url: str
    health: Literal["up", "down", "unknown"]
    last_scrape: datetime | None = None
    last_error: str = ""
    scrape_interval: str = ""
    scrape_timeout: str = ""


class Targets(Answer):
    """All scrape targets."""

    active_targets: list[ActiveTarget]


class SeriesExemplar(Answer):
    """One exemplar."""

    labels: Texts
    value: float
    timestamp: float


class ExemplarSeries(Answer):
    """The exemplars of one series."""

    series_labels: Texts
    exemplars: list[SeriesExemplar]


class BuildInformation(Answer):
    """What was built."""

    version: str


class RuntimeInformation(Answer):
    """A running Prometheus."""

    start_time: datetime


class KnownAlertmanager(Answer):
    """An Alertmanager that Prometheus sends to."""

    url: str


class KnownAlertmanagers(Answer):
    """All of them, and those that it gave up."""

    active_alertmanagers: list[KnownAlertmanager]


class AlertmanagerConfiguration(Answer):
    """The configuration as it was read, secrets hidden."""

    original: str = ""


class AlertmanagerStatus(Answer):
    """A running Alertmanager; what it calls its uptime is when it started."""

    uptime: datetime
    config: AlertmanagerConfiguration = Field(default_factory=AlertmanagerConfiguration)


class HeldAlertStatus(Answer):
    """Whether Alertmanager notifies of an alert."""

    state: Literal["unprocessed", "active", "suppressed"]
    silenced_by: list[str]
    inhibited_by: list[str]


class Receiver(Answer):
    """A receiver's name."""

    name: str


class HeldAlert(Answer):
    """An alert in Alertmanager."""

    labels: Texts
    annotations: Texts
    starts_at: datetime
    ends_at: datetime
    updated_at: datetime
    fingerprint: str
    receivers: list[Receiver]
    status: HeldAlertStatus


class HeldGroup(Answer):
    """Alerts that are notified of together."""

    labels: Texts
    receiver: Receiver
    alerts: list[HeldAlert]


class SilenceStatus(Answer):
    """Whether a silence works now."""

    state: Literal["active", "pending", "expired"]


class SilenceMatcher(Answer):
    """One condition of a silence."""

    name: str
    value: str
    is_regex: bool
    is_equal: bool = True


class KeptSilence(Answer):
    """A silence."""

    id: str
    status: SilenceStatus
    matchers: list[SilenceMatcher]
    ends_at: datetime
    created_by: str
    comment: str
