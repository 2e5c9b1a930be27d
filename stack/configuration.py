"""Renders what Prometheus, Alertmanager and Grafana read, for one home, one set of ports and one pace, from one source.

The source is written in production time: ``stack/config/prometheus/rules`` and the constants below. Everything is
worked out before the first file is touched, each file is replaced in one step, and prometheus.yml comes last.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from stack.endpoints import Endpoints, of_replicas
from stack.home import Home
from stack.pace import PRODUCTION_INTERVAL_S, Pace
from stack.rules.durations import format_duration
from stack.rules.read import load_rules
from stack.rules.scale import scale_rules
from stack.rules.write import write_rules

RULES_DIR = Path(__file__).resolve().parent / "config" / "prometheus" / "rules"
JOBS: Mapping[str, str] = {
    "firedrill": "service",
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
    "tracestore": "tracestore",
    "node": "node",
}
"""Scrape jobs and the endpoint that each scrapes, in a stack without optional components."""
GRAFANA_SOURCE = RULES_DIR.parents[1] / "grafana" / "provisioning"
NOT_NATIVE = ("loki.yml",)
"""Data sources of components that only Compose runs."""
WEBHOOK_PATH = "/webhook/alertmanager"
RECEIVER = "firedrill"
SCRAPE_TIMEOUT_S = 10.0
"""Longest scrape, at any pace; never longer than the interval."""
GROUP_WAIT_S = 30.0
GROUP_INTERVAL_S = 60.0
REPEAT_INTERVAL_S = 4 * 3600.0
RESOLVE_TIMEOUT_S = 300.0
OWN_LABEL = "firedrill_rules"
"""The external label by which an alert of the user's own rules is told from the stack's, wherever it arrives."""
OWN_VALUE = "own"

Yaml = str | bool | Sequence["Yaml"] | Mapping[str, "Yaml"]


@dataclass(frozen=True)
class ExternalLabels:
    """What every alert is told apart by once it has left this stack."""

    cluster: str = field(default_factory=lambda: os.environ.get("FIREDRILL_CLUSTER") or "firedrill")
    environment: str = field(default_factory=lambda: os.environ.get("FIREDRILL_ENVIRONMENT") or "drill")

    def as_mapping(self) -> Mapping[str, str]:
        """Return them by name."""
        return {"cluster": self.cluster, "environment": self.environment}


@dataclass(frozen=True)
class Rendered:
    """The files that were written."""

    prometheus: Path
    alertmanager: Path
    rules: tuple[Path, ...]


def render(
    home: Home,
    endpoints: Endpoints,
    pace: Pace,
    *,
    workers: int = 1,
    jobs: Mapping[str, str] = JOBS,
    labels: ExternalLabels | None = None,
    interval_s: float = PRODUCTION_INTERVAL_S,
    rules_dir: Path = RULES_DIR,
) -> Rendered:
    """Write ``run/prometheus.yml``, ``run/rules/*.yml`` and ``run/alertmanager.yml`` of ``home``; return their paths.

    Of several ``workers`` each is scraped at its own port. ``jobs`` are the scrape jobs, as in ``JOBS``. ``interval_s``
    is the scrape and evaluation interval in production time. Rule files of an earlier rendering are taken away. Raises
    ``RuleError`` where a rule cannot be read or cannot change its pace; nothing is written then.
    """
    sources = sorted(rules_dir.glob("*.yml"))
    remark = f"{{}}, at pace {pace.name} (durations divided by {pace.factor:g})"
    folder = home.run / "rules"
    rules = {
        folder / path.name: write_rules(
            scale_rules(load_rules(path), pace.factor, interval_s=interval_s), remark.format(path.name)
        )
        for path in sources
    }
    prometheus, alertmanager = home.run / "prometheus.yml", home.run / "alertmanager.yml"
    prometheus_text = prometheus_yml(
        endpoints,
        pace.scale(interval_s),
        labels=(labels or ExternalLabels()).as_mapping(),
        rules=[*sorted(rules), practice_files(home)],
        scrapes=[scrape(endpoints, job, *targets(name, workers)) for job, name in jobs.items()],
    )
    alertmanager_text = alertmanager_yml(endpoints, pace, home.token_file)
    home.token()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(practice_files(home).parent, ignore_errors=True)
    for path, text in rules.items():
        replace_file(path, text)
    replace_file(alertmanager, HEADER.format(remark.format("stack/configuration.py")) + alertmanager_text)
    replace_file(prometheus, HEADER.format(remark.format("stack/configuration.py")) + prometheus_text)
    for stale in set(folder.glob("*.yml")) - set(rules):
        stale.unlink(missing_ok=True)
    return Rendered(prometheus, alertmanager, tuple(sorted(rules)))


def practice_files(home: Home) -> Path:
    """Return the pattern of further rule files, which a workshop adds and takes away while Prometheus runs."""
    return home.run / "rules" / "practice" / "*.yml"


def render_grafana(home: Home) -> None:
    """Put what Grafana provisions itself from into ``run/grafana`` of ``home``, in place of an earlier stack's.

    The files stay as they are: Grafana puts addresses in from its environment.
    """
    folder = home.run / "grafana"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(GRAFANA_SOURCE, folder, ignore=shutil.ignore_patterns(*NOT_NATIVE))


HEADER = "# rendered from {}; changes here are lost at the next start\n"


def targets(name: str, workers: int) -> tuple[str, ...]:
    """Return the names of the ports that a job scrapes which scrapes ``name``: of several replicas those of each."""
    return of_replicas("replica", workers) if name == "service" and workers > 1 else (name,)


def scrape(endpoints: Endpoints, job: str, *names: str) -> Mapping[str, Yaml]:
    """Return a scrape job for the ports called ``names``."""
    return {"job_name": job, "static_configs": [{"targets": [endpoints.address(name) for name in names]}]}


def prometheus_yml(
    endpoints: Endpoints,
    interval_s: float,
    *,
    labels: Mapping[str, str],
    rules: Sequence[Path],
    scrapes: Sequence[Mapping[str, Yaml]],
    alertmanager: str = "alertmanager",
) -> str:
    """Return a configuration that scrapes and evaluates every ``interval_s`` seconds, alerting into one Alertmanager.

    ``labels`` are the external labels, ``alertmanager`` the name of its port.
    """
    interval = format_duration(interval_s)
    return dump(
        {
            "global": {
                "scrape_interval": interval,
                "scrape_timeout": format_duration(min(SCRAPE_TIMEOUT_S, interval_s)),
                "evaluation_interval": interval,
                "external_labels": labels,
            },
            "rule_files": [str(path) for path in rules],
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": [endpoints.address(alertmanager)]}]}],
            },
            "scrape_configs": scrapes,
        }
    )


def alertmanager_yml(endpoints: Endpoints, pace: Pace, token_file: Path) -> str:
    """Return a configuration that tells the conductor everything, its timers at ``pace``."""

    def scaled(seconds: float) -> str:
        return format_duration(pace.scale(seconds))

    authorization: Mapping[str, Yaml] = {"type": "Bearer", "credentials_file": str(token_file)}
    webhook: Mapping[str, Yaml] = {
        "url": endpoints.url("conductor", WEBHOOK_PATH),
        "send_resolved": True,
        "http_config": {"authorization": authorization},
    }
    return dump(
        {
            "global": {"resolve_timeout": scaled(RESOLVE_TIMEOUT_S)},
            "route": {
                "receiver": RECEIVER,
                "group_by": ["alertname"],
                "group_wait": scaled(GROUP_WAIT_S),
                "group_interval": scaled(GROUP_INTERVAL_S),
                "repeat_interval": scaled(REPEAT_INTERVAL_S),
            },
            "receivers": [{"name": RECEIVER, "webhook_configs": [webhook]}],
        }
    )


def dump(document: Mapping[str, Yaml]) -> str:
    """Return ``document`` as YAML, in its own order."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=4096)


def replace_file(path: Path, text: str) -> None:
    """Put ``text`` in place of what ``path`` holds, in one step."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
