"""Every query of the dashboards and of the rules, asked of real Prometheus while the service is busy and on fire."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
import yaml

from faults.base import FaultRequest, Target
from faults.drills.wire import TrafficSettings
from stack.clients.prometheus import PrometheusClient
from stack.clients.series import Exemplar
from stack.components import COMPONENTS
from stack.dashboards.board import Dashboard, PanelKind, Query
from stack.dashboards.file import load_dashboards
from stack.dashboards.variables import View, substituted
from stack.errors import SourceError
from stack.pace import WORKSHOP
from stack.rules.file import RecordingRule, RuleFile
from stack.rules.read import load_rules
from tests.live.conftest import SHARED, LiveStack, until

pytestmark = [pytest.mark.live, SHARED, pytest.mark.timeout(300)]

DASHBOARDS = load_dashboards()
GRAFANA = Path(__file__).resolve().parents[2] / "stack" / "config" / "grafana"
MODELS = {"iris": 6.0, "churn": 1.0, "housing": 1.0, "exchange-rate": 1.0}
RATE = 60.0
"""Requests per second: 40 of them for iris, which then has its window of 500 rows after a quarter of a minute."""
PATIENCE_S = 60.0
OFFSET = re.compile(r"\boffset\s+-?\w+")
MAY_BE_EMPTY: Mapping[str, str] = {
    "absent(": "it has a value only where the service is gone",
    " unless ": "series that were not there a window before: a counter that was born by its first failure",
    'left:count30d{job="firedrill"} / on': "the time that is left of a budget that shrinks: while the service is down",
}
"""Parts of rules that rightly have no value while the service answers, by what stands in them; they must not err."""

Ask = Callable[[], list[float]]


@pytest.fixture(scope="module")
def burning(stack: LiveStack) -> Iterator[LiveStack]:
    """Give a stack with traffic for every model, a share of it strange, and with slow, failing and damaged answers."""
    with stack.conductor() as conductor:
        before = conductor.traffic().settings
        conductor.set_traffic(TrafficSettings(rate=RATE, models=MODELS, ood_share=0.3), actor="test")
        for fault in (
            FaultRequest(kind="latency", parameters={"delay_ms": 300.0}, probability=0.2, ttl_s=240.0),
            FaultRequest(kind="error", parameters={"status": 503}, probability=0.4, ttl_s=240.0),
            FaultRequest(kind="ood_inputs", target=Target(model="iris"), probability=0.5, ttl_s=240.0),
            FaultRequest(kind="model_load_failure", target=Target(model="iris"), ttl_s=240.0),
        ):
            conductor.light(fault, actor="test")
    # A counter's first sample has to be there before it rises, or it has not risen.
    until(lambda: prometheus_of(stack).query("prediction_errors_total"), "a first scrape of the service")
    predict = stack.endpoints.url("service", "/predict")
    until(
        lambda: httpx.post(predict, json={"features": "none"}, timeout=10).status_code == 422, "a request to be refused"
    )
    yield stack
    with stack.conductor() as conductor:
        conductor.reset(actor="test")
        conductor.set_traffic(before, actor="test")


def prometheus_of(stack: LiveStack) -> PrometheusClient:
    """Return a client of the stack's Prometheus."""
    return PrometheusClient(stack.endpoints.url("prometheus"))


def values_of(prometheus: PrometheusClient, expr: str) -> list[float]:
    """Return the values that ``expr`` has now."""
    return [sample.value for sample in prometheus.query(expr)]


def labels_of(prometheus: PrometheusClient, expr: str) -> set[str]:
    """Return the names of all labels of the series that ``expr`` has now."""
    return {name for sample in prometheus.query(expr) for name in sample.labels}


def exemplars_of(prometheus: PrometheusClient, expr: str) -> tuple[Exemplar, ...]:
    """Return the exemplars of the last minute of the series in ``expr``."""
    now = time.time()
    return prometheus.exemplars(expr, now - 60, now)


def until_answered(questions: Mapping[str, Ask], *, may_be_empty: frozenset[str] = frozenset()) -> None:
    """Ask until each question has had a finite value once; a refused query fails at once, with its name."""
    open_ones = dict(questions)

    def ask() -> bool:
        for name, question in list(open_ones.items()):
            try:
                values = question()
            except SourceError as error:
                pytest.fail(f"{name}: {error}")
            if name in may_be_empty or any(map(math.isfinite, values)):
                del open_ones[name]
        return not open_ones

    deadline = time.monotonic() + PATIENCE_S
    while not ask():
        if time.monotonic() > deadline:
            pytest.fail("no value came of: " + "; ".join(sorted(open_ones)))
        time.sleep(0.5)


def asked(prometheus: PrometheusClient, dashboard: Dashboard, query: Query, chosen: Mapping[str, list[str]]) -> Ask:
    """Return what asks ``query`` as the dashboard does, over the last minute, and gives its values."""
    view = View.spanning(60.0, WORKSHOP.interval_s, chosen=chosen)
    expr = substituted(query.expr, dashboard, view)

    def ask() -> list[float]:
        if query.instant:
            return values_of(prometheus, expr)
        now = time.time()
        series = prometheus.query_range(expr, now - view.range_s, now, view.step_s)
        return [value for each in series for _, value in each.points]

    return ask


def test_every_query_of_every_panel_has_a_value(burning: LiveStack) -> None:
    """No query of a panel, a mark or a variable is empty or refused, with all models and with one chosen."""
    prometheus = prometheus_of(burning)
    questions: dict[str, Ask] = {}
    for dashboard in DASHBOARDS:
        for question in dashboard.questions():
            questions[str(question)] = asked(prometheus, dashboard, question.query, {})
        for variable in dashboard.variables:
            if variable.selector:
                query = Query("", variable.expr, instant=True)
                questions[f"{dashboard.title} / ${variable.name}"] = asked(prometheus, dashboard, query, {})
        for mark in dashboard.marks:
            questions[f"{dashboard.title} / {mark.name}"] = asked(prometheus, dashboard, Query("", mark.expr), {})
    until_answered(questions)


def test_tables_find_their_columns(burning: LiveStack) -> None:
    """Each column of a table is a label of its answer, or the value; and no series has a label that is not shown."""
    prometheus = prometheus_of(burning)
    view = View.spanning(60.0, WORKSHOP.interval_s)
    tables = [(b, panel) for b in DASHBOARDS for panel in b.panels if panel.kind is PanelKind.TABLE]
    assert tables
    for dashboard, panel in tables:
        labels = partial(labels_of, prometheus, substituted(panel.queries[0].expr, dashboard, view))
        until(lambda panel=panel, labels=labels: set(panel.columns) <= labels() | {"Value"}, panel.title, PATIENCE_S)
        assert labels() <= set(panel.columns) | panel.hidden, panel.title


@pytest.mark.parametrize("chosen", [["iris"], ["iris", "exchange-rate"]], ids=["one model", "two models"])
def test_a_chosen_model_is_the_only_one_that_is_shown(burning: LiveStack, chosen: list[str]) -> None:
    """With models chosen, the loaded models that the dashboard shows are those, a name with a hyphen included."""
    prometheus = prometheus_of(burning)
    board = next(each for each in DASHBOARDS if each.uid == "firedrill-model")
    panel = next(each for each in board.panels if each.title == "Loaded")
    view = View.spanning(60.0, WORKSHOP.interval_s, chosen={"model": chosen})
    shown = until(partial(prometheus.query, substituted(panel.queries[0].expr, board, view)), "models that are loaded")
    assert sorted(sample.labels["model_name"] for sample in shown) == sorted(chosen)


def test_a_variable_offers_what_there_is(burning: LiveStack) -> None:
    """The choice of models is that of the models which the service serves."""
    prometheus = prometheus_of(burning)
    (variable,) = {v for board in DASHBOARDS for v in board.variables if v.name == "model"}
    offered = {sample.labels[variable.label] for sample in prometheus.query(variable.expr)}
    assert offered == set(MODELS)


def test_exemplars_lead_to_their_traces(burning: LiveStack) -> None:
    """Each panel with exemplars has one, and the link of the data source opens the trace that it names."""
    prometheus = prometheus_of(burning)
    sources = (GRAFANA / "provisioning/datasources/firedrill.yml").read_text(encoding="utf-8")
    metrics = next(each for each in yaml.safe_load(sources)["datasources"] if each["type"] == "prometheus")
    (template,) = [one["url"] for one in metrics["jsonData"]["exemplarTraceIdDestinations"] if "url" in one]
    link = template.replace("${FIREDRILL_JAEGER_LINK}", burning.endpoints.link("tracestore"))
    assert link.endswith("/trace/$${__value.raw}"), link
    asked_for = [
        (question, question.query.expr) for b in DASHBOARDS for question in b.questions() if question.query.exemplars
    ]
    assert asked_for
    for question, expr in asked_for:
        ready = substituted(expr, question.dashboard, View.spanning(60.0, WORKSHOP.interval_s))
        found = until(partial(exemplars_of, prometheus, ready), f"an exemplar of {question}")
        assert {"trace_id", "span_id"} <= set(found[0].labels), question
    trace_id = found[0].labels["trace_id"]
    page = link.replace("$${__value.raw}", trace_id)
    until(lambda: httpx.get(page, timeout=10).status_code == 200, f"the trace page {page}")
    trace = httpx.get(burning.endpoints.url("tracestore", f"/api/traces/{trace_id}"), timeout=10)
    assert trace.json()["data"][0]["traceID"] == trace_id


def test_data_sources_answer_what_grafana_asks_first(burning: LiveStack) -> None:
    """Prometheus takes its queries by POST, as provisioned, and the trace store lists the service as Jaeger does."""
    form = {"query": "1+1", "time": str(time.time())}
    prometheus = httpx.post(burning.endpoints.url("prometheus", "/api/v1/query"), data=form, timeout=10)
    assert prometheus.json()["status"] == "success"
    services = httpx.get(burning.endpoints.url("tracestore", "/api/services"), timeout=10)
    assert "firedrill" in services.json()["data"]


def operands(node: object) -> Iterator[str]:
    """Yield what an expression compares or combines: its parts between ``and``, ``or``, ``unless`` and comparisons."""
    match node:
        case promql_parser.ParenExpr():
            yield from operands(node.expr)
        case promql_parser.BinaryExpr() if str(node.op) in {"and", "or", "unless", ">", "<", ">=", "<=", "==", "!="}:
            yield from operands(node.lhs)
            if not isinstance(node.rhs, promql_parser.NumberLiteral):
                yield from operands(node.rhs)
        case promql_parser.Call() if node.func.name == "absent":
            yield str(node.args[0])
        case _:
            yield str(node)


def test_no_part_of_any_rule_is_without_a_value(burning: LiveStack) -> None:
    """Every side of every comparison and condition in alerts and recordings has a value, as loaded at workshop pace.

    Offsets are taken away: the history of a test is too short for them. What is recorded with one has no value yet.
    """
    prometheus = prometheus_of(burning)
    rules = [rule for file in loaded(burning) for group in file.groups for rule in group.rules]
    recorded = {rule.name: rule.expr for rule in rules if isinstance(rule, RecordingRule)}
    later = {name for name, expr in recorded.items() if OFFSET.search(expr)}
    questions = {name: partial(values_of, prometheus, name) for name in recorded}
    rightly_empty = {name for name in recorded if name in later}
    for rule in rules:
        for part in operands(promql_parser.parse(OFFSET.sub("", rule.expr))):
            assert "[0s" not in part, f"{rule.name}: a window was lost in printing {part}"
            name = f"{rule.name}: {part}"
            questions[name] = partial(values_of, prometheus, part)
            if any(fragment in part for fragment in (*MAY_BE_EMPTY, *later)):
                rightly_empty.add(name)
    assert questions
    until_answered(questions, may_be_empty=frozenset(rightly_empty))


def test_every_rule_is_loaded_and_evaluated_without_error(burning: LiveStack) -> None:
    """Prometheus has each rule of each file, has evaluated it and found no error, within its interval."""
    files = {rule.name for rules in loaded(burning) for group in rules.groups for rule in group.rules}
    url = burning.endpoints.url("prometheus", "/api/v1/rules")

    def all_evaluated() -> list[tuple[dict[str, Any], dict[str, Any]]]:
        groups = httpx.get(url, timeout=10).json()["data"]["groups"]
        found = [(group, rule) for group in groups for rule in group["rules"]]
        return [] if any(rule["health"] == "unknown" for _, rule in found) else found

    rules = until(all_evaluated, "a first evaluation of every rule")
    assert {rule["name"] for _, rule in rules} == files
    assert {rule["name"]: rule.get("lastError") for _, rule in rules if rule["health"] != "ok"} == {}
    slow = {group["name"]: group["evaluationTime"] for group, _ in rules if group["evaluationTime"] > group["interval"]}
    assert not slow


def test_grafana_alerts_ask_for_something(burning: LiveStack) -> None:
    """The queries of Grafana's example alerts have values, in the window that its data source makes of theirs."""
    prometheus = prometheus_of(burning)
    text = (GRAFANA / "provisioning/alerting/examples.yml").read_text(encoding="utf-8")
    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    view = View.spanning(600.0, WORKSHOP.interval_s)
    questions: dict[str, Ask] = {}
    for rule in rules:
        board = next(each for each in DASHBOARDS if each.uid == rule["dashboardUid"])
        expr = next(part["model"]["expr"] for part in rule["data"] if "expr" in part["model"])
        ready = substituted(expr, board, view)
        questions[rule["title"]] = partial(values_of, prometheus, ready)
    assert len(questions) == len(rules) > 0
    until_answered(questions)


def test_every_part_that_is_scraped_answers(burning: LiveStack) -> None:
    """Prometheus reaches every job that it was given, the host's metrics among them."""
    prometheus, expected = prometheus_of(burning), {row.job for row in COMPONENTS}

    def states() -> dict[str, float]:
        return {sample.labels["job"]: sample.value for sample in prometheus.query("min by (job) (up)")}

    until(lambda: set(states().values()) == {1.0}, "every target to be scraped")
    assert {"firedrill", "node", "prometheus"} <= set(states()) <= expected


def loaded(stack: LiveStack) -> tuple[RuleFile, ...]:
    """Return the rule files that this stack's Prometheus was started with."""
    return tuple(load_rules(path) for path in sorted((stack.home.run / "rules").glob("*.yml")))
