"""The command line and the environment of each component, for one plan. Nothing here starts a process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stack.bundles import home_of
from stack.component import ROOT
from stack.endpoints import HOST
from stack.plan import Plan
from stack.rules.durations import format_duration

CONFIG = ROOT / "stack" / "config"
TRAFFIC_RATE = 5.0
"""Background requests per second where traffic is wanted."""
RETENTION = "30d"
LOOKBACK_S = 300.0
RESEND_DELAY_S = 60.0
FOR_GRACE_PERIOD_S = 600.0
FOR_OUTAGE_TOLERANCE_S = 3600.0
ADMIN = "--web.enable-admin-api"
"""By which the synthetic history of a drill is taken away again; on loopback, as everything is."""


def prometheus_duration(seconds: float) -> str:
    """Return ``seconds`` as Prometheus flags take it, exact to the millisecond and never below it."""
    milliseconds = max(1, round(seconds * 1000))
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def python(module: str) -> Callable[[Plan], Sequence[str]]:
    """Return the command line of a process that is a module of ours."""
    return lambda _plan: [sys.executable, "-m", module]


def service(plan: Plan) -> Sequence[str]:
    """Return the service itself, or what starts its replicas."""
    return [sys.executable, "-m", "faults.serve" if plan.workers == 1 else "faults.replicas"]


def service_environment(plan: Plan) -> Mapping[str, str]:
    """Return the service's settings; a dialect that the user brought is found in a folder of the home."""
    brought = plan.own is not None and plan.own.dialect_file is not None
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
        "OTEL_LOGS_EXPORTER": "none" if runs_jaeger(plan) else "otlp",  # Jaeger takes traces only
        "OTEL_SERVICE_NAME": "firedrill",
        "GRACEFUL_SHUTDOWN_TIMEOUT": "1",
        **({"DIALECTS_DIR": str(dialects_folder(plan))} if brought else {}),
    }


def dialects_folder(plan: Plan) -> Path:
    """Return the folder that the service reads dialects from where the user brought one."""
    return plan.home.run / "own" / "dialects"


def traffic_environment(plan: Plan) -> Mapping[str, str]:
    """Return the rate of the background traffic; an app of the user's gets none that nobody named."""
    wanted = plan.traffic and (plan.app is None or bool(plan.app.traffic))
    return {"FIREDRILL_TRAFFIC_RATE": f"{TRAFFIC_RATE:g}" if wanted else "0"}


def prometheus(plan: Plan) -> Sequence[str]:
    """Return the stack's own Prometheus; what it scraped of one app it never shows beside another's."""
    return _prometheus(plan, "prometheus", plan.home.run / "prometheus.yml", _data(plan) / "prometheus", ADMIN)


def own_prometheus(plan: Plan) -> Sequence[str]:
    """Return the Prometheus of the user's rules; what it scraped in one dialect it never shows beside another."""
    return _prometheus(plan, "own_prometheus", plan.home.run / "own" / "prometheus.yml", _own_data(plan) / "prometheus")


def _prometheus(plan: Plan, port: str, config: Path, data: Path, *more: str) -> Sequence[str]:
    def scaled(seconds: float) -> str:
        return prometheus_duration(plan.pace.scale(seconds))

    return [
        str(plan.programs["prometheus"]),
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--storage.tsdb.retention.time={RETENTION}",
        f"--web.listen-address={plan.endpoints.address(port)}",
        "--web.enable-lifecycle",
        "--enable-feature=exemplar-storage",
        f"--query.lookback-delta={scaled(LOOKBACK_S)}",
        f"--rules.alert.resend-delay={scaled(RESEND_DELAY_S)}",
        f"--rules.alert.for-grace-period={scaled(FOR_GRACE_PERIOD_S)}",
        f"--rules.alert.for-outage-tolerance={scaled(FOR_OUTAGE_TOLERANCE_S)}",
        "--log.level=warn",
        *more,
    ]


def alertmanager(plan: Plan) -> Sequence[str]:
    """Return the stack's own Alertmanager."""
    return _alertmanager(plan, "alertmanager", plan.home.run / "alertmanager.yml", _data(plan) / "alertmanager")


def own_alertmanager(plan: Plan) -> Sequence[str]:
    """Return the Alertmanager of the user's rules."""
    config = plan.home.run / "own" / "alertmanager.yml"
    return _alertmanager(plan, "own_alertmanager", config, _own_data(plan) / "alertmanager")


def _alertmanager(plan: Plan, port: str, config: Path, data: Path) -> Sequence[str]:
    return [
        str(plan.programs["alertmanager"]),
        f"--config.file={config}",
        f"--storage.path={data}",
        f"--web.listen-address={plan.endpoints.address(port)}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]


def _data(plan: Plan) -> Path:
    return plan.home.data if plan.app is None else plan.home.data / "app" / plan.app.job


def _own_data(plan: Plan) -> Path:
    return plan.home.data / "own" / ((plan.own.dialect if plan.own else "") or "canonical")


def panel_environment(plan: Plan) -> Mapping[str, str]:
    """Return the address that the panel is opened on."""
    return {"FIREDRILL_PANEL_HOST": plan.panel_host}


def node(plan: Plan) -> Sequence[str]:
    """Return node_exporter where there is one, else the exporter of our own."""
    listen = plan.endpoints.address("node")
    if "node_exporter" in plan.programs:
        return [str(plan.programs["node_exporter"]), f"--web.listen-address={listen}", "--log.level=warn"]
    return [sys.executable, "-m", "stack.hostmetrics", "--listen", listen]


def runs_jaeger(plan: Plan) -> bool:
    """Return whether a real Jaeger takes the trace store's place."""
    return "jaeger" in plan.programs


def jaeger(plan: Plan) -> Sequence[str]:
    """Return a real Jaeger."""
    return [str(plan.programs["jaeger"]), f"--config={CONFIG / 'jaeger' / 'jaeger.yml'}"]


def jaeger_environment(plan: Plan) -> Mapping[str, str]:
    """Return what its configuration puts in."""
    port = plan.endpoints.port
    return {
        "FIREDRILL_JAEGER_HOST": HOST,
        "FIREDRILL_JAEGER_DATA": str(plan.home.data / "jaeger"),
        "FIREDRILL_JAEGER_QUERY_PORT": str(port("tracestore")),
        "FIREDRILL_JAEGER_GRPC_PORT": str(port("jaeger_grpc")),
        "FIREDRILL_JAEGER_HEALTH_PORT": str(port("jaeger_health")),
        "FIREDRILL_JAEGER_METRICS_PORT": str(port("jaeger_metrics")),
        "FIREDRILL_JAEGER_OTLP_PORT": str(port("otlp")),
        "FIREDRILL_JAEGER_OTLP_GRPC_PORT": str(port("otlp_grpc")),
    }


def grafana(plan: Plan) -> Sequence[str]:
    """Return a real Grafana; what it is told otherwise stands in its environment."""
    program = plan.programs["grafana"]
    home = home_of("grafana", program)
    return [str(program), "server", *((f"--homepath={home}",) if home is not None else ())]


def grafana_environment(plan: Plan) -> Mapping[str, str]:
    """Return Grafana's settings and the addresses that its data sources put in."""
    endpoints, data = plan.endpoints, plan.home.data / "grafana"
    return {
        "GF_SERVER_HTTP_ADDR": HOST,
        "GF_SERVER_HTTP_PORT": str(endpoints.port("grafana")),
        "GF_SERVER_ROOT_URL": endpoints.link("grafana", "/"),
        "GF_PATHS_DATA": str(data),
        "GF_PATHS_LOGS": str(data / "log"),
        "GF_PATHS_PLUGINS": str(data / "plugins"),
        "GF_PATHS_PROVISIONING": str(plan.home.run / "grafana"),
        "GF_SECURITY_ADMIN_PASSWORD": plan.home.grafana_password(),
        "GF_USERS_ALLOW_SIGN_UP": "false",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_LOG_MODE": "console",
        "GF_LOG_LEVEL": "warn",
        "FIREDRILL_PROMETHEUS_URL": endpoints.url("prometheus"),
        "FIREDRILL_JAEGER_URL": endpoints.url("tracestore"),
        "FIREDRILL_JAEGER_LINK": endpoints.link("tracestore"),
        "FIREDRILL_PANEL_LINK": endpoints.link("panel"),
        "FIREDRILL_INTERVAL": format_duration(plan.pace.interval_s),
        "FIREDRILL_DASHBOARDS": str(CONFIG / "grafana" / "dashboards"),
    }
