"""On what a run ran: versions, settings, the machine, as texts by name. It asks Prometheus and changes nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import tomllib
from pathlib import Path

import psutil

from faults.drills.plan import Plan
from faults.drills.wire import DrillRun
from stack.clients.prometheus import PrometheusClient
from stack.configuration import GROUP_INTERVAL_S, GROUP_WAIT_S, REPEAT_INTERVAL_S, RESOLVE_TIMEOUT_S

_ROOT = Path(__file__).parents[2]
_BUILDS = '{__name__=~".+_build_info"}'
EMBEDDED = "embedded, of this Firedrill"


def versions(prometheus: PrometheusClient) -> dict[str, str]:
    """Return the version of every program that says one. Raises ``SourceError``."""
    known = {"Firedrill": firedrill_version(), "Python": platform.python_version()}
    known["Prometheus"] = prometheus.build_version()
    builds = {
        sample.labels["__name__"].removesuffix("_build_info"): sample.labels["version"]
        for sample in prometheus.query(_BUILDS)
        if sample.labels.get("version") and sample.labels["__name__"] != "prometheus_build_info"
    }
    names = {"alertmanager": "Alertmanager", "jaeger": "Jaeger", "grafana": "Grafana", "node_exporter": "node_exporter"}
    known |= {names.get(name, name): version for name, version in sorted(builds.items())}
    if "Jaeger" not in known and prometheus.query('up{job="tracestore"}'):
        known["trace store"] = EMBEDDED
    return known


def firedrill_version() -> str:
    """Return the version of this Firedrill: of its checkout, else of its installed package."""
    try:
        text = (_ROOT / "pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        pass
    try:
        return importlib.metadata.version("firedrill")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def configuration(plan: Plan, run: DrillRun, workers: int) -> dict[str, str]:
    """Return the settings that times depend on, at the pace of the run."""
    pace = plan.pace
    timers = {
        "scrape and evaluation interval": pace.interval_s,
        "group_wait": pace.scale(GROUP_WAIT_S),
        "group_interval": pace.scale(GROUP_INTERVAL_S),
        "repeat_interval": pace.scale(REPEAT_INTERVAL_S),
        "resolve_timeout": pace.scale(RESOLVE_TIMEOUT_S),
    }
    traffic = plan.drill.traffic
    return {
        "pace": f"{pace.name} (production durations divided by {pace.factor:g})",
        "seed": str(run.seed),
        **{name: f"{value:g} s" for name, value in timers.items()},
        "replicas of the service": str(workers),
        "traffic": "as it was" if traffic is None else traffic.model_dump_json(exclude_defaults=True),
    }


def host() -> dict[str, str]:
    """Return what the machine is, without its name."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processors": str(os.cpu_count() or "unknown"),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "load when the run ended": f"{os.getloadavg()[0]:.2f}",
    }
