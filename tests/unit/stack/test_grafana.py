"""What Grafana reads at its start: data sources, where the dashboards are, example alerts. No Grafana is run here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.commands import grafana_environment
from stack.dashboards.file import FOLDER, load_dashboards
from stack.endpoints import Endpoints
from stack.home import Home
from stack.pace import WORKSHOP
from stack.plan import Plan
from stack.rules.durations import parse_duration
from stack.rules.tree import read_tree
from stack.selectors import PREDICTION_ENDPOINTS

ROOT = Path(__file__).resolve().parents[3]
PROVISIONING = FOLDER.parent / "provisioning"
FILES = sorted(PROVISIONING.glob("*/*.yml"))
ENVIRONMENT = re.compile(r"(?<!\$)\$\{?(\w+)\}?")
LEAST_GROUP_INTERVAL_S = 10.0
"""Grafana evaluates alerts on a grid of ten seconds."""


def sources() -> dict[str, dict[str, Any]]:
    """Return the provisioned data sources by their uid."""
    found = [
        source
        for path in sorted((PROVISIONING / "datasources").glob("*.yml"))
        for source in yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]
    ]
    assert len({source["uid"] for source in found}) == len(found)
    return {source["uid"]: source for source in found}


def rules() -> list[dict[str, Any]]:
    """Return the example alerts."""
    text = (PROVISIONING / "alerting" / "examples.yml").read_text(encoding="utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def strings(value: object) -> list[str]:
    """Return every text within a parsed file."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [value] if isinstance(value, str) else []


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Give the environment in which the native runtime starts Grafana."""
    return dict(grafana_environment(Plan(Home(tmp_path), Endpoints(7), WORKSHOP, traffic=True)))


def compose() -> dict[str, str]:
    """Return the environment in which Compose starts Grafana."""
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    named: dict[str, str] = document["services"]["grafana"]["environment"]
    return named


def test_there_are_files_of_each_sort() -> None:
    """Data sources, dashboards and alerts each have a file, of the version of the format that Grafana reads."""
    assert {path.parent.name for path in FILES} == {"datasources", "dashboards", "alerting"}
    assert {yaml.safe_load(path.read_text(encoding="utf-8"))["apiVersion"] for path in FILES} == {1}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_both_runtimes_fill_in_every_address(path: Path, environment: dict[str, str]) -> None:
    """Each name that Grafana is to fill in is set by the native runtime and by Compose, but Loki's by Compose alone."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.parent.name == "alerting":
        assert not any("$" in text for rule in rules() for text in strings([rule["labels"], rule["annotations"]]))
        return
    named = {name for text in strings(document) for name in ENVIRONMENT.findall(text)}
    assert named
    assert all(name.startswith("FIREDRILL_") for name in named), "Grafana would put nothing in its place"
    assert named <= set(compose())
    if path.stem != "loki":
        assert named <= set(environment)


def test_native_addresses_are_those_of_the_stack(environment: dict[str, str]) -> None:
    """Natively the data sources lead to the stack's own ports, at its scrape interval, the provider to the files."""
    endpoints = Endpoints(7)
    assert environment["FIREDRILL_PROMETHEUS_URL"] == endpoints.url("prometheus")
    assert environment["FIREDRILL_JAEGER_URL"] == endpoints.url("tracestore")
    assert environment["FIREDRILL_JAEGER_LINK"] == endpoints.link("tracestore")
    assert environment["FIREDRILL_INTERVAL"] == "1s"
    assert sorted(Path(environment["FIREDRILL_DASHBOARDS"]).glob("*.json")) == sorted(FOLDER.glob("*.json"))


def test_data_sources_refer_to_each_other() -> None:
    """Metrics lead to traces, traces to logs and metrics, logs to traces, each by a uid that is there."""
    known = sources()
    assert {source["type"] for source in known.values()} == {"prometheus", "jaeger", "loki"}
    assert [source["uid"] for source in known.values() if source.get("isDefault")] == ["firedrill-prometheus"]
    metrics, traces, logs = (known[f"firedrill-{kind}"]["jsonData"] for kind in ("prometheus", "jaeger", "loki"))
    within, outside = metrics["exemplarTraceIdDestinations"]
    assert within["name"] == outside["name"] == "trace_id"
    assert within["datasourceUid"] in known
    assert outside["url"].endswith("/trace/$${__value.raw}")
    assert traces["tracesToLogsV2"]["datasourceUid"] in known
    assert traces["tracesToMetrics"]["datasourceUid"] in known
    assert {field["datasourceUid"] for field in logs["derivedFields"]} == {"firedrill-jaeger"}
    for query in traces["tracesToMetrics"]["queries"]:
        read_tree(query["query"].replace("$$__rate_interval", "1m"))


def test_dashboards_name_data_sources_that_are_there() -> None:
    """The data source that a dashboard opens with, and those that its links name, are provisioned."""
    for path in FOLDER.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        (first,) = [each for each in json.loads(text)["templating"]["list"] if each["name"] == "datasource"]
        assert first["current"]["value"] in sources()
        assert set(re.findall(r"%22(firedrill-(?:jaeger|loki|prometheus))%22", text)) <= set(sources())


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["uid"])
def test_example_alert_holds_together(rule: dict[str, Any]) -> None:
    """Its parts refer to each other, its query parses, and the panel that it names shows what it asks."""
    parts = {part["refId"]: part for part in rule["data"]}
    assert rule["condition"] in parts
    assert all(part["model"]["refId"] == name for name, part in parts.items())
    board = next(each for each in load_dashboards() if each.uid == rule["dashboardUid"])
    panel = next(each for each in board.panels if each.id == rule["panelId"])
    assert panel.title in {"Error share over time", "Drift share over time"}
    assert set(rule["labels"]) >= {"severity"}
    assert set(rule["annotations"]) >= {"summary", "description"}
    assert rule["noDataState"] in {"OK", "NoData", "Alerting", "KeepLast"}
    assert rule["execErrState"] in {"OK", "Error", "Alerting", "KeepLast"}
    assert parse_duration(rule["for"]) > 0
    for part in parts.values():
        model = part["model"]
        if part["datasourceUid"] == "__expr__":
            assert model["expression"] in parts
            assert model["type"] in {"reduce", "threshold"}
            continue
        assert part["datasourceUid"] in sources()
        read_tree(model["expr"].replace("$__rate_interval", "1m"))
        if "endpoint=" in model["expr"]:
            assert PREDICTION_ENDPOINTS in model["expr"]


def test_example_alerts_have_uids_and_times_that_grafana_takes() -> None:
    """Uids are short and different, and a group's interval lies on Grafana's grid."""
    uids = [rule["uid"] for rule in rules()]
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", uid) for uid in uids)
    text = (PROVISIONING / "alerting" / "examples.yml").read_text(encoding="utf-8")
    for group in yaml.safe_load(text)["groups"]:
        assert parse_duration(group["interval"]) % LEAST_GROUP_INTERVAL_S == 0
