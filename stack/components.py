"""The one table of what a stack is made of: how each component is started, on which ports, and when it counts as ready.

A row says everything; the supervisor, ``status`` and the port check only read it. Nothing here starts a process.
"""

from __future__ import annotations

from stack import commands
from stack.commands import prometheus_duration
from stack.component import (
    ROOT,
    BadTable,
    Component,
    Probe,
    check_table,
    child_environment,
    table_named,
    wanted,
)
from stack.plan import Plan

__all__ = [
    "COMPONENTS",
    "DEFAULT_TABLE",
    "ROOT",
    "BadTable",
    "Component",
    "Plan",
    "Probe",
    "check_table",
    "child_environment",
    "prometheus_duration",
    "table_named",
    "wanted",
]

DEFAULT_TABLE = "stack.components:COMPONENTS"


def _has_own(plan: Plan) -> bool:
    return plan.own is not None


def _has_service(plan: Plan) -> bool:
    return plan.app is None


COMPONENTS: tuple[Component, ...] = (
    Component(
        name="service",
        title="ML service",
        argv=commands.service,
        environment=commands.service_environment,
        ports=("service", "control"),
        replica_ports=("control", "replica"),
        probe=Probe("service", "/ready", deadline_s=120.0),  # the first start trains the models
        uses=("tracestore", "jaeger"),
        wanted=_has_service,
        page="/docs",
        job="firedrill",
        scraped="service",
    ),
    Component(
        name="tracestore",
        title="Trace store",
        argv=commands.python("stack.tracestore"),
        ports=("tracestore", "otlp", "otlp_grpc"),
        probe=Probe("tracestore", "/health"),
        wanted=lambda plan: not commands.runs_jaeger(plan),
        job="tracestore",
        scraped="tracestore",
    ),
    Component(
        name="jaeger",
        title="Jaeger",
        argv=commands.jaeger,
        environment=commands.jaeger_environment,
        ports=("tracestore", "otlp", "otlp_grpc", "jaeger_grpc", "jaeger_metrics", "jaeger_health"),
        probe=Probe("jaeger_health", "/status"),
        takes="jaeger",
        wanted=commands.runs_jaeger,
        optional=True,
        job="jaeger",
        scraped="jaeger_metrics",
    ),
    Component(
        name="conductor",
        title="Drill conductor",
        argv=commands.python("faults.drills.conductor"),
        ports=("conductor",),
        probe=Probe("conductor", "/health"),
        uses=("service", "traffic", "prometheus", "alertmanager"),
        page="/health",
    ),
    Component(
        name="panel",
        title="Panel",
        argv=commands.python("panel.serve"),
        environment=commands.panel_environment,
        ports=("panel",),
        probe=Probe("panel", "/_stcore/health"),
        uses=("conductor", "prometheus", "tracestore", "jaeger"),
    ),
    Component(
        name="alertmanager",
        title="Alertmanager",
        argv=commands.alertmanager,
        ports=("alertmanager",),
        probe=Probe("alertmanager", "/-/ready"),
        programs=("alertmanager",),
        job="alertmanager",
        scraped="alertmanager",
    ),
    Component(
        name="prometheus",
        title="Prometheus",
        argv=commands.prometheus,
        ports=("prometheus",),
        probe=Probe("prometheus", "/-/ready"),
        needs=("service",),  # an alert about a service that is still starting would be a false one
        uses=("alertmanager",),
        programs=("prometheus",),
        job="prometheus",
        scraped="prometheus",
    ),
    Component(
        name="traffic",
        title="Traffic generator",
        argv=commands.python("faults.traffic"),
        environment=commands.traffic_environment,
        ports=("traffic",),
        probe=Probe("traffic", "/health"),
        needs=("service",),
        uses=("service",),
        page="/health",
    ),
    Component(
        name="node",
        title="Host metrics",
        argv=commands.node,
        ports=("node",),
        probe=Probe("node", "/metrics"),  # node_exporter has no other page that says as much
        takes="node_exporter",
        wanted=_has_service,  # of an app in its place nothing else is scraped, so that rules meet nothing foreign
        optional=True,
        page="/metrics",
        job="node",
        scraped="node",
    ),
    Component(
        name="grafana",
        title="Grafana",
        argv=commands.grafana,
        environment=commands.grafana_environment,
        ports=("grafana",),
        probe=Probe("grafana", "/api/health", deadline_s=120.0),  # the first start makes its database
        uses=("prometheus",),
        takes="grafana",
        wanted=lambda plan: "grafana" in plan.programs,
        optional=True,
        job="grafana",
        scraped="grafana",
    ),
    Component(
        name="own-alertmanager",
        title="Your Alertmanager",
        argv=commands.own_alertmanager,
        ports=("own_alertmanager",),
        probe=Probe("own_alertmanager", "/-/ready"),
        programs=("alertmanager",),
        wanted=_has_own,
    ),
    Component(
        name="own-prometheus",
        title="Your Prometheus",
        argv=commands.own_prometheus,
        ports=("own_prometheus",),
        probe=Probe("own_prometheus", "/-/ready"),
        needs=("service",),
        uses=("own-alertmanager",),
        programs=("prometheus",),
        wanted=_has_own,
        page="/alerts",
    ),
)
"""In the order of starting, as far as needs leave it open: the service first, since others wait for it."""
