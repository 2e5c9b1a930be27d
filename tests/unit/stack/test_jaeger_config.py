"""Jaeger's configuration as far as it can be judged without a Jaeger: its parts fit, and nothing leaves loopback."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.commands import CONFIG, jaeger_environment
from stack.endpoints import Endpoints
from stack.home import Home
from stack.pace import WORKSHOP
from stack.plan import Plan

ENVIRONMENT = jaeger_environment(Plan(Home(Path("/srv/home")), Endpoints(500), WORKSHOP, traffic=True))


def configuration(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration with variables put in as Jaeger does: the environment's, else the default."""
    text = (CONFIG / "jaeger" / "jaeger.yml").read_text(encoding="utf-8")

    def value(found: re.Match[str]) -> str:
        return environment.get(found["name"], found["default"])

    loaded: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{env:(?P<name>\w+):-(?P<default>[^}]*)\}", value, text))
    return loaded


@pytest.mark.parametrize(("environment", "offset"), [(ENVIRONMENT, 500), ({}, 0)], ids=["native", "alone"])
def test_it_listens_where_the_stack_expects_it(environment: Mapping[str, str], offset: int) -> None:
    """Every address is on loopback, at the port of the endpoint table."""
    config, address = configuration(environment), Endpoints(offset).address
    query, health = config["extensions"]["jaeger_query"], config["extensions"]["healthcheckv2"]
    assert query["http"]["endpoint"] == address("tracestore")
    assert query["grpc"]["endpoint"] == address("jaeger_grpc")
    assert health["http"]["endpoint"] == address("jaeger_health")
    protocols = config["receivers"]["otlp"]["protocols"]
    assert protocols["http"]["endpoint"] == address("otlp")
    assert protocols["grpc"]["endpoint"] == address("otlp_grpc")
    (reader,) = config["service"]["telemetry"]["metrics"]["readers"]
    metrics = reader["pull"]["exporter"]["prometheus"]
    assert (metrics["host"], metrics["port"]) == ("127.0.0.1", Endpoints(offset).port("jaeger_metrics"))


def test_its_parts_fit_together() -> None:
    """What the pipeline and the query name is defined; traces are kept in the home."""
    config = configuration(ENVIRONMENT)
    assert set(config["service"]["extensions"]) == set(config["extensions"])
    pipeline = config["service"]["pipelines"]["traces"]
    for kind in ("receivers", "processors", "exporters"):
        assert set(pipeline[kind]) == set(config[kind])
    (backend,) = config["extensions"]["jaeger_storage"]["backends"].items()
    name, storage = backend
    assert config["extensions"]["jaeger_query"]["storage"]["traces"] == name
    assert config["exporters"]["jaeger_storage_exporter"]["trace_storage"] == name
    assert {Path(path).parent for path in storage["badger"]["directories"].values()} == {Path("/srv/home/data/jaeger")}
    assert storage["badger"]["ephemeral"] is False
