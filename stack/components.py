"""The one table of what a stack is made of: how each component is started, on which ports, and when it counts as ready.

A row says everything; the supervisor, ``status`` and the port check only read it. Nothing here starts a process.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from stack.endpoints import HOST, Endpoints, of_replicas
from stack.errors import StackError
from stack.home import Home
from stack.pace import Pace

DEFAULT_TABLE = "stack.components:COMPONENTS"
ROOT = Path(__file__).resolve().parent.parent
TRAFFIC_RATE = 5.0
"""Background requests per second where traffic is wanted."""
RETENTION = "30d"
LOOKBACK_S = 300.0
RESEND_DELAY_S = 60.0
FOR_GRACE_PERIOD_S = 600.0
FOR_OUTAGE_TOLERANCE_S = 3600.0


@dataclass(frozen=True)
class Plan:
    """What one particular stack is started with. ``programs`` maps a program's name to its file."""

    home: Home
    endpoints: Endpoints
    pace: Pace
    traffic: bool
    programs: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))
    workers: int = 1


@dataclass(frozen=True)
class Probe:
    """When a component counts as ready: ``path`` at its ``port`` answers 200 within ``deadline_s`` of its start."""

    port: str
    path: str
    deadline_s: float = 60.0


def _nothing(_plan: Plan) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Component:
    """One row of the table.

    ``ports`` are names in ``stack.endpoints.PORTS``, the main one first. ``replica_ports`` are those that each replica
    has for itself where there are several; the probe then asks the last named of them as well. What it ``needs`` must
    be ready before it starts; it is stopped before what it ``needs`` or ``uses``. ``page`` is the path that a person
    opens in a browser.
    """

    name: str
    title: str
    argv: Callable[[Plan], Sequence[str]]
    ports: tuple[str, ...]
    probe: Probe
    environment: Callable[[Plan], Mapping[str, str]] = _nothing
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    page: str = "/"
    grace_s: float = 1.5
    replica_ports: tuple[str, ...] = ()

    def listens_on(self, workers: int) -> tuple[str, ...]:
        """Return the names of all its ports, without doubles, in a stack with so many replicas of the service."""
        if workers == 1:
            return self.ports
        shared = [name for name in self.ports if name not in self.replica_ports]
        return (*shared, *(each for name in self.replica_ports for each in of_replicas(name, workers)))

    def probed(self, workers: int) -> tuple[str, ...]:
        """Return the names of the ports that must answer its probe."""
        if workers == 1 or not self.replica_ports:
            return (self.probe.port,)
        return (self.probe.port, *of_replicas(self.replica_ports[-1], workers))

    def url(self, endpoints: Endpoints) -> str:
        """Return the address of its page."""
        return endpoints.url(self.ports[0], self.page)


def child_environment(component: Component, plan: Plan) -> dict[str, str]:
    """Return the whole environment of a component: the supervisor's own, what every child is told, and the row's."""
    inherited = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), inherited] if inherited else [str(ROOT)]),
        "PYTHONUNBUFFERED": "1",
        "FIREDRILL_HOME": str(plan.home.root),
        "FIREDRILL_PORT_OFFSET": str(plan.endpoints.offset),
        "FIREDRILL_PACE": plan.pace.name,
        "FIREDRILL_WORKERS": str(plan.workers),
        **component.environment(plan),
    }


def prometheus_duration(seconds: float) -> str:
    """Return ``seconds`` as Prometheus flags take it, exact to the millisecond and never below it."""
    milliseconds = max(1, round(seconds * 1000))
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def _python(module: str) -> Callable[[Plan], Sequence[str]]:
    return lambda _plan: [sys.executable, "-m", module]


def _service(plan: Plan) -> Sequence[str]:
    """Return the service itself, or what starts its replicas."""
    return [sys.executable, "-m", "faults.serve" if plan.workers == 1 else "faults.replicas"]


def _service_environment(plan: Plan) -> Mapping[str, str]:
    return {
        "HOST": HOST,
        "PORT": str(plan.endpoints.port("service")),
        "WORKERS": str(plan.workers),
        "RELOAD": "false",
        "ARTIFACTS_DIR": str(plan.home.artifacts),
        "MODELS": os.environ.get("MODELS", "iris,churn,housing,exchange-rate"),
        "LOG_FORMAT": "json",
        "LOG_OUTPUT": "stdout",
        "ENABLE_METRICS": "true",
        "ENABLE_TRACING": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": plan.endpoints.url("otlp"),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_SERVICE_NAME": "firedrill",
        "GRACEFUL_SHUTDOWN_TIMEOUT": "1",
    }


def _traffic_environment(plan: Plan) -> Mapping[str, str]:
    return {"FIREDRILL_TRAFFIC_RATE": f"{TRAFFIC_RATE:g}" if plan.traffic else "0"}


def _prometheus(plan: Plan) -> Sequence[str]:
    def scaled(seconds: float) -> str:
        return prometheus_duration(plan.pace.scale(seconds))

    return [
        str(plan.programs["prometheus"]),
        f"--config.file={plan.home.run / 'prometheus.yml'}",
        f"--storage.tsdb.path={plan.home.data / 'prometheus'}",
        f"--storage.tsdb.retention.time={RETENTION}",
        f"--web.listen-address={plan.endpoints.address('prometheus')}",
        "--web.enable-lifecycle",
        "--enable-feature=exemplar-storage",
        f"--query.lookback-delta={scaled(LOOKBACK_S)}",
        f"--rules.alert.resend-delay={scaled(RESEND_DELAY_S)}",
        f"--rules.alert.for-grace-period={scaled(FOR_GRACE_PERIOD_S)}",
        f"--rules.alert.for-outage-tolerance={scaled(FOR_OUTAGE_TOLERANCE_S)}",
        "--log.level=warn",
    ]


def _alertmanager(plan: Plan) -> Sequence[str]:
    return [
        str(plan.programs["alertmanager"]),
        f"--config.file={plan.home.run / 'alertmanager.yml'}",
        f"--storage.path={plan.home.data / 'alertmanager'}",
        f"--web.listen-address={plan.endpoints.address('alertmanager')}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]


def _panel(plan: Plan) -> Sequence[str]:
    return [
        *(sys.executable, "-m", "streamlit", "run", str(ROOT / "panel" / "app.py")),
        "--server.headless=true",
        f"--server.address={HOST}",
        f"--server.port={plan.endpoints.port('panel')}",
        "--server.fileWatcherType=none",
        "--browser.gatherUsageStats=false",
    ]


COMPONENTS: tuple[Component, ...] = (
    Component(
        name="service",
        title="ML service",
        argv=_service,
        environment=_service_environment,
        ports=("service", "control"),
        replica_ports=("control", "replica"),
        probe=Probe("service", "/ready", deadline_s=120.0),  # the first start trains the models
        uses=("tracestore",),
        page="/docs",
    ),
    Component(
        name="tracestore",
        title="Trace store",
        argv=_python("stack.tracestore"),
        ports=("tracestore", "otlp"),
        probe=Probe("tracestore", "/health"),
    ),
    Component(
        name="conductor",
        title="Drill conductor",
        argv=_python("faults.drills.conductor"),
        ports=("conductor",),
        probe=Probe("conductor", "/health"),
        uses=("service", "traffic", "prometheus", "alertmanager"),
        page="/health",
    ),
    Component(
        name="panel",
        title="Panel",
        argv=_panel,
        ports=("panel",),
        probe=Probe("panel", "/_stcore/health"),
        uses=("conductor", "prometheus", "tracestore"),
    ),
    Component(
        name="alertmanager",
        title="Alertmanager",
        argv=_alertmanager,
        ports=("alertmanager",),
        probe=Probe("alertmanager", "/-/ready"),
        programs=("alertmanager",),
    ),
    Component(
        name="prometheus",
        title="Prometheus",
        argv=_prometheus,
        ports=("prometheus",),
        probe=Probe("prometheus", "/-/ready"),
        needs=("service",),  # an alert about a service that is still starting would be a false one
        uses=("alertmanager",),
        programs=("prometheus",),
    ),
    Component(
        name="traffic",
        title="Traffic generator",
        argv=_python("faults.traffic"),
        environment=_traffic_environment,
        ports=("traffic",),
        probe=Probe("traffic", "/health"),
        needs=("service",),
        uses=("service",),
        page="/health",
    ),
)
"""In the order of starting, as far as needs leave it open: the service first, since others wait for it."""


def table_named(name: str) -> tuple[Component, ...]:
    """Return the table that ``package.module:ATTRIBUTE`` names."""
    module, _, attribute = name.partition(":")
    table: tuple[Component, ...] = getattr(importlib.import_module(module), attribute)
    return table


class BadTable(StackError):  # noqa: N818 - reads as a fact where it is raised
    """The table names a component twice or needs one that it does not have, or needs go round in a circle."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"component table: {problem}")


def check_table(components: Sequence[Component]) -> None:
    """Raise ``BadTable`` unless names are unique and needs and uses are known and free of circles."""
    by_name = {component.name: component for component in components}
    if len(by_name) != len(components):
        raise BadTable("a name stands there twice")
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise BadTable(f"{' -> '.join((*path, name))} is a circle")
        if name not in by_name:
            raise BadTable(f"{path[-1]} needs {name!r}, which is not in the table")
        if name not in done:
            for needed in (*by_name[name].needs, *by_name[name].uses):
                visit(needed, (*path, name))
            done.add(name)

    for component in components:
        visit(component.name, ())
