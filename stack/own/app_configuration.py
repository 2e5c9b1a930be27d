"""Renders what Prometheus and Alertmanager read where an app of the user's stands in the service's place.

The same files as ever, in ``run`` of the home, with the user's rules and nobody else's, and with two scrape jobs: the
app, and the fault series of its control endpoint. Nothing of what Firedrill's own service shows is expected of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from stack.configuration import HEADER, ExternalLabels, Yaml, alertmanager_yml, prometheus_yml, replace_file
from stack.own.app import FAULTS_JOB, OwnApp
from stack.own.configuration import numbered, rule_file
from stack.plan import Plan

METRICS = "/metrics"


def render_app(plan: Plan) -> None:
    """Write ``run/prometheus.yml``, ``run/rules/*.yml`` and ``run/alertmanager.yml`` for the app of ``plan``.

    Raises ``OwnError`` or ``RuleError``; nothing may be started then.
    """
    app, run = plan.app, plan.home.run
    if app is None:
        return
    folder = run / "rules"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rules = [rule_file(path, folder / f"{index:02d}-{path.stem}.yml", plan) for index, path in numbered(app.rules)]
    remark = f"stack/own/app_configuration.py, at pace {plan.pace.name} (durations divided by {plan.pace.factor:g})"
    header = HEADER.format(remark)
    plan.home.token()
    replace_file(run / "alertmanager.yml", header + alertmanager_yml(plan.endpoints, plan.pace, plan.home.token_file))
    text = prometheus_yml(
        plan.endpoints,
        plan.pace.interval_s,
        labels=ExternalLabels().as_mapping(),
        rules=rules,
        scrapes=scrapes(app, plan.home.token_file),
    )
    replace_file(run / "prometheus.yml", header + text)


def scrapes(app: OwnApp, token_file: Path) -> list[Mapping[str, Yaml]]:
    """Return the scrape jobs of the app and of its control endpoint, which wants the token in ``token_file``."""
    return [
        _scrape(app.job, app.url, app.metrics),
        _scrape(FAULTS_JOB, app.control, METRICS)
        | {"authorization": {"type": "Bearer", "credentials_file": str(token_file)}},
    ]


def _scrape(job: str, base: str, path: str) -> dict[str, Yaml]:
    parts = urlsplit(base)
    return {
        "job_name": job,
        "metrics_path": f"{parts.path}{path}",
        "static_configs": [{"targets": [f"{parts.hostname}:{parts.port or 80}"]}],
    }
